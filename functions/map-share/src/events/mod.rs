//! EventBridge events: one small parser a kind, and the table of them.
//!
//! Tolerant of what is really sent: no envelope `version`, unknown members, `null`s, attributes without a value. It only
//! reads; what follows from an event is decided in [`crate::plan`].

mod container_instance;
mod spot_interruption;
mod state_change;
mod termination;

pub(crate) use container_instance::ContainerInstanceChange;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::ids::{InstanceId, InvalidId};
use shared::time;

use crate::outcome::{Kind, Reason};

/// What an event says, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A container instance changed: registered, (dis)connected, or a task on it started or stopped.
    ContainerInstance(ContainerInstanceChange),
    /// EC2 stops or starts the instance: what was proven before `at` is void.
    Restart {
        /// The instance.
        id: InstanceId,
        /// The event's own time, whole seconds.
        at: Timestamp,
    },
    /// The instance is about to be terminated.
    Ending {
        /// The instance.
        id: InstanceId,
        /// The event's own time, whole seconds.
        at: Timestamp,
    },
    /// Somebody asks for this instance, whatever its state.
    ByHand(InstanceId),
    /// Nothing to act on.
    Ignored {
        /// The instance, where the event names one.
        id: Option<String>,
        /// Why.
        reason: Reason,
    },
}

impl Event {
    /// Whom it is about, for logs and answers.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Event::ContainerInstance(change) => {
                Some(change.instance_id.as_ref().map_or(change.arn.as_str(), InstanceId::as_str))
            }
            Event::Restart { id, .. } | Event::Ending { id, .. } | Event::ByHand(id) => Some(id.as_str()),
            Event::Ignored { id, .. } => id.as_deref(),
        }
    }
}

/// A text that is no event, or an event that lacks what its kind must have.
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
    /// `detail` is not of its kind's form.
    #[error("detail cannot be read: {0}")]
    Detail(String),
    /// An identifier that is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// EventBridge's envelope. Its `version` is always "0" where it is there at all, so it is not read.
#[derive(Debug, Deserialize)]
struct Envelope {
    source: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    time: Option<String>,
    #[serde(default)]
    detail: Value,
}

impl Envelope {
    fn detail<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Unreadable> {
        T::deserialize(&self.detail).map_err(|error| Unreadable::Detail(error.to_string()))
    }

    /// Without its time an event cannot be put in order with what was proven.
    fn time(&self) -> Result<Timestamp, Unreadable> {
        self.time.as_deref().and_then(time::parse).ok_or(Unreadable::Missing("time"))
    }
}

/// An event kind and its parser.
struct Parser {
    kind: Kind,
    source: &'static str,
    detail_type: &'static str,
    parse: fn(&Envelope) -> Result<Event, Unreadable>,
}

const PARSERS: [Parser; 4] = [
    Parser {
        kind: Kind::ContainerInstance,
        source: "aws.ecs",
        detail_type: "ECS Container Instance State Change",
        parse: container_instance::parse,
    },
    Parser {
        kind: Kind::StateChange,
        source: "aws.ec2",
        detail_type: "EC2 Instance State-change Notification",
        parse: state_change::parse,
    },
    Parser {
        kind: Kind::SpotInterruption,
        source: "aws.ec2",
        detail_type: "EC2 Spot Instance Interruption Warning",
        parse: spot_interruption::parse,
    },
    Parser {
        kind: Kind::Termination,
        source: "aws.autoscaling",
        detail_type: "EC2 Instance-terminate Lifecycle Action",
        parse: termination::parse,
    },
];

/// Whether a JSON value claims to be an EventBridge event.
pub(crate) fn is_event(value: &Value) -> bool {
    value.get("detail-type").is_some()
}

/// Reads an EventBridge event. One of a kind that is not acted on is [`Event::Ignored`], not an error.
pub(crate) fn read(value: &Value) -> (Kind, Result<Event, Unreadable>) {
    let envelope = match Envelope::deserialize(value) {
        Ok(envelope) if envelope.detail_type.is_some() => envelope,
        Ok(_) => return (Kind::Other, Err(Unreadable::NotAnEvent("no detail-type".to_owned()))),
        Err(error) => return (Kind::Other, Err(Unreadable::NotAnEvent(error.to_string()))),
    };
    let is_of = |parser: &&Parser| {
        envelope.source.as_deref() == Some(parser.source)
            && envelope.detail_type.as_deref() == Some(parser.detail_type)
    };
    match PARSERS.iter().find(is_of) {
        Some(parser) => (parser.kind, (parser.parse)(&envelope)),
        None => (Kind::Other, Ok(Event::Ignored { id: None, reason: Reason::OtherKind })),
    }
}

/// Reads an instance's id out of an event and makes an event of it; an external instance's (`mi-…`) is ignored.
fn event_of(
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

/// An external instance, which is no EC2 instance and gets no command.
pub(crate) fn external(id: &str) -> Option<Event> {
    let id = id.trim();
    id.starts_with("mi-").then(|| Event::Ignored { id: Some(id.to_owned()), reason: Reason::External })
}
