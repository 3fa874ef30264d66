//! ECS Container Instance State Change: sent at a registration, a connection, and for every task started or stopped.
//!
//! Shapes: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_container_instance_events.html>

use serde::Deserialize;
use serde_json::Value;
use shared::ids::{ClusterArn, ContainerInstanceArn, InstanceId};
use shared::time;

use super::envelope::{Envelope, Unreadable};
use super::event::{ContainerInstanceChange, Event, external};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    cluster_arn: Option<String>,
    container_instance_arn: Option<String>,
    ec2_instance_id: Option<String>,
    status: Option<String>,
    agent_connected: Option<bool>,
    // Any value, since it only saves a call where it is a known one.
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
    // ECS documents the instance's id as optional; without it, the instance is described.
    let id = detail.ec2_instance_id.as_deref();
    if let Some(ignored) = id.and_then(external) {
        return Ok(ignored);
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
