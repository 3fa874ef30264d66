//! What one reconcile run did, counted over all its looks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::aws::AwsError;
use shared::cause::Class;
use shared::ecs::ContainerInstance;
use shared::fingerprint::Fingerprint;
use shared::history::Action;
use shared::ids::{ContainerInstanceArn, InstanceId};
use shared::invocation::InvocationResult;
use shared::send::SendError;
use shared::state::{Gate, State};

use crate::decide::{GateWrite, Plan, PlannedCommand, Rule, Why};
use crate::fleet::{Fleet, Instance};

/// Counts of one run.
#[derive(Debug, Default)]
pub struct RunStatistics {
    /// Instances drained.
    pub drains: u32,
    /// Drains that were planned and that a rule withheld when they were to be made.
    pub withheld: BTreeMap<ContainerInstanceArn, Rule>,
    /// Instances given back.
    pub given_back: u32,
    /// Calls that failed for good, without those throttled.
    pub errors: u32,
    /// Calls that stayed throttled through all retries.
    pub throttles: u32,
    /// Targets of `map` that had failed before.
    pub retries: u32,
    /// Targets of `check`.
    pub checks: u32,
    /// Mappings made again on instances that had lost theirs.
    pub repairs: u32,
    /// Whether the newest proof's mapping has privacy, by instance.
    pub privacy: BTreeMap<InstanceId, bool>,
    /// Failed results by class.
    pub failures: BTreeMap<Class, u32>,
    /// The longest time from a registration to its first open gate, in seconds.
    pub slowest_opening_seconds: Option<f64>,
}

/// A call that failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedCall {
    /// It stayed throttled through all retries.
    Throttled,
    /// Anything else.
    Other,
}

impl RunStatistics {
    /// Counts a failed call.
    pub fn failed(&mut self, call: impl Into<FailedCall>) {
        match call.into() {
            FailedCall::Throttled => self.throttles += 1,
            FailedCall::Other => self.errors += 1,
        }
    }

    /// How many instances are withheld from draining: by the plan, or when the drain was to be made.
    pub fn count_withheld(&self, plan: &Plan) -> usize {
        let later = self.withheld.keys().filter(|arn| !plan.withheld.contains_key(*arn));
        plan.withheld.len() + later.count()
    }

    /// Counts a command that SSM took for these targets.
    pub fn sent(&mut self, command: &PlannedCommand, fleet: &Fleet, targets: &[InstanceId]) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        match command.action {
            Action::Check => self.checks += count(targets.len()),
            Action::Map => {
                let has_failed = |instance: &&Instance| {
                    matches!(instance.state(), Some(State::Unmapped { .. })) && targets.contains(&instance.id)
                };
                self.retries += count(fleet.instances.values().filter(has_failed).count());
            }
        }
    }

    /// Counts a verdict that was written over `before`.
    pub fn written(&mut self, before: &ContainerInstance, write: &GateWrite, now: Timestamp) {
        let state_before = before.attributes.state.state();
        match &write.why {
            Why::Proof(proof) => {
                let was_unmapped = matches!(state_before, Some(State::Unmapped { .. }));
                self.repairs += u32::from(proof.changed && was_unmapped);
                if state_before.is_none() && write.verdict.gate == Gate::Mapped {
                    let seconds = now.duration_since(before.registered_at).as_secs_f64();
                    self.slowest_opening_seconds =
                        Some(self.slowest_opening_seconds.map_or(seconds, |slowest| slowest.max(seconds)));
                }
            }
            Why::Failure(_) | Why::NoResult | Why::Silent | Why::OtherShare => {
                if let State::Unmapped { cause, .. } | State::Doubtful { cause, .. } = &write.verdict.state {
                    *self.failures.entry(cause.class()).or_default() += 1;
                }
            }
            Why::Contradiction => {}
        }
    }

    /// Notes the privacy of each instance's newest proof.
    pub fn note_privacy(&mut self, fleet: &Fleet) {
        for instance in fleet.instances.values() {
            if let Some(is_private) = privacy(instance) {
                self.privacy.insert(instance.id.clone(), is_private);
            }
        }
    }
}

/// Whether the newest proof that says so has privacy; without it containers lose access when they are idle.
pub fn privacy(instance: &Instance) -> Option<bool> {
    instance.results.iter().rev().find_map(|result| match &result.result {
        Some(InvocationResult::Mapped(proof)) => proof.privacy,
        _ => None,
    })
}

/// The version of the script that answered last, where it says so.
pub fn script(instance: &Instance) -> Option<Fingerprint> {
    instance.results.iter().rev().find_map(|result| result.result.as_ref()?.script())
}

impl From<&AwsError> for FailedCall {
    fn from(error: &AwsError) -> Self {
        if error.is_throttle() { FailedCall::Throttled } else { FailedCall::Other }
    }
}

impl From<&SendError> for FailedCall {
    fn from(error: &SendError) -> Self {
        if matches!(error, SendError::Throttled(_)) { FailedCall::Throttled } else { FailedCall::Other }
    }
}
