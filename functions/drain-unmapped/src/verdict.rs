//! From the words of invocations to what stands on an instance.
//!
//! A result is judged once, and only when its command was requested after the registration, after the last judged one
//! and after the restart that stands on the instance; of several the one requested last. Under an open gate only the
//! script's own word counts: a lost or skipped command proves nothing about a drive that was there before.

use jiff::Timestamp;
use shared::cause::{Cause, Class};
use shared::invocation::InvocationResult;
use shared::state::{Gate, State, StateAttribute};

use crate::fleet::{Answer, Instance};

/// What to write: gate and state never part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The gate.
    pub gate: Gate,
    /// The state.
    pub state: State,
}

/// The answer that is to be judged now and what it changes; `None` where nothing new is proven.
pub fn judge(instance: &Instance) -> Option<(&Answer, Verdict)> {
    let answer = instance.fresh_answers().rev().find(|answer| has_something_to_say(instance, answer))?;
    let requested = answer.requested_at;
    let before = instance.state();
    let logon = before.and_then(State::logon);
    let verdict = match answer.result.as_ref()? {
        InvocationResult::Pending => return None,
        InvocationResult::Mapped(proof) => {
            let since = match before {
                Some(State::Mapped { since, .. } | State::Doubtful { since, .. }) if instance.is_open() => {
                    *since
                }
                _ => requested,
            };
            let logon = if proof.changed { Some(requested) } else { logon };
            Verdict { gate: Gate::Mapped, state: State::Mapped { since, judged: requested, logon } }
        }
        InvocationResult::Failed(failure) => failed(instance, requested, logon, &failure.cause),
        InvocationResult::NoResult(cause) => failed(instance, requested, logon, cause),
    };
    Some((answer, verdict))
}

fn has_something_to_say(instance: &Instance, answer: &Answer) -> bool {
    match &answer.result {
        None | Some(InvocationResult::Pending) => false,
        Some(InvocationResult::Mapped(_)) => true,
        // Another command held the mutex: no attempt was made, and that other one's word is the one to take.
        Some(InvocationResult::Failed(failure)) => failure.cause.as_str() != "busy",
        // Under an open gate an earlier word is not outvoted by a later silence.
        Some(InvocationResult::NoResult(_)) => !instance.is_open(),
    }
}

fn failed(instance: &Instance, requested: Timestamp, logon: Option<Timestamp>, cause: &Cause) -> Verdict {
    let may_pass = matches!(cause.class(), Class::Network | Class::Directory);
    let (attempts, failing_since) = match &instance.record.attributes.state {
        StateAttribute::Known(State::Mapped { since, .. }) if instance.is_open() && may_pass => {
            let state = State::Doubtful { since: *since, judged: requested, logon, cause: cause.clone() };
            return Verdict { gate: Gate::Mapped, state };
        }
        StateAttribute::Unreadable if may_pass => {
            let state = State::Doubtful { since: requested, judged: requested, logon, cause: cause.clone() };
            return Verdict { gate: Gate::Mapped, state };
        }
        StateAttribute::Known(State::Doubtful { judged, cause: earlier, .. })
            if instance.is_open() && earlier.class() == cause.class() =>
        {
            (2, *judged)
        }
        StateAttribute::Known(State::Unmapped { attempts, cause: earlier, failing_since, .. })
            if earlier.class() == cause.class() =>
        {
            (attempts.saturating_add(1), *failing_since)
        }
        _ => (1, requested),
    };
    let state = State::Unmapped { attempts, judged: requested, logon, cause: cause.clone(), failing_since };
    Verdict { gate: Gate::Shut, state }
}
