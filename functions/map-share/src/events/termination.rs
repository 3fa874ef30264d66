//! EC2 Instance-terminate Lifecycle Action of an Auto Scaling group.
//!
//! Shape: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>. A group sends a
//! test notification, without an instance, when a hook is made.

use serde::Deserialize;

use super::envelope::{Envelope, Unreadable, event_of};
use super::event::Event;
use crate::outcome::Reason;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Detail {
    #[serde(rename = "EC2InstanceId")]
    ec2_instance_id: Option<String>,
    lifecycle_transition: Option<String>,
}

pub(super) fn parse(envelope: &Envelope) -> Result<Event, Unreadable> {
    let detail: Detail = envelope.detail()?;
    if detail.lifecycle_transition.as_deref() == Some("autoscaling:TEST_NOTIFICATION") {
        return Ok(Event::Ignored { id: None, reason: Reason::TestNotification });
    }
    event_of(detail.ec2_instance_id.as_deref(), "detail.EC2InstanceId", |id| {
        Ok(Event::Ending { id, at: envelope.time()? })
    })
}
