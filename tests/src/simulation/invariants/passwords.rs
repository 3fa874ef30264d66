//! Invariant 6: an unproven or refused password is presented by one instance at a time, a refused one once in two
//! reprobe periods. Kept credentials log on two at a time, by one command of a run, and not at all while those of two
//! instances fail. The parameters' password alone never locks the account.
//!
//! A password is proven if the result of any command requested after both parameters' dates, or any recorded log-on, is
//! a log-on after them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use shared::cause::{Cause, Class};
use shared::state::State;

use super::sends::{action_and_targets, history_read_at, in_flight};
use super::{CheckResult, Step, TWO_CLOCK_SKEWS, ensure, newest_logon};
use crate::fleet::{LogOn, Presented};
use crate::local_aws::LocalAws;
use crate::simulation::ground_truth::{
    DEADLINE, GroundTruth, Registration, Run, RunId, TrueResult, millis, true_result,
};

/// How far back SSM's history is read.
const WINDOW: SignedDuration = SignedDuration::from_mins(45);

/// From a refusal until a run has read it: the script ends, and the next run begins.
const UNTIL_READ: SignedDuration = SignedDuration::from_mins(1);

#[derive(Default)]
pub(super) struct LogOns {
    /// When runs last overlapped.
    overlapped_at: Option<Timestamp>,
    /// How many runs overlapped with one then.
    overlapping: usize,
    /// How many lock-outs were checked.
    lock_outs: usize,
    /// When each run last sent a check.
    checked: BTreeMap<RunId, Timestamp>,
}

impl LogOns {
    pub(super) fn check(&mut self, step: &Step<'_>) -> CheckResult {
        self.nobody_is_locked_out(step)?;
        let now = step.aws.now();
        if self.overlapped_at.is_some_and(|at| now.duration_since(at) >= DEADLINE * 2) {
            (self.overlapped_at, self.overlapping) = (None, 0);
        }
        if let Some(run) = step.run().filter(|run| run.overlapping > 0) {
            (self.overlapped_at, self.overlapping) = (Some(now), self.overlapping.max(run.overlapping));
        }
        let Some((call, run)) = step.effect_of("SendCommand") else { return self.few_checks_run(step.aws) };
        let body = call.request();
        let (is_map, targets) = action_and_targets(&body);
        if is_map {
            check_map(step, run, targets.len())
        } else {
            self.own_check_has_ended(step)?;
            check_check(step, run)?;
            self.few_checks_run(step.aws)
        }
    }

    /// Log-ons with the parameters' password alone never lock the account. Excepted are those that were on their way when
    /// it was first refused, and those that `REPROBE_MINUTES` repeats within the directory's window.
    fn nobody_is_locked_out(&mut self, step: &Step<'_>) -> CheckResult {
        let account = &step.aws.world.account;
        let Some(policy) = account.lock_out else { return Ok(()) };
        for indices in account.locked_by.iter().skip(self.lock_outs) {
            let log_ons: Vec<&LogOn> = indices.iter().map(|index| &account.log_ons[*index]).collect();
            if log_ons.iter().any(|one| one.presented == Presented::Kept) {
                continue;
            }
            let known = log_ons[0].at + step.ground_truth.ssm_lag + UNTIL_READ;
            let is_later = |one: &&LogOn| request_of(step, one).is_none_or(|requested| requested > known);
            let later: Vec<&LogOn> = log_ons.into_iter().filter(is_later).collect();
            let passwords: BTreeSet<&str> = later.iter().map(|one| &*one.password).collect();
            let pause = step.ground_truth.policy.reprobe * 2;
            let tries = 1 + policy.window.as_secs() / pause.as_secs() as u64;
            ensure(later.len() as u64 <= passwords.len() as u64 * tries, || {
                let log_ons: Vec<_> =
                    later.iter().map(|one| format!("{} at {}", one.instance, one.at)).collect();
                format!("the parameters' password locked the account: {}", log_ons.join(", "))
            })?;
        }
        self.lock_outs = account.locked_by.len();
        Ok(())
    }

    /// A run knows of its own check even before it is listed. SSM's rate control limits one command only.
    fn own_check_has_ended(&mut self, step: &Step<'_>) -> CheckResult {
        let Some((_, run)) = step.call else { return Ok(()) };
        let before = self.checked.insert(run, step.aws.now());
        let own = step.aws.commands().rev().find(|command| before == Some(command.requested()));
        ensure(own.is_none_or(|own| own.invocations().iter().all(|one| one.finished().is_some())), || {
            let name = &step.ground_truth.runs[run].name;
            format!("{name} sent a check while its own of {before:?} is in flight")
        })
    }

    /// Two at a time, and two more for every run that overlaps.
    fn few_checks_run(&self, aws: &LocalAws) -> CheckResult {
        let now = aws.now();
        let recent = aws.commands().rev().take_while(|one| now.duration_since(one.requested()) < DEADLINE);
        let checks = recent.filter(|command| command.parameter("Action") == Some("check"));
        let targets = checks.flat_map(|command| command.invocations());
        let running =
            targets.filter(|one| one.started.is_some() && one.finished.is_none() && !one.stopped).count();
        ensure(running <= 2 + 2 * self.overlapping, || format!("{running} kept credentials log on at a time"))
    }
}

/// A `map` was sent.
fn check_map(step: &Step<'_>, run: &Run, targets: usize) -> CheckResult {
    let now = step.aws.now();
    let parameters = &step.aws.world.parameters;
    if parameters.existing().count() < 2 {
        // Without both parameters there is no password to present, and their absence is itself a change.
        return Ok(());
    }
    let Some(changed) = parameters.existing().map(|one| millis(one.modified)).max() else { return Ok(()) };
    if changed > run.read_at("DescribeParameters") - TWO_CLOCK_SKEWS {
        return Ok(());
    }
    let refused = is_refused(step, run, changed);
    if run.is_by_hand && targets == 1 && !refused {
        return Ok(());
    }
    let newer = step.aws.commands().rev().take_while(|command| millis(command.requested()) > changed);
    let mut newer = newer.flat_map(|command| command.invocations().iter().map(move |one| (command, one)));
    let has_logon = newer.any(|(command, invocation)| {
        matches!(true_result(command, invocation, now), TrueResult::Mapped { changed: true })
    });
    let is_proven =
        has_logon || newest_logon(step.aws, step.ground_truth).is_some_and(|logon| logon > changed);
    if is_proven && !refused {
        return Ok(());
    }
    ensure(targets == 1, || format!("an unproven password was presented by {targets} at once"))?;
    let mut others = in_flight(step.aws, history_read_at(step));
    ensure(!others.any(|command| command.parameter("Action") == Some("map")), || {
        "an unproven password was presented while another `map` is in flight".to_owned()
    })?;
    if refused {
        let last = last_presented(step);
        let pause = step.ground_truth.policy.reprobe * 2 - TWO_CLOCK_SKEWS;
        let is_too_soon = last.is_some_and(|last| last > changed && now.duration_since(last) < pause);
        ensure(!is_too_soon, || {
            format!("a refused password was presented again after the attempt of {last:?}")
        })?;
    }
    Ok(())
}

/// When the `map` was requested that presented the parameters' password last, as far as the run can know. A slow host
/// presents it minutes later, but pauses count from the request.
fn last_presented(step: &Step<'_>) -> Option<Timestamp> {
    let read = history_read_at(step);
    let log_ons = step.aws.world.account.log_ons.iter().rev();
    let mut presented = log_ons.filter(|one| one.presented == Presented::Parameters && one.at < read);
    presented.find_map(|log_on| request_of(step, log_on))
}

/// When the `map` was requested that made a host log on.
fn request_of(step: &Step<'_>, log_on: &LogOn) -> Option<Timestamp> {
    let mut commands = step.ground_truth.history(step.aws, &log_on.instance).map(|(command, _)| command);
    let map = commands.find(|one| one.requested() < log_on.at && one.parameter("Action") == Some("map"))?;
    Some(map.requested())
}

/// Before the run began, some instance was recorded as refused when it created the mapping; and since it began to fail,
/// or since the password changed, nobody logged on.
fn is_refused(step: &Step<'_>, run: &Run, changed: Timestamp) -> bool {
    let logon = newest_logon(step.aws, step.ground_truth);
    // What is older than the window is forgotten: the password is then unproven.
    let oldest = changed.max(run.read_at("ListCommands") - WINDOW + TWO_CLOCK_SKEWS);
    credential_failures(step.aws, step.ground_truth, run.began).any(|(one, failing_since, judged)| {
        logon.is_none_or(|logon| failing_since > logon || logon <= changed)
            && judged > oldest
            && step.ground_truth.history(step.aws, &one.ec2).any(|(command, invocation)| {
                let result = || true_result(command, invocation, step.aws.now());
                millis(command.requested()) == judged
                    && command.parameter("Action") == Some("map")
                    && matches!(result(), TrueResult::Failed { step, .. } if step == "create")
            })
    })
}

/// A `check` was sent.
fn check_check(step: &Step<'_>, run: &Run) -> CheckResult {
    let failures = open_failures(step.aws, step.ground_truth, run.began);
    ensure(failures < 2, || format!("a check was sent while the credentials of {failures} instances fail"))?;
    // The new check itself was requested after the run read, and so does not count.
    let others = in_flight(step.aws, history_read_at(step));
    let others = others.filter(|command| command.parameter("Action") == Some("check")).count();
    ensure(others == 0, || format!("a check was sent while {others} others are in flight"))
}

/// How many instances' credentials fail, recorded before a run began, with no log-on since.
pub(super) fn open_failures(aws: &LocalAws, ground_truth: &GroundTruth, began: Timestamp) -> usize {
    let logon = newest_logon(aws, ground_truth);
    credential_failures(aws, ground_truth, began)
        .filter(|(_, since, _)| logon.is_none_or(|logon| *since > logon))
        .count()
}

/// The newest result since then, if any, is no credential failure.
fn has_other_result(
    aws: &LocalAws,
    ground_truth: &GroundTruth,
    one: &Registration,
    judged: Timestamp,
) -> bool {
    let mut newer = ground_truth.results(aws, &one.ec2).take_while(|(at, _)| *at > judged);
    match newer.find(|(_, result)| *result != TrueResult::Pending) {
        Some((_, TrueResult::Failed { cause, .. })) => Cause::new(&cause).class() != Class::Credentials,
        other => other.is_some(),
    }
}

/// The instances recorded with a credential cause: since when they fail, and when they were judged.
fn credential_failures<'g>(
    aws: &'g LocalAws,
    ground_truth: &'g GroundTruth,
    began: Timestamp,
) -> impl Iterator<Item = (&'g Registration, Timestamp, Timestamp)> {
    let read = began - ground_truth.ecs_lag;
    let known =
        move |one: &&Registration| one.counts() && one.connected_since < read && one.state_since < read;
    ground_truth.registrations.values().filter(known).filter_map(move |one| match one.state() {
        Some(State::Unmapped { cause, judged, failing_since, .. })
            if cause.class() == Class::Credentials && !has_other_result(aws, ground_truth, one, *judged) =>
        {
            Some((one, *failing_since, *judged))
        }
        _ => None,
    })
}
