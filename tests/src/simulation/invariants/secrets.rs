//! Invariant 8: no credential is in a call, and so in no attribute, command or comment; nor in a log, metric or answer.

use super::{CheckResult, Step, ensure};
use crate::simulation::world::PASSWORD_MARK;

pub(super) fn no_call_contains_a_password(step: &Step<'_>) -> CheckResult {
    let Some((call, _)) = step.call else { return Ok(()) };
    ensure(!contains_password(&call.body), || format!("a password is in a {}", call.operation))
}

pub(in crate::simulation) fn contains_password(text: &[u8]) -> bool {
    // Bodies are many and long: comparing the first byte first saves time.
    let mark = PASSWORD_MARK.as_bytes();
    text.iter().enumerate().any(|(index, byte)| *byte == mark[0] && text[index..].starts_with(mark))
}
