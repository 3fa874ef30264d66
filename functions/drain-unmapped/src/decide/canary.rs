//! The canary: the one instance that tries the parameters' password while it is not fresh.

use jiff::Timestamp;
use shared::budget::Budget;
use shared::cause::Cause;
use shared::ids::ContainerInstanceArn;
use shared::state::State;

use crate::fleet::Instance;

/// The order of the candidates: first those that are due for more than a renewal, then those without a failed `map`, then
/// those with the fewest log-ons that may be refused, then the least recently judged, then by ARN.
pub(super) fn rank(
    instance: &Instance,
    budget: &Budget,
) -> (bool, bool, u32, Timestamp, ContainerInstanceArn) {
    let judged = instance.state().map_or(Timestamp::MIN, State::judged);
    let refusals = budget.refusals_of_map(&instance.id);
    (instance.is_open(), has_failed_map(instance), refusals, judged, instance.record.arn.clone())
}

fn has_failed_map(instance: &Instance) -> bool {
    matches!(instance.state(), Some(State::Unmapped { cause, .. }) if *cause != Cause::NOT_MAPPED)
}
