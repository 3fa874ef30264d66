//! A task with the share's mount and constraint lands only where the last proof is younger than two periods, two deadlines
//! and three sweeps: except while SSM is unwell, checks are withheld, or no sweep comes through.
//!
//! Also measures how long a gate stays open after its host has lost the drive.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::silence::is_well;
use super::{Holds, Step, must};
use crate::simulation::ground::{DEADLINE, Registration, Said, millis, said};
use crate::simulation::stage::REMOTE;

const THREE_SWEEPS: SignedDuration = SignedDuration::from_mins(3);

/// What is remembered between steps.
#[derive(Default)]
pub struct Watch {
    tasks: usize,
    /// How many tasks with the share were placed.
    pub placed: usize,
    /// When proofs could last not be renewed, for no fault of the product's.
    excused_at: Option<Timestamp>,
    well_since: usize,
    lost_since: BTreeMap<Arc<str>, Timestamp>,
    /// The longest time from losing the drive until the gate was shut or the drive back.
    pub longest_exposure: SignedDuration,
}

impl Watch {
    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        if step.call.is_some() && step.changes.is_empty() {
            return Ok(());
        }
        self.expose(step);
        if step.call.is_some() {
            return Ok(());
        }
        self.excuse(step);
        let Some(period) = step.ground.policy.verify_every else { return Ok(()) };
        let clusters = ["apps", "batch"];
        let count = clusters.iter().map(|name| step.aws.tasks(name).count()).sum();
        if std::mem::replace(&mut self.tasks, count) == count {
            return Ok(());
        }
        let now = step.aws.now();
        let new = clusters.iter().flat_map(|name| step.aws.tasks(name));
        for task in new.filter(|task| task.created() == now && task.family() == "share") {
            let Some(one) = step.ground.registrations.get(task.container_instance_id()) else { continue };
            self.placed += 1;
            let proof = last_proof(step, one).or(one.was_edited.then_some(one.gate_since));
            let from = proof.max(self.excused_at).max(one.was_edited.then_some(one.state_since));
            let bound = period * 2 + DEADLINE * 2 + THREE_SWEEPS;
            let fresh = one.is_open() && from.is_some_and(|from| now.duration_since(from) <= bound);
            must(fresh, || {
                format!("a task landed on {}, last proven at {proof:?}; {:?}", one.ec2, one.attributes)
            })?;
        }
        Ok(())
    }

    fn excuse(&mut self, step: &Step<'_>) {
        let now = step.aws.now();
        let runs = &step.ground.runs;
        let first = self.well_since.min(runs.len());
        let recent = |at: &Timestamp| now.duration_since(*at) <= THREE_SWEEPS;
        let through = runs[first..]
            .iter()
            .filter(|run| run.is_sweep)
            .filter_map(|run| run.ended_well)
            .any(|at| recent(&at));
        self.well_since = runs.len().saturating_sub(40);
        if !through || !is_well(step, now) {
            self.excused_at = Some(now);
        }
    }

    fn expose(&mut self, step: &Step<'_>) {
        let now = step.aws.now();
        let Watch { lost_since, longest_exposure, .. } = self;
        for one in step.ground.registrations.values().filter(|one| one.is_ours) {
            let is_lost =
                one.counts() && one.is_open() && !step.aws.world.hosts[&one.ec2].is_mapped_to(REMOTE);
            if is_lost {
                lost_since.entry(one.id.clone()).or_insert(now);
            } else if let Some(since) = lost_since.remove(&one.id) {
                *longest_exposure = (*longest_exposure).max(now.duration_since(since));
            }
        }
    }
}

fn last_proof(step: &Step<'_>, one: &Registration) -> Option<Timestamp> {
    let history =
        step.ground.history(step.aws, &one.ec2).map(|(c, i)| (c.requested(), said(c, i, step.aws.now())));
    let proof = history.filter(|(_, word)| matches!(word, Said::Mapped { .. })).map(|(at, _)| at).next();
    proof.filter(|at| millis(*at) > one.registered_at)
}
