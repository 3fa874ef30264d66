//! What an event says.

use jiff::Timestamp;
use shared::ids::{ClusterArn, ContainerInstanceArn, InstanceId};

use crate::outcome::Reason;

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A container instance changed: registered, (dis)connected, or a task on it started or stopped.
    ContainerInstance(ContainerInstanceChange),
    /// EC2 stops or starts the instance: proof from before `at` does not count.
    Restart {
        /// The instance.
        id: InstanceId,
        /// The event's own time, whole seconds.
        at: Timestamp,
    },
    /// The instance is about to be terminated.
    Ending {
        /// The instance.
        id: InstanceId,
        /// The event's own time, whole seconds.
        at: Timestamp,
    },
    /// A person names this instance.
    ByHand(InstanceId),
    /// Nothing to act on.
    Ignored {
        /// The instance, where the event names one.
        id: Option<String>,
        /// Why.
        reason: Reason,
    },
}

impl Event {
    /// The instance that it is about, for logs and answers.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Event::ContainerInstance(change) => {
                Some(change.instance_id.as_ref().map_or(change.arn.as_str(), InstanceId::as_str))
            }
            Event::Restart { id, .. } | Event::Ending { id, .. } | Event::ByHand(id) => Some(id.as_str()),
            Event::Ignored { id, .. } => id.as_deref(),
        }
    }
}

/// A container instance as it was when the event was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContainerInstanceChange {
    /// The cluster, watched or not.
    pub(crate) cluster: ClusterArn,
    /// The registration.
    pub(crate) arn: ContainerInstanceArn,
    /// The EC2 instance, where the event names it.
    pub(crate) instance_id: Option<InstanceId>,
    /// `ACTIVE`, that is, takes tasks.
    pub(crate) is_active: bool,
    /// The ECS agent is connected.
    pub(crate) is_connected: bool,
    /// When it registered, where the event says so.
    pub(crate) registered_at: Option<Timestamp>,
    /// Grows with every change of the registration: an equal one is a duplicate, a lower one is older.
    pub(crate) version: i64,
    /// Names and values, as far as the event has them.
    pub(crate) attributes: Vec<(String, Option<String>)>,
}

impl ContainerInstanceChange {
    /// `None`: the event does not say.
    pub(crate) fn is_windows(&self) -> Option<bool> {
        let os = self.attributes.iter().find(|(name, _)| name == "ecs.os-type")?;
        Some(os.1.as_deref() == Some("windows"))
    }
}

/// An external instance, which is no EC2 instance and gets no command.
pub(crate) fn external(id: &str) -> Option<Event> {
    let id = id.trim();
    id.starts_with("mi-").then(|| Event::Ignored { id: Some(id.to_owned()), reason: Reason::External })
}
