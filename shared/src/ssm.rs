//! The Systems Manager reads that the functions make, paged and within the documented limits.
//!
//! What the answers mean is decided elsewhere. Sending is in [`crate::send`].

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{
    CommandFilter, CommandFilterKey, InstanceInformationStringFilter, ParameterStringFilter, PingStatus,
};
use jiff::Timestamp;

use crate::aws::AwsError;
use crate::budget::Parameters;
use crate::history::{Action, Command, Invocation};
use crate::ids::{CommandId, InstanceId};
use crate::time;

/// Results a page of `ListCommands` and `ListCommandInvocations` may hold.
const PAGE: i32 = 50;

/// Instances that one `DescribeInstanceInformation` names, so that one page answers it.
pub const AGENTS_A_CALL: usize = 50;

/// Commands as SSM lists them, newest first.
#[derive(Debug, Default)]
pub struct CommandList {
    /// The commands.
    pub commands: Vec<Command>,
    /// There are older ones, which were not read.
    pub is_cut: bool,
}

/// The commands of a document requested after `since`, from so many pages at most.
pub async fn list_commands(
    client: &Client,
    document: &str,
    since: Timestamp,
    most_pages: usize,
) -> Result<CommandList, AwsError> {
    let mut pages = client
        .list_commands()
        .filters(filter(CommandFilterKey::DocumentName, document))
        .filters(filter(CommandFilterKey::InvokedAfter, &filter_time(since)))
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut list = CommandList::default();
    for _ in 0..most_pages {
        let Some(page) = pages.next().await else { return Ok(list) };
        let page = page.map_err(|error| AwsError::ssm("ListCommands", error))?;
        list.commands.extend(page.commands().iter().filter_map(command));
        list.is_cut = page.next_token().is_some_and(|token| !token.is_empty());
        if !list.is_cut {
            break;
        }
    }
    Ok(list)
}

fn command(raw: &aws_sdk_ssm::types::Command) -> Option<Command> {
    let action =
        raw.parameters().and_then(|parameters| parameters.get("Action")).and_then(|values| values.first());
    let completed = raw.target_count() > 0 && raw.completed_count() >= raw.target_count();
    let count = |n: i32| usize::try_from(n).unwrap_or_default();
    Some(Command {
        id: CommandId::parse(raw.command_id()?).ok()?,
        requested_at: time::from_aws(raw.requested_date_time()?)?,
        action: action.and_then(|text| Action::parse(text)).unwrap_or(Action::Map),
        instances: raw.instance_ids().iter().filter_map(|id| InstanceId::parse(id).ok()).collect(),
        max_concurrency: concurrency(raw.max_concurrency(), raw.target_count()),
        completed: count(raw.completed_count()),
        errors: count(raw.error_count()),
        is_final: completed || is_final_status(raw.status_details().or(raw.status().map(|s| s.as_str()))),
    })
}

/// `MaxConcurrency` is a number or a percentage of the targets. Any other text counts as all targets.
fn concurrency(text: Option<&str>, targets: i32) -> u32 {
    let targets = u32::try_from(targets).unwrap_or_default();
    let share = |percent: u32| targets.saturating_mul(percent).div_ceil(100).max(1);
    let text = text.unwrap_or_default();
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().map_or(targets, share),
        None => text.parse().unwrap_or(targets),
    }
}

/// Whether a command's status says that nothing more happens.
fn is_final_status(details: Option<&str>) -> bool {
    let details: String = details.unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    !matches!(details.to_lowercase().as_str(), "" | "pending" | "inprogress" | "delayed" | "cancelling")
}

/// A command's invocations with their output.
pub async fn list_invocations(client: &Client, command: &CommandId) -> Result<Vec<Invocation>, AwsError> {
    let mut pages = client
        .list_command_invocations()
        .command_id(command.as_str())
        .details(true)
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut invocations = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::ssm("ListCommandInvocations", error))?;
        invocations.extend(page.command_invocations().iter().filter_map(invocation));
    }
    Ok(invocations)
}

fn invocation(raw: &aws_sdk_ssm::types::CommandInvocation) -> Option<Invocation> {
    let details = raw.status_details().filter(|text| !text.is_empty()).or(raw.status().map(|s| s.as_str()));
    Some(Invocation {
        instance_id: InstanceId::parse(raw.instance_id()?).ok()?,
        finished_at: raw
            .command_plugins()
            .iter()
            .filter_map(|plugin| time::from_aws(plugin.response_finish_date_time()?))
            .max(),
        status_details: details.unwrap_or_default().to_owned(),
        output: raw.command_plugins().iter().filter_map(|plugin| plugin.output()).collect(),
    })
}

fn filter(key: CommandFilterKey, value: &str) -> CommandFilter {
    CommandFilter::builder().key(key).value(value).build().expect("key and value are set")
}

/// `InvokedAfter` takes whole seconds; cut, it may only be too early.
fn filter_time(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    format!("{whole:.0}")
}

/// The agents' ping status, 50 a call. An instance that SSM does not know is absent.
pub async fn describe_agents(
    client: &Client,
    ids: &BTreeSet<InstanceId>,
) -> Result<BTreeMap<InstanceId, Agent>, AwsError> {
    let ids: Vec<&InstanceId> = ids.iter().collect();
    let mut agents = BTreeMap::new();
    for chunk in ids.chunks(AGENTS_A_CALL) {
        let filter = InstanceInformationStringFilter::builder()
            .key("InstanceIds")
            .set_values(Some(chunk.iter().map(|id| id.to_string()).collect()))
            .build()
            .expect("key and values are set");
        let mut pages =
            client.describe_instance_information().filters(filter).max_results(PAGE).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::ssm("DescribeInstanceInformation", error))?;
            for raw in page.instance_information_list() {
                let Some(Ok(id)) = raw.instance_id().map(InstanceId::parse) else { continue };
                let is_online = raw.ping_status() == Some(&PingStatus::Online);
                agents.insert(
                    id,
                    Agent { is_online, last_ping: raw.last_ping_date_time().and_then(time::from_aws) },
                );
            }
        }
    }
    Ok(agents)
}

/// What SSM knows about an instance's agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// Commands reach it.
    pub is_online: bool,
    /// When SSM last heard of it.
    pub last_ping: Option<Timestamp>,
}

/// When the parameters last changed: dates, never a value.
pub async fn describe_parameters(client: &Client, names: &[String; 2]) -> Result<Parameters, AwsError> {
    let filter = ParameterStringFilter::builder()
        .key("Name")
        .option("Equals")
        .set_values(Some(names.to_vec()))
        .build()
        .expect("the key is set");
    let mut pages = client.describe_parameters().parameter_filters(filter).into_paginator().send();
    let mut dates = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::ssm("DescribeParameters", error))?;
        for raw in page.parameters() {
            if let (Some(name), Some(at)) = (raw.name(), raw.last_modified_date().and_then(time::from_aws)) {
                dates.insert(name.to_owned(), at);
            }
        }
    }
    let dates = names.each_ref().map(|name| dates.get(name).copied());
    let parameters = Parameters::from_dates(dates, time::by_clock(client.config().time_source()));
    if parameters == Parameters::Unread {
        tracing::error!(?dates, "a parameter's date is ahead of the clock, nothing is sent");
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_final_by_its_counts_or_its_status() {
        let table = [
            ("Success", true),
            ("Delivery Timed Out", true),
            ("Failed", true),
            ("Terminated", true),
            ("Cancelled", true),
            ("Pending", false),
            ("In Progress", false),
            ("InProgress", false),
            ("Delayed", false),
            ("Cancelling", false),
            ("", false),
        ];
        for (details, expected) in table {
            assert_eq!(is_final_status(Some(details)), expected, "{details}");
        }
        assert!(!is_final_status(None));
    }

    #[test]
    fn the_filter_takes_whole_seconds() {
        assert_eq!(filter_time("2026-11-22T08:00:00.999Z".parse().unwrap()), "2026-11-22T08:00:00Z");
    }
}
