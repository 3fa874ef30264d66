//! The ECS calls that the functions make, paged and within the documented limits. `failures` in a 200 are errors.
//!
//! What the answers mean is decided elsewhere. See [`crate::pace`] for the rate of writes.

mod attribute_writes;
mod attributes;
mod container_instance;

pub use attribute_writes::{AttributeWrite, AttributeWrites, WriteResult};
pub use attributes::{ATTRIBUTES_A_CALL, NewAttribute, delete_attributes, put_attributes};
pub use container_instance::{ContainerInstance, Status, current_registration};

use std::collections::BTreeSet;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::ContainerInstanceStatus;

use crate::aws::AwsError;
use crate::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use crate::state::AttributeNames;
use crate::time;
use jiff::Timestamp;

/// Container instances that a `DescribeContainerInstances` takes, and ids that one filter of ours names.
pub const INSTANCES_A_CALL: usize = 100;

/// The container instances of a cluster that match a filter, in any status but INACTIVE.
/// Filters: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>
pub async fn list_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    filter: &str,
) -> Result<Vec<ContainerInstanceArn>, AwsError> {
    list(client, cluster, filter, None).await
}

async fn list(
    client: &Client,
    cluster: &ClusterRef,
    filter: &str,
    status: Option<ContainerInstanceStatus>,
) -> Result<Vec<ContainerInstanceArn>, AwsError> {
    let request = client
        .list_container_instances()
        .cluster(cluster.as_str())
        .filter(filter)
        .set_status(status)
        .max_results(100);
    let mut pages = request.into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::ecs("ListContainerInstances", error))?;
        arns.extend(
            page.container_instance_arns().iter().filter_map(|arn| ContainerInstanceArn::parse(arn).ok()),
        );
    }
    Ok(arns)
}

/// The filter for Windows instances.
pub const WINDOWS: &str = "attribute:ecs.os-type == windows";

/// The filter for Windows instances that registered at this time or later.
pub fn windows_since(registered: Timestamp) -> String {
    format!("{WINDOWS} and registeredAt >= {}", registered.strftime("%Y-%m-%dT%H:%M:%S+00:00"))
}

/// The registrations of EC2 instances in a cluster, 100 ids a call.
pub async fn find_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    ids: &BTreeSet<InstanceId>,
) -> Result<Vec<ContainerInstanceArn>, AwsError> {
    let ids: Vec<&InstanceId> = ids.iter().collect();
    let mut arns = Vec::new();
    for chunk in ids.chunks(INSTANCES_A_CALL) {
        let quoted: Vec<String> = chunk.iter().map(|id| format!("'{id}'")).collect();
        let filter = format!("ec2InstanceId in [{}]", quoted.join(","));
        arns.extend(list_container_instances(client, cluster, &filter).await?);
    }
    Ok(arns)
}

/// Describes container instances, 100 a call. One that was deregistered in the meantime (`MISSING`) is left out; any other
/// failure is an error.
pub async fn describe_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    names: &AttributeNames,
    arns: &[ContainerInstanceArn],
) -> Result<Vec<ContainerInstance>, AwsError> {
    const OPERATION: &str = "DescribeContainerInstances";
    let mut instances = Vec::with_capacity(arns.len());
    for chunk in arns.chunks(INSTANCES_A_CALL) {
        let request = client
            .describe_container_instances()
            .cluster(cluster.as_str())
            .set_container_instances(Some(chunk.iter().map(|arn| arn.to_string()).collect()));
        let answer = request.send().await.map_err(|error| AwsError::ecs(OPERATION, error))?;
        if let Some(failure) = answer.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
            return Err(AwsError::ecs_failure(OPERATION, failure));
        }
        let (read, now) =
            (answer.container_instances().iter(), time::by_clock(client.config().time_source()));
        instances.extend(read.filter_map(|raw| ContainerInstance::read(raw, cluster, names, now)));
    }
    Ok(instances)
}

/// Drains one instance, or gives it back. An entry in `failures` is an error: the status did not change.
pub async fn update_container_instance_state(
    client: &Client,
    cluster: &ClusterRef,
    arn: &ContainerInstanceArn,
    status: ContainerInstanceStatus,
) -> Result<(), AwsError> {
    const OPERATION: &str = "UpdateContainerInstancesState";
    let request = client
        .update_container_instances_state()
        .cluster(cluster.as_str())
        .container_instances(arn.as_str())
        .status(status);
    let answer = request.send().await.map_err(|error| AwsError::ecs(OPERATION, error))?;
    match answer.failures().first() {
        Some(failure) => Err(AwsError::ecs_failure(OPERATION, failure)),
        None => Ok(()),
    }
}

/// The Windows instances of a cluster that are draining, by any actor.
pub async fn draining_instances(
    client: &Client,
    cluster: &ClusterRef,
    names: &AttributeNames,
) -> Result<Vec<ContainerInstance>, AwsError> {
    let arns = list(client, cluster, WINDOWS, Some(ContainerInstanceStatus::Draining)).await?;
    describe_container_instances(client, cluster, names, &arns).await
}
