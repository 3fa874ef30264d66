//! What is true of one registration of a container instance, since when and by whom.

use std::sync::Arc;

use jiff::Timestamp;
use shared::state::{Gate, InstanceAttributes, State};

use super::ground_truth::Actor;
use crate::fleet::InstanceId;
use crate::local_aws::ecs::Status;

/// A registration that is not `INACTIVE`.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    /// The last part of its ARN.
    pub(super) id: Arc<str>,
    pub(super) cluster: Arc<str>,
    pub(super) ec2: InstanceId,
    /// Windows, in a watched cluster.
    pub(super) is_ours: bool,
    /// In whole milliseconds.
    pub(super) registered_at: Timestamp,
    pub(super) status: Status,
    pub(super) status_since: Timestamp,
    pub(super) status_by: Actor,
    pub(super) is_connected: bool,
    /// Since when it is connected, or is not.
    pub(super) connected_since: Timestamp,
    pub(super) attributes: InstanceAttributes,
    pub(super) gate_since: Timestamp,
    pub(super) state_since: Timestamp,
    /// It was mapped, with an open gate, at least until then. The newest change does not count.
    pub(super) mapped_until: Option<Timestamp>,
    /// The newest `judged` or `restarted` time that its state ever had.
    pub(super) newest_judged: Option<Timestamp>,
    pub(super) state_by: Actor,
    pub(super) drain_since: Timestamp,
    /// Since when an operator holds it; `None`: no hold.
    pub(super) held_since: Option<Timestamp>,
    /// Somebody else has changed our attributes since it registered, so they say nothing about the product.
    pub(super) was_edited: bool,
    /// The failures that its state counts, or their first, are what somebody else wrote.
    pub(super) is_count_edited: bool,
    /// What its drain attribute says rests on what somebody else wrote.
    pub(super) is_drain_edited: bool,
    /// An attribute names a time so late that it cannot be read yet.
    pub(super) names_a_later_time: bool,
    /// When an operator made it active again after our drain, unless it was proven since.
    pub(super) reactivated_at: Option<Timestamp>,
    pub(super) raw: [Option<Arc<str>>; 4],
}

impl Registration {
    /// It is part of the cluster's capacity, and its agent is connected.
    pub(super) fn counts(&self) -> bool {
        self.is_ours && self.is_connected && matches!(self.status, Status::Active | Status::Draining)
    }

    pub(super) fn is_open(&self) -> bool {
        self.attributes.gate == Gate::Mapped
    }

    pub(super) fn is_mapped(&self) -> bool {
        self.is_open() && matches!(self.state(), Some(State::Mapped { .. }))
    }

    pub(super) fn state(&self) -> Option<&State> {
        self.attributes.state.state()
    }

    /// When the proof was requested that opened its gate.
    pub(super) fn mapped_since(&self) -> Option<Timestamp> {
        match self.state() {
            Some(State::Mapped { since, .. }) if self.is_open() => Some(*since),
            _ => None,
        }
    }
}

/// What one step changed of a registration.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// `None`: it is new.
    pub(super) before: Option<Registration>,
    pub(super) after: Registration,
}
