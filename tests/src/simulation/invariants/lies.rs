//! What no lie brings about: nothing is recorded for a time that has not come, and who may only look changes nothing.

use jiff::Timestamp;
use shared::state::{Drain, State};

use super::{CLOCK_SKEW, CheckResult, Step, ensure, is_write};

/// A time that a run wrote is past, whoever named it.
pub(super) fn nothing_is_recorded_for_the_future(step: &Step<'_>) -> CheckResult {
    let latest = step.aws.now() + CLOCK_SKEW;
    for (run, before, after) in step.changes_by_run() {
        let (was, is) = (&before.attributes, &after.attributes);
        let of_state = after.state().filter(|_| was.state != is.state).map(times).unwrap_or_default();
        let of_drain = Some(&is.drain).filter(|drain| was.drain != **drain).and_then(time);
        let later = of_state.into_iter().chain(of_drain).find(|at| *at > latest);
        ensure(later.is_none(), || {
            let (name, id) = (&run.name, &after.ec2);
            format!("{name} recorded {later:?} on {id}; before: {was:?}, after: {is:?}")
        })?;
    }
    Ok(())
}

fn time(drain: &Drain) -> Option<Timestamp> {
    match drain {
        Drain::Requested { at, .. } | Drain::Done { at, .. } | Drain::Released { at } => Some(*at),
        Drain::Absent | Drain::Foreign | Drain::OtherStack => None,
    }
}

/// All times that a state names.
fn times(state: &State) -> Vec<Timestamp> {
    let other = match state {
        State::Mapped { since, .. } | State::Doubtful { since, .. } => Some(*since),
        State::Unmapped { failing_since, .. } => Some(*failing_since),
        State::Restarted { .. } => None,
    };
    [Some(state.judged()), state.logon(), other].into_iter().flatten().collect()
}

/// A person who asks for a report, or who may start nothing, changes nothing.
pub(super) fn who_may_only_look_changes_nothing(step: &Step<'_>) -> CheckResult {
    let Some((call, run)) = step.call else { return Ok(()) };
    let run = &step.ground_truth.runs[run];
    let acts = is_write(&call.operation) || call.operation == "SendCommand";
    ensure(run.may_act || !acts, || format!("{} was started by hand and called {}", run.name, call.operation))
}
