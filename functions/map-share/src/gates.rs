//! Carries out what an event alone can tell: a restarted host's gate is shut, an ending host's drain is released.
//!
//! It opens no gate and records no verdict: that takes a proof, and is `drain-unmapped`'s alone.

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::AwsError;
use shared::ecs::{self, AttributeWrite, AttributeWrites, ContainerInstance, NewAttribute, WriteResult};
use shared::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use shared::pace::Pace;

use crate::App;
use crate::batch::{Batch, RecordId};
use crate::input::Origin;
use crate::outcome::{Effect, Outcome, Reason};
use crate::plan::{self, Work};

/// What ECS knows of the instances that are named by their EC2 id alone, over all watched clusters.
#[derive(Debug, Default)]
pub(crate) struct Found {
    registrations: BTreeMap<InstanceId, Vec<ContainerInstance>>,
    /// Why a cluster could not be read: whom no other cluster knows may be registered there.
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

/// Finds the instances that EC2 and people name by id: EC2 events cannot be filtered by cluster, so most are foreign.
pub(crate) async fn find_named_by_id(app: &App, work: &Work, batch: &mut Batch) -> Found {
    let named = work.restarts.keys().chain(work.endings.keys()).chain(work.by_hand.keys());
    let ids: BTreeSet<InstanceId> = named.cloned().collect();
    let mut found = Found::default();
    for cluster in app.config.clusters.iter().filter(|_| !ids.is_empty()) {
        match find_in_cluster(app, cluster, &ids).await {
            Ok(instances) => {
                for instance in instances {
                    let Some(id) = instance.instance_id.clone() else { continue };
                    found.registrations.entry(id).or_default().push(instance);
                }
            }
            Err(error) => found.unread = Some(batch.failed(error)),
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
        // As an error it would come back with every batch, and no instance is in it.
        Err(error) if error.is_cluster_gone() => {
            tracing::error!(%cluster, "a watched cluster does not exist");
            return Ok(Vec::new());
        }
        found => found?,
    };
    ecs::describe_container_instances(client, cluster, &app.names(), &arns).await
}

/// What is to be written on one registration.
struct Write<'a> {
    entry: RecordId,
    effect: Effect,
    cluster: &'a ClusterRef,
    arn: &'a ContainerInstanceArn,
    attributes: Vec<NewAttribute>,
}

/// Shuts the gates of restarted instances, and releases the drains of those about to end.
pub(crate) async fn write(app: &App, work: &Work, found: &Found, origin: Origin, batch: &mut Batch) {
    let (names, now) = (app.names(), app.clients.now());
    let mut writes = Vec::new();
    for (id, restart) in &work.restarts {
        let shut = |live: &ContainerInstance| plan::shut(live, &names, restart.at, now);
        collect(found, id, (restart.entry, Effect::GateShut), shut, &mut writes, batch);
    }
    for (id, ending) in &work.endings {
        let release = |live: &ContainerInstance| plan::release(live, &names, ending.at);
        collect(found, id, (ending.entry, Effect::Released), release, &mut writes, batch);
    }
    if !app.may_act(origin) {
        batch.settle_all(writes.iter().map(|write| write.entry), &Outcome::Not(Reason::ReportMode));
        return;
    }
    put_all(app, &writes, batch).await;
}

/// Plans the writes for one instance; settles its record where there is nothing to write.
fn collect<'a>(
    found: &'a Found,
    id: &InstanceId,
    (entry, effect): (RecordId, Effect),
    plan: impl Fn(&ContainerInstance) -> Result<Vec<NewAttribute>, Reason>,
    writes: &mut Vec<Write<'a>>,
    batch: &mut Batch,
) {
    let registrations = match found.registrations(id) {
        Ok(registrations) => registrations,
        Err(outcome) => return batch.settle(entry, outcome),
    };
    let before = writes.len();
    let mut reason = Reason::NotWindows;
    for live in registrations.iter().filter(|live| live.is_windows) {
        match plan(live) {
            Ok(attributes) => {
                writes.push(Write { entry, effect, cluster: &live.cluster, arn: &live.arn, attributes });
            }
            Err(why) => reason = why,
        }
    }
    if writes.len() == before {
        batch.settle(entry, Outcome::Not(reason));
    }
}

/// Writes as many registrations a call as ECS takes attributes, at our share of the account's rate.
async fn put_all(app: &App, writes: &[Write<'_>], batch: &mut Batch) {
    let mut pace = Pace::new(app.config.policy.ecs_writes_per_second);
    // A record may need several writes; it is done when all are, and fails when one does.
    let mut outcomes: BTreeMap<RecordId, Outcome> = BTreeMap::new();
    let mut note = |entry: RecordId, outcome: Outcome| {
        let noted = outcomes.entry(entry).or_insert_with(|| outcome.clone());
        if !matches!(noted, Outcome::Failed(_)) && !matches!(outcome, Outcome::Not(_)) {
            *noted = outcome;
        }
    };
    for alike in writes.chunk_by(|a, b| a.cluster == b.cluster && a.effect == b.effect) {
        let (cluster, effect) = (alike[0].cluster, alike[0].effect);
        let alike = alike.iter().map(|write| AttributeWrite {
            arn: write.arn,
            attributes: write.attributes.clone(),
            subject: write.entry,
        });
        let mut alike = AttributeWrites::pack(cluster, alike);
        while let Some((group, result)) = alike.write_next(app.clients.ecs(), &mut pace).await {
            let outcome = match result {
                WriteResult::Written => Outcome::Did(effect),
                WriteResult::Gone => Outcome::Not(Reason::Gone),
                WriteResult::Failed(error) => Outcome::Failed(batch.failed(error)),
            };
            group.iter().for_each(|write| note(write.subject, outcome.clone()));
        }
    }
    for (entry, outcome) in outcomes {
        batch.settle(entry, outcome);
    }
}
