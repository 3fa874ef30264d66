//! Container instances: registration, status, listing and description.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::described::Described;
use super::{ACCOUNT, REGION, answer_with_token, missing, page, query, short_id};
use crate::fleet::InstanceId;
use crate::local_aws::LocalAws;
use crate::local_aws::reply::{ApiError, Outcome, answer, request};

/// One registration of an EC2 instance in a cluster.
#[derive(Debug, Clone)]
pub struct ContainerInstance {
    /// The last part of the ARN.
    pub id: Arc<str>,
    /// The ARN.
    pub arn: Arc<str>,
    /// The EC2 instance.
    pub ec2_instance_id: InstanceId,
    /// Increases with every change of status, connection or tasks.
    pub version: u64,
    /// The status.
    pub status: Status,
    /// Whether the ECS agent is connected.
    pub agent_connected: bool,
    /// Built-in and custom attributes; some have no value.
    pub attributes: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// The time of registration.
    pub registered_at: Timestamp,
    /// Registered CPU units and MiB.
    pub capacity: (i64, i64),
    /// Remaining CPU units and MiB.
    pub remaining: (i64, i64),
    /// The number of running tasks.
    pub running: u32,
    /// The number of pending tasks.
    pub pending: u32,
}

/// Container instance status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Takes tasks.
    Active,
    /// Takes no new tasks.
    Draining,
    /// Deregistered; still described for a while.
    Inactive,
}

impl Status {
    /// The status as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// Whether an attribute is not one of ECS or its agent. Custom attributes count towards the limit of ten.
pub(crate) fn is_custom(name: &str) -> bool {
    !name.starts_with("ecs.") && !name.starts_with("com.amazonaws.ecs.")
}

impl ContainerInstance {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_deref()
    }
}

impl LocalAws {
    /// Registers an EC2 instance in a cluster, `ACTIVE` and connected, and returns the container instance's id.
    pub(crate) fn register(&mut self, cluster: &Arc<str>, ec2: &InstanceId, at: Timestamp) -> Arc<str> {
        let random_id: Arc<str> = Arc::from(self.hex32());
        let host = self.world.host(ec2);
        let id = host.container_instance_id.take().unwrap_or(random_id);
        let windows = host.platform == crate::fleet::Platform::Windows;
        let mut attributes = BTreeMap::new();
        let mut put = |name: &str, value: Option<&str>| {
            attributes.insert(Arc::from(name), value.map(Arc::from));
        };
        put("ecs.os-type", Some(if windows { "windows" } else { "linux" }));
        put("ecs.os-family", Some(host.os_family));
        put("ecs.cpu-architecture", Some("x86_64"));
        put("ecs.instance-type", Some("m5.large"));
        put("ecs.availability-zone", Some("eu-west-1a"));
        put("ecs.ami-id", Some("ami-0a1b2c3d4e5f60718"));
        put("ecs.capability.task-eni", None);
        put("com.amazonaws.ecs.capability.ecr-auth", None);
        for (name, value) in &host.attributes {
            put(name, Some(value));
        }
        let capacity = host.capacity;
        let instance = ContainerInstance {
            arn: Arc::from(instance_arn(cluster, &id)),
            id: id.clone(),
            ec2_instance_id: ec2.clone(),
            version: 1,
            status: Status::Active,
            agent_connected: true,
            attributes,
            registered_at: at,
            capacity,
            remaining: capacity,
            running: 0,
            pending: 0,
        };
        self.ecs.create_cluster(cluster.clone());
        self.keep_version(cluster, &id);
        self.ecs.cluster_mut(cluster).instances.insert(id.clone(), instance);
        self.ecs.registrations.entry(ec2.clone()).or_default().push((cluster.clone(), id.clone()));
        self.emit_container_instance(cluster, &id);
        id
    }

    /// The ECS agent of the newest registration connects or disconnects.
    pub(crate) fn connect(&mut self, ec2: &str, connected: bool) {
        let Some((cluster, id)) = self.ecs.newest_registration(ec2) else { return };
        self.change_instance(&cluster, &id, |instance| instance.agent_connected = connected);
    }

    /// The EC2 instance is terminated: ECS deregisters it.
    pub(crate) fn deregister(&mut self, ec2: &str) {
        while let Some((cluster, id)) = self.ecs.newest_registration(ec2) {
            self.change_instance(&cluster, &id, |instance| {
                instance.status = Status::Inactive;
                instance.agent_connected = false;
            });
        }
    }

    /// Changes an instance, increases its version and emits an event.
    pub(crate) fn change_instance(
        &mut self,
        cluster: &str,
        id: &Arc<str>,
        change: impl FnOnce(&mut ContainerInstance),
    ) {
        self.keep_version(cluster, id);
        let Some(instance) = self.ecs.cluster_mut(cluster).instances.get_mut(id) else { return };
        change(instance);
        instance.version += 1;
        self.emit_container_instance(cluster, id);
    }

    /// The newest registration of an EC2 instance, in its current state.
    pub fn container_instance(&self, ec2: &str) -> Option<&ContainerInstance> {
        let (cluster, id) = self.ecs.newest_registration(ec2)?;
        self.ecs.instance(&cluster, &id)
    }

    /// All registrations in a cluster that are not `INACTIVE`.
    pub fn container_instances(&self, cluster: &str) -> impl Iterator<Item = &ContainerInstance> {
        let instances = self.ecs.clusters.get(cluster).map(|cluster| cluster.instances.values());
        instances.into_iter().flatten().filter(|instance| instance.status != Status::Inactive)
    }

    /// An operator drains or re-activates an instance in the console.
    pub fn operator_sets_status(&mut self, ec2: &str, status: Status) {
        if let Some((cluster, id)) = self.ecs.newest_registration(ec2) {
            self.set_status(&cluster, &id, status);
        }
    }

    /// Puts (`Some`) or deletes (`None`) an attribute without a call in the log.
    pub fn operator_sets_attribute(&mut self, ec2: &str, name: &str, value: Option<&str>) {
        let Some((cluster, id)) = self.ecs.newest_registration(ec2) else { return };
        self.keep_version(&cluster, &id);
        let Some(instance) = self.ecs.cluster_mut(&cluster).instances.get_mut(&id) else { return };
        match value {
            Some(value) => instance.attributes.insert(Arc::from(name), Some(Arc::from(value))),
            None => instance.attributes.remove(name),
        };
    }

    fn set_status(&mut self, cluster: &str, id: &Arc<str>, status: Status) {
        self.change_instance(cluster, id, |instance| instance.status = status);
        if status == Status::Draining {
            self.drain_tasks(cluster, id);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListContainerInstances {
    cluster: Option<String>,
    filter: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    status: Option<String>,
}

pub(super) fn list_container_instances(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: ListContainerInstances = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let page =
        page("instances", asked.max_results, 100, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    if let Some(status) = &asked.status {
        const LISTED: [&str; 2] = ["ACTIVE", "DRAINING"];
        if !LISTED.contains(&status.as_str()) {
            return Err(ApiError::parameter(format!("The status of an instance is one of {LISTED:?}")));
        }
    }
    let filter = asked.filter.as_deref().filter(|text| !text.is_empty()).map(query::parse).transpose();
    let filter = filter.map_err(|error| ApiError::parameter(format!("Filter is invalid: {error}")))?;
    let from = page.start.as_deref().map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
    let listed = aws
        .visible_from(&cluster, from)
        .filter(|instance| match &asked.status {
            Some(status) => instance.status.as_str() == status,
            None => instance.status != Status::Inactive,
        })
        .filter(|instance| filter.as_ref().is_none_or(|filter| filter.matches(instance)));
    let (instances, token) = page.take(listed, |instance| instance.id.to_string());
    let arns: Vec<&str> = instances.iter().map(|instance| &*instance.arn).collect();
    answer_with_token(json!({ "containerInstanceArns": arns }), token)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeContainerInstances {
    cluster: Option<String>,
    container_instances: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribedAll<'a> {
    container_instances: Vec<Described<'a>>,
    failures: Vec<Value>,
}

pub(super) fn describe_container_instances(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeContainerInstances = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let references = asked.container_instances.unwrap_or_default();
    check_references(&references, 100)?;
    let mut failures = Vec::new();
    let mut found = Vec::with_capacity(references.len());
    for reference in &references {
        match aws.visible(&cluster, short_id(reference)) {
            Some(instance) => found.push(instance.described()),
            None => failures.push(missing_instance(&cluster, reference)),
        }
    }
    answer(&DescribedAll { container_instances: found, failures })
}

fn check_references(references: &[String], most: usize) -> Result<(), ApiError> {
    if references.is_empty() || references.len() > most {
        return Err(ApiError::parameter(format!("Container instances must be 1 to {most} elements.")));
    }
    Ok(())
}

fn instance_arn(cluster: &str, reference: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/{cluster}/{}", short_id(reference))
}

fn missing_instance(cluster: &str, reference: &str) -> Value {
    missing(instance_arn(cluster, reference))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateContainerInstancesState {
    cluster: Option<String>,
    container_instances: Option<Vec<String>>,
    status: Option<String>,
}

pub(super) fn update_container_instances_state(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: UpdateContainerInstancesState = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let references = asked.container_instances.unwrap_or_default();
    check_references(&references, 10)?;
    let wanted = match asked.status.as_deref() {
        Some("ACTIVE") => Status::Active,
        Some("DRAINING") => Status::Draining,
        _ => return Err(ApiError::parameter("Container instance status should be one of [ACTIVE,DRAINING]")),
    };
    let mut failures = Vec::new();
    let mut changed = Vec::new();
    for reference in &references {
        let id = short_id(reference);
        let Some(instance) = aws.ecs.instance(&cluster, id) else {
            failures.push(missing_instance(&cluster, reference));
            continue;
        };
        let refused = match (instance.status, wanted) {
            (Status::Inactive, _) => Some("INACTIVE"),
            (Status::Active, _) | (Status::Draining, Status::Active) => None,
            // Only an ACTIVE instance can become DRAINING.
            _ => Some("INVALID_STATUS"),
        };
        match refused {
            Some(reason) => failures.push(json!({"arn": &*instance.arn, "reason": reason})),
            None => changed.push(instance.id.clone()),
        }
    }
    for id in &changed {
        if aws.ecs.instance(&cluster, id).is_some_and(|instance| instance.status != wanted) {
            aws.set_status(&cluster, id, wanted);
        }
    }
    let instances = changed.iter().filter_map(|id| aws.ecs.instance(&cluster, id));
    let described = instances.map(|instance| instance.described()).collect();
    answer(&DescribedAll { container_instances: described, failures })
}
