//! EC2 Instance-terminate Lifecycle Action of an Auto Scaling group.
//!
//! Shape: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>. A group sends a
//! test notification, without an instance, when a hook is made. An instance that goes to a warm pool comes back: it is
//! stopped, hibernated or kept running there.

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
    destination: Option<String>,
}

pub(super) fn parse(envelope: &Envelope) -> Result<Event, Unreadable> {
    let detail: Detail = envelope.detail()?;
    if detail.lifecycle_transition.as_deref() == Some("autoscaling:TEST_NOTIFICATION") {
        return Ok(Event::Ignored { id: None, reason: Reason::TestNotification });
    }
    let returns = detail.destination.as_deref() == Some("WarmPool");
    event_of(detail.ec2_instance_id.as_deref(), "detail.EC2InstanceId", |id| match returns {
        true => Ok(Event::Ignored { id: Some(id.into()), reason: Reason::Returns }),
        false => Ok(Event::Ending { id, at: envelope.time()? }),
    })
}
