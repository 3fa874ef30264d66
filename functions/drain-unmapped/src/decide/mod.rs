//! Desired minus actual: pure functions from a [`Fleet`] to a [`Plan`].
//!
//! | module | what it decides |
//! |---|---|
//! | `verdict` | what an invocation result changes on its instance |
//! | `gates` | which gates are shut without a result: contradicting attributes, and silence |
//! | `budget` | how many log-ons may yet be refused, and whether the parameters' password is fresh |
//! | `schedule` | when an instance is next due for which command |
//! | `turns`, `canary` | who is first among those that wait for a staggered command, and who tries the password for all |
//! | `pace` | what a check takes, and how often a fleet of this size can be checked |
//! | `agents` | which SSM agents are asked before anything is sent |
//! | `commands` | which commands are sent, and their targets |
//! | `drains`, `breaker`, `rule` | what is drained or given back, and what withholds a drain |
//!
//! No module here knows a client, a clock or the environment.

mod agents;
mod breaker;
mod budget;
mod canary;
mod commands;
mod drains;
mod gates;
mod pace;
mod rule;
mod schedule;
mod turns;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::budget::Budget;
use shared::config::Policy;
use shared::ecs::ContainerInstance;
use shared::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use shared::state::Gate;

use crate::fleet::{Fleet, Instance};
use commands::PlannedCommands;

pub use agents::AgentsToAsk;
pub use commands::{HeldBack, PlannedCommand};
pub use drains::{DrainAction, PlannedDrain, drain_budget, holds_budget};
pub use gates::{GateWrite, Why, set};
pub use pace::CheckPace;
pub use rule::Rule;
pub use schedule::{Attempt, Triggers, later, next_attempt};
pub use verdict::Verdict;

/// What is to be done, in phases that are carried out in this order, and what it rests on.
///
/// The order is safe to stop after any step: first what keeps tasks off, then commands, then what lets tasks in, and
/// drains last.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Gates that are shut, and states under gates that stay as they are.
    pub shut_or_kept: Vec<GateWrite>,
    /// Commands to send.
    pub commands: Vec<PlannedCommand>,
    /// Gates that are opened.
    pub opened: Vec<GateWrite>,
    /// Drains, and what else is done about drains.
    pub drains: Vec<PlannedDrain>,
    /// Instances that would be drained without this rule.
    pub withheld: BTreeMap<ContainerInstanceArn, Rule>,
    /// Clusters whose breaker is open.
    pub breakers: BTreeMap<ClusterRef, Rule>,
    /// How many log-ons may yet be refused.
    pub budget: Budget,
    /// What the budget holds back.
    pub waiting: HeldBack,
    /// Instances are due for a `check` and wait for the one that is at work.
    pub has_more_checks: bool,
    /// How fast the fleet is checked.
    pub pace: CheckPace,
    /// Too many open gates are overdue though they were asked: SSM is silent, not the hosts.
    pub is_ssm_unwell: bool,
    /// The fleet as it will be once all gates and states are written.
    pub fleet: Fleet,
}

impl Plan {
    /// The commands for the fleet as it was written, without the targets whose verdict is not: a `map` is not sent under a gate
    /// that is still open, and no command rests on a verdict for an instance that somebody else has changed.
    pub fn commands_for(&self, fleet: &Fleet) -> Vec<PlannedCommand> {
        let is_unwritten = |instance: &&Instance| !self.is_written(&instance.record);
        let unwritten: BTreeSet<&InstanceId> =
            fleet.instances.values().filter(is_unwritten).map(|instance| &instance.id).collect();
        let mut commands = self.commands.clone();
        commands.iter_mut().for_each(|command| command.targets.retain(|id| !unwritten.contains(id)));
        commands
    }

    /// Whether it may be carried out on the instance as it was written. A drain rests on the recorded state, so it waits until
    /// that is written.
    pub fn may_carry_out(&self, action: &DrainAction, record: &ContainerInstance) -> bool {
        !matches!(action, DrainAction::Drain(_)) || self.is_written(record)
    }

    /// Whether gate and state are on the instance as they were decided.
    fn is_written(&self, record: &ContainerInstance) -> bool {
        let decided = self.fleet.instances.get(&record.arn).map(|instance| &instance.record.attributes);
        decided.is_some_and(|decided| {
            decided.state == record.attributes.state && decided.gate == record.attributes.gate
        })
    }
}

/// What the results at hand say, before any agent is asked.
#[derive(Debug)]
pub struct Assessment {
    /// The fleet, with every verdict applied.
    pub fleet: Fleet,
    writes: Vec<GateWrite>,
    pub(crate) budget: Budget,
    pace: CheckPace,
    is_ssm_unwell: bool,
}

/// Takes the results, and asks the budget once.
pub fn assess(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Assessment {
    let mut fleet = fleet.clone();
    let mut writes = gates::shut_other_shares(&mut fleet, now);
    let results = gates::apply_results(&mut fleet, &writes);
    writes.extend(results);
    writes.extend(gates::reconcile_attributes(&mut fleet, policy, now));
    let pace = CheckPace::of(&fleet, policy);
    let is_ssm_unwell = gates::is_ssm_unwell(&fleet, &pace, policy, now);
    let budget = budget::ask(&fleet, policy, now);
    Assessment { fleet, writes, budget, pace, is_ssm_unwell }
}

impl Assessment {
    /// The agents that must be asked before anything is sent.
    pub fn agents_to_ask(&self, policy: &Policy, now: Timestamp) -> Vec<AgentsToAsk> {
        let late = self.pace.silent_after;
        let is_late = |instance: &Instance| gates::is_late(instance, late, now);
        let ask = |fleet: &Fleet| agents::agents_to_ask(fleet, &self.budget, &self.pace, policy, now);
        if !self.silence_counts() || !self.fleet.counted().any(is_late) {
            return ask(&self.fleet);
        }
        let mut fleet = self.fleet.clone();
        gates::shut_silent(&mut fleet, &self.writes, late, now);
        ask(&fleet)
    }

    /// Decides, with what the agents said.
    pub fn plan(mut self, policy: &Policy, now: Timestamp) -> Plan {
        self.is_ssm_unwell = gates::is_ssm_unwell(&self.fleet, &self.pace, policy, now);
        if self.silence_counts() {
            let late = self.pace.silent_after;
            let silent = gates::shut_silent(&mut self.fleet, &self.writes, late, now);
            self.writes.extend(silent);
        }
        let Assessment { fleet, mut writes, budget, pace, is_ssm_unwell } = self;
        // What shuts a gate comes before what keeps one open.
        writes.sort_by_key(|write| write.verdict.gate == Gate::Mapped);
        let (opened, shut_or_kept) = writes.into_iter().partition(GateWrite::opens);
        let drains = drains::plan_drains(&fleet, policy, now);
        let PlannedCommands { commands, waiting, has_more_checks } =
            commands::plan_commands(&fleet, &budget, &pace, policy, now);
        Plan {
            shut_or_kept,
            commands,
            opened,
            drains: drains.drains,
            withheld: drains.withheld,
            breakers: drains.breakers,
            budget,
            waiting,
            has_more_checks,
            pace,
            is_ssm_unwell,
            fleet,
        }
    }

    /// While SSM is unwell, or checks are withheld, silence is not the hosts' fault.
    fn silence_counts(&self) -> bool {
        !self.is_ssm_unwell && !self.budget.withholds_checks()
    }
}

/// Decides from a fleet whose agents were asked.
pub fn decide(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Plan {
    assess(fleet, policy, now).plan(policy, now)
}
