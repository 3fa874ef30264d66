//! Invariant 1, its one exception: a gate without any result for two check periods is shut, but never while SSM is
//! unhealthy, while the budget of refused log-ons allows no check, or if a result came since.

use jiff::Timestamp;
use shared::state::State;

use super::refusals::Refusals;
use super::sends::is_stopped;
use super::{CLOCK_SKEW, CheckResult, Step, ensure};
use crate::local_aws::LocalAws;
use crate::simulation::ground_truth::{GroundTruth, Registration, TrueResult, millis, true_result};

/// Until when a run could have believed that SSM is healthy and that checks may be sent.
#[derive(Default)]
pub(super) struct SsmHealth {
    may_check: bool,
    last_may_check: Option<Timestamp>,
}

impl SsmHealth {
    pub(super) fn check(&mut self, step: &Step<'_>, refusals: &Refusals) -> CheckResult {
        let now = step.aws.now();
        // What was true after the last step stayed true until this one.
        if self.may_check {
            self.last_may_check = Some(now);
        }
        let shut = step
            .changes_by_run()
            .filter(|(run, before, after)| run.is_reconcile_run && before.is_open() && !after.is_open());
        for (run, before, after) in shut {
            let Some(State::Unmapped { cause, judged, .. }) = after.state() else { continue };
            let is_without_result =
                before.state().is_some_and(|state| state.judged() == *judged && Some(state) != after.state());
            if !is_without_result {
                continue;
            }
            let id = &after.ec2;
            ensure(cause.as_str() == "silent", || {
                format!("{id} was shut for {cause} without such a result")
            })?;
            let Some(period) = step.ground_truth.policy.verify_every else {
                return Err(format!("{id} was shut for silence though checks are off"));
            };
            let age = now.duration_since(*judged);
            ensure(age > period * 2 - CLOCK_SKEW, || {
                format!("{id} was shut for silence, judged {age:#} ago")
            })?;
            ensure(was_asked(step, before, *judged), || {
                format!("{id} was shut for silence though nobody asked it since {judged}")
            })?;
            let read = run.began - step.ground_truth.ecs_lag;
            let could_believe =
                self.last_may_check.is_some_and(|at| at >= read) || may_check(step, refusals, read);
            ensure(could_believe, || {
                let spent = refusals.spent(read);
                format!(
                    "{id} was shut for silence while SSM is unhealthy, or the budget allows no check: {spent} spent"
                )
            })?;
        }
        self.may_check = may_check(step, refusals, now);
        if self.may_check {
            self.last_may_check = Some(now);
        }
        Ok(())
    }
}

/// A command to it brought no result since, or its agent cannot be asked.
fn was_asked(step: &Step<'_>, one: &Registration, judged: Timestamp) -> bool {
    let now = step.aws.now();
    let host = &step.aws.world.hosts[&one.ec2];
    let is_offline =
        host.ping_status(now) != Some("Online") || host.ping_status(now + CLOCK_SKEW) != Some("Online");
    is_offline
        || step.ground_truth.history(step.aws, &one.ec2).any(|(command, target)| {
            let result = true_result(command, target, now);
            millis(command.requested()) > judged
                && matches!(result, TrueResult::OtherShare | TrueResult::NoResult | TrueResult::Lost)
        })
}

/// SSM is healthy and the budget is not spent, for a run that read the fleet then.
fn may_check(step: &Step<'_>, refusals: &Refusals, read: Timestamp) -> bool {
    let of = step.ground_truth.policy.refusal_budget as usize;
    !is_unhealthy(step.aws, step.ground_truth, read, true) && refusals.known_to_be_spent(step, read) < of
}

/// Too many open gates are overdue; one alone never is SSM's fault. Every result that can be judged counts; instances that
/// connected later do not, and where only those `asked` count, neither do instances that wait for their turn.
pub(super) fn is_unhealthy(aws: &LocalAws, ground_truth: &GroundTruth, read: Timestamp, asked: bool) -> bool {
    let policy = &ground_truth.policy;
    let Some(period) = policy.verify_every else { return false };
    let late = period + period.min(policy.base * 20);
    let (mut open, mut overdue) = (0_usize, 0_usize);
    for one in ground_truth.registrations.values().filter(|one| one.counts() && one.connected_since <= read) {
        let is_of_script =
            |result: &TrueResult| matches!(result, TrueResult::Mapped { .. } | TrueResult::Failed { .. });
        let newest = ground_truth.unjudged_results(aws, one).find(|(_, result)| is_of_script(result));
        // A gate that is about to be opened counts already.
        if !one.is_open() && !matches!(newest, Some((_, TrueResult::Mapped { .. }))) {
            continue;
        }
        open += 1;
        let recorded = one.state().map_or(one.registered_at, State::judged);
        let last_result = newest.map_or(recorded, |(at, _)| at);
        let is_overdue = aws.now().duration_since(last_result) > late;
        overdue += usize::from(is_overdue && (!asked || is_unanswered(aws, ground_truth, one, read)));
    }
    overdue > 1 && (overdue > (open * policy.breaker_percent as usize).div_ceil(100) || overdue * 2 >= open)
}

/// The last command to it of those that a run lists was started and not stopped, and brought no result.
fn is_unanswered(aws: &LocalAws, ground_truth: &GroundTruth, one: &Registration, read: Timestamp) -> bool {
    let oldest = read - ground_truth.policy.history_window();
    ground_truth.history(aws, &one.ec2).next().is_some_and(|(command, target)| {
        command.requested() > oldest
            && target.started.is_some()
            && !is_stopped(target)
            && matches!(
                true_result(command, target, aws.now()),
                TrueResult::OtherShare | TrueResult::NoResult
            )
    })
}
