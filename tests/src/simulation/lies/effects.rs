//! What a lie changes in the world.

use serde_json::Value;

use crate::local_aws::LocalAws;
use crate::simulation::world::exists;
use crate::simulation::world_event::{HostNumber, WorldEvent, id_of};

/// Applies a lie of a host, or of whoever writes attributes. Any other event does nothing.
pub(in crate::simulation) fn apply(aws: &mut LocalAws, event: &WorldEvent) {
    match event {
        WorldEvent::LiesBegin(host, answers) if exists(aws, *host) => {
            aws.world.host(&id_of(*host)).false_answers = answers.iter().cloned().collect();
        }
        WorldEvent::LiesEnd(host) if exists(aws, *host) => {
            aws.world.host(&id_of(*host)).false_answers.clear();
        }
        WorldEvent::Write(host, name, value) if exists(aws, *host) => {
            aws.operator_sets_attribute(&id_of(*host), name, value.as_deref());
        }
        WorldEvent::RegistersWith(host, name, value) if exists(aws, *host) => {
            aws.world.host(&id_of(*host)).attributes.push(((*name).to_owned(), value.clone()));
        }
        _ => {}
    }
}

/// A false event, with the registration that it names.
pub(in crate::simulation) fn forged(
    aws: &LocalAws,
    event: &Value,
    registration_of: Option<HostNumber>,
) -> Value {
    let mut event = event.clone();
    if let Some(instance) = registration_of.and_then(|host| aws.container_instance(&id_of(host))) {
        event["detail"]["containerInstanceArn"] = Value::from(&*instance.arn);
    }
    event
}
