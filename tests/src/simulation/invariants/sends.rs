//! Invariants 5 and 6, about targets: commands go only to our own Windows instances, to none with a command in flight;
//! `map` goes to an open gate only to renew a log-on; and no request that may have been accepted is repeated.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::state::State;

use super::{CheckResult, Step, ensure};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::local_aws::ssm::{Command, Invocation};
use crate::simulation::ground_truth::{DEADLINE, Registration, Run, TrueResult, millis};

/// Whether a `SendCommand` is a `map`, and its targets.
pub(super) fn action_and_targets(body: &Value) -> (bool, Vec<&str>) {
    let ids = body["InstanceIds"].as_array().map(Vec::as_slice).unwrap_or_default();
    (body["Parameters"]["Action"][0] == "map", ids.iter().filter_map(Value::as_str).collect())
}

/// Every target is, or lately was, registered in a watched cluster.
pub(super) fn goes_only_to_watched_windows_instances(step: &Step<'_>) -> CheckResult {
    let Some((call, run)) = step.effect_of("SendCommand") else { return Ok(()) };
    let ground_truth = step.ground_truth;
    for id in action_and_targets(&call.request()).1 {
        let is_ours = ground_truth.registrations.values().any(|one| &*one.ec2 == id && one.is_ours);
        // It may have been deregistered after the run read it.
        let mut clusters =
            ground_truth.watched_clusters.iter().filter_map(|name| step.aws.ecs.clusters.get(*name));
        let was_ours = clusters.any(|cluster| {
            let mut instances = cluster.instances.values();
            instances.any(|one| &*one.ec2_instance_id == id && one.status == Status::Inactive)
        });
        ensure(is_ours || was_ours, || format!("{} sent a command to {id}", run.name))?;
    }
    Ok(())
}

/// When a run last read SSM's history, less the time by which a listing may be late.
pub(super) fn history_read_at(step: &Step<'_>) -> Timestamp {
    step.run().map_or(Timestamp::MIN, |run| run.read_at("ListCommands") - step.ground_truth.ssm_lag)
}

/// The commands in flight that a run must have seen if it read SSM's history then.
pub(super) fn in_flight(aws: &LocalAws, read: Timestamp) -> impl Iterator<Item = &Command> {
    let now = aws.now();
    aws.commands()
        .rev()
        .take_while(move |command| now.duration_since(command.requested()) < DEADLINE)
        .filter(move |command| command.requested() < read)
        .filter(|command| command.invocations().iter().any(|one| one.finished().is_none()))
}

/// No target has a command in flight that counts, and a mapped instance gets `check`, not `map`.
pub(super) fn no_instance_has_two_commands_in_flight(step: &Step<'_>) -> CheckResult {
    let Some((call, run)) = step.effect_of("SendCommand") else { return Ok(()) };
    let body = call.request();
    let (is_map, targets) = action_and_targets(&body);
    for id in targets {
        let registrations = step.ground_truth.registrations.values();
        let registrations = registrations.filter(|one| &*one.ec2 == id && one.is_ours);
        let Some(one) = registrations.max_by_key(|one| (one.is_connected, one.registered_at)) else {
            continue;
        };
        let judged = one.state().map_or(one.registered_at, |state| state.judged().max(one.registered_at));
        // If the record changed after the run read it, an older command may have counted.
        let since = if one.state_since > run.began { step.aws.now() } else { judged };
        let pending = in_flight(step.aws, history_read_at(step)).find(|command| {
            let target = command.invocations().iter().find(|target| &*target.instance == id);
            millis(command.requested()) > since && target.is_some_and(|target| target.finished().is_none())
        });
        let pending = pending.map(Command::requested);
        ensure(pending.is_none(), || {
            format!("{id} was sent a command while that of {pending:?} is in flight")
        })?;
        if is_map && !run.is_by_hand {
            ensure(may_map(step, run, one, since), || {
                format!("{id} is mapped and was sent `map`; {:?}", one.state())
            })?;
        }
    }
    Ok(())
}

/// SSM stopped it, for another target's failure or because somebody cancelled the command.
pub(super) fn is_stopped(invocation: &Invocation) -> bool {
    matches!(&*invocation.details, "Terminated" | "Cancelled" | "RateExceeded")
}

/// The most scripts that reach one instance in [`A_WHILE`]: its quick retries, and a few triggers.
const MOST_IN_A_WHILE: usize = 10;
const A_WHILE: SignedDuration = SignedDuration::from_secs(5 * 60);

/// No target is asked again and again without a pause. What did not reach it does not count, nor does what SSM stopped, which is
/// sent again at once.
pub(super) fn pauses_between_commands(step: &Step<'_>) -> CheckResult {
    let Some((call, run)) = step.effect_of("SendCommand") else { return Ok(()) };
    let since = step.aws.now() - A_WHILE;
    for id in action_and_targets(&call.request()).1 {
        let commands = step.aws.commands().rev().take_while(|command| command.requested() > since);
        let reached = commands.filter(|command| {
            let mut invocations = command.invocations().iter();
            invocations.any(|one| &*one.instance == id && one.started.is_some() && !is_stopped(one))
        });
        let reached = reached.count();
        ensure(reached < MOST_IN_A_WHILE, || {
            format!("{} sent a command to {id}, which ran {reached} in {A_WHILE:#}", run.name)
        })?;
    }
    Ok(())
}

fn may_map(step: &Step<'_>, run: &Run, one: &Registration, since: Timestamp) -> bool {
    let read = run.began - step.ground_truth.ecs_lag;
    let is_known_open = one.is_open() && one.gate_since < read && one.state_since < read;
    let parameters = &step.aws.world.parameters;
    // Parameters that are missing now existed when the run read them.
    let changed = parameters.user.modified.max(parameters.password.modified);
    let is_logon_stale =
        matches!(one.state(), Some(State::Mapped { logon: Some(logon), .. }) if *logon < changed);
    // The script failed, and no attempt to record that has succeeded yet.
    let has_failed = || {
        let results = step.ground_truth.results(step.aws, &one.ec2);
        results
            .take_while(|(at, _)| *at > since)
            .any(|(_, result)| matches!(result, TrueResult::Failed { .. }))
    };
    !is_known_open || is_logon_stale || has_failed()
}

/// Every request so far by its comment, which is unique, and whether it was throttled.
#[derive(Default)]
pub(super) struct Requests {
    was_throttled: BTreeMap<String, bool>,
}

impl Requests {
    /// A request is repeated only if it was throttled.
    pub(super) fn check(&mut self, step: &Step<'_>) -> CheckResult {
        let Some((call, run)) = step.call.filter(|(call, _)| call.operation == "SendCommand") else {
            return Ok(());
        };
        let comment = call.request()["Comment"].as_str().unwrap_or_default().to_owned();
        let is_throttled = call.error == Some("ThrottlingException");
        let before = self.was_throttled.insert(comment, is_throttled);
        ensure(before != Some(false), || {
            let name = &step.ground_truth.runs[run].name;
            format!("{name} repeated a SendCommand that may have been accepted")
        })
    }
}
