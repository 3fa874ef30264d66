//! EC2 Spot Instance Interruption Warning, two minutes before the instance is terminated, stopped or hibernated.
//!
//! Shape: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>

use serde::Deserialize;

use super::envelope::{Envelope, Unreadable, event_of};
use super::event::Event;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    instance_id: Option<String>,
}

pub(super) fn parse(envelope: &Envelope) -> Result<Event, Unreadable> {
    let detail: Detail = envelope.detail()?;
    event_of(detail.instance_id.as_deref(), "detail.instance-id", |id| {
        Ok(Event::Ending { id, at: envelope.time()? })
    })
}
