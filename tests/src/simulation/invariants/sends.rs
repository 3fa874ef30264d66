//! Invariants 5 and 6, what is sent to whom: only our own Windows instances, nobody while a command is at work on it,
//! `map` under an open gate only to renew a log-on, and no call repeated that may have been taken.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use shared::state::State;

use super::{Holds, Step, must};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::local_aws::ssm::Command;
use crate::simulation::ground::{DEADLINE, Registration, Said, millis, said};

/// The targets of a `SendCommand`, and whether it is a `map`.
pub(super) fn order(body: &Value) -> (bool, Vec<&str>) {
    let ids = body["InstanceIds"].as_array().map(Vec::as_slice).unwrap_or_default();
    (body["Parameters"]["Action"][0] == "map", ids.iter().filter_map(Value::as_str).collect())
}

/// Only Windows instances that are, or lately were, registered in a watched cluster.
pub(super) fn goes_to_our_own(step: &Step<'_>) -> Holds {
    let Some((call, run)) = step.effect_of("SendCommand") else { return Ok(()) };
    let body = call.request();
    for id in order(&body).1 {
        let ours = step.ground.registrations.values().any(|one| &*one.ec2 == id && one.is_ours);
        // Deregistered since the run read it.
        let was_ours =
            step.ground.watched.iter().filter_map(|name| step.aws.ecs.clusters.get(*name)).any(|cluster| {
                cluster
                    .instances
                    .values()
                    .any(|one| &*one.ec2_instance_id == id && one.status == Status::Inactive)
            });
        must(ours || was_ours, || format!("{} sent a command to {id}", run.name))?;
    }
    Ok(())
}

/// The newest registration that counts of an EC2 instance.
pub(super) fn registration<'a>(step: &'a Step<'_>, id: &str) -> Option<&'a Registration> {
    let of = step.ground.registrations.values().filter(|one| &*one.ec2 == id && one.is_ours);
    of.max_by_key(|one| (one.is_connected, one.registered_at))
}

/// When a run last looked at SSM's history, less the time by which it may have been late.
pub(super) fn listed_until(step: &Step<'_>) -> Timestamp {
    step.run().map_or(Timestamp::MIN, |run| run.read_at("ListCommands") - step.ground.ssm_lag)
}

/// Commands that a run must have seen in flight: requested before it looked, not over, not given up.
pub(super) fn in_flight(aws: &LocalAws, until: Timestamp) -> impl Iterator<Item = &Command> {
    let now = aws.now();
    aws.commands()
        .rev()
        .take_while(move |command| now.duration_since(command.requested()) < DEADLINE)
        .filter(move |command| command.requested() < until)
        .filter(|command| command.invocations().iter().any(|one| one.finished().is_none()))
}

/// Nobody is sent to while a command that still counts is at work on it; and who is mapped is asked, not mapped.
pub(super) fn nobody_is_sent_to_while_at_work(step: &Step<'_>) -> Holds {
    let Some((call, run)) = step.effect_of("SendCommand") else { return Ok(()) };
    let body = call.request();
    let (is_map, ids) = order(&body);
    for id in ids {
        let Some(one) = registration(step, id) else { continue };
        let since = one.state().map_or(one.registered_at, |state| state.judged().max(one.registered_at));
        // What is recorded may have changed since the run read it, so that an older command counted again.
        let since = if one.state_since > run.began { step.aws.now() } else { since };
        let at_work = in_flight(step.aws, listed_until(step)).find(|command| {
            let target = command.invocations().iter().find(|target| &**target.instance() == id);
            millis(command.requested()) > since && target.is_some_and(|target| target.finished().is_none())
        });
        let at_work = at_work.map(|command| command.requested());
        must(at_work.is_none(), || format!("{id} was sent a command while that of {at_work:?} is at work"))?;
        let settled = one.gate_since < run.began - step.ground.ecs_lag
            && one.state_since < run.began - step.ground.ecs_lag;
        if is_map && one.is_open() && settled && !run.is_by_hand {
            // One that is gone by now was there when the run read it.
            let parameters = &step.aws.world.parameters;
            let changed = parameters.user.modified.max(parameters.password.modified);
            let is_stale =
                matches!(one.state(), Some(State::Mapped { logon: Some(logon), .. }) if *logon < changed);
            // The script spoke against it, and no write of that has come through yet.
            let mut words = step.ground.history(step.aws, id);
            let spoken_against = words.any(|(command, invocation)| {
                millis(command.requested()) > since
                    && matches!(said(command, invocation, step.aws.now()), Said::Failed { .. })
            });
            must(is_stale || spoken_against, || {
                format!("{id} is mapped and was sent `map`; {:?}", one.state())
            })?;
        }
    }
    Ok(())
}

/// Every request so far by its comment, which differs from call to call: whether it was throttled.
#[derive(Default)]
pub struct Seen {
    comments: BTreeMap<String, bool>,
}

impl Seen {
    /// The same request comes again only where the first was throttled.
    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        let Some((call, run)) = step.call.filter(|(call, _)| call.operation == "SendCommand") else {
            return Ok(());
        };
        let comment = call.request()["Comment"].as_str().unwrap_or_default().to_owned();
        let throttled = call.error == Some("ThrottlingException");
        let before = self.comments.insert(comment, throttled);
        must(before != Some(false), || {
            format!("{} repeated a SendCommand that may have been taken", step.ground.runs[run].name)
        })
    }
}
