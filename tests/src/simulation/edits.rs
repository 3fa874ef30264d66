//! What of an instance's attributes rests on what somebody else wrote.

use std::sync::Arc;

use jiff::Timestamp;
use shared::state::State;

/// It counts no failure before the last.
pub(super) fn begins_anew(state: Option<&State>) -> bool {
    !matches!(state, Some(State::Unmapped { judged, failing_since, .. }) if judged != failing_since)
}

/// A drain attribute says that we drained the instance, in the one format that we write.
pub(super) fn claims_a_drain(value: &str) -> bool {
    let words: Vec<&str> = value.split(' ').collect();
    words.len() == 3 && words[0] == "done" && words[2].parse::<Timestamp>().is_ok()
}

/// Whether some attributes rest on an edit: on this one, or on an earlier one from which nothing began anew since.
pub(super) fn is_edited_since(
    before: Option<(&[Option<Arc<str>>], bool)>,
    now: &[Option<Arc<str>>],
    is_edited: bool,
    begins_anew: bool,
) -> bool {
    let is_same = before.map_or(now.iter().all(Option::is_none), |(raw, _)| raw == now);
    let was_edited = before.is_some_and(|(_, was_edited)| was_edited);
    if is_same { was_edited } else { is_edited || was_edited && !begins_anew }
}
