//! Writes gates and states to the instances that are still as they were read: as many in one call as ECS takes, and one
//! instance's gate and state always in the same call. See docs/architecture.md, Attribute writes.

use std::collections::BTreeMap;

use shared::ecs::{self, AttributeWrite, AttributeWrites, ContainerInstance, NewAttribute, WriteResult};
use shared::ids::{ClusterRef, ContainerInstanceArn};

use crate::app::App;
use crate::decide::{GateWrite, Why, set};
use crate::fleet::Fleet;
use crate::run::{Run, instance_id};

/// A write with the record that it was decided on.
#[derive(Clone, Copy)]
struct Write<'p> {
    before: &'p ContainerInstance,
    planned: &'p GateWrite,
}

impl Write<'_> {
    /// The attributes that it sets: the gate where it changes, and the state where there is room for it.
    fn attributes(&self, app: &App) -> Vec<NewAttribute> {
        let verdict = &self.planned.verdict;
        let is_new_gate = verdict.gate != self.before.attributes.gate;
        let gate = is_new_gate.then(|| (app.names.gate.clone(), verdict.gate.as_str().to_owned()));
        let has_room = !self.before.lacks_room();
        let state = has_room.then(|| (app.names.state.clone(), app.names.print_state(&verdict.state)));
        gate.into_iter().chain(state).collect()
    }
}

/// Writes one phase, cluster by cluster.
pub(super) async fn write(run: &mut Run<'_>, fleet: &mut Fleet, planned: &[GateWrite]) {
    let records: BTreeMap<&ContainerInstanceArn, ContainerInstance> = planned
        .iter()
        .filter_map(|write| Some((&write.arn, fleet.instances.get(&write.arn)?.record.clone())))
        .collect();
    let mut by_cluster: BTreeMap<&ClusterRef, Vec<Write<'_>>> = BTreeMap::new();
    for planned in planned {
        if let Some(before) = records.get(&planned.arn) {
            by_cluster.entry(&before.cluster).or_default().push(Write { before, planned });
        }
    }
    for (cluster, writes) in by_cluster {
        // One reading for as many as one call describes, so that it is recent when their turn comes.
        for chunk in writes.chunks(ecs::INSTANCES_A_CALL) {
            if run.is_over() {
                return;
            }
            let unchanged = read_again(run, cluster, chunk).await;
            write_group(run, fleet, cluster, unchanged).await;
        }
    }
}

/// The writes whose instance is still as it was read.
async fn read_again<'p>(run: &mut Run<'_>, cluster: &ClusterRef, writes: &[Write<'p>]) -> Vec<Write<'p>> {
    let app = run.app;
    let arns: Vec<ContainerInstanceArn> = writes.iter().map(|write| write.before.arn.clone()).collect();
    let again = match ecs::describe_container_instances(app.clients.ecs(), cluster, &app.names, &arns).await {
        Ok(again) => again,
        Err(error) => {
            run.failed(writes[0].before, &error);
            return Vec::new();
        }
    };
    let is_unchanged = |write: &&Write<'p>| {
        let instance_id = instance_id(write.before);
        match again.iter().find(|record| record.arn == write.before.arn) {
            Some(record) if stands_as_before(record, write.before) => return true,
            Some(_) => tracing::info!(instance_id, "changed meanwhile, decided anew"),
            None => tracing::info!(instance_id, "deregistered meanwhile"),
        }
        false
    };
    writes.iter().filter(is_unchanged).copied().collect()
}

fn stands_as_before(now: &ContainerInstance, before: &ContainerInstance) -> bool {
    now.registered_at == before.registered_at
        && now.attributes.gate == before.attributes.gate
        && now.attributes.state == before.attributes.state
}

async fn write_group(run: &mut Run<'_>, fleet: &mut Fleet, cluster: &ClusterRef, writes: Vec<Write<'_>>) {
    let app = run.app;
    let writes = writes.into_iter().map(|write| AttributeWrite {
        arn: &write.before.arn,
        attributes: write.attributes(app),
        subject: write,
    });
    let mut writes = AttributeWrites::pack(cluster, writes);
    while let Some((group, result)) = writes.write_next(app.clients.ecs(), &mut run.pace).await {
        let first = group[0].subject.before;
        match result {
            WriteResult::Written => group.into_iter().for_each(|write| written(run, fleet, write.subject)),
            WriteResult::Gone => tracing::info!(instance_id = instance_id(first), "deregistered meanwhile"),
            WriteResult::Failed(error) => run.failed(first, &error),
        }
    }
}

/// Logs and counts a write, and notes it on the fleet.
fn written(run: &mut Run<'_>, fleet: &mut Fleet, write: Write<'_>) {
    let Some(instance) = fleet.instances.get_mut(&write.before.arn) else { return };
    let (before, GateWrite { verdict, why, .. }) = (&write.before.attributes, write.planned);
    let failure = if let Why::Failure(failure) = why { Some(failure) } else { None };
    let cause = failure.map_or("", |failure| failure.cause.as_str());
    tracing::info!(
        cluster = %instance.record.cluster,
        instance_id = instance.id.as_str(),
        gate_before = before.gate.as_str(),
        gate = verdict.gate.as_str(),
        state_before = before.state.state().map(|state| state.print()),
        state = verdict.state.print(),
        why = why.as_str(),
        cause = failure.map(|failure| failure.cause.as_str()),
        step = failure.map(|failure| failure.step.as_str()),
        host_cause = failure.map(|failure| failure.said.as_str()).filter(|said| *said != cause),
        host_message = failure.map(|failure| failure.message.as_str()),
        "judged"
    );
    run.statistics.written(write.before, write.planned, run.app.clients.now());
    set(&mut instance.record, verdict);
}
