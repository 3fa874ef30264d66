//! The filters of `ListCommands` and `ListCommandInvocations`.

use jiff::Timestamp;
use serde::Deserialize;

use super::commands::{Command, is_final};
use crate::local_aws::reply::ApiError;

/// A filter as it is asked for.
#[derive(Deserialize)]
pub(super) struct AskedFilter {
    key: Option<String>,
    value: Option<String>,
}

/// One condition of a listing.
pub(super) enum Filter {
    After(Timestamp),
    Before(Timestamp),
    Status(String),
    Document(String),
    /// `Executing` (`true`) or `Complete`.
    Stage(bool),
}

/// What a request's filters mean; `commands` says whether the listing is of commands.
pub(super) fn filters(asked: Option<Vec<AskedFilter>>, commands: bool) -> Result<Vec<Filter>, ApiError> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    if asked.is_empty() || asked.len() > 5 {
        let constraint = "Member must have length between 1 and 5";
        return Err(ApiError::validation(&format!("{} filters", asked.len()), "filters", constraint));
    }
    let parse = |filter: AskedFilter| {
        let (key, value) = (filter.key.unwrap_or_default(), filter.value.unwrap_or_default());
        if value.is_empty() || value.len() > 128 {
            let constraint = "Member must have length between 1 and 128";
            return Err(ApiError::validation(&value, "filters.1.member.value", constraint));
        }
        let time = || value.parse::<Timestamp>().map_err(|_| ApiError::new("InvalidFilterKey", ""));
        match key.as_str() {
            "InvokedAfter" => Ok(Filter::After(time()?)),
            "InvokedBefore" => Ok(Filter::Before(time()?)),
            "Status" => Ok(Filter::Status(value)),
            "DocumentName" => Ok(Filter::Document(value)),
            "ExecutionStage" if commands => match value.as_str() {
                "Executing" => Ok(Filter::Stage(true)),
                "Complete" => Ok(Filter::Stage(false)),
                _ => Err(ApiError::new("InvalidFilterKey", "")),
            },
            "ExecutionStage" => Err(ApiError::new("InvalidFilterKey", "")),
            _ => Err(ApiError::validation(
                &key,
                "filters.1.member.key",
                "Member must satisfy enum value set: [InvokedAfter, InvokedBefore, Status, ExecutionStage, DocumentName]",
            )),
        }
    };
    asked.into_iter().map(parse).collect()
}

impl Filter {
    /// Whether it lets something of a command through that has these details and this status.
    pub(super) fn lets_through(&self, command: &Command, details: &str, status: &str) -> bool {
        match self {
            Self::After(at) => command.requested >= *at,
            Self::Before(at) => command.requested < *at,
            Self::Document(name) => *command.document == **name,
            Self::Status(wanted) => wanted == status || wanted == details,
            Self::Stage(executing) => is_final(details) != *executing,
        }
    }
}
