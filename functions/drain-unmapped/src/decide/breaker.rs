//! The breaker: while a fault looks shared, nothing in the cluster is drained.

use jiff::{SignedDuration, Timestamp};
use shared::cause::Class;
use shared::config::Policy;
use shared::ecs::Status;
use shared::state::{State, StateAttribute};

use super::rule::Rule;
use crate::fleet::Instance;

/// Failures that began within this time are one herd.
const HERD: SignedDuration = SignedDuration::from_hours(1);

/// A herd has at least so many members.
const HERD_SIZE: usize = 3;

/// With more than this share of instances without a state, too little is known to drain any.
const UNKNOWN_PERCENT: usize = 20;

/// The rule that opens the breaker, if one does. Computed anew from live state on every look.
pub(super) fn breaker(instances: &[&Instance], policy: &Policy, now: Timestamp) -> Option<Rule> {
    let n = instances.len();
    let in_trouble = instances.iter().filter(|instance| is_in_trouble(instance)).count();
    let without_state =
        instances.iter().filter(|i| i.record.attributes.state == StateAttribute::Absent).count();
    if !instances.iter().any(|instance| instance.is_mapped()) {
        Some(Rule::BreakerNothingMapped)
    } else if in_trouble > (n * policy.breaker_percent as usize).div_ceil(100) {
        Some(Rule::BreakerTooMany)
    } else if is_herd(instances, now) {
        Some(Rule::BreakerHerd)
    } else if without_state * 100 > n * UNKNOWN_PERCENT {
        Some(Rule::BreakerUnknown)
    } else {
        None
    }
}

/// Unmapped, or drained by us.
fn is_in_trouble(instance: &Instance) -> bool {
    let is_drained = instance.record.status == Status::Draining && instance.record.attributes.drain.is_ours();
    is_drained || matches!(instance.state(), Some(State::Unmapped { .. }))
}

/// At least half of the recent failures are of one class that is not the host's.
fn is_herd(instances: &[&Instance], now: Timestamp) -> bool {
    let class = |instance: &&Instance| match instance.state() {
        Some(State::Unmapped { cause, failing_since, .. }) if now.duration_since(*failing_since) <= HERD => {
            Some(cause.class())
        }
        _ => None,
    };
    let recent: Vec<Class> = instances.iter().filter_map(class).collect();
    Class::ALL.into_iter().filter(|class| *class != Class::Host).any(|class| {
        let size = recent.iter().filter(|one| **one == class).count();
        size >= HERD_SIZE && size * 2 >= recent.len()
    })
}
