//! The ECS calls that the functions make, paged and cut to the documented limits; `failures` inside a 200 are errors.
//!
//! Thin on purpose. Writes are not paced here: the caller knows its rate.

use std::collections::BTreeSet;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{Attribute, ContainerInstanceStatus, TargetType};
use jiff::Timestamp;

use crate::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use crate::ssm::{is_denied, is_throttle, kind_of};
use crate::state::{AttributeNames, InstanceAttributes};
use crate::time;

/// Container instances a `DescribeContainerInstances` takes, and ids that one filter of ours names.
pub const INSTANCES_A_CALL: usize = 100;

/// Attributes a `PutAttributes` takes, over all its targets.
pub const ATTRIBUTES_A_CALL: usize = 10;

/// Custom attributes that ECS allows on an instance.
pub const ATTRIBUTES_AN_INSTANCE: usize = 10;

/// An ECS call failed.
#[derive(Debug, thiserror::Error)]
#[error("ecs:{operation} failed ({code}): {detail}")]
pub struct EcsError {
    /// The API's name of the call.
    pub operation: &'static str,
    /// AWS's error code, the reason in `failures`, or what kind of failure it was.
    pub code: String,
    /// The SDK's full account of it.
    pub detail: String,
}

impl EcsError {
    pub(crate) fn new<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        let code = error.code().map_or_else(|| kind_of(&error).to_owned(), str::to_owned);
        EcsError { operation, code, detail: DisplayErrorContext(&error).to_string() }
    }

    pub(crate) fn failure(operation: &'static str, failure: &aws_sdk_ecs::types::Failure) -> Self {
        let (arn, reason) = (failure.arn().unwrap_or("?"), failure.reason().unwrap_or("no reason"));
        EcsError {
            operation,
            code: reason.to_owned(),
            detail: format!("{arn}: {reason} {}", failure.detail().unwrap_or_default()),
        }
    }

    /// The account's rate is spent.
    pub fn is_throttle(&self) -> bool {
        is_throttle(&self.code)
    }

    /// Nobody allows the call.
    pub fn is_denied(&self) -> bool {
        is_denied(&self.code)
    }

    /// There is no such cluster, or no more; no instance is in it.
    pub fn is_cluster_gone(&self) -> bool {
        self.code == "ClusterNotFoundException"
    }

    /// A target was deregistered meanwhile; `PutAttributes` then refuses the whole call.
    pub fn is_target_gone(&self) -> bool {
        self.code == "TargetNotFoundException"
    }
}

/// A container instance's status in ECS, as far as it matters to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Takes tasks.
    Active,
    /// Being emptied, by whomever.
    Draining,
    /// Registering, deregistering, inactive, or a word we do not know: left alone.
    Other,
}

/// A container instance with what stands on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInstance {
    /// Its registration.
    pub arn: ContainerInstanceArn,
    /// The cluster we found it in.
    pub cluster: ClusterRef,
    /// The EC2 instance; `None` for an external one.
    pub instance_id: Option<InstanceId>,
    /// Takes tasks, or not.
    pub status: Status,
    /// The ECS agent's connection; it comes and goes several times an hour as normal operation.
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
    ) -> Option<Self> {
        let attributes = || raw.attributes().iter().map(|a| (a.name(), a.value()));
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
            registered_at: raw.registered_at().and_then(time::from_aws)?,
            version: raw.version(),
            attributes: InstanceAttributes::read(names, attributes()),
            custom_attributes: attributes().filter(|(name, _)| is_custom(name)).count(),
        })
    }
}

/// Whether an attribute counts against the ten: the agent's own start with `ecs.` or `com.amazonaws.ecs.`.
fn is_custom(name: &str) -> bool {
    !name.starts_with("ecs.") && !name.starts_with("com.amazonaws.")
}

/// The container instances of a cluster that a filter lets through, in any status but INACTIVE.
/// The language: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>
pub async fn list_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    filter: &str,
) -> Result<Vec<ContainerInstanceArn>, EcsError> {
    let request = client.list_container_instances().cluster(cluster.as_str()).filter(filter).max_results(100);
    let mut pages = request.into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| EcsError::new("ListContainerInstances", error))?;
        arns.extend(
            page.container_instance_arns().iter().filter_map(|arn| ContainerInstanceArn::parse(arn).ok()),
        );
    }
    Ok(arns)
}

/// One page, at most 100, of the container instances that a filter lets through.
pub async fn list_some_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    filter: &str,
) -> Result<Vec<ContainerInstanceArn>, EcsError> {
    let request = client.list_container_instances().cluster(cluster.as_str()).filter(filter).max_results(100);
    let page = request.send().await.map_err(|error| EcsError::new("ListContainerInstances", error))?;
    Ok(page
        .container_instance_arns()
        .iter()
        .filter_map(|arn| ContainerInstanceArn::parse(arn).ok())
        .collect())
}

/// The filter for Windows instances.
pub const WINDOWS: &str = "attribute:ecs.os-type == windows";

/// The registrations of EC2 instances in a cluster, 100 ids a call.
pub async fn find_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    ids: &BTreeSet<InstanceId>,
) -> Result<Vec<ContainerInstanceArn>, EcsError> {
    let ids: Vec<&InstanceId> = ids.iter().collect();
    let mut arns = Vec::new();
    for chunk in ids.chunks(INSTANCES_A_CALL) {
        let quoted: Vec<String> = chunk.iter().map(|id| format!("'{id}'")).collect();
        let filter = format!("ec2InstanceId in [{}]", quoted.join(","));
        arns.extend(list_container_instances(client, cluster, &filter).await?);
    }
    Ok(arns)
}

/// Describes container instances, 100 a call. One that was deregistered meanwhile (`MISSING`) is left out; any other
/// failure is an error.
pub async fn describe_container_instances(
    client: &Client,
    cluster: &ClusterRef,
    names: &AttributeNames,
    arns: &[ContainerInstanceArn],
) -> Result<Vec<ContainerInstance>, EcsError> {
    const OPERATION: &str = "DescribeContainerInstances";
    let mut instances = Vec::with_capacity(arns.len());
    for chunk in arns.chunks(INSTANCES_A_CALL) {
        let request = client
            .describe_container_instances()
            .cluster(cluster.as_str())
            .set_container_instances(Some(chunk.iter().map(|arn| arn.to_string()).collect()));
        let answer = request.send().await.map_err(|error| EcsError::new(OPERATION, error))?;
        if let Some(failure) = answer.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
            return Err(EcsError::failure(OPERATION, failure));
        }
        let read = answer.container_instances().iter();
        instances.extend(read.filter_map(|raw| ContainerInstance::read(raw, cluster, names)));
    }
    Ok(instances)
}

/// One attribute to set: name and value.
pub type NewAttribute = (String, String);

/// Sets attributes in one call. At most [`ATTRIBUTES_A_CALL`] in all; one deregistered target refuses the whole call.
pub async fn put_attributes(
    client: &Client,
    cluster: &ClusterRef,
    writes: &[(&ContainerInstanceArn, Vec<NewAttribute>)],
) -> Result<(), EcsError> {
    let attributes = writes.iter().flat_map(|(arn, attributes)| {
        attributes
            .iter()
            .map(|(name, value)| attribute(arn, name).value(value).build().expect("the name is set"))
    });
    let request =
        client.put_attributes().cluster(cluster.as_str()).set_attributes(Some(attributes.collect())).send();
    request.await.map(|_| ()).map_err(|error| EcsError::new("PutAttributes", error))
}

/// Removes attributes in one call, at most [`ATTRIBUTES_A_CALL`] in all. One that is not there is not an error.
pub async fn delete_attributes(
    client: &Client,
    cluster: &ClusterRef,
    removals: &[(&ContainerInstanceArn, Vec<String>)],
) -> Result<(), EcsError> {
    let attributes = removals.iter().flat_map(|(arn, names)| {
        names.iter().map(|name| attribute(arn, name).build().expect("the name is set"))
    });
    let request = client
        .delete_attributes()
        .cluster(cluster.as_str())
        .set_attributes(Some(attributes.collect()))
        .send();
    request.await.map(|_| ()).map_err(|error| EcsError::new("DeleteAttributes", error))
}

fn attribute(arn: &ContainerInstanceArn, name: &str) -> aws_sdk_ecs::types::builders::AttributeBuilder {
    Attribute::builder().name(name).target_type(TargetType::ContainerInstance).target_id(arn.short_id())
}

/// Drains one instance, or gives it back. A `failures` entry in the 200 is an error: nothing happened.
pub async fn update_container_instance_state(
    client: &Client,
    cluster: &ClusterRef,
    arn: &ContainerInstanceArn,
    status: ContainerInstanceStatus,
) -> Result<(), EcsError> {
    const OPERATION: &str = "UpdateContainerInstancesState";
    let request = client
        .update_container_instances_state()
        .cluster(cluster.as_str())
        .container_instances(arn.as_str())
        .status(status);
    let answer = request.send().await.map_err(|error| EcsError::new(OPERATION, error))?;
    match answer.failures().first() {
        Some(failure) => Err(EcsError::failure(OPERATION, failure)),
        None => Ok(()),
    }
}

/// How many Windows instances of a cluster are draining, by whomever.
pub async fn count_draining(client: &Client, cluster: &ClusterRef) -> Result<usize, EcsError> {
    let request = client
        .list_container_instances()
        .cluster(cluster.as_str())
        .filter(WINDOWS)
        .status(ContainerInstanceStatus::Draining)
        .max_results(100);
    let mut pages = request.into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += page
            .map_err(|error| EcsError::new("ListContainerInstances", error))?
            .container_instance_arns()
            .len();
    }
    Ok(count)
}
