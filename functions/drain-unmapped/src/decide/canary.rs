//! The canary: the one instance that tries the parameters' password while it is not fresh.

use jiff::Timestamp;
use shared::cause::Cause;
use shared::history::Action;
use shared::state::State;

use super::schedule::hash;
use super::turns::{turns, was_not_delivered};
use crate::fleet::Instance;

/// The order of the candidates: first those that are due for more than a renewal, then those without a failed `map`, then
/// the least recently judged, then by ARN.
///
/// One `map` that was not delivered does not count as failed, a second one does: an instance whose agent takes no command
/// would otherwise be the canary for ever. A `check` that was not delivered is no attempt, because SSM says so of every
/// target behind such an instance.
pub(super) fn rank(instance: &Instance, oldest: Timestamp) -> impl Ord + use<> {
    let last = last_attempt(instance, oldest);
    (instance.is_open(), has_failed_map(instance), last, instance.record.arn.clone())
}

fn has_failed_map(instance: &Instance) -> bool {
    match instance.state() {
        Some(State::Unmapped { cause, .. }) if *cause == Cause::NOT_MAPPED => false,
        Some(State::Unmapped { attempts, cause, .. }) => *cause != Cause::UNDELIVERED || *attempts > 1,
        _ => false,
    }
}

/// When it was last judged or, if that command was not delivered, last sent a `map`; with a number that shuffles equals.
/// The history tells of no command before `oldest`.
fn last_attempt(instance: &Instance, oldest: Timestamp) -> (Timestamp, u64) {
    match instance.state() {
        _ if was_not_delivered(instance) => {
            let maps = turns(instance).filter(|result| result.action == Action::Map);
            let sent = maps.map(|result| result.requested_at).fold(oldest, Timestamp::max);
            (sent, hash(&instance.id, sent))
        }
        Some(state) => (state.judged(), 0),
        None => (Timestamp::MIN, 0),
    }
}
