//! The filters of `ListCommands` and `ListCommandInvocations`.

use jiff::Timestamp;
use serde::Deserialize;

use super::check_length;
use super::commands::{Command, is_final};
use crate::local_aws::reply::ApiError;

/// A filter of a request.
#[derive(Deserialize)]
pub(super) struct AskedFilter {
    key: Option<String>,
    value: Option<String>,
}

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    Commands,
    Invocations,
}

/// One condition of a listing.
pub(super) enum Filter {
    After(Timestamp),
    Before(Timestamp),
    Status(String),
    Document(String),
    Executing,
    Complete,
}

/// The filters of a request.
pub(super) fn filters(asked: Option<Vec<AskedFilter>>, listing: Listing) -> Result<Vec<Filter>, ApiError> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    check_length(asked.len(), 1, 5, "filters")?;
    let parse = |filter: AskedFilter| {
        let (key, value) = (filter.key.unwrap_or_default(), filter.value.unwrap_or_default());
        check_length(value.len(), 1, 128, "filters.1.member.value")?;
        let time = || value.parse::<Timestamp>().map_err(|_| ApiError::new("InvalidFilterKey", ""));
        match key.as_str() {
            "InvokedAfter" => Ok(Filter::After(time()?)),
            "InvokedBefore" => Ok(Filter::Before(time()?)),
            "Status" => Ok(Filter::Status(value)),
            "DocumentName" => Ok(Filter::Document(value)),
            "ExecutionStage" => match value.as_str() {
                "Executing" if listing == Listing::Commands => Ok(Filter::Executing),
                "Complete" if listing == Listing::Commands => Ok(Filter::Complete),
                _ => Err(ApiError::new("InvalidFilterKey", "")),
            },
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
    /// Whether a command, or an invocation of it, with that `StatusDetails` and that `Status` matches.
    pub(super) fn matches(&self, command: &Command, details: &str, status: &str) -> bool {
        match self {
            Self::After(at) => command.requested >= *at,
            Self::Before(at) => command.requested < *at,
            Self::Document(name) => *command.document == **name,
            Self::Status(wanted) => wanted == status || wanted == details,
            Self::Executing => !is_final(details),
            Self::Complete => is_final(details),
        }
    }
}
