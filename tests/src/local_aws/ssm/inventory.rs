//! `DescribeInstanceInformation` and `DescribeParameters`: who answers, and what parameters there are, never a value.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{is_instance_id, page_size, page_start};
use crate::fleet::{Agent, Host, Parameter, Platform, Power};
use crate::local_aws::reply::{ApiError, Outcome, answer, request, seconds};
use crate::local_aws::{ACCOUNT, LocalAws, REGION, page};

/// Values in one filter.
const MOST_VALUES: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    instance_information_filter_list: Option<Vec<OldFilter>>,
    filters: Option<Vec<Filter>>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldFilter {
    key: Option<String>,
    value_set: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: Option<String>,
    values: Option<Vec<String>>,
}

pub(super) fn describe_instance_information(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: Describe = request(body)?;
    let size = page_size(asked.max_results, 5, 50, 10)?;
    let start = page_start("information", asked.next_token.as_deref())?;
    let filters = match (asked.instance_information_filter_list, asked.filters) {
        (Some(_), Some(_)) => return Err(ApiError::new("InvalidFilterKey", "")),
        (Some(old), None) => old
            .into_iter()
            .map(|one| (one.key.unwrap_or_default(), one.value_set.unwrap_or_default()))
            .collect(),
        (None, filters) => {
            let plain = |one: Filter| (one.key.unwrap_or_default(), one.values.unwrap_or_default());
            filters.unwrap_or_default().into_iter().map(plain).collect::<Vec<_>>()
        }
    };
    check(&filters)?;
    // Named instances are looked up; everything else walks the whole account.
    let named = filters.iter().find(|(key, _)| key == "InstanceIds");
    let hosts: Vec<&Host> = match named {
        Some((_, ids)) => {
            let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
            ids.into_iter().filter_map(|id| aws.world.hosts.get(id)).collect()
        }
        None => aws.world.hosts.values().collect(),
    };
    let mut listed = hosts
        .into_iter()
        .filter(|host| start.as_deref().is_none_or(|start| &*host.id > start))
        .filter(|host| host.power != Power::Terminated)
        .filter_map(|host| Some((host, host.ping_status(aws.now)?)))
        .filter(|(host, ping)| filters.iter().all(|(key, values)| meets(host, ping, key, values)));
    let page: Vec<_> = listed.by_ref().take(size).collect();
    let token = listed.next().and(page.last()).map(|(host, _)| page::token("information", &host.id));
    let shown: Vec<_> = page.iter().map(|(host, ping)| show(aws, host, ping)).collect();
    with_token(json!({ "InstanceInformationList": shown }), token)
}

fn check(filters: &[(String, Vec<String>)]) -> Result<(), ApiError> {
    const KEYS: [&str; 8] = [
        "ActivationIds",
        "AgentVersion",
        "AssociationStatus",
        "IamRole",
        "InstanceIds",
        "PingStatus",
        "PlatformTypes",
        "ResourceType",
    ];
    let is_tag = |key: &str| key == "tag-key" || key.starts_with("tag:");
    let tags = filters.iter().filter(|(key, _)| is_tag(key)).count();
    if tags > 0 && tags < filters.len() {
        return Err(ApiError::new("InvalidFilterKey", ""));
    }
    for (key, values) in filters {
        if !is_tag(key) && !KEYS.contains(&key.as_str()) {
            return Err(ApiError::new("InvalidFilterKey", ""));
        }
        if values.is_empty() || values.len() > MOST_VALUES {
            let constraint = "Member must have length between 1 and 100";
            return Err(ApiError::validation(
                &format!("{} values", values.len()),
                "filters.1.member.values",
                constraint,
            ));
        }
        if key == "InstanceIds" && !values.iter().all(|id| is_instance_id(id)) {
            return Err(ApiError::new("InvalidInstanceId", "An instance ID is not valid."));
        }
        let allowed: &[&str] = match key.as_str() {
            "PingStatus" => &["Online", "ConnectionLost", "Inactive"],
            "PlatformTypes" => &["Windows", "Linux", "MacOS"],
            "ResourceType" => &["EC2Instance", "ManagedInstance"],
            _ => continue,
        };
        if let Some(value) = values.iter().find(|value| !allowed.contains(&value.as_str())) {
            return Err(ApiError::new(
                "InvalidInstanceInformationFilterValue",
                format!("{value} is not valid."),
            ));
        }
    }
    Ok(())
}

fn meets(host: &Host, ping: &str, key: &str, values: &[String]) -> bool {
    let is = |value: &str| values.iter().any(|one| one == value);
    match key {
        "InstanceIds" => true,
        "PingStatus" => is(ping),
        "PlatformTypes" => is(platform(host)),
        "ResourceType" => is("EC2Instance"),
        "AgentVersion" => is(AGENT_VERSION),
        "IamRole" => is(ROLE),
        // No instance here has tags, activations or associations.
        _ => false,
    }
}

const AGENT_VERSION: &str = "3.3.987.0";
const ROLE: &str = "ecsInstanceRole";

fn platform(host: &Host) -> &'static str {
    match host.platform {
        Platform::Windows => "Windows",
        Platform::Linux => "Linux",
    }
}

fn show(aws: &LocalAws, host: &Host, ping: &str) -> Value {
    let last_ping = match host.agent {
        Agent::Silent(since) | Agent::Dead(since) => since,
        _ => aws.now,
    };
    let (name, version) = match host.platform {
        Platform::Windows => ("Microsoft Windows Server 2022 Datacenter", "10.0.20348"),
        Platform::Linux => ("Amazon Linux", "2023"),
    };
    let computer = format!("ip-{}", host.id.trim_start_matches("i-"));
    json!({
        "InstanceId": &*host.id,
        "PingStatus": ping,
        "LastPingDateTime": seconds(last_ping),
        "AgentVersion": AGENT_VERSION,
        "IsLatestVersion": false,
        "PlatformType": platform(host),
        "PlatformName": name,
        "PlatformVersion": version,
        "ResourceType": "EC2Instance",
        "IPAddress": "10.0.17.4",
        "ComputerName": computer,
        "SourceId": &*host.id,
        "SourceType": "AWS::EC2::Instance",
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeParameters {
    filters: Option<Vec<Filter>>,
    parameter_filters: Option<Vec<ParameterFilter>>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterFilter {
    key: Option<String>,
    option: Option<String>,
    values: Option<Vec<String>>,
}

pub(super) fn describe_parameters(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeParameters = request(body)?;
    let size = page_size(asked.max_results, 1, 50, 50)?;
    let start = page_start("parameters", asked.next_token.as_deref())?;
    let mut filters = asked.parameter_filters.unwrap_or_default();
    for old in asked.filters.unwrap_or_default() {
        filters.push(ParameterFilter { key: old.key, option: Some("BeginsWith".into()), values: old.values });
    }
    for filter in &filters {
        check_parameter_filter(filter)?;
    }
    let mut parameters: Vec<&Parameter> = aws.world.parameters.existing().collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    let mut listed = parameters
        .into_iter()
        .filter(|one| start.as_deref().is_none_or(|start| one.name.as_str() > start))
        .filter(|one| filters.iter().all(|filter| parameter_meets(one, filter)));
    let page: Vec<_> = listed.by_ref().take(size).collect();
    let token = listed.next().and(page.last()).map(|last| page::token("parameters", &last.name));
    let shown: Vec<_> = page.iter().map(|one| show_parameter(one)).collect();
    with_token(json!({ "Parameters": shown }), token)
}

fn check_parameter_filter(filter: &ParameterFilter) -> Result<(), ApiError> {
    let key = filter.key.as_deref().unwrap_or_default();
    let values = filter.values.as_deref().unwrap_or_default();
    if !["Name", "Type", "KeyId", "Path", "Tier", "DataType"].contains(&key) && !key.starts_with("tag:") {
        return Err(ApiError::new("InvalidFilterKey", ""));
    }
    if values.is_empty() || values.len() > 50 {
        let constraint = "Member must have length between 1 and 50";
        return Err(ApiError::validation(
            &format!("{} values", values.len()),
            "parameterFilters",
            constraint,
        ));
    }
    let options: &[&str] = match key {
        "Path" => &["Recursive", "OneLevel"],
        "Name" => &["Equals", "BeginsWith", "Contains"],
        _ => &["Equals", "BeginsWith"],
    };
    match filter.option.as_deref() {
        Some(option) if !options.contains(&option) => {
            Err(ApiError::new("InvalidFilterOption", format!("Valid options are {options:?}.")))
        }
        _ => Ok(()),
    }
}

fn parameter_meets(parameter: &Parameter, filter: &ParameterFilter) -> bool {
    let kind = if parameter.secure { "SecureString" } else { "String" };
    let subject = match filter.key.as_deref().unwrap_or_default() {
        "Name" => parameter.name.as_str(),
        "Type" => kind,
        "Tier" => "Standard",
        "DataType" => "text",
        "KeyId" if parameter.secure => "alias/aws/ssm",
        "Path" => return !parameter.name.trim_start_matches('/').contains('/'),
        _ => return false,
    };
    let values = filter.values.as_deref().unwrap_or_default();
    match filter.option.as_deref().unwrap_or("Equals") {
        "BeginsWith" => values.iter().any(|value| subject.starts_with(value.as_str())),
        "Contains" => values.iter().any(|value| subject.contains(value.as_str())),
        _ => values.iter().any(|value| subject == value),
    }
}

fn show_parameter(parameter: &Parameter) -> Value {
    let mut shown = json!({
        "Name": parameter.name,
        "ARN": format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}", parameter.name.trim_start_matches('/')),
        "Type": if parameter.secure { "SecureString" } else { "String" },
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

fn with_token(mut body: Value, token: Option<String>) -> Outcome {
    if let Some(token) = token {
        body["NextToken"] = token.into();
    }
    answer(&body)
}
