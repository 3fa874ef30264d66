//! SSM's command history, which says what is in flight and what invocations meant.
//!
//! Invocations are listed of commands with a target whose result is not judged yet, once one of them is final, and of those
//! that may hold a log-on which the budget counts. Final invocations do not change, so they are kept for later looks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use shared::aws::AwsError;
use shared::budget::Parameters;
use shared::history::Command;
use shared::ids::{ContainerInstanceArn, InstanceId};
use shared::invocation::{InvocationResult, interpret, is_stopped};
use shared::invocation_cache::may_hold_log_ons;
use shared::ssm;

use super::registrations::Registrations;
use crate::app::App;
use crate::fleet::{CommandResult, Fleet, Instance};
use crate::memory::Memory;

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
    let window = app.config.policy.history_window();
    let listed = ssm::list_commands(app.clients.ssm(), &app.config.document, now - window).await?;
    memory.forget(window, now);
    let commands = with_unlisted(listed, memory);
    let (mut instances, stale_registrations) = found.split();
    let is_wanted = |command: &&Command| {
        may_hold_log_ons(command, &app.config.policy, now) || is_unjudged(command, &instances, now)
    };
    for command in commands.iter().filter(is_wanted) {
        memory.invocations.read(app.clients.ssm(), command, now).await?;
    }
    let attempts = memory.invocations.attempts(&commands, &app.config.share, now);
    for command in &commands {
        add_results(app, memory, command, &mut instances, now);
    }
    Ok(Fleet {
        instances,
        stale_registrations,
        commands,
        attempts,
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

/// Whether a command has a target whose result is not judged yet, and may have one by now.
fn is_unjudged(command: &Command, instances: &Instances, now: Timestamp) -> bool {
    let is_over = command.completed > 0 || command.is_final || command.is_past_deadline(now);
    let targets: BTreeSet<&InstanceId> = command.instances.iter().collect();
    is_over
        && instances
            .values()
            .any(|instance| targets.contains(&instance.id) && command.requested_at > instance.floor())
}

/// Adds what a command did to each of its targets.
fn add_results(app: &App, memory: &Memory, command: &Command, instances: &mut Instances, now: Timestamp) {
    let listed = memory.invocations.of(&command.id);
    let targets: BTreeSet<&InstanceId> = command.instances.iter().collect();
    for instance in instances.values_mut().filter(|instance| targets.contains(&instance.id)) {
        let invocation = listed.and_then(|listed| listed.iter().find(|one| one.instance_id == instance.id));
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
