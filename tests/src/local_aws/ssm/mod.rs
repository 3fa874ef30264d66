//! SSM: commands and their invocations, managed instances, names and dates of parameters.

pub mod agent;
pub mod commands;
mod fetch;
mod filters;
pub mod inventory;
pub mod listing;
pub mod runs;
pub mod send;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::page::Page;
use super::reply::{ApiError, Outcome, answer_page};
pub use commands::{Command, Invocation};
pub use runs::StartedRun;

/// The state of SSM.
#[derive(Default)]
pub struct Ssm {
    /// Commands in the order of their requests.
    pub(crate) commands: BTreeMap<u64, Command>,
    pub(crate) by_id: BTreeMap<Arc<str>, u64>,
    /// Invocations of an instance in the order of their requests: (command, target).
    pub(crate) by_instance: BTreeMap<Arc<str>, Vec<(u64, usize)>>,
    pub(crate) next: u64,
    /// Started scripts that the model does not carry out.
    pub(crate) started: Vec<StartedRun>,
}

operations! {
    "AmazonSSM";
    "SendCommand", SendCommand, send::send_command;
    "ListCommands", Ssm, listing::list_commands;
    "ListCommandInvocations", Ssm, listing::list_command_invocations;
    "DescribeInstanceInformation", Ssm, inventory::describe_instance_information;
    "DescribeParameters", Ssm, inventory::describe_parameters;
}

/// `i-` with 8 or 17 word characters, or `mi-` with 17.
pub(crate) fn is_instance_id(text: &str) -> bool {
    let word = |rest: &str| rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (text.strip_prefix("i-"), text.strip_prefix("mi-")) {
        (Some(rest), _) => (rest.len() == 8 || rest.len() == 17) && word(rest),
        (None, Some(rest)) => rest.len() == 17 && word(rest),
        (None, None) => false,
    }
}

pub(crate) fn check_instance_id(id: &str) -> Result<(), ApiError> {
    if is_instance_id(id) {
        return Ok(());
    }
    let constraint = r"Member must satisfy regular expression pattern: (^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)";
    Err(ApiError::validation(id, "instanceId", constraint))
}

pub(crate) fn check_command_id(id: &str) -> Result<(), ApiError> {
    if id.len() == 36 {
        return Ok(());
    }
    Err(ApiError::validation(id, "commandId", "Member must have length equal to 36"))
}

/// The page that a request asks for, by its `MaxResults` from `least` to 50 and its `NextToken`.
fn page(kind: &'static str, max: Option<i64>, least: i64, token: Option<&str>) -> Result<Page, ApiError> {
    // The default of the one operation with a minimum of 5 is 10; that of all others is 50.
    let default = if least > 1 { 10 } else { 50 };
    let size = match max {
        None => default,
        Some(count) if (least..=50).contains(&count) => usize::try_from(count).unwrap_or(50),
        Some(count) => {
            let constraint = format!("Member must have value between {least} and 50");
            return Err(ApiError::validation(&count.to_string(), "maxResults", &constraint));
        }
    };
    let invalid = |()| ApiError::new("InvalidNextToken", "The specified token isn't valid.");
    Page::new(kind, size, token).map_err(invalid)
}

fn answer_with_token(body: Value, token: Option<String>) -> Outcome {
    answer_page(body, "NextToken", token)
}

/// Checks the length of a member.
fn check_length(count: usize, least: usize, most: usize, member: &str) -> Result<(), ApiError> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let constraint = format!("Member must have length between {least} and {most}");
    Err(ApiError::validation(&format!("{count} elements"), member, &constraint))
}
