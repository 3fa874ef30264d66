//! The filters of `ListCommands` and `ListCommandInvocations`.

use jiff::Timestamp;
use serde::Deserialize;

use super::check_length;
use super::commands::Command;
use crate::local_aws::reply::ApiError;

/// A filter of a request.
#[derive(Deserialize)]
pub(super) struct AskedFilter {
    key: Option<String>,
    value: Option<String>,
}

/// One condition of a listing: those that the functions use.
pub(super) enum Filter {
    After(Timestamp),
    Status(String),
    Document(String),
}

/// The filters of a request.
pub(super) fn filters(asked: Option<Vec<AskedFilter>>) -> Result<Vec<Filter>, ApiError> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    check_length(asked.len(), 1, 5, "filters")?;
    let parse = |filter: AskedFilter| {
        let (key, value) = (filter.key.unwrap_or_default(), filter.value.unwrap_or_default());
        check_length(value.len(), 1, 128, "filters.1.member.value")?;
        match key.as_str() {
            "InvokedAfter" => {
                value.parse().map(Filter::After).map_err(|_| ApiError::new("InvalidFilterKey", ""))
            }
            "Status" => Ok(Filter::Status(value)),
            "DocumentName" => Ok(Filter::Document(value)),
            _ => Err(ApiError::validation(
                &key,
                "filters.1.member.key",
                "Member must satisfy enum value set: [InvokedAfter, Status, DocumentName]",
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
            Self::Document(name) => *command.document == **name,
            Self::Status(wanted) => wanted == status || wanted == details,
        }
    }
}
