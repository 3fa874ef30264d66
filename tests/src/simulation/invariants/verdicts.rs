//! Invariants 1 and 4: what a sweep records is what the command that it names really said, each result once, and nothing
//! but the script's own word shuts a gate (but for long silence, which has its own file).

use jiff::SignedDuration;
use shared::cause::{Cause, Class};
use shared::state::{State, StateAttribute};

use super::{Holds, Step, must};
use crate::local_aws::ssm::{Command, Invocation};
use crate::simulation::ground::{Actor, DEADLINE, Registration, Run, Said, millis, said};

/// Our clock may be so far from AWS's.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

/// Every state that a sweep writes.
pub(super) fn what_is_recorded_was_said(step: &Step<'_>) -> Holds {
    for (run, before, after) in step.ours() {
        if !run.is_sweep || before.attributes.state == after.attributes.state {
            continue;
        }
        let Some(state) = after.state() else {
            return Err(format!("{} has an unreadable state", after.ec2));
        };
        if is_silence(before, state) || is_tidied(before, after) {
            continue;
        }
        check(step, run, before, after, state).map_err(|what| {
            format!("{}: {what}; before: {:?}, after: {:?}", after.ec2, before.attributes, after.attributes)
        })?;
    }
    Ok(())
}

/// Judged by nobody's word; see `silence`. Another run may have written it, too.
fn is_silence(before: &Registration, state: &State) -> bool {
    let is_silent =
        |state: &State| matches!(state, State::Unmapped { cause, .. } if cause.as_str() == "silent");
    is_silent(state)
        && before.state().is_some_and(|earlier| {
            (before.is_open() || is_silent(earlier)) && earlier.judged() == state.judged()
        })
}

/// An unreadable state under an open gate counts as mapped and due, and is written down so.
fn is_tidied(before: &Registration, after: &Registration) -> bool {
    before.attributes.state == StateAttribute::Unreadable
        && after.is_open()
        && matches!(after.state(), Some(State::Mapped { since, judged, logon: None }) if since == judged)
}

fn check(step: &Step<'_>, run: &Run, before: &Registration, after: &Registration, state: &State) -> Holds {
    let judged = state.judged();
    if let Some(earlier) = before.state() {
        must(is_raced(step, run, before) || judged > earlier.judged(), || {
            "a result was judged twice, or after a later one".to_owned()
        })?;
    }
    must(judged > after.registered_at, || "a result from before the registration".to_owned())?;
    // Two senders may have sent in the same millisecond: it must be the word of one of them.
    let history = step.ground.history(step.aws, &after.ec2);
    let mut holds = Err("no command was ever requested then".to_owned());
    for (command, invocation) in history.filter(|(command, _)| millis(command.requested()) == judged) {
        holds = is_word(step, run, before, after, state, word(step, run, command, invocation));
        if holds.is_ok() {
            break;
        }
    }
    holds
}

/// What a command has said, as far as the run could have heard it.
fn word(step: &Step<'_>, run: &Run, command: &Command, invocation: &Invocation) -> Said {
    let now = step.aws.now();
    let given_up = now.duration_since(command.requested()) > DEADLINE - CLOCKS;
    let heard_late = invocation
        .finished()
        .is_none_or(|at| at > run.read_at("ListCommandInvocations") - step.ground.ssm_lag);
    if given_up && heard_late { Said::Lost } else { said(command, invocation, now) }
}

/// The state is what that word makes of the one before.
fn is_word(
    step: &Step<'_>,
    run: &Run,
    before: &Registration,
    after: &Registration,
    state: &State,
    word: Said,
) -> Holds {
    let logon = before.state().and_then(State::logon);
    let is_raced = is_raced(step, run, before);
    match (&word, state) {
        (Said::Mapped { changed }, State::Mapped { logon: recorded, .. }) => {
            must(after.is_open() || is_raced, || "proven, and shut".to_owned())?;
            let expected = if *changed { Some(state.judged()) } else { logon };
            must(*recorded == expected || is_raced, || format!("the log-on must be {expected:?}"))
        }
        (Said::Failed { cause, .. }, _) => {
            failed(before, after, state, cause, is_raced)?;
            counted(before, state, is_raced)
        }
        (Said::Nothing | Said::Lost, State::Unmapped { cause, .. }) => {
            must(!before.is_open(), || format!("{word:?} shut an open gate"))?;
            let proves_nothing = cause.class() == Class::Unknown || cause.as_str() == "refused-by-ssm";
            must(proves_nothing, || format!("{word:?} was taken for {cause}"))?;
            counted(before, state, is_raced)
        }
        _ => Err(format!("the command said {word:?}")),
    }
}

/// The script's own word: doubt the first time, where it may pass; shut otherwise.
fn failed(before: &Registration, after: &Registration, state: &State, said: &str, is_raced: bool) -> Holds {
    let class = Cause::new(said).class();
    let (State::Doubtful { cause, .. } | State::Unmapped { cause, .. }) = state else {
        return Err(format!("the script said {said}"));
    };
    must(cause.as_str() == Cause::new(said).as_str(), || format!("the script said {said}"))?;
    must(said != "busy", || "busy is no attempt".to_owned())?;
    if is_raced {
        return Ok(());
    }
    must(state.logon() == before.state().and_then(State::logon), || "the log-on was forgotten".to_owned())?;
    let may_pass = matches!(class, Class::Network | Class::Directory);
    let is_first = before.is_mapped() && matches!(state, State::Unmapped { .. });
    must(!(may_pass && is_first), || format!("{said} may pass, and shut the gate the first time"))?;
    if let State::Doubtful { .. } = state {
        must(after.is_open() && before.is_open(), || "doubt is for open gates".to_owned())?;
        must(may_pass, || format!("{said} does not pass"))?;
        return must(!matches!(before.state(), Some(State::Doubtful { .. })), || "doubted twice".to_owned());
    }
    must(!after.is_open(), || format!("open though the script said {said}"))
}

/// Failures are counted from the last proof or the last change of class, as the run has read them.
fn counted(before: &Registration, state: &State, is_raced: bool) -> Holds {
    let State::Unmapped { attempts, judged, cause, failing_since, .. } = state else { return Ok(()) };
    if is_raced {
        return Ok(());
    }
    let expected = match before.state() {
        Some(State::Unmapped { attempts, cause: earlier, failing_since, .. })
            if earlier.class() == cause.class() =>
        {
            (attempts + 1, *failing_since)
        }
        Some(State::Doubtful { judged, cause: earlier, .. })
            if earlier.class() == cause.class() && before.is_open() =>
        {
            (2, *judged)
        }
        _ => (1, *judged),
    };
    must((*attempts, *failing_since) == expected, || format!("the count must be {expected:?}"))
}

/// Somebody else has written since this run read: whichever writes last may have known less, and the next look mends it.
fn is_raced(step: &Step<'_>, run: &Run, before: &Registration) -> bool {
    let by_other = before.state_by != step.call.map_or(Actor::World, |(_, id)| Actor::Run(id));
    let read = run.read_at("DescribeContainerInstances") - step.ground.ecs_lag;
    (by_other && before.state_since > read) || before.gate_since > read
}
