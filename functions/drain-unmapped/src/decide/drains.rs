//! Which instances are drained, which are given back, and what withholds a drain.
//!
//! A drain tells ECS to place no more tasks on an instance and to move its service tasks elsewhere. It is the last measure,
//! limited per cluster, and never taken for a fault that may be shared. See docs/architecture.md, Draining.
//!
//! Deliberately absent: undoing an operator's drain, and draining on anything but the script's own result line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::cause::{Cause, Class};
use shared::config::{Mode, Policy};
use shared::ecs::{ContainerInstance, Status};
use shared::ids::{ClusterRef, ContainerInstanceArn};
use shared::state::{Drain, State};

use super::breaker::breaker;
use super::rule::Rule;
use crate::fleet::{Fleet, Instance};

/// So many others must be proven meanwhile before a fault that may be shared counts as the instance's own.
const WITNESSES: usize = 3;

/// Also in a small fleet: one host may say falsely that it reads the share.
const LEAST_WITNESSES: usize = 2;

/// What is done about a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainAction {
    /// Drain it, for this cause.
    Drain(Cause),
    /// Write `released`: the drain is not wanted any more, or not ours any more.
    MarkReleased,
    /// Write `released`, then make it `ACTIVE`.
    GiveBack,
    /// Remove `released`: it was proven since.
    Forget,
}

/// Something to do about the drain of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDrain {
    /// The instance.
    pub arn: ContainerInstanceArn,
    /// What to do.
    pub action: DrainAction,
}

/// What the drain rules say of a fleet.
#[derive(Debug, Default)]
pub(super) struct DrainPlan {
    /// What to do, in this order.
    pub drains: Vec<PlannedDrain>,
    /// Instances that would be drained without this rule.
    pub withheld: BTreeMap<ContainerInstanceArn, Rule>,
    /// Clusters whose breaker is open.
    pub breakers: BTreeMap<ClusterRef, Rule>,
}

/// Decides about every instance.
pub(super) fn plan_drains(fleet: &Fleet, policy: &Policy, now: Timestamp) -> DrainPlan {
    let mut plan = DrainPlan::default();
    let witnesses = Witnesses::of(fleet);
    let mut clusters: BTreeMap<&ClusterRef, Vec<&Instance>> = BTreeMap::new();
    for instance in fleet.counted() {
        clusters.entry(&instance.record.cluster).or_default().push(instance);
    }
    let records = || fleet.instances.values().map(|instance| &instance.record);
    for (cluster, instances) in clusters {
        let breaker = breaker(&instances, policy, now);
        plan.breakers.extend(breaker.map(|rule| (cluster.clone(), rule)));
        for instance in &instances {
            plan.drains.extend(ownership(instance).map(|action| planned(instance, action)));
        }
        let mut draining = records().filter(|one| one.cluster == *cluster && holds_budget(one)).count();
        for (cause, instance) in candidates(&instances, policy) {
            let cluster_rule =
                || half_must_stay(&instances).or(breaker).or_else(|| budget(&instances, draining, policy));
            match own_rule(&witnesses, instance, cause, policy).or_else(cluster_rule) {
                Some(rule) => {
                    plan.withheld.insert(instance.record.arn.clone(), rule);
                }
                None => {
                    draining += 1;
                    plan.drains.push(planned(instance, DrainAction::Drain(*cause)));
                }
            }
        }
    }
    plan
}

fn planned(instance: &Instance, action: DrainAction) -> PlannedDrain {
    PlannedDrain { arn: instance.record.arn.clone(), action }
}

/// The instances that have failed long enough, the one that has failed longest first.
fn candidates<'i>(instances: &[&'i Instance], policy: &Policy) -> Vec<(&'i Cause, &'i Instance)> {
    let candidate = |instance: &&'i Instance| {
        let (since, cause) = has_failed_long_enough(instance, policy)?;
        Some((since, &instance.record.arn, cause, *instance))
    };
    let mut candidates: Vec<_> = instances.iter().filter_map(candidate).collect();
    candidates.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    candidates.into_iter().map(|(_, _, cause, instance)| (cause, instance)).collect()
}

/// What follows from an instance's drain attribute alone.
fn ownership(instance: &Instance) -> Option<DrainAction> {
    let record = &instance.record;
    match (&record.attributes.drain, record.status) {
        // An operator activated it again, and that is not undone.
        (Drain::Done { .. }, Status::Active) => Some(DrainAction::MarkReleased),
        (Drain::Done { at, .. }, Status::Draining)
            if !record.attributes.hold && is_proven_after(instance, *at) =>
        {
            Some(DrainAction::GiveBack)
        }
        // The call that drains never took effect, and is no longer wanted.
        (Drain::Requested { .. }, Status::Active) if instance.is_mapped() => Some(DrainAction::MarkReleased),
        (Drain::Released { at }, Status::Active) if is_proven_after(instance, *at) => {
            Some(DrainAction::Forget)
        }
        _ => None,
    }
}

fn is_proven_after(instance: &Instance, at: Timestamp) -> bool {
    instance.is_mapped() && matches!(instance.state(), Some(State::Mapped { judged, .. }) if *judged > at)
}

/// An active instance whose quick retries are spent, and from whose first failure to its last failed attempt at least
/// `drain_after` went by. Time without an attempt does not count.
fn has_failed_long_enough<'i>(instance: &'i Instance, policy: &Policy) -> Option<(Timestamp, &'i Cause)> {
    let Some(State::Unmapped { attempts, judged, cause, failing_since, .. }) = instance.state() else {
        return None;
    };
    let long_enough = judged.duration_since(*failing_since) >= policy.drain_after;
    let spent = *attempts > cause.quick_retries(policy.max_attempts);
    (instance.record.status == Status::Active && long_enough && spent).then_some((*failing_since, cause))
}

/// Rules about the instance itself.
fn own_rule(witnesses: &Witnesses, instance: &Instance, cause: &Cause, policy: &Policy) -> Option<Rule> {
    let attributes = &instance.record.attributes;
    if policy.mode != Mode::Enforce {
        return Some(Rule::Mode);
    }
    if attributes.hold {
        return Some(Rule::Hold);
    }
    match attributes.drain {
        Drain::Released { .. } => return Some(Rule::Released),
        // An operator activated it again; `released` is written in this run.
        Drain::Done { .. } => return Some(Rule::Released),
        Drain::Foreign | Drain::OtherStack => return Some(Rule::DrainAttributeNotOurs),
        Drain::Absent if instance.record.lacks_room_for_drain() => return Some(Rule::AttributeLimit),
        Drain::Absent | Drain::Requested { .. } => {}
    }
    match cause.class() {
        Class::Host => {}
        Class::Network | Class::Directory if witnesses.are_enough_against(instance) => {}
        Class::Network | Class::Directory => return Some(Rule::NoWitnesses),
        Class::Credentials | Class::Configuration | Class::Unknown => return Some(Rule::CauseNotTheHosts),
    }
    instance.is_in_flight().then_some(Rule::InFlight)
}

/// Witnesses that the share works: the fleet's proofs, by request time. See docs/architecture.md, Witnesses.
struct Witnesses {
    proofs: Vec<Timestamp>,
    counted: usize,
}

impl Witnesses {
    fn of(fleet: &Fleet) -> Self {
        let proof = |instance: &Instance| match instance.state() {
            Some(State::Mapped { judged, .. }) if instance.is_open() => Some(*judged),
            _ => None,
        };
        let mut proofs: Vec<Timestamp> = fleet.counted().filter_map(proof).collect();
        proofs.sort_unstable();
        Witnesses { proofs, counted: fleet.counted().count() }
    }

    /// Whether enough others were proven while this one failed: after its first failure, and before its last.
    fn are_enough_against(&self, instance: &Instance) -> bool {
        let Some(State::Unmapped { judged: last_try, failing_since, .. }) = instance.state() else {
            return false;
        };
        let until_it_began = self.proofs.partition_point(|proof| proof <= failing_since);
        let until_last_try = self.proofs.partition_point(|proof| proof < last_try);
        let needed = self.counted.saturating_sub(1).clamp(LEAST_WITNESSES, WITNESSES);
        until_last_try.saturating_sub(until_it_began) >= needed
    }
}

fn half_must_stay(instances: &[&Instance]) -> Option<Rule> {
    let staying = instances.iter().filter(|i| i.record.status == Status::Active && i.is_mapped()).count();
    (staying == 0 || staying * 2 < instances.len()).then_some(Rule::HalfMustStay)
}

/// How many instances of `n` may be draining at a time.
pub fn drain_budget(n: usize, policy: &Policy) -> usize {
    (n * policy.max_drain_percent as usize / 100).max(1)
}

/// Whether an instance counts against that budget: it is draining, by any actor. One that EC2 has stopped does not, because
/// it has no tasks to move and may never return.
pub fn holds_budget(record: &ContainerInstance) -> bool {
    let is_stopped =
        !record.is_connected && matches!(record.attributes.state.state(), Some(State::Restarted { .. }));
    record.status == Status::Draining && !is_stopped
}

fn budget(instances: &[&Instance], draining: usize, policy: &Policy) -> Option<Rule> {
    (draining >= drain_budget(instances.len(), policy)).then_some(Rule::Budget)
}
