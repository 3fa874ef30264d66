//! What an invocation result changes on its instance.
//!
//! A result is judged once, and only when its command was requested after the registration, after the last judged command
//! and after the recorded restart. Of several results the one requested last counts. Under an open gate only the script's
//! own result line counts: a lost or skipped command proves nothing about a drive that was there before.

use jiff::Timestamp;
use shared::cause::{Cause, Class};
use shared::history::Action;
use shared::invocation::InvocationResult;
use shared::state::{Gate, State, StateAttribute};

use crate::fleet::{CommandResult, Instance};

/// Gate and state, always written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The gate.
    pub gate: Gate,
    /// The state.
    pub state: State,
}

/// The result that is to be judged now and what it changes; `None` where nothing new is known.
pub(super) fn judge(instance: &Instance) -> Option<(&CommandResult, Verdict)> {
    let result = instance.fresh_results().rev().find(|result| counts(instance, result))?;
    let requested = result.requested_at;
    let before = instance.state();
    let logon = before.and_then(State::logon);
    let verdict = match result.result.as_ref()? {
        InvocationResult::Pending => return None,
        InvocationResult::Mapped(proof) => {
            let since = match before {
                // Also where somebody shut the gate: the instance may not have lost its session.
                Some(State::Mapped { since, .. } | State::Doubtful { since, .. }) => *since,
                _ => requested,
            };
            // A check makes no mapping, whatever its result line says.
            let logged_on = proof.changed && result.action == Action::Map;
            let logon = if logged_on { Some(requested) } else { logon };
            Verdict { gate: Gate::Mapped, state: State::Mapped { since, judged: requested, logon } }
        }
        InvocationResult::Failed(failure) => failed(instance, requested, logon, &failure.cause),
        InvocationResult::NoResult(cause) => failed(instance, requested, logon, cause),
    };
    Some((result, verdict))
}

fn counts(instance: &Instance, result: &CommandResult) -> bool {
    match &result.result {
        None | Some(InvocationResult::Pending) => false,
        Some(InvocationResult::Mapped(_)) => true,
        // Another command held the mutex. This one made no attempt, and the other one's result is the one to judge.
        Some(InvocationResult::Failed(failure)) => failure.cause != Cause::BUSY,
        // SSM stopped the command before it got to the instance.
        Some(InvocationResult::NoResult(_)) if result.is_stopped => false,
        // Under an open gate a later silence does not overrule an earlier result.
        Some(InvocationResult::NoResult(_)) => !instance.is_open() && !was_no_attempt(instance, result),
    }
}

/// A check that was not delivered, where nothing is known yet: it may have waited behind others.
pub(super) fn was_no_attempt(instance: &Instance, result: &CommandResult) -> bool {
    let is_undelivered =
        matches!(&result.result, Some(InvocationResult::NoResult(cause)) if *cause == Cause::UNDELIVERED);
    is_undelivered && result.action == Action::Check && instance.is_unknown()
}

fn failed(instance: &Instance, requested: Timestamp, logon: Option<Timestamp>, cause: &Cause) -> Verdict {
    let may_pass = matches!(cause.class(), Class::Network | Class::Directory);
    let (attempts, failing_since) = match &instance.record.attributes.state {
        StateAttribute::Known(State::Mapped { since, .. }) if instance.is_open() && may_pass => {
            return doubtful(*since, requested, logon, cause);
        }
        StateAttribute::Unreadable if may_pass => return doubtful(requested, requested, logon, cause),
        StateAttribute::Known(State::Doubtful { judged, cause: earlier, .. })
            if instance.is_open() && earlier.class() == cause.class() =>
        {
            (2, *judged)
        }
        StateAttribute::Known(State::Unmapped { attempts, cause: earlier, failing_since, .. })
            if earlier.class() == cause.class() =>
        {
            // Silence is noticed after the command that is judged now was requested.
            (attempts.saturating_add(1), requested.min(*failing_since))
        }
        _ => (1, requested),
    };
    let state = State::Unmapped { attempts, judged: requested, logon, cause: *cause, failing_since };
    Verdict { gate: Gate::Shut, state }
}

/// The first failure of a cause that may pass leaves the gate open and is checked again soon.
fn doubtful(since: Timestamp, judged: Timestamp, logon: Option<Timestamp>, cause: &Cause) -> Verdict {
    Verdict { gate: Gate::Mapped, state: State::Doubtful { since, judged, logon, cause: *cause } }
}
