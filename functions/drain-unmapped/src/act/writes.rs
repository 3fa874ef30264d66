//! Gates and states, written to the instances that still stand as they were read: as many in one call as ECS takes, one
//! instance's gate and state never in two.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::ecs::{self, ATTRIBUTES_A_CALL, ContainerInstance};
use shared::ids::{ClusterRef, ContainerInstanceArn};
use shared::state::{Gate, StateAttribute};

use super::{Pace, failed, instance_id, is_over};
use crate::App;
use crate::decide::{Action, Plan, Why};
use crate::fleet::Fleet;
use crate::statistics::RunStatistics;
use crate::verdict::Verdict;

/// A write to one instance: what it rests on, and what it shall say.
struct Write<'p> {
    before: ContainerInstance,
    verdict: &'p Verdict,
    why: &'p Why,
}

impl Write<'_> {
    fn opens(&self) -> bool {
        self.verdict.gate == Gate::Mapped && self.before.attributes.gate == Gate::Shut
    }
}

/// Writes the plan's verdicts: those that open a gate, or the others.
pub(super) async fn write_states(
    app: &App,
    pace: &mut Pace,
    fleet: &mut Fleet,
    plan: &Plan,
    statistics: &mut RunStatistics,
    end: Timestamp,
    opening: bool,
) {
    let mut by_cluster: BTreeMap<ClusterRef, Vec<Write<'_>>> = BTreeMap::new();
    for action in &plan.actions {
        let Action::Write { arn, verdict, why } = action else { continue };
        let Some(instance) = fleet.instances.get(arn) else { continue };
        let write = Write { before: instance.record.clone(), verdict, why };
        if write.opens() == opening {
            by_cluster.entry(instance.record.cluster.clone()).or_default().push(write);
        }
    }
    for (cluster, writes) in by_cluster {
        // One reading for as many as one call describes, so that it is young when their turn comes.
        for chunk in writes.chunks(ecs::INSTANCES_A_CALL) {
            if is_over(app, end) {
                return;
            }
            let arns: Vec<ContainerInstanceArn> =
                chunk.iter().map(|write| write.before.arn.clone()).collect();
            let again =
                ecs::describe_container_instances(app.clients.ecs(), &cluster, &app.names, &arns).await;
            let again = match again {
                Ok(again) => again,
                Err(error) => {
                    failed(statistics, &chunk[0].before, &error);
                    continue;
                }
            };
            let mut still: Vec<&Write<'_>> = Vec::new();
            for write in chunk {
                match again.iter().find(|record| record.arn == write.before.arn) {
                    Some(record) if stands_as_before(record, &write.before) => still.push(write),
                    Some(_) => tracing::info!(
                        instance_id = instance_id(&write.before),
                        "changed meanwhile, decided anew"
                    ),
                    None => {
                        tracing::info!(instance_id = instance_id(&write.before), "deregistered meanwhile");
                    }
                }
            }
            write_group(app, pace, fleet, &cluster, still, statistics).await;
        }
    }
}

fn stands_as_before(now: &ContainerInstance, before: &ContainerInstance) -> bool {
    now.registered_at == before.registered_at
        && now.attributes.gate == before.attributes.gate
        && now.attributes.state == before.attributes.state
}

/// The attributes that a write sets: the state, and the gate where it changes.
fn attributes(app: &App, write: &Write<'_>) -> Vec<ecs::NewAttribute> {
    let mut attributes = vec![(app.names.state.clone(), write.verdict.state.print())];
    if write.verdict.gate != write.before.attributes.gate {
        attributes.insert(0, (app.names.gate.clone(), write.verdict.gate.as_str().to_owned()));
    }
    attributes
}

async fn write_group(
    app: &App,
    pace: &mut Pace,
    fleet: &mut Fleet,
    cluster: &ClusterRef,
    writes: Vec<&Write<'_>>,
    statistics: &mut RunStatistics,
) {
    // Packed so that no instance's gate and state part; a group that ECS refuses because one of it is gone is halved.
    let mut groups: Vec<Vec<&Write<'_>>> = Vec::new();
    let mut room = 0;
    for write in writes {
        let size = attributes(app, write).len();
        match groups.last_mut() {
            Some(group) if size <= room => group.push(write),
            _ => {
                groups.push(vec![write]);
                room = ATTRIBUTES_A_CALL;
            }
        }
        room -= size;
    }
    groups.reverse();
    while let Some(group) = groups.pop() {
        let request: Vec<(&ContainerInstanceArn, Vec<ecs::NewAttribute>)> =
            group.iter().map(|write| (&write.before.arn, attributes(app, write))).collect();
        pace.turn().await;
        match ecs::put_attributes(app.clients.ecs(), cluster, &request).await {
            Ok(()) => {
                for write in group {
                    written(app, fleet, write, statistics);
                }
            }
            Err(error) if error.is_target_gone() && group.len() > 1 => {
                let (first, second) = group.split_at(group.len() / 2);
                groups.push(second.to_vec());
                groups.push(first.to_vec());
            }
            Err(error) if error.is_target_gone() => {
                tracing::info!(instance_id = instance_id(&group[0].before), "deregistered meanwhile");
            }
            Err(error) => failed(statistics, &group[0].before, &error),
        }
    }
}

fn written(app: &App, fleet: &mut Fleet, write: &Write<'_>, statistics: &mut RunStatistics) {
    let Some(instance) = fleet.instances.get_mut(&write.before.arn) else { return };
    let (before, after) = (&write.before.attributes, write.verdict);
    let (cause, said, step, message) = match write.why {
        Why::Failure(failure) => (None, Some(&failure.said), Some(&failure.step), Some(&failure.message)),
        Why::Silent => (Some("silent"), None, None, None),
        Why::NoResult => (Some("no word"), None, None, None),
        Why::Tidied => (Some("attributes put in order"), None, None, None),
        Why::Proof(_) => (None, None, None, None),
    };
    tracing::info!(
        cluster = %instance.record.cluster,
        instance_id = instance.id.as_str(),
        gate_before = before.gate.as_str(),
        gate = after.gate.as_str(),
        state_before = before.state.state().map(|state| state.print()),
        state = after.state.print(),
        why = cause,
        cause = said,
        step,
        message,
        "judged"
    );
    statistics.judged(&write.before, after, write.why, app.clients.now());
    instance.record.attributes.gate = after.gate;
    instance.record.attributes.state = StateAttribute::Known(after.state.clone());
    instance.record.attributes.any = true;
}
