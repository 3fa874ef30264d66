//! Finds the registrations of instances that are known by their EC2 id alone.

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::AwsError;
use shared::ecs::{self, ContainerInstance};
use shared::ids::{ClusterRef, InstanceId};

use crate::app::{App, Run};
use crate::outcome::{Outcome, Reason};
use crate::plan::Work;

/// What ECS knows of such instances, over all watched clusters.
#[derive(Debug, Default)]
pub(crate) struct Found {
    registrations: BTreeMap<InstanceId, Vec<ContainerInstance>>,
    /// Why a cluster could not be read: an instance that no other cluster knows may be registered there.
    unread: Option<String>,
}

impl Found {
    /// The registrations of an instance, at least one; or what becomes of a record that names one without any.
    pub(crate) fn registrations(&self, id: &InstanceId) -> Result<&[ContainerInstance], Outcome> {
        match (self.registrations.get(id), &self.unread) {
            (Some(registrations), _) => Ok(registrations),
            (None, Some(why)) => Err(Outcome::Failed(why.clone())),
            (None, None) => Err(Outcome::Not(Reason::NotRegistered)),
        }
    }

    /// Everything that was described.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ContainerInstance> {
        self.registrations.values().flatten()
    }
}

/// Finds the instances that EC2 and people name by id. EC2 events cannot be filtered by cluster, so most are foreign.
pub(crate) async fn find_named_by_id(run: &mut Run<'_>, work: &Work) -> Found {
    let named = work.restarts.keys().chain(work.endings.keys()).chain(work.by_hand.keys());
    let ids: BTreeSet<InstanceId> = named.cloned().collect();
    let mut found = Found::default();
    for cluster in run.app.config.clusters.iter().filter(|_| !ids.is_empty()) {
        match find_in_cluster(run.app, cluster, &ids).await {
            Ok(instances) => {
                for instance in instances {
                    let Some(id) = instance.instance_id.clone() else { continue };
                    found.registrations.entry(id).or_default().push(instance);
                }
            }
            Err(error) => found.unread = Some(run.batch.failed(error)),
        }
    }
    found
}

/// The registrations of EC2 instances in one cluster, described.
pub(crate) async fn find_in_cluster(
    app: &App,
    cluster: &ClusterRef,
    ids: &BTreeSet<InstanceId>,
) -> Result<Vec<ContainerInstance>, AwsError> {
    let client = app.clients.ecs();
    let arns = match ecs::find_container_instances(client, cluster, ids).await {
        // No instance is in it; as an error, the records would come back with every batch.
        Err(error) if error.is_cluster_gone() => {
            tracing::error!(%cluster, "a watched cluster does not exist");
            return Ok(Vec::new());
        }
        found => found?,
    };
    ecs::describe_container_instances(client, cluster, &app.names(), &arns).await
}
