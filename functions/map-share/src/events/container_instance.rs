//! ECS Container Instance State Change: for a registration, a connection, and every task started or stopped.
//!
//! Shapes: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::ids::{ClusterArn, ContainerInstanceArn, InstanceId};
use shared::time;

use super::{Envelope, Event, Unreadable};

/// A container instance as the event shows it. Nothing of it is younger than the event.
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
    /// Counts up with every change of this registration: the same again is a duplicate, a lower one is older.
    pub(crate) version: i64,
    /// Names and values, as far as they are shown.
    pub(crate) attributes: Vec<(String, Option<String>)>,
}

impl ContainerInstanceChange {
    /// `None`: the event does not say.
    pub(crate) fn is_windows(&self) -> Option<bool> {
        let os = self.attributes.iter().find(|(name, _)| name == "ecs.os-type")?;
        Some(os.1.as_deref() == Some("windows"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    cluster_arn: Option<String>,
    container_instance_arn: Option<String>,
    ec2_instance_id: Option<String>,
    status: Option<String>,
    agent_connected: Option<bool>,
    // Only spares a call, so a form that is not known costs nothing.
    #[serde(default)]
    registered_at: Value,
    version: Option<i64>,
    attributes: Option<Vec<Option<Attribute>>>,
}

#[derive(Deserialize)]
struct Attribute {
    name: Option<String>,
    value: Option<String>,
}

pub(super) fn parse(envelope: &Envelope) -> Result<Event, Unreadable> {
    let detail: Detail = envelope.detail()?;
    let cluster = detail.cluster_arn.ok_or(Unreadable::Missing("detail.clusterArn"))?;
    let arn = detail.container_instance_arn.ok_or(Unreadable::Missing("detail.containerInstanceArn"))?;
    // ECS documents the instance's id as optional; where it is missing the live description tells.
    let id = detail.ec2_instance_id.as_deref();
    if let Some(external) = id.and_then(super::external) {
        return Ok(external);
    }
    let attributes = detail.attributes.unwrap_or_default().into_iter().flatten();
    Ok(Event::ContainerInstance(ContainerInstanceChange {
        cluster: ClusterArn::parse(&cluster)?,
        arn: ContainerInstanceArn::parse(&arn)?,
        instance_id: id.map(InstanceId::parse).transpose()?,
        is_active: detail.status.as_deref() == Some("ACTIVE"),
        is_connected: detail.agent_connected == Some(true),
        registered_at: detail.registered_at.as_str().and_then(time::parse),
        version: detail.version.unwrap_or_default(),
        attributes: attributes.filter_map(|a| Some((a.name?, a.value))).collect(),
    }))
}
