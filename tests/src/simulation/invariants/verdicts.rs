//! Invariants 1 and 4: what a reconcile run records is the result of the command that the state names, each result is
//! judged once, and only a result of the script shuts a gate (except silence, which `silence` checks).

use shared::cause::Cause;
use shared::state::{State, StateAttribute};

use super::{CLOCK_SKEW, CheckResult, Step, ensure};
use crate::local_aws::ssm::{Command, Invocation};
use crate::simulation::causes::Fault;
use crate::simulation::ground_truth::{Actor, DEADLINE, Registration, Run, TrueResult, millis, true_result};

/// Checks every state that a reconcile run writes.
pub(super) fn a_recorded_state_matches_its_result(step: &Step<'_>) -> CheckResult {
    for (run, before, after) in step.changes_by_run() {
        if !run.is_reconcile_run || before.attributes.state == after.attributes.state {
            continue;
        }
        let Some(state) = after.state() else {
            return Err(format!("{} has an unreadable state", after.ec2));
        };
        let is_raced = is_raced(step, run, before);
        if is_silence(before, state, is_raced) || replaces_unreadable(before, after) || is_denied(step, after)
        {
            continue;
        }
        let record = Record { step, run, before, after, state, is_raced };
        record.check().map_err(|what| {
            format!("{}: {what}; before: {:?}, after: {:?}", after.ec2, before.attributes, after.attributes)
        })?;
    }
    Ok(())
}

/// Recorded without any result; see `silence`. Another run may have written it already, or a later state.
fn is_silence(before: &Registration, state: &State, is_raced: bool) -> bool {
    let is_silent =
        |state: &State| matches!(state, State::Unmapped { cause, .. } if cause.as_str() == "silent");
    let follows =
        |earlier: &State| (before.is_open() || is_silent(earlier)) && earlier.judged() == state.judged();
    is_silent(state) && (is_raced || before.state().is_some_and(follows))
}

/// IAM refused the command, so there is none.
fn is_denied(step: &Step<'_>, after: &Registration) -> bool {
    let is_refused =
        matches!(after.state(), Some(State::Unmapped { cause, .. }) if cause.as_str() == "refused-by-ssm");
    is_refused && !after.is_open() && !step.aws.world.may_be_sent_to(&step.aws.world.hosts[&after.ec2])
}

/// An unreadable state under an open gate counts as mapped and is replaced by such a state.
fn replaces_unreadable(before: &Registration, after: &Registration) -> bool {
    before.attributes.state == StateAttribute::Unreadable
        && after.is_open()
        && matches!(after.state(), Some(State::Mapped { since, judged, logon: None }) if since == judged)
}

/// Somebody else has written since this run read. The last writer may have known less; the next run corrects it.
fn is_raced(step: &Step<'_>, run: &Run, before: &Registration) -> bool {
    let by_other = before.state_by != step.call.map_or(Actor::World, |(_, id)| Actor::Run(id));
    let read = run.read_at("DescribeContainerInstances") - step.ground_truth.ecs_lag;
    (by_other && before.state_since > read) || before.gate_since > read
}

/// A state that a run has written.
struct Record<'a> {
    step: &'a Step<'a>,
    run: &'a Run,
    before: &'a Registration,
    after: &'a Registration,
    state: &'a State,
    is_raced: bool,
}

impl Record<'_> {
    fn check(&self) -> CheckResult {
        let judged = self.state.judged();
        if let Some(earlier) = self.before.state() {
            ensure(
                self.is_raced || judged > earlier.judged(),
                || "a result was judged twice, or after a later one",
            )?;
        }
        ensure(judged > self.after.registered_at, || "a result from before the registration")?;
        // Two senders may share a millisecond: the result of either is right.
        let history = self.step.ground_truth.history(self.step.aws, &self.after.ec2);
        let mut checked = Err("no command was requested then".to_owned());
        for (command, invocation) in history.filter(|(command, _)| millis(command.requested()) == judged) {
            checked = self.matches(&self.known_result(command, invocation));
            if checked.is_ok() {
                break;
            }
        }
        checked
    }

    /// The result of a command, as far as the run can have known it.
    fn known_result(&self, command: &Command, invocation: &Invocation) -> TrueResult {
        let now = self.step.aws.now();
        let is_past_deadline = now.duration_since(command.requested()) > DEADLINE - CLOCK_SKEW;
        let read = self.run.read_at("ListCommandInvocations") - self.step.ground_truth.ssm_lag;
        let is_unread = invocation.finished().is_none_or(|at| at > read);
        if is_past_deadline && is_unread { TrueResult::Lost } else { true_result(command, invocation, now) }
    }

    /// The state follows from the state before and that result.
    fn matches(&self, result: &TrueResult) -> CheckResult {
        let (before, state) = (self.before, self.state);
        match (result, state) {
            (TrueResult::Mapped { changed }, State::Mapped { logon, .. }) => {
                ensure(self.after.is_open() || self.is_raced, || "proven, and shut")?;
                let expected =
                    if *changed { Some(state.judged()) } else { before.state().and_then(State::logon) };
                ensure(*logon == expected || self.is_raced, || format!("the log-on must be {expected:?}"))
            }
            (TrueResult::Failed { cause, .. }, _) => {
                self.matches_failure(cause)?;
                self.check_count()
            }
            (TrueResult::OtherShare, State::Unmapped { cause, .. }) => {
                let is_shut = !before.is_open() || self.is_raced;
                ensure(is_shut, || "another share shut an open gate".to_owned())?;
                ensure(cause.as_str() == "other-share", || format!("another share was taken for {cause}"))?;
                self.check_count()
            }
            (TrueResult::NoResult | TrueResult::Lost, State::Unmapped { cause, .. }) => {
                ensure(!before.is_open() || self.is_raced, || format!("{result:?} shut an open gate"))?;
                let proves_nothing =
                    Fault::of(cause.as_str()) == Fault::Unknown || cause.as_str() == "refused-by-ssm";
                ensure(proves_nothing, || format!("{result:?} was taken for {cause}"))?;
                self.check_count()
            }
            _ => Err(format!("the command's result is {result:?}")),
        }
    }

    /// After the script's own failure an open gate is doubtful the first time, if the fault may pass; else it is shut.
    fn matches_failure(&self, true_cause: &str) -> CheckResult {
        let (before, after, state) = (self.before, self.after, self.state);
        let (State::Doubtful { cause, .. } | State::Unmapped { cause, .. }) = state else {
            return Err(format!("the script failed with {true_cause}"));
        };
        let known = Cause::new(true_cause);
        ensure(cause.as_str() == known.as_str(), || format!("the script failed with {true_cause}"))?;
        ensure(true_cause != "busy", || "busy does not count as an attempt")?;
        if self.is_raced {
            return Ok(());
        }
        let logon = before.state().and_then(State::logon);
        ensure(state.logon() == logon, || "the log-on was lost")?;
        let may_pass = Fault::of(true_cause).may_pass();
        let is_first = before.is_mapped() && matches!(state, State::Unmapped { .. });
        ensure(!(may_pass && is_first), || {
            format!("{true_cause} may pass, and shut the gate the first time")
        })?;
        if !matches!(state, State::Doubtful { .. }) {
            return ensure(!after.is_open(), || format!("open though the script failed with {true_cause}"));
        }
        ensure(after.is_open() && before.is_open(), || "doubtful is for open gates")?;
        ensure(may_pass, || format!("{true_cause} does not pass"))?;
        ensure(!matches!(before.state(), Some(State::Doubtful { .. })), || "doubtful twice")
    }

    /// Failures count from the last proof or the last change of class, as the run has read them.
    fn check_count(&self) -> CheckResult {
        let State::Unmapped { attempts, judged, cause, failing_since, .. } = self.state else {
            return Ok(());
        };
        if self.is_raced {
            return Ok(());
        }
        let same_class = |earlier: &Cause| Fault::of(earlier.as_str()) == Fault::of(cause.as_str());
        let expected = match self.before.state() {
            Some(State::Unmapped { attempts, cause: earlier, failing_since, .. }) if same_class(earlier) => {
                // Silence may be noticed after the judged command was requested.
                (attempts.saturating_add(1), (*failing_since).min(*judged))
            }
            Some(State::Doubtful { judged, cause: earlier, .. })
                if same_class(earlier) && self.before.is_open() =>
            {
                (2, *judged)
            }
            _ => (1, *judged),
        };
        ensure((*attempts, *failing_since) == expected, || format!("the count must be {expected:?}"))
    }
}
