//! The container instances of all watched clusters, as ECS has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::aws::AwsError;
use shared::ecs::{self, ContainerInstance};
use shared::ids::{ClusterRef, ContainerInstanceArn, InstanceId};

use crate::app::App;
use crate::fleet::{AgentState, Fleet, Instance};

/// ECS lists a new registration within this time.
const LISTING_DELAY: SignedDuration = SignedDuration::from_secs(15);

/// What ECS answered.
#[derive(Debug)]
pub struct Registrations {
    /// When it was asked.
    at: Timestamp,
    /// Windows instances.
    pub records: Vec<ContainerInstance>,
    /// Clusters that could not be read.
    pub failed: Vec<(ClusterRef, AwsError)>,
}

/// Reads every watched cluster; one that cannot be read does not cost the others.
pub async fn read_registrations(app: &App) -> Registrations {
    let mut found = Registrations { at: app.clients.now(), records: Vec::new(), failed: Vec::new() };
    for cluster in &app.config.clusters {
        match read_cluster(app, cluster, ecs::WINDOWS, &BTreeSet::new()).await {
            Ok(records) => found.records.extend(records),
            Err(error) => {
                tracing::error!(%cluster, error = %error, "cluster not read");
                found.failed.push((cluster.clone(), error));
            }
        }
    }
    found
}

async fn read_cluster(
    app: &App,
    cluster: &ClusterRef,
    filter: &str,
    known: &BTreeSet<&ContainerInstanceArn>,
) -> Result<Vec<ContainerInstance>, AwsError> {
    let mut arns = ecs::list_container_instances(app.clients.ecs(), cluster, filter).await?;
    arns.retain(|arn| !known.contains(arn));
    ecs::describe_container_instances(app.clients.ecs(), cluster, &app.names, &arns).await
}

impl Registrations {
    /// Adds the instances that have registered since the last reading. What cannot be read now is left to the next run.
    ///
    /// # Errors
    /// Those of the clusters that could not be read.
    pub async fn read_new(&mut self, app: &App) -> Vec<AwsError> {
        let filter = ecs::windows_since(self.at - LISTING_DELAY);
        self.at = app.clients.now();
        let known = self.records.iter().map(|record| &record.arn).collect();
        let (mut new, mut errors) = (Vec::new(), Vec::new());
        for cluster in &app.config.clusters {
            if self.failed.iter().any(|(failed, _)| failed == cluster) {
                continue;
            }
            match read_cluster(app, cluster, &filter, &known).await {
                Ok(records) => new.extend(records),
                Err(error) => errors.push(error),
            }
        }
        self.records.extend(new);
        errors
    }

    /// The next look starts from what we wrote; what others write is seen by the reading before each write.
    pub fn keep(&mut self, fleet: &Fleet) {
        for record in &mut self.records {
            if let Some(instance) = fleet.instances.get(&record.arn) {
                *record = instance.record.clone();
            }
        }
    }

    /// A cluster could not be read though it exists. In one that is gone there is no instance.
    pub(super) fn is_partial(&self) -> bool {
        self.failed.iter().any(|(_, error)| !error.is_cluster_gone())
    }

    /// The registration of each EC2 instance that counts; and the others, which are stale.
    pub(super) fn split(&self) -> (BTreeMap<ContainerInstanceArn, Instance>, Vec<ContainerInstance>) {
        let mut current: BTreeMap<&InstanceId, &ContainerInstance> = BTreeMap::new();
        for record in &self.records {
            let Some(id) = &record.instance_id else { continue };
            let best = current.entry(id).or_insert(record);
            if record.supersedes(best) {
                *best = record;
            }
        }
        let is_stale = |record: &&ContainerInstance| {
            record.instance_id.as_ref().is_some_and(|id| current[id].arn != record.arn)
        };
        let stale = self.records.iter().filter(is_stale).cloned().collect();
        let instances = current.into_iter().map(|(id, record)| {
            let (record, id) = (record.clone(), id.clone());
            let instance = Instance { record, id, results: Arc::default(), agent: AgentState::Unasked };
            (instance.record.arn.clone(), instance)
        });
        (instances.collect(), stale)
    }
}
