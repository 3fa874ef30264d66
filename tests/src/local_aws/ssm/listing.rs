//! The listings of commands and invocations: newest first, in pages of at most fifty, as late as
//! [`Lag::ssm`](crate::local_aws::Lag).

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::commands::{Command, Invocation, counts_as_error, is_final};
use super::filters::{AskedFilter, Filter, filters};
use super::{answer_with_token, check_command_id, page};
use crate::local_aws::reply::{ApiError, Outcome, answer, request, seconds};
use crate::local_aws::{LocalAws, REGION};

/// The `Status` of an invocation with that `StatusDetails`.
pub(crate) fn invocation_status(details: &str) -> &'static str {
    match details {
        "Pending" => "Pending",
        "InProgress" => "InProgress",
        "Delayed" => "Delayed",
        "Success" => "Success",
        "Cancelling" => "Cancelling",
        "Cancelled" | "Canceled" | "Terminated" => "Cancelled",
        "DeliveryTimedOut" | "ExecutionTimedOut" | "TimedOut" => "TimedOut",
        _ => "Failed",
    }
}

fn command_status(details: &str) -> &'static str {
    match details {
        // A whole command is never delayed.
        "Delayed" => "InProgress",
        "Incomplete" => "Failed",
        details => invocation_status(details),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    command_id: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    filters: Option<Vec<AskedFilter>>,
    #[serde(default)]
    details: bool,
}

/// The keys of the commands that a request may list, newest first.
fn candidates(aws: &LocalAws, asked: &List, before: Option<u64>) -> Result<Vec<u64>, ApiError> {
    if let Some(id) = &asked.command_id {
        check_command_id(id)?;
        let key = aws.ssm.by_id.get(id.as_str()).ok_or_else(|| ApiError::new("InvalidCommandId", ""))?;
        return Ok(vec![*key]);
    }
    let before = before.unwrap_or(u64::MAX);
    Ok(aws.ssm.commands.range(..=before).rev().map(|(key, _)| *key).collect())
}

pub(super) fn list_commands(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let mut asked: List = request(body)?;
    let page = page("commands", asked.max_results, 1, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    let before = page.start.as_deref().and_then(|at| at.parse().ok());
    let filters = filters(asked.filters.take())?;
    let at = aws.now - aws.lag.ssm;
    let oldest = oldest(&filters);
    let (mut shown, mut token) = (Vec::new(), None);
    for key in candidates(aws, &asked, before)? {
        let command = &aws.ssm.commands[&key];
        if oldest.is_some_and(|oldest| command.requested < oldest) {
            break;
        }
        let details = command.details_at(at);
        let meant = command.requested <= at
            && filters.iter().all(|filter| filter.matches(command, details, command_status(details)));
        if !meant {
            continue;
        }
        if page.is_full(&shown) {
            token = Some(page.token(&key.to_string()));
            break;
        }
        shown.push(aws.describe_command(command, at));
    }
    answer_with_token(json!({ "Commands": shown }), token)
}

/// The time of `InvokedAfter`: no older command needs to be read.
fn oldest(filters: &[Filter]) -> Option<Timestamp> {
    filters.iter().find_map(|filter| if let Filter::After(at) = filter { Some(*at) } else { None })
}

impl LocalAws {
    fn show_details<'a>(&self, details: &'a str) -> Cow<'a, str> {
        if !self.spaced_details {
            return Cow::Borrowed(details);
        }
        let mut spaced = String::with_capacity(details.len() + 2);
        for c in details.chars() {
            if c.is_ascii_uppercase() && !spaced.is_empty() {
                spaced.push(' ');
            }
            spaced.push(c);
        }
        Cow::Owned(spaced)
    }

    pub(crate) fn describe_command(&self, command: &Command, at: Timestamp) -> Value {
        let details = command.details_at(at);
        let all = || command.invocations.iter().map(|one| one.details_at(at));
        let instances: Vec<&str> = command.invocations.iter().map(|one| &*one.instance).collect();
        json!({
            "CommandId": &*command.id,
            "DocumentName": &*command.document,
            "DocumentVersion": command.version,
            "Comment": command.comment,
            "ExpiresAfter": seconds(command.expires),
            "Parameters": command.parameters,
            "InstanceIds": instances,
            "Targets": [],
            "RequestedDateTime": seconds(command.requested),
            "Status": command_status(details),
            "StatusDetails": self.show_details(details),
            "OutputS3BucketName": "",
            "OutputS3KeyPrefix": "",
            "MaxConcurrency": command.max_concurrency,
            "MaxErrors": command.max_errors,
            "TargetCount": command.invocations.len(),
            "CompletedCount": all().filter(|details| is_final(details)).count(),
            "ErrorCount": all().filter(|details| counts_as_error(details)).count(),
            "DeliveryTimedOutCount": all().filter(|details| *details == "DeliveryTimedOut").count(),
            "ServiceRole": "",
            "NotificationConfig": {"NotificationArn": "", "NotificationEvents": []},
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
            "TimeoutSeconds": command.timeout.as_secs(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Invocations<'a> {
    command_invocations: Vec<ShownInvocation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownInvocation<'a> {
    command_id: &'a str,
    instance_id: &'a str,
    instance_name: &'static str,
    comment: &'a str,
    document_name: &'a str,
    document_version: &'a str,
    requested_date_time: f64,
    status: &'static str,
    status_details: Cow<'a, str>,
    standard_output_url: &'static str,
    standard_error_url: &'static str,
    command_plugins: Vec<ShownPlugin<'a>>,
    service_role: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownPlugin<'a> {
    name: &'static str,
    status: &'static str,
    status_details: Cow<'a, str>,
    response_code: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_start_date_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_finish_date_time: Option<f64>,
    output: String,
    standard_output_url: &'static str,
    standard_error_url: &'static str,
    #[serde(rename = "OutputS3Region")]
    output_s3_region: &'static str,
    #[serde(rename = "OutputS3BucketName")]
    output_s3_bucket_name: &'static str,
    #[serde(rename = "OutputS3KeyPrefix")]
    output_s3_key_prefix: &'static str,
}

/// The name of the mapping document's one step.
const STEP: &str = "mapShare";

pub(super) fn list_command_invocations(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let mut asked: List = request(body)?;
    let page =
        page("invocations", asked.max_results, 1, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    let start = page.start.as_deref().and_then(|at| at.split_once('.'));
    let start =
        start.and_then(|(key, target)| Some((key.parse::<u64>().ok()?, target.parse::<usize>().ok()?)));
    let filters = filters(asked.filters.take())?;
    let at = aws.now - aws.lag.ssm;
    let oldest = oldest(&filters);
    let mut answer_body = Invocations { command_invocations: Vec::new(), next_token: None };
    'commands: for key in candidates(aws, &asked, start.map(|(key, _)| key))? {
        let command = &aws.ssm.commands[&key];
        if oldest.is_some_and(|oldest| command.requested < oldest) {
            break;
        }
        if command.requested > at {
            continue;
        }
        let from = start.filter(|(of, _)| *of == key).map_or(0, |(_, target)| target);
        for (target, invocation) in command.invocations.iter().enumerate().skip(from) {
            let details = invocation.details_at(at);
            let status = invocation_status(details);
            if !filters.iter().all(|filter| filter.matches(command, details, status)) {
                continue;
            }
            if page.is_full(&answer_body.command_invocations) {
                answer_body.next_token = Some(page.token(&format!("{key}.{target}")));
                break 'commands;
            }
            let mut shown = show(aws, command, invocation, at);
            if !asked.details {
                shown.command_plugins.clear();
            }
            answer_body.command_invocations.push(shown);
        }
    }
    answer(&answer_body)
}

fn show<'a>(
    aws: &LocalAws,
    command: &'a Command,
    invocation: &'a Invocation,
    at: Timestamp,
) -> ShownInvocation<'a> {
    let details = invocation.details_at(at);
    let started = invocation.started.filter(|started| *started <= at);
    let finished = invocation.finished.filter(|finished| *finished <= at);
    let plugin = |started: Timestamp| ShownPlugin {
        name: STEP,
        status: match invocation_status(details) {
            "Delayed" => "Pending",
            "Cancelling" => "InProgress",
            status => status,
        },
        status_details: aws.show_details(details),
        response_code: if finished.is_some() { invocation.exit_code } else { -1 },
        response_start_date_time: Some(seconds(started)),
        response_finish_date_time: finished.map(|at| seconds(invocation.says_ended.unwrap_or(at))),
        output: if finished.is_some() { invocation.shown() } else { String::new() },
        standard_output_url: "",
        standard_error_url: "",
        output_s3_region: REGION,
        output_s3_bucket_name: "",
        output_s3_key_prefix: "",
    };
    ShownInvocation {
        command_id: &command.id,
        instance_id: &invocation.instance,
        instance_name: "",
        comment: &command.comment,
        document_name: &command.document,
        document_version: &command.version,
        requested_date_time: seconds(command.requested),
        status: invocation_status(details),
        status_details: aws.show_details(details),
        standard_output_url: "",
        standard_error_url: "",
        command_plugins: started.map(plugin).into_iter().collect(),
        service_role: "",
    }
}
