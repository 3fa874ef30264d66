//! SSM's command history, which says what is in flight and what invocations meant.
//!
//! Invocations are listed of commands with a target whose result is not judged yet, once one of them is final, and of those
//! that may hold a log-on which the budget counts: the newest first, and so many a look. What is final does not change, so it
//! is kept for later looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use shared::aws::AwsError;
use shared::budget::Parameters;
use shared::cause::Cause;
use shared::history::Command;
use shared::ids::InstanceId;
use shared::invocation::InvocationResult;
use shared::invocation_cache::may_hold_log_ons;
use shared::ssm;

use super::registrations::Registrations;
use crate::app::App;
use crate::fleet::{CommandResult, Fleet, Instance};
use crate::memory::Memory;

/// Commands whose invocations are listed in one look. Of more, as after a long outage in a cold function, the rest follows in
/// later looks, and nothing is sent until then.
const LISTINGS_A_LOOK: usize = 300;

/// The registrations that count, by EC2 instance.
type ById<'f> = BTreeMap<InstanceId, &'f mut Instance>;

/// Reads SSM's history and builds the fleet from everything.
pub async fn read_fleet(
    app: &App,
    memory: &mut Memory,
    found: &Registrations,
    parameters: Parameters,
) -> Result<Fleet, AwsError> {
    let now = app.clients.now();
    let window = app.config.policy.history_window();
    let listed =
        ssm::list_commands(app.clients.ssm(), &app.config.document, now - window, usize::MAX).await?;
    memory.forget(window, now);
    let commands = with_unlisted(listed.commands, memory);
    let (mut instances, stale_registrations) = found.split();
    let mut by_id: ById<'_> = instances.values_mut().map(|one| (one.id.clone(), one)).collect();
    let is_complete = list_invocations(app, memory, &commands, &by_id).await?;
    let attempts = memory.invocations.attempts(&commands, now);
    for command in &commands {
        add_results(memory, command, &mut by_id, now);
    }
    add_denied(memory, &mut by_id);
    Ok(Fleet {
        instances,
        stale_registrations,
        commands: Arc::new(commands),
        attempts: Arc::new(attempts),
        unconfirmed_sends: memory.unconfirmed.clone(),
        parameters,
        is_partial: found.is_partial() || !is_complete,
    })
}

/// Lists the invocations that matter, of the newest commands first. `false` where some are left to a later look.
async fn list_invocations(
    app: &App,
    memory: &mut Memory,
    commands: &[Command],
    by_id: &ById<'_>,
) -> Result<bool, AwsError> {
    let (now, policy) = (app.clients.now(), &app.config.policy);
    let mut left = LISTINGS_A_LOOK;
    let mut is_complete = true;
    // Instances with a later result, which is the one that is judged.
    let mut answered: BTreeSet<&InstanceId> = BTreeSet::new();
    for command in commands.iter().rev() {
        let unjudged: Vec<&InstanceId> =
            command.instances.iter().filter(|id| is_unjudged(command, id, by_id)).collect();
        let is_over = command.completed > 0 || command.is_final || command.is_past_deadline(now);
        let is_asked = is_over && unjudged.iter().any(|id| !command.is_final || !answered.contains(id));
        // No result of it is judged any more, so none is logged.
        let is_answered = unjudged.iter().all(|id| answered.contains(id));
        if !is_asked && !may_hold_log_ons(command, policy, now) {
            if is_answered {
                memory.invocations.drop_texts(&command.id);
            }
            continue;
        }
        if !memory.invocations.is_up_to_date(command, now) {
            if left == 0 {
                is_complete = false;
                continue;
            }
            left -= 1;
            memory.invocations.read(app.clients.ssm(), &app.config.share, command, now).await?;
        }
        if is_answered {
            memory.invocations.drop_texts(&command.id);
        }
        let listed = memory.invocations.of(&command.id).unwrap_or_default();
        let reported = listed.iter().filter(|one| one.result.is_word()).map(|one| &one.instance);
        let reported: BTreeSet<&InstanceId> = reported.collect();
        answered.extend(unjudged.into_iter().filter(|id| reported.contains(id)));
    }
    if !is_complete {
        tracing::warn!(
            listed = LISTINGS_A_LOOK,
            "more commands than one look lists, nothing is sent meanwhile"
        );
    }
    Ok(is_complete)
}

/// Whether a target's result of this command is not judged yet.
fn is_unjudged(command: &Command, id: &InstanceId, by_id: &ById<'_>) -> bool {
    by_id.get(id).is_some_and(|instance| command.requested_at > instance.floor())
}

/// SSM's list, oldest first, with the commands that it took from us and does not list yet. Forgets the unconfirmed sends
/// that it lists: they are commands now.
fn with_unlisted(mut commands: Vec<Command>, memory: &mut Memory) -> Vec<Command> {
    for sent in &memory.sent {
        if !commands.iter().any(|command| command.id == sent.id) {
            commands.push(sent.clone());
        }
    }
    memory.unconfirmed.retain(|send| !commands.iter().any(|command| send.may_be(command)));
    commands.sort_by(|a, b| (a.requested_at, &a.id).cmp(&(b.requested_at, &b.id)));
    commands
}

/// Adds what a command did to each of its targets.
fn add_results(memory: &Memory, command: &Command, by_id: &mut ById<'_>, now: Timestamp) {
    let listed = memory.invocations.of(&command.id);
    // A target named twice is one.
    let targets: BTreeSet<&InstanceId> = command.instances.iter().collect();
    for id in targets {
        let Some(instance) = by_id.get_mut(id) else { continue };
        let reported = listed.and_then(|listed| listed.iter().find(|one| one.instance == *id));
        let is_unjudged = command.requested_at > instance.floor();
        let result = match (listed, reported) {
            (Some(_), Some(one)) => Some(one.result.clone()),
            (Some(_), None) if command.is_past_deadline(now) => Some(InvocationResult::NoResult(Cause::LOST)),
            (Some(_), None) => Some(InvocationResult::Pending),
            // No invocation of it is final, or it would have been listed.
            (None, _) if is_unjudged && !command.is_final => Some(InvocationResult::Pending),
            (None, _) => None,
        };
        Arc::make_mut(&mut instance.results).push(CommandResult {
            command: Some(command.id.clone()),
            requested_at: command.requested_at,
            action: command.action,
            result,
            is_stopped: reported.is_some_and(|one| one.is_stopped),
        });
    }
}

/// Adds the sends that IAM refused. SSM does not list them.
fn add_denied(memory: &Memory, by_id: &mut ById<'_>) {
    for send in &memory.denied {
        let Some(instance) = by_id.get_mut(&send.instance) else { continue };
        let results = Arc::make_mut(&mut instance.results);
        let at = results.partition_point(|result| result.requested_at <= send.at);
        let result = Some(InvocationResult::NoResult(Cause::REFUSED_BY_SSM));
        let (requested_at, action) = (send.at, send.action);
        results.insert(at, CommandResult { command: None, requested_at, action, result, is_stopped: false });
    }
}
