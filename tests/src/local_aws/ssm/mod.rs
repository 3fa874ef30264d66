//! SSM: commands and their invocations, managed instances, parameters as names and dates.

pub mod commands;
mod fetch;
mod filters;
pub mod inventory;
pub mod listing;
pub mod runs;
pub mod send;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Operation;
use super::reply::ApiError;
use super::throttles::Bucket;
pub use commands::{Command, Invocation};
pub use runs::StartedRun;

/// SSM's state.
#[derive(Default)]
pub struct Ssm {
    /// Commands in the order of their requests.
    pub(crate) commands: BTreeMap<u64, Command>,
    pub(crate) by_id: BTreeMap<Arc<str>, u64>,
    /// Invocations of an instance in the order of their requests: (command, target).
    pub(crate) by_instance: BTreeMap<Arc<str>, Vec<(u64, usize)>>,
    pub(crate) next: u64,
    /// Started scripts that somebody else carries out.
    pub(crate) started: Vec<StartedRun>,
}

macro_rules! operations {
    ($($name:literal, $bucket:ident, $handler:path;)*) => {
        /// Everything of SSM that is known here.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation {
            target: concat!("AmazonSSM.", $name),
            bucket: Bucket::$bucket,
            handler: $handler,
        }),*];
    };
}

operations! {
    "SendCommand", SendCommand, send::send_command;
    "CancelCommand", Ssm, send::cancel_command;
    "ListCommands", Ssm, listing::list_commands;
    "ListCommandInvocations", Ssm, listing::list_command_invocations;
    "GetCommandInvocation", Ssm, listing::get_command_invocation;
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

/// The page size that a request asks for.
pub(crate) fn page_size(asked: Option<i64>, from: i64, to: i64, default: usize) -> Result<usize, ApiError> {
    match asked {
        None => Ok(default),
        Some(count) if (from..=to).contains(&count) => Ok(usize::try_from(count).unwrap_or(default)),
        Some(count) => {
            let constraint = format!("Member must have value between {from} and {to}");
            Err(ApiError::validation(&count.to_string(), "maxResults", &constraint))
        }
    }
}

/// Where a page begins.
pub(crate) fn page_start(kind: &str, token: Option<&str>) -> Result<Option<String>, ApiError> {
    let invalid = |()| ApiError::new("InvalidNextToken", "The specified token isn't valid.");
    super::page::position(kind, token).map_err(invalid)
}
