//! Invariant 1: a task with the share's mount and placement constraint is placed only where the last proof is recent: at
//! most two check periods, two deadlines and three reconcile runs old; and no gate is open for longer than that after its host
//! has lost the drive. Excepted is time in which SSM is unhealthy, a refused log-on counts against checks, or no reconcile run
//! succeeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::config::Mode;

use super::refusals::Refusals;
use super::silence::is_unhealthy;
use super::{CheckResult, Step, ensure};
use crate::fleet::REMOTE;
use crate::simulation::ground_truth::{DEADLINE, Registration, TrueResult};

const THREE_RECONCILE_RUNS: SignedDuration = SignedDuration::from_mins(3);

const CLUSTERS: [&str; 2] = ["apps", "batch"];

#[derive(Default)]
pub(super) struct Placements {
    tasks: usize,
    /// How many tasks with the share were placed.
    pub(super) placed: usize,
    /// When proofs could last not be renewed, through no fault of the product.
    excused_at: Option<Timestamp>,
    /// Runs before this one ended too long ago to matter.
    first_recent_run: usize,
    lost_since: BTreeMap<Arc<str>, Timestamp>,
    /// The longest time from losing the drive until the gate was shut or the drive was back.
    pub(super) longest_exposure: SignedDuration,
}

impl Placements {
    pub(super) fn check(&mut self, step: &Step<'_>, refusals: &Refusals) -> CheckResult {
        if step.call.is_some() && step.changes.is_empty() {
            return Ok(());
        }
        let now = step.aws.now();
        self.measure_exposure(step);
        if step.call.is_some() {
            return Ok(());
        }
        let may_check =
            || !is_unhealthy(step.aws, step.ground_truth, now, false) && !refusals.is_any_reported(step);
        if !self.a_reconcile_run_succeeded(step) || !may_check() {
            self.excused_at = Some(now);
        }
        // In report mode nothing is written: a gate that an operator opened stays open.
        if step.ground_truth.policy.mode == Mode::Report {
            return Ok(());
        }
        let Some(period) = step.ground_truth.policy.verify_every else { return Ok(()) };
        let bound = period * 2 + DEADLINE * 2 + THREE_RECONCILE_RUNS;
        self.a_lost_drive_is_noticed(step, bound)?;
        let count = CLUSTERS.iter().map(|name| step.aws.tasks(name).count()).sum();
        if std::mem::replace(&mut self.tasks, count) == count {
            return Ok(());
        }
        let tasks = CLUSTERS.iter().flat_map(|name| step.aws.tasks(name));
        for task in tasks.filter(|task| task.created == now && task.family == "share") {
            let Some(one) = step.ground_truth.registrations.get(&task.instance) else {
                continue;
            };
            self.placed += 1;
            let proof = last_proof(step, one).or(one.was_edited.then_some(one.gate_since));
            let from = proof.max(self.excused_at).max(one.was_edited.then_some(one.state_since));
            let is_recent = from.is_some_and(|from| now.duration_since(from) <= bound);
            ensure(one.is_open() && is_recent, || {
                format!("a task was placed on {}, last proven at {proof:?}; {:?}", one.ec2, one.attributes)
            })?;
        }
        Ok(())
    }

    /// No gate is open for longer than that without a drive behind it. Of a host that lies, nobody can know.
    fn a_lost_drive_is_noticed(&self, step: &Step<'_>, bound: SignedDuration) -> CheckResult {
        for (id, since) in &self.lost_since {
            let Some(one) = step.ground_truth.registrations.get(id) else { continue };
            let host = &step.aws.world.hosts[&one.ec2];
            let edited = one.was_edited.then_some(one.state_since.max(one.gate_since));
            let from = Some(*since).max(self.excused_at).max(edited);
            let is_over = from.is_some_and(|from| step.aws.now().duration_since(from) > bound);
            ensure(!is_over || host.is_liar() || !host.scripted.is_empty(), || {
                format!(
                    "{} has had no drive since {since:.3} behind its open gate; {:?}",
                    one.ec2, one.attributes
                )
            })?;
        }
        Ok(())
    }

    fn a_reconcile_run_succeeded(&mut self, step: &Step<'_>) -> bool {
        let now = step.aws.now();
        let runs = &step.ground_truth.runs;
        let first = self.first_recent_run.min(runs.len());
        self.first_recent_run = runs.len().saturating_sub(40);
        let mut ends =
            runs[first..].iter().filter(|run| run.is_reconcile_run).filter_map(|run| run.ended_well);
        ends.any(|at| now.duration_since(at) <= THREE_RECONCILE_RUNS)
    }

    fn measure_exposure(&mut self, step: &Step<'_>) {
        let now = step.aws.now();
        for one in step.ground_truth.registrations.values().filter(|one| one.is_ours) {
            let is_lost =
                one.counts() && one.is_open() && !step.aws.world.hosts[&one.ec2].is_mapped_to(REMOTE);
            if is_lost {
                self.lost_since.entry(one.id.clone()).or_insert(now);
            } else if let Some(since) = self.lost_since.remove(&one.id) {
                self.longest_exposure = self.longest_exposure.max(now.duration_since(since));
            }
        }
    }
}

fn last_proof(step: &Step<'_>, one: &Registration) -> Option<Timestamp> {
    let mut results = step.ground_truth.results(step.aws, &one.ec2);
    let proof = results.find(|(_, result)| matches!(result, TrueResult::Mapped { .. }));
    proof.map(|(at, _)| at).filter(|at| *at > one.registered_at)
}
