//! The canary: the one instance that tries the parameters' password while it is not fresh.

use jiff::Timestamp;
use shared::cause::Cause;
use shared::ids::ContainerInstanceArn;
use shared::state::State;

use crate::fleet::Instance;

/// The order of the candidates: first those that are due for more than a renewal, then those without a failed `map`, then
/// the least recently judged, then by ARN.
pub(super) fn rank(instance: &Instance) -> (bool, bool, Timestamp, ContainerInstanceArn) {
    let judged = instance.state().map_or(Timestamp::MIN, State::judged);
    (instance.is_open(), has_failed_map(instance), judged, instance.record.arn.clone())
}

fn has_failed_map(instance: &Instance) -> bool {
    matches!(instance.state(), Some(State::Unmapped { cause, .. }) if *cause != Cause::NOT_MAPPED)
}
