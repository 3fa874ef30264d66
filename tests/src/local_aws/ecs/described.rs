//! A container instance as responses and events show it.

use serde::Serialize;
use serde_json::Value;

use super::ContainerInstance;
use crate::local_aws::reply::seconds;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described<'a> {
    container_instance_arn: &'a str,
    ec2_instance_id: &'a str,
    version: u64,
    version_info: VersionInfo,
    remaining_resources: [Resource; 4],
    registered_resources: [Resource; 4],
    status: &'static str,
    agent_connected: bool,
    running_tasks_count: u32,
    pending_tasks_count: u32,
    attributes: Vec<Attribute<'a>>,
    registered_at: f64,
    attachments: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionInfo {
    agent_version: &'static str,
    agent_hash: &'static str,
    docker_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    double_value: f64,
    long_value: i64,
    integer_value: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_set_value: Option<&'static [&'static str]>,
}

/// An attribute in a response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_id: Option<&'a str>,
}

fn resources((cpu, memory): (i64, i64)) -> [Resource; 4] {
    const PORTS: &[&str] = &["53", "135", "139", "445", "2375", "2376", "3389", "5985", "51678", "51679"];
    let resource = |name, kind, integer_value, string_set_value| Resource {
        name,
        kind,
        double_value: 0.0,
        long_value: 0,
        integer_value,
        string_set_value,
    };
    [
        resource("CPU", "INTEGER", cpu, None),
        resource("MEMORY", "INTEGER", memory, None),
        resource("PORTS", "STRINGSET", 0, Some(PORTS)),
        resource("PORTS_UDP", "STRINGSET", 0, Some(&[])),
    ]
}

impl ContainerInstance {
    /// The container instance as `DescribeContainerInstances` shows it.
    pub fn describe(&self) -> Value {
        serde_json::to_value(self.described()).expect("plain data")
    }

    pub(super) fn described(&self) -> Described<'_> {
        Described {
            container_instance_arn: &self.arn,
            ec2_instance_id: &self.ec2_instance_id,
            version: self.version,
            version_info: VersionInfo {
                agent_version: "1.103.0",
                agent_hash: "8d2c9c8b",
                docker_version: "DockerVersion: 25.0.6",
            },
            remaining_resources: resources(self.remaining),
            registered_resources: resources(self.capacity),
            status: self.status.as_str(),
            agent_connected: self.agent_connected,
            running_tasks_count: self.running,
            pending_tasks_count: self.pending,
            attributes: self
                .attributes
                .iter()
                .map(|(name, value)| Attribute { name, value: value.as_deref(), target_id: None })
                .collect(),
            registered_at: seconds(self.registered_at),
            attachments: [],
        }
    }
}
