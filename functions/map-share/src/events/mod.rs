//! EventBridge events: one small parser a kind, and the table of them.
//!
//! They tolerate what is really sent: no envelope `version`, unknown members, `null`s, attributes without a value. They only
//! read; what follows from an event is decided in [`crate::plan`].

mod container_instance;
mod envelope;
mod event;
mod spot_interruption;
mod state_change;
mod termination;

pub(crate) use envelope::Unreadable;
pub(crate) use event::{ContainerInstanceChange, Event, external};

use serde::Deserialize;
use serde_json::Value;

use crate::outcome::{Kind, Reason};
use envelope::Envelope;

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

/// Whether a JSON value has the form of an EventBridge event.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_ends_unless_it_comes_back() {
        let spot = |action: &str| {
            let detail = json!({"instance-id": "i-00000000000000001", "instance-action": action});
            ("aws.ec2", "EC2 Spot Instance Interruption Warning", detail)
        };
        let terminated = |destination: &str| {
            let transition = "autoscaling:EC2_INSTANCE_TERMINATING";
            let detail = json!({
                "EC2InstanceId": "i-00000000000000001",
                "LifecycleTransition": transition,
                "Origin": "AutoScalingGroup",
                "Destination": destination,
            });
            ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", detail)
        };
        let table = [
            (spot("terminate"), true),
            (spot("stop"), false),
            (spot("hibernate"), false),
            (terminated("EC2"), true),
            (terminated("WarmPool"), false),
        ];
        for ((source, detail_type, detail), ends) in table {
            let event = json!({
                "source": source,
                "detail-type": detail_type,
                "time": "2026-11-22T08:00:00Z",
                "detail": detail,
            });
            let (_, read) = read(&event);
            assert_eq!(matches!(read, Ok(Event::Ending { .. })), ends, "{event}");
        }
    }
}
