//! A container instance as ECS describes it, and which of several registrations of one EC2 instance counts.

use jiff::Timestamp;

use crate::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use crate::state::{AttributeNames, Drain, InstanceAttributes};
use crate::time;

/// Custom attributes that ECS allows on an instance.
const ATTRIBUTES_AN_INSTANCE: usize = 10;

/// A container instance's status in ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Takes tasks.
    Active,
    /// Takes no new tasks: drained by any actor.
    Draining,
    /// Registering, deregistering, inactive or unknown: not acted on.
    Other,
}

/// A container instance with its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInstance {
    /// Its registration.
    pub arn: ContainerInstanceArn,
    /// The cluster we found it in.
    pub cluster: ClusterRef,
    /// The EC2 instance; `None` for an external one.
    pub instance_id: Option<InstanceId>,
    /// Its status.
    pub status: Status,
    /// The ECS agent is connected. It reconnects several times an hour in normal operation.
    pub is_connected: bool,
    /// `ecs.os-type` is `windows`.
    pub is_windows: bool,
    /// When it registered, in whole milliseconds.
    pub registered_at: Timestamp,
    /// ECS's own version of this record: higher is later.
    pub version: i64,
    /// Our attributes.
    pub attributes: InstanceAttributes,
    /// Custom attributes on it, of which ECS allows ten.
    pub custom_attributes: usize,
}

impl ContainerInstance {
    /// Reads ECS's record; `None` where the required members are missing.
    pub fn read(
        raw: &aws_sdk_ecs::types::ContainerInstance,
        cluster: &ClusterRef,
        names: &AttributeNames,
        now: Timestamp,
    ) -> Option<Self> {
        let attributes = || raw.attributes().iter().map(|a| (a.name(), a.value()));
        let registered_at = raw.registered_at().and_then(time::from_aws)?;
        Some(ContainerInstance {
            arn: ContainerInstanceArn::parse(raw.container_instance_arn()?).ok()?,
            cluster: cluster.clone(),
            instance_id: raw.ec2_instance_id().and_then(|id| InstanceId::parse(id).ok()),
            status: match raw.status() {
                Some("ACTIVE") => Status::Active,
                Some("DRAINING") => Status::Draining,
                _ => Status::Other,
            },
            is_connected: raw.agent_connected(),
            is_windows: attributes().any(|(name, value)| name == "ecs.os-type" && value == Some("windows")),
            registered_at,
            version: raw.version(),
            attributes: InstanceAttributes::read(names, now, attributes())
                .without_proof_before(registered_at),
            custom_attributes: attributes().filter(|(name, _)| is_custom(name)).count(),
        })
    }

    /// Gate or state is missing, and ECS has no room for what is missing: neither can be recorded.
    pub fn lacks_room(&self) -> bool {
        let missing = usize::from(!self.attributes.has_gate) + usize::from(!self.attributes.has_state);
        missing > 0 && self.custom_attributes + missing > ATTRIBUTES_AN_INSTANCE
    }

    /// The drain attribute is missing, and ECS has no room for it.
    pub fn lacks_room_for_drain(&self) -> bool {
        self.attributes.drain == Drain::Absent && self.custom_attributes >= ATTRIBUTES_AN_INSTANCE
    }

    /// Whether this registration counts instead of another of the same EC2 instance: the newest connected one counts,
    /// and the newest where none is connected. An agent that lost its data registers anew; its old registration stays.
    pub fn supersedes(&self, other: &Self) -> bool {
        let rank = |instance: &Self| (instance.is_connected, instance.registered_at);
        (rank(self), &self.arn) > (rank(other), &other.arn)
    }
}

/// Whether an attribute counts against the ten: the agent's own start with `ecs.` or `com.amazonaws.ecs.`.
fn is_custom(name: &str) -> bool {
    !name.starts_with("ecs.") && !name.starts_with("com.amazonaws.")
}

/// The registration that counts of several of one EC2 instance, see [`ContainerInstance::supersedes`].
pub fn current_registration<'a>(
    registrations: impl Iterator<Item = &'a ContainerInstance>,
) -> Option<&'a ContainerInstance> {
    registrations.reduce(|best, other| if other.supersedes(best) { other } else { best })
}
