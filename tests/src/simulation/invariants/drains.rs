//! Invariants 3 and 4: a drain rests on the script's own results from the first failure to the last attempt, and stays
//! within the budget, the breaker and the half that must stay.
//!
//! A run decides on what it read when it began and on the results that it has judged since. So a rule about the fleet
//! must have held at some moment since then, with every result counted that could be judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::state::{Drain, State, StateAttribute};

use super::{CLOCK_SKEW, CheckResult, Step, ensure, witnesses};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::simulation::causes::{Fault, quick_retries};
use crate::simulation::ground_truth::{Actor, GroundTruth, Registration, RunId, TrueResult};

/// The script's results begin and end with a failure, and only failures are between.
pub(super) fn rests_on_the_scripts_own_results(step: &Step<'_>) -> CheckResult {
    for (run, before, after) in step.changes_by_run().filter(|(_, before, after)| drains(before, after)) {
        let read = run.read_at("DescribeContainerInstances") - step.ground_truth.ecs_lag;
        if before.state_since > read {
            continue;
        }
        let views = [run.began - step.ground_truth.ecs_lag, run.read_at("DescribeContainerInstances")];
        let checked = has_lasting_fault(step, before, views);
        checked.map_err(|what| format!("{} was drained: {what}; {:?}", after.ec2, before.state()))?;
    }
    Ok(())
}

fn drains(before: &Registration, after: &Registration) -> bool {
    before.status != Status::Draining && after.status == Status::Draining
}

/// Given the earliest and the latest view of the fleet that the run may have had.
fn has_lasting_fault(step: &Step<'_>, one: &Registration, views: [Timestamp; 2]) -> CheckResult {
    let policy = &step.ground_truth.policy;
    let Some(State::Unmapped { attempts, judged, cause, failing_since, .. }) = one.state() else {
        return Err("it is not unmapped".to_owned());
    };
    let fault = Fault::of(cause.as_str());
    ensure(
        judged.duration_since(*failing_since) >= policy.drain_after,
        || "it has not failed for long enough",
    )?;
    ensure(
        *attempts > quick_retries(cause.as_str(), policy.max_attempts),
        || "its quick retries are not used up",
    )?;
    follows_from_results(step, one, fault)?;
    match fault {
        Fault::Host => Ok(()),
        Fault::Network | Fault::Directory => witnesses::are_enough(step, one, views),
        Fault::Account | Fault::Settings | Fault::Unknown => Err(format!("{cause} is not the host's own")),
    }
}

/// What the state says of its failures is what the script said. Whatever somebody else wrote is believed.
fn follows_from_results(step: &Step<'_>, one: &Registration, fault: Fault) -> CheckResult {
    let Some(State::Unmapped { judged, failing_since, .. }) = one.state() else { return Ok(()) };
    let results = step.ground_truth.results(step.aws, &one.ec2);
    let while_failing: Vec<(Timestamp, TrueResult)> =
        results.filter(|(at, _)| at >= failing_since && at <= judged).collect();
    let is_failure =
        |result: &TrueResult| matches!(result, TrueResult::Failed { cause, .. } if Fault::of(cause) == fault);
    let last = while_failing.first().filter(|(at, _)| at == judged);
    ensure(one.state_by == Actor::World || last.is_some_and(|(_, result)| is_failure(result)), || {
        format!("the result of its last attempt is {last:?}")
    })?;
    if one.is_count_edited {
        return Ok(());
    }
    let first = while_failing.last().filter(|(at, _)| at == failing_since);
    ensure(first.is_some_and(|(_, result)| is_failure(result)), || {
        format!("the result of its first failure is {first:?}")
    })?;
    ensure(
        !while_failing.iter().any(|(_, result)| matches!(result, TrueResult::Mapped { .. })),
        || "it was mapped meanwhile",
    )
}

/// It counted when the run read the fleet. Who was disconnected then, or came later, is unknown to the run. Who has left
/// since still counts for it.
pub(super) fn was_known(one: &Registration, read: Timestamp) -> bool {
    let was_connected = one.is_connected == (one.connected_since <= read);
    one.is_ours
        && was_connected
        && one.registered_at <= read
        && matches!(one.status, Status::Active | Status::Draining)
}

/// It counts now, and surely did when the run read the fleet.
fn is_known(one: &Registration, read: Timestamp) -> bool {
    one.counts() && (one.registered_at <= read || one.is_mapped())
}

/// It counts now, though it may have come later.
fn counts_now(one: &Registration, _: Timestamp) -> bool {
    one.counts()
}

/// The most favourable view of a cluster that a run could have had since it began.
#[derive(Debug, Clone, Copy, Default)]
struct View {
    counted: usize,
    half_stays: bool,
    breaker_shut: bool,
}

/// The most favourable views of the recent runs.
#[derive(Default)]
pub(super) struct Bounds {
    views: BTreeMap<(RunId, Arc<str>), View>,
}

impl Bounds {
    pub(super) fn check(&mut self, step: &Step<'_>) -> CheckResult {
        let Some((_, run)) = step.call.filter(|(_, run)| step.ground_truth.runs[*run].is_reconcile_run)
        else {
            return Ok(());
        };
        // A drain is checked against what was true before it.
        for change in step.changes {
            let Some(before) = &change.before else { continue };
            if drains(before, &change.after) && change.after.status_by == Actor::Run(run) {
                self.is_within(step, run, before).map_err(|what| format!("{}: {what}", before.ec2))?;
            }
        }
        self.update(step, run);
        Ok(())
    }

    fn update(&mut self, step: &Step<'_>, run: RunId) {
        self.views.retain(|(other, _), _| other + 8 > run);
        let ground_truth = step.ground_truth;
        let listed = ground_truth.runs[run].read_at("ListContainerInstances") - ground_truth.ecs_lag;
        for cluster in &ground_truth.watched_clusters {
            let best = self.views.entry((run, Arc::from(*cluster))).or_default();
            // Late listings may show the fleet as it was, as it is, or anything between.
            for counts in [was_known as Counts, is_known, counts_now] {
                let view = view(step.aws, ground_truth, cluster, counts, best.counted, listed);
                best.counted = best.counted.max(view.counted);
                best.half_stays |= view.half_stays;
                best.breaker_shut |= view.breaker_shut;
            }
        }
    }

    fn is_within(&self, step: &Step<'_>, run: RunId, one: &Registration) -> CheckResult {
        let key = (run, one.cluster.clone());
        let best = self.views.get(&key).copied().unwrap_or_default();
        ensure(best.half_stays, || "less than half stays")?;
        ensure(best.breaker_shut, || "the breaker is open")?;
        let policy = &step.ground_truth.policy;
        let budget = (best.counted * policy.max_drain_percent as usize / 100).max(1);
        let run = &step.ground_truth.runs[run];
        let counted_at = run.counted_draining.unwrap_or(run.began) - step.ground_truth.ecs_lag;
        let draining = |other: &&Registration| {
            let is_counted = other.cluster == one.cluster && other.counts() && other.id != one.id;
            is_counted && other.status == Status::Draining && other.status_since <= counted_at
        };
        let draining = step.ground_truth.registrations.values().filter(draining).count();
        ensure(draining < budget + run.overlapping, || {
            format!("{draining} of {} were draining, the budget is {budget}", best.counted)
        })
    }
}

/// A fault, and since when it lasts.
type Failing = (Fault, Timestamp);

/// What a result means for an instance without a state. `busy` does not count as an attempt.
fn fault_of(result: &TrueResult) -> Option<Fault> {
    match result {
        TrueResult::Failed { cause, .. } if cause == "busy" => None,
        TrueResult::Failed { cause, .. } => Some(Fault::of(cause)),
        TrueResult::OtherShare => Some(Fault::Settings),
        TrueResult::NoResult | TrueResult::Lost => Some(Fault::Unknown),
        TrueResult::Mapped { .. } | TrueResult::Pending => None,
    }
}

/// Of those that began to fail within the hour, three or more, and at least half, share a fault that is not the host's. An
/// instance near the end of the hour may complete such a group or break it up, so both ends are tried.
fn is_herd(failing: &[Failing], now: Timestamp) -> bool {
    let hour = SignedDuration::from_hours(1);
    [hour - CLOCK_SKEW, hour + CLOCK_SKEW].into_iter().all(|hour| {
        let recent = || failing.iter().filter(|(_, since)| now.duration_since(*since) <= hour);
        Fault::SHARED.into_iter().any(|fault| {
            let alike = recent().filter(|(other, _)| *other == fault).count();
            alike >= 3 && alike * 2 >= recent().count()
        })
    })
}

/// Whether a registration counts for a run that read the fleet then.
type Counts = fn(&Registration, Timestamp) -> bool;

fn view(
    aws: &LocalAws,
    ground_truth: &GroundTruth,
    cluster: &str,
    counts: Counts,
    least: usize,
    listed: Timestamp,
) -> View {
    let policy = &ground_truth.policy;
    let now = aws.now();
    let (mut n, mut staying, mut mapped, mut in_trouble, mut unknown) = (0, 0, 0, 0, 0);
    let (mut failing, mut unwritten): (Vec<Failing>, Vec<Failing>) = (Vec::new(), Vec::new());
    let registrations = ground_truth.registrations.values();
    for one in registrations.filter(|one| *one.cluster == *cluster && counts(one, listed)) {
        n += 1;
        let mut results = ground_truth.unjudged_results(aws, one);
        let is_proven = results.any(|(_, result)| matches!(result, TrueResult::Mapped { .. }));
        let is_mapped = is_proven || one.is_mapped() || one.mapped_until.is_some_and(|until| until > listed);
        // A later change of status is known only to a run that reads again before it writes.
        let is_active = one.status == Status::Active || one.status_since > listed;
        mapped += usize::from(is_mapped);
        staying += usize::from(is_mapped && is_active);
        let drained_by_us = !is_active && matches!(one.attributes.drain, Drain::Done { .. });
        let unmapped = match one.state() {
            Some(State::Unmapped { cause, failing_since, .. }) if !is_proven => {
                Some((Fault::of(cause.as_str()), *failing_since))
            }
            _ => None,
        };
        in_trouble += usize::from(drained_by_us || unmapped.is_some());
        failing.extend(unmapped);
        if !is_proven && one.attributes.state == StateAttribute::Absent {
            let mut results = ground_truth.unjudged_results(aws, one);
            let failure = results.find_map(|(at, result)| Some((fault_of(&result)?, at)));
            unknown += usize::from(failure.is_none());
            unwritten.extend(failure);
        }
    }
    let half_stays = staying > 0 && staying * 2 >= n;
    // An instance that has deregistered since still counts for the run.
    let n = n.max(least);
    let is_shared = |in_trouble: usize, failing: &[Failing]| {
        in_trouble > (n * policy.breaker_percent as usize).div_ceil(100) || is_herd(failing, now)
    };
    // The run may know of failures that are not written yet, or not, if their listing is late.
    let all_failing = [failing.as_slice(), &unwritten].concat();
    let is_open = is_shared(in_trouble, &failing) && is_shared(in_trouble + unwritten.len(), &all_failing);
    View { counted: n, half_stays, breaker_shut: mapped > 0 && !is_open && unknown * 5 <= n }
}
