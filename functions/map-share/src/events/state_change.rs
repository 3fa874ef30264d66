//! EC2 Instance State-change Notification. EC2 sends none for a reboot.
//!
//! States: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html>

use serde::Deserialize;

use super::envelope::{Envelope, Unreadable, event_of};
use super::event::Event;
use crate::outcome::Reason;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    instance_id: Option<String>,
    state: Option<String>,
}

pub(super) fn parse(envelope: &Envelope) -> Result<Event, Unreadable> {
    let detail: Detail = envelope.detail()?;
    let state = detail.state.ok_or(Unreadable::Missing("detail.state"))?;
    event_of(detail.instance_id.as_deref(), "detail.instance-id", |id| match state.as_str() {
        "stopping" | "stopped" | "running" => Ok(Event::Restart { id, at: envelope.time()? }),
        _ => Ok(Event::Ignored { id: Some(id.into()), reason: Reason::OtherState }),
    })
}
