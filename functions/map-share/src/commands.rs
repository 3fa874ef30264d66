//! Sends the mapping command to the instances that live state, the agents and the budget of refused log-ons allow.
//!
//! The order saves calls: an instance that a command in flight names is dropped first; the rest is described; only what
//! is left is asked for its agent; and only then is the budget's evidence read. What cannot be sent is left to the
//! reconcile run.

use std::collections::BTreeMap;

use shared::ecs::{self, ContainerInstance};
use shared::history::Action;
use shared::ids::{ClusterRef, InstanceId};
use shared::send::{self, CommandRequest, Denials, RateControl, TARGETS_A_COMMAND};
use shared::ssm;

use crate::app::Run;
use crate::batch::RecordId;
use crate::budget;
use crate::lookup::Found;
use crate::origin::Origin;
use crate::outcome::{Effect, Outcome, Reason};
use crate::plan::{self, Candidate, History, Work};

/// More pages of commands than these are left to the reconcile run, which reads all of them: as after an outage of a large
/// fleet, in which every batch of events would read them again.
const PAGES_OF_COMMANDS: usize = 5;

/// The instances that are sent to, and the record of each.
pub(crate) type Targets = BTreeMap<InstanceId, RecordId>;

/// Sends what the batch, or the person, asks for.
pub(crate) async fn send(run: &mut Run<'_>, mut work: Work, found: &Found) {
    drop_restarted(run, &mut work);
    if work.candidates.is_empty() && work.by_hand.is_empty() {
        return;
    }
    let now = run.now();
    let (ssm, document) = (run.app.clients.ssm(), &run.app.config.document);
    let window = run.app.config.policy.history_window();
    let commands = match ssm::list_commands(ssm, document, now - window, PAGES_OF_COMMANDS).await {
        Ok(list) if list.is_cut => {
            let records = work.candidates.iter().map(|c| c.record).chain(work.by_hand.values().copied());
            return run.batch.settle_all(records, &Outcome::Not(Reason::LongHistory));
        }
        Ok(list) => list.commands,
        Err(error) => {
            let why = Outcome::Failed(run.batch.failed(error));
            let records = work.candidates.iter().map(|c| c.record).chain(work.by_hand.values().copied());
            return run.batch.settle_all(records, &why);
        }
    };
    let history = History { commands: &commands, now };
    let live = describe(run, &work, history).await;
    let mut targets = choose(run, &work, &live, found, history);
    keep_online(run, &mut targets).await;
    let described: Vec<ContainerInstance> =
        live.into_iter().map(|(_, live)| live).chain(found.all().cloned()).collect();
    keep_within_budget(run, &mut targets, &described, history).await;
    if !run.may_act() {
        return run.batch.settle_all(targets.into_values(), &Outcome::Not(Reason::ReportMode));
    }
    send_to(run, &targets).await;
}

/// Drops the instances whose restart was just recorded: the reconcile run sends to them when their agent is back.
fn drop_restarted(run: &mut Run<'_>, work: &mut Work) {
    let Work { candidates, restarts, .. } = work;
    candidates.retain(|candidate| {
        let restart = candidate.instance_id.as_ref().and_then(|id| restarts.get(id));
        let is_shut =
            restart.is_some_and(|r| run.batch.outcome(r.record) == Some(&Outcome::Did(Effect::GateShut)));
        if is_shut {
            run.batch.settle(candidate.record, Outcome::Not(Reason::HasState));
        }
        !is_shut
    });
}

/// Describes the candidates that no command names, 100 a call.
async fn describe(
    run: &mut Run<'_>,
    work: &Work,
    history: History<'_>,
) -> Vec<(RecordId, ContainerInstance)> {
    let mut by_cluster: BTreeMap<&ClusterRef, Vec<&Candidate>> = BTreeMap::new();
    for candidate in &work.candidates {
        let known = candidate.instance_id.as_ref().zip(candidate.registered_at);
        match known.and_then(|(id, registered_at)| plan::named_since(history, id, registered_at)) {
            Some(reason) => run.batch.settle(candidate.record, Outcome::Not(reason)),
            None => by_cluster.entry(&candidate.cluster).or_default().push(candidate),
        }
    }
    let names = run.app.names();
    let mut live = Vec::new();
    for (cluster, candidates) in by_cluster {
        for group in candidates.chunks(ecs::INSTANCES_A_CALL) {
            let arns: Vec<_> = group.iter().map(|candidate| candidate.arn.clone()).collect();
            let described =
                ecs::describe_container_instances(run.app.clients.ecs(), cluster, &names, &arns).await;
            let described = match described {
                Ok(described) => described,
                Err(error) => {
                    let why = Outcome::Failed(run.batch.failed(error));
                    run.batch.settle_all(group.iter().map(|candidate| candidate.record), &why);
                    continue;
                }
            };
            for candidate in group {
                match described.iter().find(|live| live.arn == candidate.arn) {
                    Some(found) => live.push((candidate.record, found.clone())),
                    None => run.batch.settle(candidate.record, Outcome::Not(Reason::Gone)),
                }
            }
        }
    }
    live
}

/// Chooses the instances that live state allows to be sent to, each once.
fn choose(
    run: &mut Run<'_>,
    work: &Work,
    live: &[(RecordId, ContainerInstance)],
    found: &Found,
    history: History<'_>,
) -> Targets {
    let of_events = live.iter().map(|(record, instance)| {
        let same = live.iter().map(|(_, other)| other).filter(|o| o.instance_id == instance.instance_id);
        let allowed = match plan::newest_connected(same) {
            Some(newest) if newest.arn != instance.arn => Err(Reason::Superseded),
            _ => plan::allows(instance, history),
        };
        (*record, allowed.map_err(Outcome::Not))
    });
    let by_hand = work.by_hand.iter().map(|(id, record)| {
        let registrations = found.registrations(id);
        (*record, registrations.and_then(|r| plan::allows_by_hand(r, history).map_err(Outcome::Not)))
    });
    let mut targets = Targets::new();
    for (record, allowed) in of_events.chain(by_hand) {
        match allowed {
            Ok(id) => {
                targets.insert(id, record);
            }
            Err(outcome) => run.batch.settle(record, outcome),
        }
    }
    targets
}

/// Drops the instances whose SSM agent is not online. On a new instance it starts late, so that is no failure.
async fn keep_online(run: &mut Run<'_>, targets: &mut Targets) {
    if targets.is_empty() {
        return;
    }
    let ids = targets.keys().cloned().collect();
    match ssm::describe_agents(run.app.clients.ssm(), &ids).await {
        Ok(agents) => targets.retain(|id, record| {
            let is_online = agents.get(id).is_some_and(|agent| agent.is_online);
            if !is_online {
                run.batch.settle(*record, Outcome::Not(Reason::AgentOffline));
            }
            is_online
        }),
        Err(error) => {
            let why = Outcome::Failed(run.batch.failed(error));
            run.batch.settle_all(std::mem::take(targets).into_values(), &why);
        }
    }
}

/// Drops the instances that the budget of refused log-ons does not allow.
async fn keep_within_budget(
    run: &mut Run<'_>,
    targets: &mut Targets,
    described: &[ContainerInstance],
    history: History<'_>,
) {
    if targets.is_empty() {
        return;
    }
    let history = History { now: run.now(), ..history };
    let allowed = if run.origin != Origin::Hand && !budget::may_be_fresh(run.app, history) {
        Err(Outcome::Not(Reason::NotFresh))
    } else {
        match budget::read(run.app, described, history).await {
            Ok(Some(budget)) => plan::may_present(&budget, run.origin, targets),
            Ok(None) => Err(Outcome::Not(Reason::LongHistory)),
            // In doubt nothing is sent. The call was not made for these records, so they do not come again.
            Err(error) => {
                run.batch.failed(error);
                Err(Outcome::Not(Reason::Doubt))
            }
        }
    };
    match allowed {
        Ok(refused) => {
            for id in refused {
                let record = targets.remove(&id);
                run.batch.settle_all(record, &Outcome::Not(Reason::RefusedAlone));
            }
        }
        Err(outcome) => run.batch.settle_all(std::mem::take(targets).into_values(), &outcome),
    }
}

/// Sends in groups, each settled as soon as it is known: the time may run out between two.
async fn send_to(run: &mut Run<'_>, targets: &Targets) {
    let request = CommandRequest {
        document: &run.app.config.document,
        stack: &run.app.config.stack,
        action: Action::Map,
        rate_control: RateControl::ALL_AT_ONCE,
    };
    let ids: Vec<InstanceId> = targets.keys().cloned().collect();
    let records = |ids: &[InstanceId]| -> Vec<RecordId> { ids.iter().map(|id| targets[id]).collect() };
    let mut denials = Denials::default();
    for group in ids.chunks(TARGETS_A_COMMAND) {
        let ssm = run.app.clients.ssm();
        let sent = send::send_in_groups(ssm, &request, group, TARGETS_A_COMMAND, &mut denials).await;
        for (command, instances) in sent.commands {
            run.batch.settle_all(records(&instances), &Outcome::Did(Effect::Sent));
            run.batch.sent(command, instances);
        }
        run.batch.settle_all(records(&sent.not_online), &Outcome::Not(Reason::AgentOffline));
        for (id, why) in sent.denied {
            tracing::error!(
                instance_id = id.as_str(),
                why,
                "IAM does not allow the command for this instance"
            );
            run.batch.settle(targets[&id], Outcome::Not(Reason::Denied));
        }
        for (error, instances) in sent.failed {
            let why = Outcome::Failed(run.batch.failed(error));
            run.batch.settle_all(records(&instances), &why);
        }
    }
}
