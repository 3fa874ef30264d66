//! Invariant 8: no credential appears in a call, and so in no attribute, command or comment; nor in what a function logs,
//! prints as metrics or answers. All modelled passwords share one text, so that one search finds any.

use super::{Holds, Step, must};

/// Part of every password in the simulation.
pub const MARK: &str = "battery-staple";

/// What a function asks AWS for.
pub(super) fn stand_in_no_call(step: &Step<'_>) -> Holds {
    let Some((call, _)) = step.call else { return Ok(()) };
    must(!contains(&call.body), || format!("a password stands in a {}", call.operation))
}

/// Whether some password stands in a text.
pub fn contains(text: &[u8]) -> bool {
    // The first letter is looked for first: bodies are many and long.
    let mark = MARK.as_bytes();
    text.iter().enumerate().any(|(place, byte)| *byte == mark[0] && text[place..].starts_with(mark))
}
