//! What all EventBridge events have in common, and why one cannot be read.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::ids::{InstanceId, InvalidId};
use shared::time;

use super::event::{Event, external};

/// Why a text is no event, or an event cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The body of a record.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A record without a body, or none at all.
    #[error("the record has no body")]
    NoBody,
    /// JSON of another form.
    #[error("neither an SQS batch, nor an EventBridge event, nor {{\"instanceIds\": [\"i-...\"]}}: {0}")]
    NotAnEvent(String),
    /// A member of the event is missing, `null` or of the wrong type.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// `detail` does not have the form of its kind.
    #[error("detail cannot be read: {0}")]
    Detail(String),
    /// An identifier has the wrong form.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// EventBridge's envelope. Its `version` is not read: it is "0" or missing.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    pub(super) source: Option<String>,
    #[serde(rename = "detail-type")]
    pub(super) detail_type: Option<String>,
    time: Option<String>,
    #[serde(default)]
    detail: Value,
}

impl Envelope {
    pub(super) fn detail<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Unreadable> {
        T::deserialize(&self.detail).map_err(|error| Unreadable::Detail(error.to_string()))
    }

    /// The event's time, without which it cannot be compared with proofs.
    pub(super) fn time(&self) -> Result<Timestamp, Unreadable> {
        self.time.as_deref().and_then(time::parse).ok_or(Unreadable::Missing("time"))
    }
}

/// Makes an event of an instance's id; one of an external instance (`mi-…`) is ignored.
pub(super) fn event_of(
    id: Option<&str>,
    member: &'static str,
    make: impl FnOnce(InstanceId) -> Result<Event, Unreadable>,
) -> Result<Event, Unreadable> {
    let id = id.ok_or(Unreadable::Missing(member))?;
    match external(id) {
        Some(external) => Ok(external),
        None => make(InstanceId::parse(id)?),
    }
}
