//! Invariants 2 to 4: what we cannot prove we drained is never given back, and what an operator did stays done; one run
//! never drains beyond budget, breaker and the half that must stay; no drain follows from anything but the script's word
//! about a lasting fault of the host's own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::cause::Class;
use shared::config::{Mode, Policy};
use shared::ecs::Status;
use shared::ids::{ClusterRef, ContainerInstanceArn};
use shared::state::{Drain, Gate, State, StateAttribute};

use super::{Holds, counts, must};
use crate::decide::{DrainAction, Plan};
use crate::fleet::Instance;
use crate::tests::build::NOW;

pub(super) fn what_an_operator_did_stays_done(
    before: &Instance,
    after: &Instance,
    action: &DrainAction,
) -> Holds {
    let record = &before.record;
    let (active, draining) = (record.status == Status::Active, record.status == Status::Draining);
    must(counts(before), "2: nothing is done about who does not count")?;
    let proven_after = |at: Timestamp| match after.state() {
        Some(State::Mapped { judged, .. }) => after.record.attributes.gate == Gate::Mapped && *judged > at,
        _ => false,
    };
    match (action, &record.attributes.drain) {
        (DrainAction::Drain(_), Drain::Absent | Drain::Requested { .. }) => {
            must(active && !record.attributes.hold, "2: only an active, unheld instance is drained")
        }
        (DrainAction::GiveBack, Drain::Done { at, .. }) => must(
            draining && !record.attributes.hold && proven_after(*at),
            "2: only a draining, unheld instance proven since is given back",
        ),
        (DrainAction::MarkReleased, Drain::Done { .. }) => {
            must(active, "2: released where an operator re-activated it")
        }
        (DrainAction::MarkReleased, Drain::Requested { .. }) => {
            must(active && after.is_mapped(), "2: released where it is no longer wanted")
        }
        (DrainAction::Forget, Drain::Released { at }) => {
            must(active && proven_after(*at), "2: forgotten once proven")
        }
        _ => must(false, "2: the attribute does not say that it is ours to do so"),
    }
}

pub(super) fn only_the_hosts_own_lasting_fault_drains(
    instance: &Instance,
    plan: &Plan,
    policy: &Policy,
) -> Holds {
    must(policy.mode == Mode::Enforce, "4: only MODE=enforce drains")?;
    let Some(State::Unmapped { attempts, judged, cause, failing_since, .. }) = instance.state() else {
        return must(false, "4: only an unmapped instance is drained");
    };
    must(*judged >= *failing_since + policy.drain_after, "4: it failed long enough, the last try included")?;
    must(*attempts > cause.quick_retries(policy.max_attempts), "4: quick retries are spent")?;
    let others: Vec<&Instance> =
        plan.fleet.instances.values().filter(|i| counts(i) && i.record.arn != instance.record.arn).collect();
    let witnesses = others.iter().filter(|i| match i.state() {
        Some(State::Mapped { judged: proof, .. }) => i.is_open() && proof > failing_since && proof < judged,
        _ => false,
    });
    match cause.class() {
        Class::Host => Ok(()),
        Class::Network | Class::Directory => must(
            witnesses.count() >= others.len().clamp(1, 3),
            "4: a fault that may be shared needs witnesses",
        ),
        Class::Credentials | Class::Configuration | Class::Unknown => {
            must(false, "4: no configuration, credential or unknown cause drains")
        }
    }
}

pub(super) fn drains_stay_within_bounds(
    plan: &Plan,
    policy: &Policy,
    drained: &BTreeSet<&ContainerInstanceArn>,
) -> Holds {
    let mut clusters: BTreeMap<&ClusterRef, Vec<&Instance>> = BTreeMap::new();
    for instance in plan.fleet.instances.values().filter(|instance| counts(instance)) {
        clusters.entry(&instance.record.cluster).or_default().push(instance);
    }
    for instances in clusters.values() {
        let count = |is: &dyn Fn(&Instance) -> bool| instances.iter().filter(|i| is(i)).count();
        let n = instances.len();
        let now = count(&|i| drained.contains(&i.record.arn));
        if now == 0 {
            continue;
        }
        let draining = count(&|i| i.record.status == Status::Draining);
        let budget = (n * policy.max_drain_percent as usize / 100).max(1);
        must(draining + now <= budget, "3: the budget counts whoever drains")?;
        let staying = count(&|i| i.record.status == Status::Active && i.is_mapped());
        must(staying >= 1 && staying * 2 >= n, "3: half must stay")?;
        let unmapped = |i: &Instance| matches!(i.state(), Some(State::Unmapped { .. }));
        let ours = |i: &Instance| {
            i.record.status == Status::Draining && matches!(i.record.attributes.drain, Drain::Done { .. })
        };
        let in_trouble = count(&|i| unmapped(i) || ours(i));
        must(in_trouble * 100 < n * policy.breaker_percent as usize + 100, "3: breaker, too many")?;
        let unknown = count(&|i| i.record.attributes.state == StateAttribute::Absent);
        must(unknown * 5 <= n, "3: breaker, too little known")?;
        let mut recent: BTreeMap<Class, usize> = BTreeMap::new();
        for instance in instances {
            if let Some(State::Unmapped { cause, failing_since, .. }) = instance.state()
                && NOW.duration_since(*failing_since).as_secs_f64() <= 3_600.0
            {
                *recent.entry(cause.class()).or_default() += 1;
            }
        }
        let all: usize = recent.values().sum();
        recent.remove(&Class::Host);
        must(!recent.values().any(|&herd| herd >= 3 && herd * 2 >= all), "3: breaker, a herd")?;
    }
    Ok(())
}
