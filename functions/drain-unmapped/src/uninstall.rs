//! Uninstalling, as `{"release": true}` asks for it: gives back what is provably ours and removes our attributes.
//!
//! It may be stopped at any call and asked again. The attribute that proves a drain is removed only once the instance is
//! active again.

use aws_sdk_ecs::types::ContainerInstanceStatus;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::ecs::{self, ATTRIBUTES_A_CALL, ContainerInstance, Status};
use shared::pace::Pace;

use crate::app::App;
use crate::error::Error;
use crate::observe::{Registrations, read_registrations};

/// Kept back for the answer.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// Our attributes on an instance: gate, state, drain.
const OURS: usize = 3;

/// Works until it is done or its time is up, and says which: `{"done": false}` means that it has to be asked again.
///
/// # Errors
/// None today; what fails is counted in the answer.
pub async fn uninstall(app: &App, deadline: Timestamp) -> Result<Value, Error> {
    let end = deadline.checked_sub(MARGIN).unwrap_or(deadline);
    let found = read_registrations(app).await;
    let mut uninstall = Uninstall {
        app,
        end,
        pace: Pace::new(app.config.policy.ecs_writes_per_second),
        counts: Counts::default(),
    };
    let removable = uninstall.give_back(&found).await;
    uninstall.remove_attributes(&removable).await;
    let Counts { given_back, cleaned, failed, left_draining } = uninstall.counts;
    let remaining = ours(&found).count() - cleaned;
    Ok(json!({
        "done": remaining == 0 && failed == 0 && found.failed.is_empty(),
        "givenBack": given_back,
        "cleaned": cleaned,
        "remaining": remaining,
        "leftDraining": left_draining,
        "unreadClusters": found.failed.iter().map(|(cluster, _)| cluster.to_string()).collect::<Vec<_>>(),
    }))
}

/// The registrations that have an attribute of ours.
fn ours(found: &Registrations) -> impl Iterator<Item = &ContainerInstance> {
    // What another stack with this letter wrote stays.
    found.records.iter().filter(|record| record.attributes.any() && !record.attributes.is_of_other_stack)
}

struct Uninstall<'a> {
    app: &'a App,
    end: Timestamp,
    pace: Pace,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    given_back: usize,
    cleaned: usize,
    failed: usize,
    left_draining: Vec<String>,
}

impl Uninstall<'_> {
    fn is_over(&self) -> bool {
        self.app.clients.now() >= self.end
    }

    /// Makes the instances active that we provably drained. Returns those whose attributes may be removed.
    async fn give_back<'r>(&mut self, found: &'r Registrations) -> Vec<&'r ContainerInstance> {
        let mut removable = Vec::new();
        for record in ours(found) {
            if self.is_over() {
                break;
            }
            if record.status != Status::Draining {
                removable.push(record);
                continue;
            }
            if !record.attributes.drain.is_ours() || record.attributes.hold {
                self.counts.left_draining.push(record.arn.to_string());
                removable.push(record);
                continue;
            }
            self.pace.turn().await;
            let (cluster, container_instance) = (&record.cluster, record.arn.as_str());
            let status = ContainerInstanceStatus::Active;
            let client = self.app.clients.ecs();
            match ecs::update_container_instance_state(client, cluster, &record.arn, status).await {
                Ok(()) => {
                    tracing::warn!(%cluster, container_instance, "given back");
                    self.counts.given_back += 1;
                    removable.push(record);
                }
                Err(error) => {
                    tracing::error!(%cluster, container_instance, error = %error, "not given back");
                    self.counts.failed += 1;
                }
            }
        }
        removable
    }

    async fn remove_attributes(&mut self, removable: &[&ContainerInstance]) {
        for group in removable
            .chunk_by(|a, b| a.cluster == b.cluster)
            .flat_map(|same| same.chunks(ATTRIBUTES_A_CALL / OURS))
        {
            if self.is_over() {
                break;
            }
            let names = &self.app.names;
            let names = [&names.gate, &names.state, &names.drain].map(String::clone);
            let removals: Vec<_> = group.iter().map(|record| (&record.arn, names.to_vec())).collect();
            self.pace.turn().await;
            match ecs::delete_attributes(self.app.clients.ecs(), &group[0].cluster, &removals).await {
                Ok(()) => self.counts.cleaned += group.len(),
                Err(error) => {
                    tracing::error!(cluster = %group[0].cluster, error = %error, "attributes not removed");
                    self.counts.failed += group.len();
                }
            }
        }
    }
}
