//! Reads the fleet with as few calls as pages allow.
//!
//! Invocations are listed only of commands with a target not yet judged, and only once something of them is over, or
//! where a refused credential has to be looked at again. What is final does not change, so it is kept for later looks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::brake::Parameters;
use shared::cause::Class;
use shared::ecs::{self, ContainerInstance, EcsError};
use shared::history::{Action, Command, Invocation, WINDOW};
use shared::ids::{ClusterRef, CommandId, ContainerInstanceArn, InstanceId};
use shared::invocation::{InvocationResult, interpret, is_stopped};
use shared::ssm::{self, SsmError};
use shared::state::State;

use crate::App;
use crate::fleet::{AgentState, Answer, Fleet, Instance, UnconfirmedSend};
use crate::sends::Asked;

/// What a warm sandbox remembers. All of it can be lost without harm.
#[derive(Debug, Default)]
pub struct Memory {
    /// Commands we sent: SSM may list them late.
    pub sent: Vec<Command>,
    /// Sends without an answer.
    pub unconfirmed: Vec<UnconfirmedSend>,
    /// Invocations by command, with how much of it was over when they were read.
    invocations: BTreeMap<CommandId, Read>,
}

#[derive(Debug)]
struct Read {
    completed: usize,
    was_past_deadline: bool,
    invocations: Vec<Invocation>,
}

/// The container instances of all watched clusters, as ECS has them.
#[derive(Debug, Default)]
pub struct Registrations {
    /// Windows instances.
    pub records: Vec<ContainerInstance>,
    /// Clusters that could not be read.
    pub failed: Vec<(ClusterRef, EcsError)>,
}

/// Reads every watched cluster; one that cannot be read does not cost the others.
pub async fn read_registrations(app: &App, only: Option<&ClusterRef>) -> Registrations {
    let mut found = Registrations::default();
    for cluster in app.config.clusters.iter().filter(|cluster| only.is_none_or(|only| only == *cluster)) {
        match read_cluster(app, cluster).await {
            Ok(records) => found.records.extend(records),
            Err(error) => {
                tracing::error!(%cluster, error = %error, "cluster not read");
                found.failed.push((cluster.clone(), error));
            }
        }
    }
    found
}

async fn read_cluster(app: &App, cluster: &ClusterRef) -> Result<Vec<ContainerInstance>, EcsError> {
    let arns = ecs::list_container_instances(app.clients.ecs(), cluster, ecs::WINDOWS).await?;
    ecs::describe_container_instances(app.clients.ecs(), cluster, &app.names, &arns).await
}

/// When the parameters last changed.
pub async fn read_parameters(app: &App) -> Result<Parameters, SsmError> {
    let parameters = ssm::describe_parameters(app.clients.ssm(), &app.config.parameters).await;
    parameters.inspect_err(|error| {
        tracing::error!(error = %error, "parameters' dates not read, no password is presented");
    })
}

/// Reads SSM's history and builds the fleet from everything.
pub async fn read_fleet(
    app: &App,
    memory: &mut Memory,
    found: &Registrations,
    parameters: Parameters,
) -> Result<Fleet, SsmError> {
    let now = app.clients.now();
    let mut commands = ssm::list_commands(app.clients.ssm(), &app.config.document, now - WINDOW).await?;
    memory.forget(now);
    for sent in &memory.sent {
        if !commands.iter().any(|command| command.id == sent.id) {
            commands.push(sent.clone());
        }
    }
    // A send whose answer was lost has shown up: it is known now.
    memory.unconfirmed.retain(|lost| {
        let targets: BTreeSet<&InstanceId> = lost.targets.iter().collect();
        let is_it = |command: &Command| {
            command.action == lost.action
                && command.requested_at >= lost.at - DOUBT
                && command.instances.iter().collect::<BTreeSet<_>>() == targets
        };
        !commands.iter().any(is_it)
    });
    commands.sort_by(|a, b| (a.requested_at, &a.id).cmp(&(b.requested_at, &b.id)));

    let (mut instances, stale_registrations) = registrations(&found.records);
    let wanted = commands_to_read(&commands, &instances, now);
    for command in commands.iter().filter(|command| wanted.contains(&command.id)) {
        memory.read_invocations(app, command, now).await?;
    }
    for command in &commands {
        give_answers(app, memory, command, &mut instances, now);
    }
    Ok(Fleet {
        instances,
        stale_registrations,
        commands,
        unconfirmed_sends: memory.unconfirmed.clone(),
        parameters,
        // A cluster that is gone has nobody in it.
        is_partial: found.failed.iter().any(|(_, error)| !error.is_cluster_gone()),
    })
}

/// How far SSM's clock may be behind ours when a lost send is looked for.
const DOUBT: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// Asks for the agents and writes them down.
pub async fn read_agents(app: &App, fleet: &mut Fleet, asked: &Asked) -> Result<(), SsmError> {
    ask(app, fleet, &asked.all).await?;
    let mut online = 0;
    for ids in asked.in_turn.chunks(ssm::AGENTS_A_CALL) {
        if online >= asked.enough {
            return Ok(());
        }
        online += ask(app, fleet, &ids.iter().cloned().collect()).await?;
    }
    Ok(())
}

/// How many of them are online.
async fn ask(app: &App, fleet: &mut Fleet, ids: &BTreeSet<InstanceId>) -> Result<usize, SsmError> {
    let agents = ssm::describe_agents(app.clients.ssm(), ids).await?;
    for instance in fleet.instances.values_mut().filter(|instance| ids.contains(&instance.id)) {
        instance.agent = match agents.get(&instance.id) {
            Some(agent) if agent.is_online => AgentState::Online,
            agent => AgentState::Offline { last_ping: agent.and_then(|agent| agent.last_ping) },
        };
    }
    Ok(agents.values().filter(|agent| agent.is_online).count())
}

/// Of several registrations of one EC2 instance the newest connected one counts; the others are stale_registrations.
fn registrations(
    records: &[ContainerInstance],
) -> (BTreeMap<ContainerInstanceArn, Instance>, Vec<ContainerInstance>) {
    let mut newest: BTreeMap<&InstanceId, &ContainerInstance> = BTreeMap::new();
    let rank = |record: &ContainerInstance| (record.is_connected, record.registered_at, record.arn.clone());
    for record in records {
        let Some(id) = &record.instance_id else { continue };
        newest
            .entry(id)
            .and_modify(|best| {
                if rank(record) > rank(best) {
                    *best = record;
                }
            })
            .or_insert(record);
    }
    let stale_registrations = records
        .iter()
        .filter(|record| record.instance_id.as_ref().is_some_and(|id| newest[id].arn != record.arn))
        .cloned()
        .collect();
    let instances = newest
        .into_iter()
        .map(|(id, record)| {
            let instance = Instance {
                record: record.clone(),
                id: id.clone(),
                answers: Vec::new(),
                agent: AgentState::Unasked,
            };
            (record.arn.clone(), instance)
        })
        .collect();
    (instances, stale_registrations)
}

/// The commands whose invocations have something to say that is not known yet.
fn commands_to_read(
    commands: &[Command],
    instances: &BTreeMap<ContainerInstanceArn, Instance>,
    now: Timestamp,
) -> BTreeSet<CommandId> {
    let by_id: BTreeMap<&InstanceId, &Instance> = instances.values().map(|i| (&i.id, i)).collect();
    let is_wanted = |command: &&Command| {
        let is_over = command.completed > 0 || command.is_final || command.is_past_deadline(now);
        command.instances.iter().filter_map(|id| by_id.get(id)).any(|instance| {
            let not_judged = is_over && command.requested_at > instance.floor();
            let refused = match instance.state() {
                Some(State::Unmapped { judged, cause, .. }) => {
                    cause.class() == Class::Credentials && *judged == command.requested_at
                }
                // A password that was refused before the restart is no better after it.
                Some(State::Restarted { .. }) => is_over && command.action == Action::Map,
                _ => false,
            };
            not_judged || refused
        })
    };
    commands.iter().filter(is_wanted).map(|command| command.id.clone()).collect()
}

fn give_answers(
    app: &App,
    memory: &Memory,
    command: &Command,
    instances: &mut BTreeMap<ContainerInstanceArn, Instance>,
    now: Timestamp,
) {
    let read = memory.invocations.get(&command.id);
    let is_past_deadline = command.is_past_deadline(now);
    let targets: BTreeSet<&InstanceId> = command.instances.iter().collect();
    for instance in instances.values_mut().filter(|instance| targets.contains(&instance.id)) {
        let invocation = read.and_then(|read| read.invocations.iter().find(|i| i.instance_id == instance.id));
        let result = match (read, command.requested_at > instance.floor()) {
            (None, false) => None,
            // Nothing of it is over, or it would have been read.
            (None, true) => Some(InvocationResult::Pending),
            (Some(_), _) => Some(interpret(
                &app.config.share,
                invocation.map(|invocation| invocation.status_details.as_str()),
                invocation.map_or("", |invocation| invocation.output.as_str()),
                is_past_deadline,
            )),
        };
        instance.answers.push(Answer {
            command: command.id.clone(),
            requested_at: command.requested_at,
            action: command.action,
            result,
            is_stopped: invocation.is_some_and(|invocation| is_stopped(&invocation.status_details)),
        });
    }
}

impl Memory {
    /// Remembers a command that SSM took, in case it is listed late.
    pub fn remember(&mut self, id: CommandId, action: Action, targets: Vec<InstanceId>, now: Timestamp) {
        self.sent.push(Command {
            id,
            requested_at: now,
            action,
            instances: targets,
            completed: 0,
            is_final: false,
        });
    }

    fn forget(&mut self, now: Timestamp) {
        // Longer than it can be in flight it is not needed; and when SSM's listing has left it behind, its result, with our
        // time instead of SSM's, would look like one that was not judged.
        self.sent.retain(|command| !command.is_past_deadline(now));
        self.unconfirmed.retain(|lost| now.duration_since(lost.at) < WINDOW);
        self.invocations.retain(|_, read| {
            read.invocations.first().is_some_and(|i| now.duration_since(i.requested_at) < WINDOW)
        });
    }

    async fn read_invocations(
        &mut self,
        app: &App,
        command: &Command,
        now: Timestamp,
    ) -> Result<(), SsmError> {
        let is_past_deadline = command.is_past_deadline(now);
        let is_known = self.invocations.get(&command.id).is_some_and(|read| {
            let all_there = read.invocations.len() >= command.instances.len();
            read.completed == command.completed && read.was_past_deadline == is_past_deadline && all_there
        });
        if is_known {
            return Ok(());
        }
        let invocations = ssm::list_invocations(app.clients.ssm(), &command.id).await?;
        let read = Read { completed: command.completed, was_past_deadline: is_past_deadline, invocations };
        self.invocations.insert(command.id.clone(), read);
        Ok(())
    }
}
