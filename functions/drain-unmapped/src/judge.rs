//! From the words of invocations to what stands on an instance.
//!
//! A result is judged once, and only when its command was requested after the registration, after the last judged one
//! and after the restart that stands on the instance; of several the one requested last. Under an open gate only the
//! script's own word counts: a lost or skipped command proves nothing about a drive that was there before.

use jiff::Timestamp;
use shared::cause::{Cause, Class};
use shared::outcome::Word;
use shared::state::{Gate, Recorded, State};

use crate::fleet::{Answer, Instance};

/// What to write: gate and state never part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The gate.
    pub gate: Gate,
    /// The state.
    pub state: State,
}

/// The answer that is to be judged now, if there is one.
pub fn answer_to_judge(instance: &Instance) -> Option<&Answer> {
    let is_final = |answer: &&Answer| answer.word.as_ref().is_some_and(Word::is_final);
    let last = instance.fresh_answers().rev().find(is_final)?;
    if !instance.is_open() {
        return Some(last);
    }
    // Under an open gate an earlier word is not outvoted by a later silence.
    instance
        .fresh_answers()
        .rev()
        .find(|answer| matches!(answer.word, Some(Word::Mapped(_) | Word::Failed(_))))
}

/// What a final answer changes; `None` where it proves nothing.
pub fn judge(instance: &Instance, answer: &Answer) -> Option<Verdict> {
    let requested = answer.requested_at;
    let before = instance.state();
    let logon = before.and_then(State::logon);
    match answer.word.as_ref()? {
        Word::Wait => None,
        Word::Mapped(proof) => {
            let since = match before {
                Some(State::Mapped { since, .. } | State::Doubtful { since, .. }) if instance.is_open() => {
                    *since
                }
                _ => requested,
            };
            let logon = if proof.changed { Some(requested) } else { logon };
            Some(Verdict { gate: Gate::Mapped, state: State::Mapped { since, judged: requested, logon } })
        }
        // Another command held the mutex: no attempt was made, nothing was learnt.
        Word::Failed(failure) if failure.cause.as_str() == "busy" => None,
        Word::Failed(failure) => Some(failed(instance, requested, logon, &failure.cause)),
        Word::NoWord(_) if instance.is_open() => None,
        Word::NoWord(cause) => Some(failed(instance, requested, logon, cause)),
    }
}

fn failed(instance: &Instance, requested: Timestamp, logon: Option<Timestamp>, cause: &Cause) -> Verdict {
    let may_pass = matches!(cause.class(), Class::Network | Class::Directory);
    let (attempts, failing_since) = match &instance.record.standing.state {
        Recorded::State(State::Mapped { since, .. }) if instance.is_open() && may_pass => {
            let state = State::Doubtful { since: *since, judged: requested, logon, cause: cause.clone() };
            return Verdict { gate: Gate::Mapped, state };
        }
        Recorded::Unreadable if may_pass => {
            let state = State::Doubtful { since: requested, judged: requested, logon, cause: cause.clone() };
            return Verdict { gate: Gate::Mapped, state };
        }
        Recorded::State(State::Doubtful { judged, cause: earlier, .. })
            if instance.is_open() && earlier.class() == cause.class() =>
        {
            (2, *judged)
        }
        Recorded::State(State::Unmapped { attempts, cause: earlier, failing_since, .. })
            if earlier.class() == cause.class() =>
        {
            (attempts.saturating_add(1), *failing_since)
        }
        _ => (1, requested),
    };
    let state = State::Unmapped { attempts, judged: requested, logon, cause: cause.clone(), failing_since };
    Verdict { gate: Gate::Shut, state }
}
