//! `SendCommand`. It refuses the whole call for one invalid instance, and does not name it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::commands::{Command, Invocation};
use super::{check_instance_id, check_length};
use crate::fleet::{Document, InstanceId, Power};
use crate::local_aws::advance::Timer;
use crate::local_aws::reply::{ApiError, Outcome, answer, request};
use crate::local_aws::{ACCOUNT, LocalAws, REGION};

/// The limit of instances per call.
const MOST_INSTANCES: usize = 50;
/// The size limit of a document with its parameters.
const MOST_BYTES: usize = 64 * 1024;
/// How long SSM keeps its command history.
const HISTORY: Duration = Duration::from_secs(30 * 86_400);

/// The members that the functions use; any other is refused.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendCommand {
    #[serde(default)]
    instance_ids: Vec<String>,
    #[serde(default)]
    document_name: String,
    document_version: Option<String>,
    timeout_seconds: Option<i64>,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    parameters: Parameters,
    #[serde(default = "default_concurrency")]
    max_concurrency: String,
    #[serde(default = "default_errors")]
    max_errors: String,
}

type Parameters = serde_json::Map<String, Value>;

fn default_concurrency() -> String {
    "50".to_owned()
}

fn default_errors() -> String {
    "0".to_owned()
}

pub(super) fn send_command(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: SendCommand = request(body)?;
    let timeout = check(&asked)?;
    authorize(aws, &asked.instance_ids)?;
    let name = asked.document_name.rsplit("document/").next().unwrap_or_default();
    let Some((document_name, document)) = aws.world.documents.get_key_value(name) else {
        return Err(ApiError::new("InvalidDocument", format!("Document with name {name} does not exist.")));
    };
    let version = asked.document_version.as_deref().unwrap_or_default();
    let Some(version_number) = document.version(version) else {
        let message = format!("Document {name} has no version {version:?}.");
        return Err(ApiError::new("InvalidDocumentVersion", message));
    };
    check_parameters(document, &asked.parameters)?;
    let (document_name, execution_timeout) = (document_name.clone(), document.execution_timeout);
    let instances = targets(aws, &asked.instance_ids)?;
    check_instances(aws, &instances)?;
    let count = instances.len();
    let command = Command {
        id: Arc::from(aws.uuid()),
        document: document_name,
        version: asked.document_version.unwrap_or_default(),
        version_number,
        comment: asked.comment,
        parameters: Value::Object(asked.parameters),
        requested: aws.now,
        expires: aws.now + timeout + execution_timeout,
        timeout,
        execution_timeout,
        concurrency: share_of(&asked.max_concurrency, count).max(1),
        errors_allowed: share_of(&asked.max_errors, count),
        max_concurrency: asked.max_concurrency,
        max_errors: asked.max_errors,
        invocations: instances.into_iter().map(Invocation::new).collect(),
        next: 0,
        slots_taken: 0,
        errors: 0,
    };
    let shown = json!({ "Command": aws.describe_command(&command, aws.now) });
    aws.begin_command(command);
    answer(&shown)
}

impl LocalAws {
    fn begin_command(&mut self, command: Command) {
        self.forget_old_commands();
        let key = self.ssm.next;
        self.ssm.next += 1;
        self.ssm.by_id.insert(command.id.clone(), key);
        for (target, invocation) in command.invocations.iter().enumerate() {
            self.ssm.by_instance.entry(invocation.instance.clone()).or_default().push((key, target));
        }
        let lifetime = command.timeout + command.execution_timeout;
        self.ssm.commands.insert(key, command);
        self.after(lifetime, Timer::Expires(key));
        self.send_waiting(key);
    }

    fn forget_old_commands(&mut self) {
        while let Some(entry) = self.ssm.commands.first_entry() {
            if entry.get().requested + HISTORY > self.now {
                return;
            }
            let (key, command) = entry.remove_entry();
            self.ssm.by_id.remove(&command.id);
            for invocation in command.invocations {
                if let Some(all) = self.ssm.by_instance.get_mut(&invocation.instance) {
                    all.retain(|(of, _)| *of != key);
                }
            }
        }
    }
}

/// Checks the members of a request against the model, and returns the delivery timeout.
fn check(asked: &SendCommand) -> Result<Duration, ApiError> {
    check_length(asked.instance_ids.len(), 0, MOST_INSTANCES, "instanceIds")?;
    asked.instance_ids.iter().try_for_each(|id| check_instance_id(id))?;
    let name = asked.document_name.as_str();
    let word = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(word) {
        let constraint = r"Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\-.:/]{3,128}$";
        return Err(ApiError::validation(name, "documentName", constraint));
    }
    check_length(asked.comment.chars().count(), 0, 100, "comment")?;
    let numbers = |text: &str, member: &str, least: u64| {
        let (number, most) = match text.strip_suffix('%') {
            Some(number) => (number, 100),
            None => (text, 9_999_999),
        };
        let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        let plain = plain && (number == "0" || !number.starts_with('0')) && text.len() <= 7;
        match number.parse::<u64>() {
            Ok(value) if plain && (least..=most).contains(&value) => Ok(()),
            _ => Err(ApiError::validation(text, member, "Member must satisfy regular expression pattern")),
        }
    };
    numbers(&asked.max_concurrency, "maxConcurrency", 1)?;
    numbers(&asked.max_errors, "maxErrors", 0)?;
    match asked.timeout_seconds {
        None => Ok(Duration::from_secs(3600)),
        Some(seconds @ 30..=2_592_000) => Ok(Duration::from_secs(seconds.unsigned_abs())),
        Some(seconds) => {
            let constraint = "Member must have value between 30 and 2592000";
            Err(ApiError::validation(&seconds.to_string(), "timeoutSeconds", constraint))
        }
    }
}

fn check_parameters(document: &Document, given: &Parameters) -> Result<(), ApiError> {
    let invalid = |message: String| ApiError::new("InvalidParameters", message);
    if given.iter().map(|(name, value)| name.len() + value.to_string().len()).sum::<usize>() > MOST_BYTES {
        return Err(ApiError::new("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB."));
    }
    for (name, values) in given {
        let Some(allowed) = document.parameters.get(name) else {
            return Err(invalid(format!("Parameter {name} is not defined in the document.")));
        };
        let Some(values) = values.as_array() else {
            return Err(ApiError::new("SerializationException", format!("{name} must be a list of strings")));
        };
        for value in values {
            let text = value.as_str().unwrap_or_default();
            if !allowed.is_empty() && !allowed.iter().any(|one| one == text) {
                return Err(invalid(format!("Parameter {name} does not allow {text:?}.")));
            }
        }
    }
    for (name, allowed) in &document.parameters {
        if !allowed.is_empty() && !given.contains_key(name) {
            return Err(invalid(format!("Parameter {name} is required.")));
        }
    }
    Ok(())
}

/// IAM allows the call for every target, or not at all. It names one that it does not allow.
fn authorize(aws: &LocalAws, ids: &[String]) -> Result<(), ApiError> {
    let is_denied =
        |id: &&String| aws.world.hosts.get(id.as_str()).is_some_and(|host| !aws.world.may_be_sent_to(host));
    match ids.iter().find(is_denied) {
        None => Ok(()),
        Some(id) => Err(ApiError::new(
            "AccessDeniedException",
            format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/smb/smb is not authorized to perform: ssm:SendCommand on \
                 resource: arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{id} because no identity-based policy allows the \
                 ssm:SendCommand action"
            ),
        )),
    }
}

/// The instances that the call names.
fn targets(aws: &LocalAws, ids: &[String]) -> Result<Vec<InstanceId>, ApiError> {
    if ids.is_empty() {
        return Err(ApiError::new("InvalidParameters", "Instance IDs must be specified."));
    }
    let mut seen = BTreeSet::new();
    if !ids.iter().all(|id| seen.insert(id)) {
        return Err(ApiError::new("DuplicateInstanceId", ""));
    }
    let known = |id: &String| {
        let host = aws.world.hosts.get_key_value(id.as_str());
        host.map(|(id, _)| id.clone()).ok_or_else(invalid_instance)
    };
    ids.iter().map(known).collect()
}

fn check_instances(aws: &LocalAws, instances: &[InstanceId]) -> Result<(), ApiError> {
    for id in instances {
        let host = &aws.world.hosts[id];
        // By the documentation a stopped instance is a valid target, but an agent that does not answer is not.
        let gone = matches!(host.power, Power::ShuttingDown | Power::Terminated);
        if gone || host.ping_status(aws.now) != Some("Online") {
            return Err(invalid_instance());
        }
    }
    Ok(())
}

pub(crate) fn invalid_instance() -> ApiError {
    ApiError::new("InvalidInstanceId", "Instances not in a valid state for account")
}

/// A number of targets, or a percentage of them rounded down.
fn share_of(text: &str, count: usize) -> usize {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse::<usize>().unwrap_or(0) * count / 100,
        None => text.parse().unwrap_or(0),
    }
}
