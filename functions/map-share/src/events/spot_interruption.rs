//! EC2 Spot Instance Interruption Warning, two minutes before the instance is terminated, stopped or hibernated. One that is
//! stopped or hibernated comes back.
//!
//! Shape: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>

use serde::Deserialize;

use super::envelope::{Envelope, Unreadable, event_of};
use super::event::Event;
use crate::outcome::Reason;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    instance_id: Option<String>,
    instance_action: Option<String>,
}

pub(super) fn parse(envelope: &Envelope) -> Result<Event, Unreadable> {
    let detail: Detail = envelope.detail()?;
    let returns = matches!(detail.instance_action.as_deref(), Some("stop" | "hibernate"));
    event_of(detail.instance_id.as_deref(), "detail.instance-id", |id| match returns {
        true => Ok(Event::Ignored { id: Some(id.into()), reason: Reason::Returns }),
        false => Ok(Event::Ending { id, at: envelope.time()? }),
    })
}
