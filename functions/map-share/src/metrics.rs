//! The metrics that the function emits: what it was sent, what became of it, and what it sent.

use shared::metrics::Metric;

use crate::outcome::{Disposition, Kind};

shared::metrics! {
    EVENTS_HANDLED = Stack "EventsHandled" "records that led to a command or a write";
    EVENTS_SKIPPED = Stack "EventsSkipped" "records that ask for nothing";
    EVENTS_FOREIGN = Stack "EventsForeign" "records of instances that are not watched";
    LEFT_TO_RECONCILE = Stack "LeftToReconcile" "records left to the reconcile run";
    EVENTS_UNREADABLE = Stack "EventsUnreadable" "records that are no event";
    EVENTS_FAILED = Stack "EventsFailed" "records whose AWS call failed: they come again";
    EVENTS_CONTAINER_INSTANCE = Stack "EventsContainerInstance" "ECS Container Instance State Change events";
    EVENTS_STATE_CHANGE = Stack "EventsStateChange" "EC2 Instance State-change Notification events";
    EVENTS_SPOT_INTERRUPTION = Stack "EventsSpotInterruption" "EC2 Spot Instance Interruption Warning events";
    EVENTS_TERMINATION = Stack "EventsTermination" "EC2 Instance-terminate Lifecycle Action events";
    EVENTS_BY_HAND = Stack "EventsByHand" "instances that a person named";
    EVENTS_OTHER = Stack "EventsOther" "events of other kinds, and what is no event";
    COMMANDS = Stack "Commands" "commands sent";
    TARGETS = Stack "Targets" "instances that were sent a command";
    BUDGET_WITHHELD = Stack "BudgetWithheld" "records that the budget of refused log-ons left to the reconcile run";
    THROTTLES = Stack "Throttles" "AWS calls that stayed throttled through all retries";
}

/// The metric that counts records that ended so.
pub(crate) fn of_disposition(disposition: Disposition) -> Metric {
    match disposition {
        Disposition::Handled => EVENTS_HANDLED,
        Disposition::Skipped => EVENTS_SKIPPED,
        Disposition::Foreign => EVENTS_FOREIGN,
        Disposition::LeftToReconcile => LEFT_TO_RECONCILE,
        Disposition::Unreadable => EVENTS_UNREADABLE,
        Disposition::Failed => EVENTS_FAILED,
    }
}

/// The metric that counts records of this kind.
pub(crate) fn of_kind(kind: Kind) -> Metric {
    match kind {
        Kind::ContainerInstance => EVENTS_CONTAINER_INSTANCE,
        Kind::StateChange => EVENTS_STATE_CHANGE,
        Kind::SpotInterruption => EVENTS_SPOT_INTERRUPTION,
        Kind::Termination => EVENTS_TERMINATION,
        Kind::ByHand => EVENTS_BY_HAND,
        Kind::Other => EVENTS_OTHER,
    }
}
