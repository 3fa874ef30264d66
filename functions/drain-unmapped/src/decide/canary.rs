//! The instance that is sent a `map` alone: the canary, which tries the parameters' password while it is not fresh, or an
//! instance that was refused the password with which others are let in.

use jiff::Timestamp;
use shared::budget::Budget;
use shared::cause::Cause;
use shared::config::Policy;
use shared::ids::ContainerInstanceArn;
use shared::state::State;

use super::turns::turns;
use crate::fleet::Instance;

/// What is to be done about the candidates now.
#[derive(Debug, Default)]
pub(super) struct Choice<'f> {
    /// The one that is sent a `map`.
    pub(super) chosen: Option<&'f Instance>,
    /// No check begins now: an instance that was refused is tried, or waits for the commands in flight.
    pub(super) holds_checks: bool,
}

/// The first candidate in this order that the budget allows. One that was refused before needs a budget of which nothing
/// is spent or in flight; where only what is in flight is in its way, it is waited for, or it would never have its turn
/// beside others that fail again and again.
pub(super) fn choose<'f>(
    candidates: &[&'f Instance],
    budget: &Budget,
    policy: &Policy,
    now: Timestamp,
) -> Choice<'f> {
    for instance in candidates.iter().filter(|one| one.is_online()) {
        let id = &instance.id;
        let is_refused = budget.refused_instances.contains(id);
        let is_allowed =
            if is_refused { budget.allows_refused_instance() } else { budget.allows_canary(id, policy, now) };
        if is_allowed {
            return Choice { chosen: Some(instance), holds_checks: is_refused };
        }
        if is_refused && budget.row.is_empty() {
            return Choice { chosen: None, holds_checks: true };
        }
    }
    Choice::default()
}

/// The order of the candidates: first those that are due for their first `map`, the ones with the fewest log-ons that may be
/// refused in front; then renewals and those that failed, the least recently tried in front; then by ARN. An instance on
/// which commands hang is never judged under an open gate, so the time of sending counts.
pub(super) fn rank(instance: &Instance, budget: &Budget) -> (bool, u32, Timestamp, ContainerInstanceArn) {
    let judged = instance.state().map_or(Timestamp::MIN, State::judged);
    let tried = turns(instance).map(|result| result.requested_at).fold(judged, Timestamp::max);
    let is_tried = instance.is_open() || is_tried(instance, budget);
    let refusals = if is_tried { 0 } else { budget.refusals_of_map(&instance.id) };
    (is_tried, refusals, tried, instance.record.arn.clone())
}

/// A `map` was tried on it and failed.
pub(super) fn is_tried(instance: &Instance, budget: &Budget) -> bool {
    has_failed_map(instance) || budget.refused_instances.contains(&instance.id)
}

fn has_failed_map(instance: &Instance) -> bool {
    matches!(instance.state(), Some(State::Unmapped { cause, .. }) if *cause != Cause::NOT_MAPPED)
}
