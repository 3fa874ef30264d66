//! SSM's command history, which says what is in flight and what invocations meant.
//!
//! Invocations are listed only of commands with a target whose result is not judged yet, and only once one of them is
//! final, or where a refused credential has to be looked at again. Final invocations do not change, so they are kept for
//! later looks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use shared::aws::AwsError;
use shared::brake::Parameters;
use shared::credentials::is_credential_failure;
use shared::history::{Action, Command, WINDOW};
use shared::ids::{CommandId, ContainerInstanceArn, InstanceId};
use shared::invocation::{InvocationResult, interpret, is_stopped};
use shared::ssm;
use shared::state::State;

use super::registrations::Registrations;
use crate::app::App;
use crate::fleet::{CommandResult, Fleet, Instance};
use crate::memory::{ListedInvocations, Memory};

/// How far SSM's clock may be behind ours when the command of an unconfirmed send is looked for.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);

type Instances = BTreeMap<ContainerInstanceArn, Instance>;

/// Reads SSM's history and builds the fleet from everything.
pub async fn read_fleet(
    app: &App,
    memory: &mut Memory,
    found: &Registrations,
    parameters: Parameters,
) -> Result<Fleet, AwsError> {
    let now = app.clients.now();
    let listed = ssm::list_commands(app.clients.ssm(), &app.config.document, now - WINDOW).await?;
    memory.forget(now);
    let commands = with_unlisted(listed, memory);
    let (mut instances, stale_registrations) = found.split();
    let wanted = commands_to_read(&commands, &instances, now);
    for command in commands.iter().filter(|command| wanted.contains(&command.id)) {
        list_invocations(app, memory, command, now).await?;
    }
    for command in &commands {
        add_results(app, memory, command, &mut instances, now);
    }
    Ok(Fleet {
        instances,
        stale_registrations,
        commands,
        unconfirmed_sends: memory.unconfirmed.clone(),
        parameters,
        is_partial: found.is_partial(),
    })
}

/// SSM's list, oldest first, with the commands that it took from us and does not list yet. Forgets the unconfirmed sends
/// that it lists: they are commands now.
fn with_unlisted(mut commands: Vec<Command>, memory: &mut Memory) -> Vec<Command> {
    for sent in &memory.sent {
        if !commands.iter().any(|command| command.id == sent.id) {
            commands.push(sent.clone());
        }
    }
    memory.unconfirmed.retain(|send| {
        let targets: BTreeSet<&InstanceId> = send.targets.iter().collect();
        let is_it = |command: &Command| {
            command.action == send.action
                && command.requested_at >= send.at - CLOCK_SKEW
                && command.instances.iter().collect::<BTreeSet<_>>() == targets
        };
        !commands.iter().any(is_it)
    });
    commands.sort_by(|a, b| (a.requested_at, &a.id).cmp(&(b.requested_at, &b.id)));
    commands
}

/// The commands whose invocations say something that is not known yet.
fn commands_to_read(commands: &[Command], instances: &Instances, now: Timestamp) -> BTreeSet<CommandId> {
    let by_id: BTreeMap<&InstanceId, &Instance> = instances.values().map(|i| (&i.id, i)).collect();
    let is_wanted = |command: &&Command| {
        let is_over = command.completed > 0 || command.is_final || command.is_past_deadline(now);
        command.instances.iter().filter_map(|id| by_id.get(id)).any(|instance| {
            let not_judged = is_over && command.requested_at > instance.floor();
            let refused = match instance.state() {
                Some(State::Unmapped { judged, cause, .. }) => {
                    is_credential_failure(cause) && *judged == command.requested_at
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

async fn list_invocations(
    app: &App,
    memory: &mut Memory,
    command: &Command,
    now: Timestamp,
) -> Result<(), AwsError> {
    if memory.is_up_to_date(command, now) {
        return Ok(());
    }
    let listed = ListedInvocations {
        completed: command.completed,
        was_past_deadline: command.is_past_deadline(now),
        invocations: ssm::list_invocations(app.clients.ssm(), &command.id).await?,
    };
    memory.invocations.insert(command.id.clone(), listed);
    Ok(())
}

/// Adds what a command did to each of its targets.
fn add_results(app: &App, memory: &Memory, command: &Command, instances: &mut Instances, now: Timestamp) {
    let listed = memory.invocations.get(&command.id);
    let targets: BTreeSet<&InstanceId> = command.instances.iter().collect();
    for instance in instances.values_mut().filter(|instance| targets.contains(&instance.id)) {
        let invocation =
            listed.and_then(|listed| listed.invocations.iter().find(|one| one.instance_id == instance.id));
        let result = match (listed, command.requested_at > instance.floor()) {
            (None, false) => None,
            // No invocation of it is final, or it would have been listed.
            (None, true) => Some(InvocationResult::Pending),
            (Some(_), _) => Some(interpret(
                &app.config.share,
                invocation.map(|invocation| invocation.status_details.as_str()),
                invocation.map_or("", |invocation| invocation.output.as_str()),
                command.deadline(now),
            )),
        };
        instance.results.push(CommandResult {
            command: command.id.clone(),
            requested_at: command.requested_at,
            action: command.action,
            result,
            is_stopped: invocation.is_some_and(|invocation| is_stopped(&invocation.status_details)),
        });
    }
}
