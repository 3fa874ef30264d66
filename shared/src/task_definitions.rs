//! The ECS reads of task definitions and services, within the documented limits. `failures` in a 200 are errors.
//!
//! The caller limits the rate of its calls.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Service, TaskDefinition};

use crate::aws::AwsError;
use crate::ids::ClusterRef;

/// Services that a `DescribeServices` takes.
pub const SERVICES_A_CALL: usize = 10;

/// Describes a task definition: an ARN, `family:revision`, or a family for its latest active revision.
pub async fn describe_task_definition(client: &Client, name: &str) -> Result<TaskDefinition, AwsError> {
    const OPERATION: &str = "DescribeTaskDefinition";
    let answer = client.describe_task_definition().task_definition(name).send().await;
    let answer = answer.map_err(|error| AwsError::ecs(OPERATION, error))?;
    answer.task_definition.ok_or_else(|| AwsError {
        service: "ecs",
        operation: OPERATION,
        code: "EmptyAnswer".to_owned(),
        detail: format!("the answer holds no task definition for {name:?}"),
    })
}

/// The ARNs of a cluster's services, 100 a page.
pub async fn list_services(client: &Client, cluster: &ClusterRef) -> Result<Vec<String>, AwsError> {
    let mut pages = client.list_services().cluster(cluster.as_str()).max_results(100).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::ecs("ListServices", error))?;
        arns.extend(page.service_arns.unwrap_or_default());
    }
    Ok(arns)
}

/// Describes at most [`SERVICES_A_CALL`] services. One that was deleted in the meantime (`MISSING`) is left out; any other
/// failure is an error.
pub async fn describe_services(
    client: &Client,
    cluster: &ClusterRef,
    arns: &[String],
) -> Result<Vec<Service>, AwsError> {
    const OPERATION: &str = "DescribeServices";
    let request = client.describe_services().cluster(cluster.as_str()).set_services(Some(arns.to_vec()));
    let answer = request.send().await.map_err(|error| AwsError::ecs(OPERATION, error))?;
    match answer.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
        Some(failure) => Err(AwsError::ecs_failure(OPERATION, failure)),
        None => Ok(answer.services.unwrap_or_default()),
    }
}
