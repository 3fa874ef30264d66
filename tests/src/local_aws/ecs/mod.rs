//! ECS: clusters, container instances and their attributes, task definitions, services and tasks.

pub mod attributes;
mod described;
pub mod instances;
mod late;
mod placement;
pub mod query;
pub mod services;
pub mod task_definitions;
pub mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::page::Page;
use super::reply::{ApiError, Outcome, answer_page};
use super::{ACCOUNT, REGION};
pub(crate) use instances::is_custom;
pub use instances::{ContainerInstance, Status};

/// The state of ECS.
#[derive(Default)]
pub struct Ecs {
    pub(crate) clusters: BTreeMap<Arc<str>, Cluster>,
    /// The registrations of each EC2 instance, oldest first.
    pub(crate) registrations: BTreeMap<Arc<str>, Vec<RegistrationKey>>,
    /// Task definitions by family; revision 1 is the first.
    pub(crate) families: BTreeMap<String, Vec<Value>>,
}

/// (cluster, id of the container instance)
pub(crate) type RegistrationKey = (Arc<str>, Arc<str>);

/// The state of one cluster.
#[derive(Default)]
pub struct Cluster {
    pub(crate) instances: BTreeMap<Arc<str>, ContainerInstance>,
    pub(crate) services: BTreeMap<String, Value>,
    pub(crate) tasks: BTreeMap<Arc<str>, tasks::Task>,
    /// Earlier versions of each instance, each with the time at which it was replaced; `None` where it did not exist.
    pub(crate) past: BTreeMap<Arc<str>, Vec<(Timestamp, Option<ContainerInstance>)>>,
}

operations! {
    "AmazonEC2ContainerServiceV20141113";
    "DescribeContainerInstances", ClusterResourceRead, instances::describe_container_instances;
    "ListContainerInstances", ClusterResourceRead, instances::list_container_instances;
    "UpdateContainerInstancesState", ClusterResourceModify, instances::update_container_instances_state;
    "PutAttributes", ClusterResourceModify, attributes::put_attributes;
    "DeleteAttributes", ClusterResourceModify, attributes::delete_attributes;
    "ListAttributes", ClusterResourceRead, attributes::list_attributes;
    "RegisterTaskDefinition", TaskDefinitionModify, task_definitions::register_task_definition;
    "DescribeTaskDefinition", TaskDefinitionRead, task_definitions::describe_task_definition;
    "ListServices", ClusterServiceRead, services::list_services;
    "DescribeServices", ClusterServiceRead, services::describe_services;
    "RunTask", ClusterResourceModify, tasks::run_task;
    "StopTask", ClusterResourceModify, tasks::stop_task;
}

/// The ARN of a cluster of that name.
pub fn cluster_arn(name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}")
}

impl Ecs {
    pub(crate) fn create_cluster(&mut self, name: Arc<str>) {
        self.clusters.entry(name).or_default();
    }

    /// The name of a request's cluster, given as a short name or ARN; `default` where the request has none.
    pub(crate) fn cluster_name(&self, asked: Option<&str>) -> Result<Arc<str>, ApiError> {
        let asked = asked.unwrap_or("default");
        let name = match asked.strip_prefix("arn:") {
            None => asked,
            Some(_) => {
                let own = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/");
                asked
                    .strip_prefix(own.as_str())
                    .ok_or_else(|| ApiError::parameter(format!("Invalid identifier: {asked}")))?
            }
        };
        let unknown = || ApiError::new("ClusterNotFoundException", "Cluster not found.");
        self.clusters.get_key_value(name).map(|(name, _)| name.clone()).ok_or_else(unknown)
    }

    pub(crate) fn cluster_mut(&mut self, name: &str) -> &mut Cluster {
        self.clusters.get_mut(name).expect("the name was looked up")
    }

    pub(crate) fn instance(&self, cluster: &str, id: &str) -> Option<&ContainerInstance> {
        self.clusters.get(cluster)?.instances.get(id)
    }

    /// The newest registration of an EC2 instance that is not `INACTIVE`: (cluster, id).
    pub(crate) fn newest_registration(&self, ec2: &str) -> Option<RegistrationKey> {
        let registrations = self.registrations.get(ec2)?;
        let known = |(cluster, id): &&RegistrationKey| {
            self.instance(cluster, id).is_some_and(|instance| instance.status != Status::Inactive)
        };
        registrations.iter().rev().find(known).cloned()
    }
}

/// The last part of an ARN, or the short id itself.
pub(crate) fn short_id(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// The page that a request asks for, by its `maxResults` and `nextToken`.
fn page(kind: &'static str, max: Option<i64>, default: usize, token: Option<&str>) -> Result<Page, ApiError> {
    let size = match max {
        None => default,
        Some(count @ 1..=100) => usize::try_from(count).unwrap_or(default),
        Some(_) => return Err(ApiError::parameter("maxResults must be between 1 and 100.")),
    };
    Page::new(kind, size, token).map_err(|()| ApiError::parameter("Invalid token"))
}

fn answer_with_token(body: Value, token: Option<String>) -> Outcome {
    answer_page(body, "nextToken", token)
}

/// An entry of `failures` inside a 200.
fn missing(arn: String) -> Value {
    serde_json::json!({"arn": arn, "reason": "MISSING"})
}

/// The elements of a list in a JSON document; none where it is absent.
fn elements<'a>(document: &'a Value, member: &str) -> &'a [Value] {
    document[member].as_array().map(Vec::as_slice).unwrap_or_default()
}
