//! Who is drained, who is given back, and what withholds it.
//!
//! To drain is to tell ECS to place nothing more on an instance and to move its service tasks elsewhere. It is the last
//! thing done about a host, rationed per cluster, and never done for a fault that may be shared. What it deliberately
//! does not do: undo an operator's drain, or drain on anything but the script's own words.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use shared::cause::{Cause, Class};
use shared::config::{Mode, Policy};
use shared::ecs::Status;
use shared::ids::{ClusterRef, ContainerInstanceArn};
use shared::state::{Drain, State, StateAttribute};

use crate::fleet::{Fleet, Instance};

/// Failures that began within this time are looked at together.
const HERD: SignedDuration = SignedDuration::from_hours(1);

/// A herd is at least so many.
const HERD_SIZE: usize = 3;

/// More than this share without any state: too little is known to judge anybody.
const UNKNOWN_PERCENT: usize = 20;

/// Others that must have been mapped meanwhile before a shared fault is called one host's own.
const WITNESSES: usize = 3;

/// Why an instance that has failed long enough is not drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// `MODE` is not `enforce`.
    Mode,
    /// `smb.hold` stands on it.
    Hold,
    /// Given back by an operator or about to be terminated: hands off until it was proven once.
    Released,
    /// `smb.G.drain` holds a value that we did not write.
    DrainAttributeNotOurs,
    /// A command is at work on it.
    InFlight,
    /// Credentials, configuration and unknown causes never drain.
    CauseNotTheHosts,
    /// A network or directory cause, and not enough others were mapped meanwhile.
    NoWitnesses,
    /// Less than half of the cluster is active and mapped.
    HalfMustStay,
    /// As much is draining as may be, by any actor.
    Budget,
    /// Breaker: too many unmapped, or drained by us.
    BreakerTooMany,
    /// Breaker: a herd of one class that is not the host's.
    BreakerHerd,
    /// Breaker: nothing is mapped.
    BreakerNothingMapped,
    /// Breaker: too many without any state.
    BreakerUnknown,
}

impl Rule {
    /// As it is logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Mode => "mode",
            Rule::Hold => "hold",
            Rule::Released => "released",
            Rule::DrainAttributeNotOurs => "drain-attribute-not-ours",
            Rule::InFlight => "in-flight",
            Rule::CauseNotTheHosts => "cause-not-the-hosts",
            Rule::NoWitnesses => "no-witnesses",
            Rule::HalfMustStay => "half-must-stay",
            Rule::Budget => "budget",
            Rule::BreakerTooMany => "breaker-too-many",
            Rule::BreakerHerd => "breaker-herd",
            Rule::BreakerNothingMapped => "breaker-nothing-mapped",
            Rule::BreakerUnknown => "breaker-unknown",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be done about a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainAction {
    /// Drain it, for this cause.
    Drain(Cause),
    /// Write `released`: the drain is not wanted any more, or not ours any more.
    Release,
    /// Write `released`, then make it `ACTIVE`.
    GiveBack,
    /// Remove `released`: it was proven since.
    Forget,
}

/// What the drain rules say of a fleet.
#[derive(Debug, Clone, Default)]
pub struct DrainPlan {
    /// What to do, in this order.
    pub actions: Vec<(ContainerInstanceArn, DrainAction)>,
    /// Who would be drained, but for this rule.
    pub withheld: BTreeMap<ContainerInstanceArn, Rule>,
    /// Clusters whose breaker is open.
    pub breakers: BTreeMap<ClusterRef, Rule>,
}

/// Decides about every instance.
pub fn plan_drains(fleet: &Fleet, policy: &Policy, now: Timestamp) -> DrainPlan {
    let mut plan = DrainPlan::default();
    let witnesses = Witnesses::of(fleet);
    let mut clusters: BTreeMap<&ClusterRef, Vec<&Instance>> = BTreeMap::new();
    for instance in fleet.counted() {
        clusters.entry(&instance.record.cluster).or_default().push(instance);
    }
    for (cluster, instances) in clusters {
        let breaker = breaker(&instances, policy, now);
        plan.breakers.extend(breaker.map(|rule| (cluster.clone(), rule)));
        for instance in &instances {
            plan.actions.extend(ownership(instance).map(|action| (instance.record.arn.clone(), action)));
        }
        let mut draining = instances.iter().filter(|i| i.record.status == Status::Draining).count();
        let mut candidates: Vec<(Timestamp, &ContainerInstanceArn, &Cause, &Instance)> = instances
            .iter()
            .filter_map(|instance| {
                let (since, cause) = has_failed_long_enough(instance, policy)?;
                Some((since, &instance.record.arn, cause, *instance))
            })
            .collect();
        candidates.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        for (_, arn, cause, instance) in candidates {
            let cluster_rule =
                || half_must_stay(&instances).or(breaker).or_else(|| budget(&instances, draining, policy));
            match own_rule(&witnesses, instance, cause, policy).or_else(cluster_rule) {
                Some(rule) => {
                    plan.withheld.insert(arn.clone(), rule);
                }
                None => {
                    draining += 1;
                    plan.actions.push((arn.clone(), DrainAction::Drain(cause.clone())));
                }
            }
        }
    }
    plan
}

/// What stands on an instance about a drain, and what follows from it alone.
fn ownership(instance: &Instance) -> Option<DrainAction> {
    let record = &instance.record;
    match (&record.attributes.drain, record.status) {
        // An operator re-activated it: what an operator did stays done.
        (Drain::Done { .. }, Status::Active) => Some(DrainAction::Release),
        (Drain::Done { at, .. }, Status::Draining)
            if !record.attributes.hold && is_proven_after(instance, *at) =>
        {
            Some(DrainAction::GiveBack)
        }
        // The call that drains never took effect, and is no longer wanted.
        (Drain::Requested { .. }, Status::Active) if instance.is_mapped() => Some(DrainAction::Release),
        (Drain::Released { at }, Status::Active) if is_proven_after(instance, *at) => {
            Some(DrainAction::Forget)
        }
        _ => None,
    }
}

fn is_proven_after(instance: &Instance, at: Timestamp) -> bool {
    instance.is_mapped() && matches!(instance.state(), Some(State::Mapped { judged, .. }) if *judged > at)
}

/// An active instance that has failed, by the script's or SSM's words, from its first failure to its last failed try at
/// least as long as is asked, with its quick retries spent. Time without a try does not count.
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
        // A `done` on an active instance is an operator's doing, and is released in this very run.
        Drain::Done { .. } => return Some(Rule::Released),
        Drain::Foreign => return Some(Rule::DrainAttributeNotOurs),
        Drain::Absent | Drain::Requested { .. } => {}
    }
    match cause.class() {
        Class::Host => {}
        Class::Network | Class::Directory if witnesses.speak_against(instance) => {}
        Class::Network | Class::Directory => return Some(Rule::NoWitnesses),
        Class::Credentials | Class::Configuration | Class::Unknown => return Some(Rule::CauseNotTheHosts),
    }
    instance.is_in_flight().then_some(Rule::InFlight)
}

/// Who may speak for the share: the fleet's proofs, by request time.
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

    /// Whether enough others were proven while this one failed: after it began, and before its last failed try.
    fn speak_against(&self, instance: &Instance) -> bool {
        let Some(State::Unmapped { judged: last_try, failing_since, .. }) = instance.state() else {
            return false;
        };
        let until_it_began = self.proofs.partition_point(|proof| proof <= failing_since);
        let until_last_try = self.proofs.partition_point(|proof| proof < last_try);
        let needed = self.counted.saturating_sub(1).min(WITNESSES);
        needed > 0 && until_last_try.saturating_sub(until_it_began) >= needed
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

fn budget(instances: &[&Instance], draining: usize, policy: &Policy) -> Option<Rule> {
    (draining >= drain_budget(instances.len(), policy)).then_some(Rule::Budget)
}

/// Whether the fault looks shared. Recomputed from live state on every look.
fn breaker(instances: &[&Instance], policy: &Policy, now: Timestamp) -> Option<Rule> {
    let n = instances.len();
    let failing = || {
        instances.iter().filter_map(|instance| match instance.state() {
            Some(State::Unmapped { cause, failing_since, .. }) => Some((cause.class(), *failing_since)),
            _ => None,
        })
    };
    let in_trouble = instances
        .iter()
        .filter(|i| {
            let drained = i.record.status == Status::Draining && i.record.attributes.drain.is_ours();
            drained || matches!(i.state(), Some(State::Unmapped { .. }))
        })
        .count();
    let without_state =
        instances.iter().filter(|i| i.record.attributes.state == StateAttribute::Absent).count();
    let recent: Vec<Class> =
        failing().filter(|(_, since)| now.duration_since(*since) <= HERD).map(|(class, _)| class).collect();
    let is_herd = Class::ALL.into_iter().filter(|class| *class != Class::Host).any(|class| {
        let size = recent.iter().filter(|c| **c == class).count();
        size >= HERD_SIZE && size * 2 >= recent.len()
    });
    if !instances.iter().any(|instance| instance.is_mapped()) {
        Some(Rule::BreakerNothingMapped)
    } else if in_trouble > (n * policy.breaker_percent as usize).div_ceil(100) {
        Some(Rule::BreakerTooMany)
    } else if is_herd {
        Some(Rule::BreakerHerd)
    } else if without_state * 100 > n * UNKNOWN_PERCENT {
        Some(Rule::BreakerUnknown)
    } else {
        None
    }
}
