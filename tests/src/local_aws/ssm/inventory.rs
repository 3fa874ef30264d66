//! `DescribeInstanceInformation`, and `DescribeParameters`, which never shows a value.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer_with_token, check_length, is_instance_id, page};
use crate::fleet::{Agent, Host, Parameter, Platform, Power};
use crate::local_aws::reply::{ApiError, Outcome, request, seconds};
use crate::local_aws::{ACCOUNT, LocalAws, REGION};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeInstanceInformation {
    #[serde(default)]
    filters: Vec<InstanceFilter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InstanceFilter {
    key: String,
    values: Vec<String>,
}

pub(super) fn describe_instance_information(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeInstanceInformation = request(body)?;
    let page =
        page("information", asked.max_results, 5, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    check(&asked.filters)?;
    // Named instances are looked up, so that a large fleet is not searched.
    let hosts: Vec<&Host> = match asked.filters.first() {
        Some(filter) => {
            let ids: BTreeSet<&str> = filter.values.iter().map(String::as_str).collect();
            ids.into_iter().filter_map(|id| aws.world.hosts.get(id)).collect()
        }
        None => aws.world.hosts.values().collect(),
    };
    let listed = hosts
        .into_iter()
        .filter(|host| page.reaches(&host.id))
        .filter(|host| host.power != Power::Terminated)
        .filter_map(|host| Some((host, host.ping_status(aws.now)?)));
    let (listed, token) = page.take(listed, |(host, _)| host.id.to_string());
    let shown: Vec<_> = listed.iter().map(|(host, ping)| show(aws, host, ping)).collect();
    answer_with_token(json!({ "InstanceInformationList": shown }), token)
}

/// The functions name instances, and use no other filter.
fn check(filters: &[InstanceFilter]) -> Result<(), ApiError> {
    check_length(filters.len(), 0, 1, "filters")?;
    for InstanceFilter { key, values } in filters {
        if key != "InstanceIds" {
            return Err(ApiError::new("InvalidFilterKey", ""));
        }
        check_length(values.len(), 1, 100, "filters.1.member.values")?;
        if !values.iter().all(|id| is_instance_id(id)) {
            return Err(ApiError::new("InvalidInstanceId", "An instance ID is not valid."));
        }
    }
    Ok(())
}

const AGENT_VERSION: &str = "3.3.987.0";

fn show(aws: &LocalAws, host: &Host, ping: &str) -> Value {
    let last_ping = match host.agent {
        Agent::Silent(since) | Agent::Dead(since) => since,
        _ => aws.now,
    };
    let (name, version) = match host.platform {
        Platform::Windows => ("Microsoft Windows Server 2022 Datacenter", "10.0.20348"),
        Platform::Linux => ("Amazon Linux", "2023"),
    };
    json!({
        "InstanceId": &*host.id,
        "PingStatus": ping,
        "LastPingDateTime": seconds(last_ping),
        "AgentVersion": AGENT_VERSION,
        "IsLatestVersion": false,
        "PlatformType": host.platform.as_str(),
        "PlatformName": name,
        "PlatformVersion": version,
        "ResourceType": "EC2Instance",
        "IPAddress": "10.0.17.4",
        "ComputerName": format!("ip-{}", host.id.trim_start_matches("i-")),
        "SourceId": &*host.id,
        "SourceType": "AWS::EC2::Instance",
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeParameters {
    #[serde(default)]
    parameter_filters: Vec<ParameterFilter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterFilter {
    #[serde(default)]
    key: String,
    option: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

pub(super) fn describe_parameters(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeParameters = request(body)?;
    let page =
        page("parameters", asked.max_results, 1, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    let filters = asked.parameter_filters;
    filters.iter().try_for_each(ParameterFilter::check)?;
    let mut parameters: Vec<&Parameter> = aws.world.parameters.existing().collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    let listed = parameters
        .into_iter()
        .filter(|one| page.reaches(&one.name))
        .filter(|one| filters.iter().all(|filter| filter.values.contains(&one.name)));
    let (listed, token) = page.take(listed, |one| one.name.clone());
    let shown: Vec<_> = listed.into_iter().map(show_parameter).collect();
    answer_with_token(json!({ "Parameters": shown }), token)
}

impl ParameterFilter {
    /// The functions ask for parameters by their names, and in no other way.
    fn check(&self) -> Result<(), ApiError> {
        check_length(self.values.len(), 1, 50, "parameterFilters")?;
        match (self.key.as_str(), self.option.as_deref()) {
            ("Name", None | Some("Equals")) => Ok(()),
            ("Name", Some(_)) => Err(ApiError::new("InvalidFilterOption", "The valid option is Equals.")),
            _ => Err(ApiError::new("InvalidFilterKey", "")),
        }
    }
}

fn show_parameter(parameter: &Parameter) -> Value {
    let mut shown = json!({
        "Name": parameter.name,
        "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}", parameter.name.trim_start_matches('/')),
        "Type": parameter.kind(),
        "LastModifiedDate": seconds(parameter.modified),
        "LastModifiedUser": format!("arn:aws:iam::{ACCOUNT}:user/administrator"),
        "Version": parameter.version,
        "Tier": "Standard",
        "Policies": [],
        "DataType": "text",
    });
    if parameter.secure {
        shown["KeyId"] = "alias/aws/ssm".into();
    }
    shown
}
