//! Sends the mapping command to whom live state, the agents and the brake allow.
//!
//! The order spares calls: what a command in flight names is dropped first, the rest is described, only what is left is
//! asked for its agent, and only then is the brake's evidence read. Whatever cannot be sent is left to the sweep.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::brake;
use shared::ecs::{self, ContainerInstance};
use shared::history::{Action, Command, WINDOW};
use shared::ids::{ClusterRef, InstanceId};
use shared::send::{self, CommandRequest, RateControl, TARGETS_A_COMMAND};
use shared::ssm;

use crate::App;
use crate::batch::{Batch, RecordId};
use crate::evidence;
use crate::gates::Found;
use crate::input::Origin;
use crate::outcome::{Effect, Outcome, Reason};
use crate::plan::{self, Candidate, Work};

/// Whom to send to, and whose record that is.
type Targets = BTreeMap<InstanceId, RecordId>;

/// Sends what the batch, or the person, asks for.
pub(crate) async fn send(app: &App, mut work: Work, found: &Found, origin: Origin, batch: &mut Batch) {
    drop_restarted(&mut work, batch);
    if work.candidates.is_empty() && work.by_hand.is_empty() {
        return;
    }
    let now = app.clients.now();
    let commands = match ssm::list_commands(app.clients.ssm(), &app.config.document, now - WINDOW).await {
        Ok(commands) => commands,
        Err(error) => {
            let why = Outcome::Failed(batch.failed(error));
            let entries = work.candidates.iter().map(|c| c.entry).chain(work.by_hand.values().copied());
            return batch.settle_all(entries, &why);
        }
    };
    let live = describe(app, &work, &commands, now, batch).await;
    let mut targets = choose(&work, &live, found, &commands, now, batch);
    keep_online(app, &mut targets, batch).await;
    let described: Vec<ContainerInstance> =
        live.into_iter().map(|(_, live)| live).chain(found.all().cloned()).collect();
    brake(app, &mut targets, &described, &commands, origin, batch).await;
    if !app.may_act(origin) {
        return batch.settle_all(targets.into_values(), &Outcome::Not(Reason::ReportMode));
    }
    send_to(app, &targets, batch).await;
}

/// An instance whose restart was just recorded is sent to by the sweep, when its agent is back.
fn drop_restarted(work: &mut Work, batch: &mut Batch) {
    let Work { candidates, restarts, .. } = work;
    candidates.retain(|candidate| {
        let restart = candidate.instance_id.as_ref().and_then(|id| restarts.get(id));
        let is_shut =
            restart.is_some_and(|r| batch.outcome(r.entry) == Some(&Outcome::Did(Effect::GateShut)));
        if is_shut {
            batch.settle(candidate.entry, Outcome::Not(Reason::HasState));
        }
        !is_shut
    });
}

/// Describes the candidates that no command names, 100 a call.
async fn describe(
    app: &App,
    work: &Work,
    commands: &[Command],
    now: Timestamp,
    batch: &mut Batch,
) -> Vec<(RecordId, ContainerInstance)> {
    let mut by_cluster: BTreeMap<&ClusterRef, Vec<&Candidate>> = BTreeMap::new();
    for candidate in &work.candidates {
        let named = candidate.instance_id.as_ref().zip(candidate.registered_at);
        match named.and_then(|(id, registered_at)| plan::named_by(commands, id, registered_at, now)) {
            Some(reason) => batch.settle(candidate.entry, Outcome::Not(reason)),
            None => by_cluster.entry(&candidate.cluster).or_default().push(candidate),
        }
    }
    let mut live = Vec::new();
    for (cluster, candidates) in by_cluster {
        for group in candidates.chunks(ecs::INSTANCES_A_CALL) {
            let arns: Vec<_> = group.iter().map(|candidate| candidate.arn.clone()).collect();
            let described =
                ecs::describe_container_instances(app.clients.ecs(), cluster, &app.names(), &arns).await;
            let described = match described {
                Ok(described) => described,
                Err(error) => {
                    let why = Outcome::Failed(batch.failed(error));
                    batch.settle_all(group.iter().map(|candidate| candidate.entry), &why);
                    continue;
                }
            };
            for candidate in group {
                match described.iter().find(|live| live.arn == candidate.arn) {
                    Some(found) => live.push((candidate.entry, found.clone())),
                    None => batch.settle(candidate.entry, Outcome::Not(Reason::Gone)),
                }
            }
        }
    }
    live
}

/// Chooses the instances that live state allows to be sent to, each once.
fn choose(
    work: &Work,
    live: &[(RecordId, ContainerInstance)],
    found: &Found,
    commands: &[Command],
    now: Timestamp,
    batch: &mut Batch,
) -> Targets {
    let mut targets = Targets::new();
    for (entry, instance) in live {
        let same = live.iter().map(|(_, other)| other).filter(|o| o.instance_id == instance.instance_id);
        let allowed = match plan::newest_connected(same) {
            Some(newest) if newest.arn != instance.arn => Err(Reason::Superseded),
            _ => plan::allows(instance, commands, now),
        };
        match allowed {
            Ok(id) => {
                targets.insert(id, *entry);
            }
            Err(reason) => batch.settle(*entry, Outcome::Not(reason)),
        }
    }
    for (id, entry) in &work.by_hand {
        let allowed = found.registrations(id).and_then(|registrations| {
            plan::allows_by_hand(registrations, commands, now).map_err(Outcome::Not)
        });
        match allowed {
            Ok(id) => {
                targets.insert(id, *entry);
            }
            Err(outcome) => batch.settle(*entry, outcome),
        }
    }
    targets
}

/// Drops those whose SSM agent is not online: agents come late and in herds, and that is no failure.
async fn keep_online(app: &App, targets: &mut Targets, batch: &mut Batch) {
    if targets.is_empty() {
        return;
    }
    let ids = targets.keys().cloned().collect();
    match ssm::describe_agents(app.clients.ssm(), &ids).await {
        Ok(agents) => targets.retain(|id, entry| {
            let is_online = agents.get(id).is_some_and(|agent| agent.is_online);
            if !is_online {
                batch.settle(*entry, Outcome::Not(Reason::AgentOffline));
            }
            is_online
        }),
        Err(error) => {
            let why = Outcome::Failed(batch.failed(error));
            batch.settle_all(std::mem::take(targets).into_values(), &why);
        }
    }
}

/// Asks the credential brake, for all at once: a password is everybody's.
async fn brake(
    app: &App,
    targets: &mut Targets,
    described: &[ContainerInstance],
    commands: &[Command],
    origin: Origin,
    batch: &mut Batch,
) {
    if targets.is_empty() {
        return;
    }
    let now = app.clients.now();
    let allowed = match evidence::read(app, described, commands, now).await {
        Ok(evidence) => {
            let brake = brake::assess(&evidence);
            plan::may_present(brake.password, origin, targets.len(), commands, now)
        }
        // In doubt nothing is sent. It is not these records' own call, so they do not come again: the sweep has them.
        Err(error) => {
            batch.failed(error);
            Err(Reason::Doubt)
        }
    };
    if let Err(reason) = allowed {
        batch.settle_all(std::mem::take(targets).into_values(), &Outcome::Not(reason));
    }
}

/// Sends in groups, each settled as soon as it is known: the time may end between two.
async fn send_to(app: &App, targets: &Targets, batch: &mut Batch) {
    let request = CommandRequest {
        document: &app.config.document,
        stack: &app.config.stack,
        action: Action::Map,
        rate_control: RateControl::ALL_AT_ONCE,
    };
    let ids: Vec<InstanceId> = targets.keys().cloned().collect();
    let entries = |ids: &[InstanceId]| -> Vec<RecordId> { ids.iter().map(|id| targets[id]).collect() };
    for group in ids.chunks(TARGETS_A_COMMAND) {
        let sent = send::send_in_groups(app.clients.ssm(), &request, group, TARGETS_A_COMMAND).await;
        for (command, instances) in sent.commands {
            batch.settle_all(entries(&instances), &Outcome::Did(Effect::Sent));
            batch.sent(command, instances);
        }
        batch.settle_all(entries(&sent.not_online), &Outcome::Not(Reason::AgentOffline));
        for (error, instances) in sent.failed {
            let why = Outcome::Failed(batch.failed(error));
            batch.settle_all(entries(&instances), &why);
        }
    }
}
