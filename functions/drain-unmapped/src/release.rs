//! Uninstalling: gives back what is provably ours and removes our attributes.
//!
//! It may be stopped anywhere and asked again: what is done is not done twice, and the attribute that proves a drain
//! is removed only once the instance is active again.

use aws_sdk_ecs::types::ContainerInstanceStatus;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::ecs::{self, ATTRIBUTES_A_CALL, ContainerInstance, Status};

use crate::act::Pace;
use crate::read::read_registrations;
use crate::{App, Error};

/// Time kept for the answer.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// Our attributes on an instance: gate, state, drain.
const OURS: usize = 3;

/// Works until it is done or its time is up, and says which: `{"done": false}` asks to be asked again.
pub async fn release(app: &App, deadline: Timestamp) -> Result<Value, Error> {
    let end = deadline.checked_sub(MARGIN).unwrap_or(deadline);
    let mut pace = Pace::new(app.config.policy.ecs_writes_per_second);
    let found = read_registrations(app, None).await;
    let (mut given_back, mut cleaned, mut failed, mut left_draining) = (0, 0, 0, Vec::new());
    let mut removable: Vec<&ContainerInstance> = Vec::new();
    let ours = || found.records.iter().filter(|record| record.attributes.any);
    for record in ours() {
        if app.clients.now() >= end {
            break;
        }
        if record.status != Status::Draining {
            removable.push(record);
            continue;
        }
        if !record.attributes.drain.is_ours() || record.attributes.hold {
            left_draining.push(record.arn.to_string());
            removable.push(record);
            continue;
        }
        pace.turn().await;
        let status = ContainerInstanceStatus::Active;
        match ecs::update_container_instance_state(app.clients.ecs(), &record.cluster, &record.arn, status)
            .await
        {
            Ok(()) => {
                tracing::warn!(cluster = %record.cluster, container_instance = record.arn.as_str(), "given back");
                given_back += 1;
                removable.push(record);
            }
            Err(error) => {
                tracing::error!(cluster = %record.cluster, container_instance = record.arn.as_str(), error = %error, "not given back");
                failed += 1;
            }
        }
    }
    for group in removable
        .chunk_by(|a, b| a.cluster == b.cluster)
        .flat_map(|same| same.chunks(ATTRIBUTES_A_CALL / OURS))
    {
        if app.clients.now() >= end {
            break;
        }
        let names = [&app.names.gate, &app.names.state, &app.names.drain].map(String::clone);
        let removals: Vec<_> = group.iter().map(|record| (&record.arn, names.to_vec())).collect();
        pace.turn().await;
        match ecs::delete_attributes(app.clients.ecs(), &group[0].cluster, &removals).await {
            Ok(()) => cleaned += group.len(),
            Err(error) => {
                tracing::error!(cluster = %group[0].cluster, error = %error, "attributes not removed");
                failed += group.len();
            }
        }
    }
    let remaining = ours().count() - cleaned;
    Ok(json!({
        "done": remaining == 0 && failed == 0 && found.failed.is_empty(),
        "givenBack": given_back,
        "cleaned": cleaned,
        "remaining": remaining,
        "leftDraining": left_draining,
        "unreadClusters": found.failed.iter().map(|(cluster, _)| cluster.to_string()).collect::<Vec<_>>(),
    }))
}
