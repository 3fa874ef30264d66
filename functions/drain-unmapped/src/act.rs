//! Carries a plan out, in its order, one instance's gate and state never in two calls.
//!
//! Before every write the instance is read again: what was decided on an older reading is dropped when the instance
//! stands otherwise by now, and the next look decides anew. Nothing here decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecs::types::ContainerInstanceStatus;
use jiff::Timestamp;
use shared::ecs::{self, ATTRIBUTES_A_CALL, ContainerInstance, EcsError, Status};
use shared::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use shared::send::{self, SendError, Sent};
use shared::state::{Drain, Gate, Recorded};

use crate::App;
use crate::decide::{Action, Plan, Why};
use crate::drain::{DrainAction, drain_budget};
use crate::fleet::{DoubtfulSend, Fleet, Instance};
use crate::judge::Verdict;
use crate::read::Memory;
use crate::sends::Order;
use crate::tally::Tally;

/// Spaces writes so that the account's rate is left to the customer's own `RunTask`.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    next: Option<tokio::time::Instant>,
}

impl Pace {
    /// So many writes a second.
    pub fn new(per_second: u32) -> Self {
        Pace { interval: Duration::from_secs(1) / per_second.max(1), next: None }
    }

    /// Waits for the next write's turn.
    pub async fn turn(&mut self) {
        if let Some(next) = self.next {
            tokio::time::sleep_until(next).await;
        }
        self.next = Some(tokio::time::Instant::now() + self.interval);
    }
}

/// A write to one instance: what it rests on, and what it shall say.
struct Write<'p> {
    before: ContainerInstance,
    verdict: &'p Verdict,
    why: &'p Why,
}

impl Write<'_> {
    fn opens(&self) -> bool {
        self.verdict.gate == Gate::Mapped && self.before.standing.gate == Gate::Shut
    }
}

/// Carries a plan out until `end`; what is left over is decided anew by the next look.
pub async fn carry_out(
    app: &App,
    memory: &mut Memory,
    pace: &mut Pace,
    fleet: &mut Fleet,
    plan: &Plan,
    tally: &mut Tally,
    end: Timestamp,
) {
    // What shuts a gate or keeps one comes first, for that is what keeps tasks off. Then the commands, so that hosts are at
    // work while gates are opened: of thousands, that takes a minute.
    write_states(app, pace, fleet, plan, tally, end, false).await;
    for action in &plan.actions {
        if let Action::Send(order) = action {
            if is_over(app, end) {
                return;
            }
            let order = Order { targets: written_targets(plan, fleet, order), ..order.clone() };
            send_order(app, memory, fleet, &order, tally).await;
        }
    }
    write_states(app, pace, fleet, plan, tally, end, true).await;
    for action in &plan.actions {
        let Action::Drain { arn, action } = action else { continue };
        if is_over(app, end) {
            return;
        }
        let Some(record) = fleet.instances.get(arn).map(|instance| instance.record.clone()) else { continue };
        let outcome = match action {
            // A drain rests on what stands there; until that is written, it waits.
            DrainAction::Drain(_) if !is_written(plan, &record) => {
                tracing::info!(instance_id = instance_id(&record), "its state is not written, not drained");
                continue;
            }
            DrainAction::Drain(cause) => {
                let n = fleet.counted().filter(|i| i.record.cluster == record.cluster).count();
                drain(app, pace, &record, cause, n, tally).await
            }
            DrainAction::Release => release(app, pace, &record).await,
            DrainAction::GiveBack => give_back(app, pace, &record, tally).await,
            DrainAction::Forget => forget(app, pace, &record).await,
        };
        match outcome {
            Ok(Some(now_stands)) => {
                if let Some(instance) = fleet.instances.get_mut(arn) {
                    instance.record = now_stands;
                }
            }
            Ok(None) => {}
            Err(error) => failed(tally, &record, &error),
        }
    }
}

fn is_over(app: &App, end: Timestamp) -> bool {
    let is_over = app.clients.now() >= end;
    if is_over {
        tracing::warn!("time is up, the rest is left to the next run");
    }
    is_over
}

/// The targets on which what the order rests on stands: a `map` is not for a gate that is still open, nor what follows
/// from a verdict for an instance that somebody else has changed.
fn written_targets(plan: &Plan, fleet: &Fleet, order: &Order) -> Vec<InstanceId> {
    let is_unwritten = |instance: &&Instance| !is_written(plan, &instance.record);
    let unwritten: BTreeSet<&InstanceId> =
        fleet.instances.values().filter(is_unwritten).map(|instance| &instance.id).collect();
    order.targets.iter().filter(|id| !unwritten.contains(id)).cloned().collect()
}

/// What was decided on stands on the instance.
fn is_written(plan: &Plan, record: &ContainerInstance) -> bool {
    let decided = plan.fleet.instances.get(&record.arn).map(|instance| &instance.record.standing);
    decided
        .is_some_and(|decided| decided.state == record.standing.state && decided.gate == record.standing.gate)
}

fn failed(tally: &mut Tally, record: &ContainerInstance, error: &EcsError) {
    tally.failed(error.is_throttle());
    tracing::error!(
        cluster = %record.cluster,
        instance_id = record.instance_id.as_ref().map(|id| id.as_str()),
        error = %error,
        "write failed, the next run decides anew"
    );
}

async fn write_states(
    app: &App,
    pace: &mut Pace,
    fleet: &mut Fleet,
    plan: &Plan,
    tally: &mut Tally,
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
                    failed(tally, &chunk[0].before, &error);
                    continue;
                }
            };
            let mut still: Vec<&Write<'_>> = Vec::new();
            for write in chunk {
                match again.iter().find(|record| record.arn == write.before.arn) {
                    Some(record) if stands_as_before(record, &write.before) => still.push(write),
                    Some(_) => tracing::info!(
                        instance_id = write.before.instance_id.as_ref().map(|id| id.as_str()),
                        "changed meanwhile, decided anew"
                    ),
                    None => tracing::info!(
                        instance_id = write.before.instance_id.as_ref().map(|id| id.as_str()),
                        "deregistered meanwhile"
                    ),
                }
            }
            write_group(app, pace, fleet, &cluster, still, tally).await;
        }
    }
}

fn stands_as_before(now: &ContainerInstance, before: &ContainerInstance) -> bool {
    now.registered_at == before.registered_at
        && now.standing.gate == before.standing.gate
        && now.standing.state == before.standing.state
}

/// The attributes that a write sets: the state, and the gate where it changes.
fn attributes(app: &App, write: &Write<'_>) -> Vec<ecs::NewAttribute> {
    let mut attributes = vec![(app.names.state.clone(), write.verdict.state.print())];
    if write.verdict.gate != write.before.standing.gate {
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
    tally: &mut Tally,
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
                    written(app, fleet, write, tally);
                }
            }
            Err(error) if error.is_target_gone() && group.len() > 1 => {
                let (first, second) = group.split_at(group.len() / 2);
                groups.push(second.to_vec());
                groups.push(first.to_vec());
            }
            Err(error) if error.is_target_gone() => tracing::info!(
                instance_id = group[0].before.instance_id.as_ref().map(|id| id.as_str()),
                "deregistered meanwhile"
            ),
            Err(error) => failed(tally, &group[0].before, &error),
        }
    }
}

fn written(app: &App, fleet: &mut Fleet, write: &Write<'_>, tally: &mut Tally) {
    let Some(instance) = fleet.instances.get_mut(&write.before.arn) else { return };
    let (before, after) = (&write.before.standing, write.verdict);
    let (cause, said, step, message) = match write.why {
        Why::Failure(failure) => (None, Some(&failure.said), Some(&failure.step), Some(&failure.message)),
        Why::Silent => (Some("silent"), None, None, None),
        Why::NoWord => (Some("no word"), None, None, None),
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
    tally.judged(&write.before, after, write.why, app.clients.now());
    instance.record.standing.gate = after.gate;
    instance.record.standing.state = Recorded::State(after.state.clone());
    instance.record.standing.any = true;
}

async fn send_order(app: &App, memory: &mut Memory, fleet: &mut Fleet, order: &Order, tally: &mut Tally) {
    let request = send::Order {
        document: &app.config.document,
        stack: &app.config.stack,
        action: order.action,
        rationing: order.rationing,
    };
    let now = app.clients.now();
    let Sent { commands, not_online, failed, left } =
        send::send_in_groups(app.clients.ssm(), &request, &order.targets, send::TARGETS_A_COMMAND).await;
    for (command_id, targets) in commands {
        tracing::info!(
            command_id = command_id.as_str(),
            action = order.action.as_str(),
            targets = targets.len(),
            instance_ids = ?targets.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
            reason = order.reason,
            "command sent"
        );
        tally.sent(order, fleet, &targets);
        memory.remember(command_id, order.action, targets, now);
    }
    for id in not_online {
        tracing::info!(instance_id = id.as_str(), "refused by SSM, agent not online; tried again when it is");
    }
    if !left.is_empty() {
        tracing::info!(
            targets = left.len(),
            action = order.action.as_str(),
            "left until this command is over"
        );
    }
    for (error, targets) in failed {
        let instance_ids: Vec<&str> = targets.iter().map(|id| id.as_str()).collect();
        tracing::error!(?instance_ids, action = order.action.as_str(), error = %error, "command not sent");
        tally.failed(matches!(error, SendError::Throttled(_)));
        if matches!(error, SendError::Lost { .. }) {
            memory.doubtful.push(DoubtfulSend { at: now, action: order.action, targets });
        }
    }
}

/// What a drain step leaves behind: the record as it now stands, or nothing changed.
type Stands = Result<Option<ContainerInstance>, EcsError>;

async fn read_again(app: &App, record: &ContainerInstance) -> Result<Option<ContainerInstance>, EcsError> {
    let arns = [record.arn.clone()];
    let again =
        ecs::describe_container_instances(app.clients.ecs(), &record.cluster, &app.names, &arns).await?;
    Ok(again.into_iter().next())
}

async fn put_drain(
    app: &App,
    pace: &mut Pace,
    record: &ContainerInstance,
    drain: &Drain,
) -> Result<(), EcsError> {
    let Some(value) = drain.print() else { return Ok(()) };
    pace.turn().await;
    let write = [(&record.arn, vec![(app.names.drain.clone(), value)])];
    ecs::put_attributes(app.clients.ecs(), &record.cluster, &write).await
}

async fn drain(
    app: &App,
    pace: &mut Pace,
    record: &ContainerInstance,
    cause: &shared::cause::Cause,
    n: usize,
    tally: &mut Tally,
) -> Stands {
    let Some(again) = read_again(app, record).await? else { return Ok(None) };
    let may_drain = again.status == Status::Active
        && !again.standing.hold
        && matches!(again.standing.drain, Drain::Absent | Drain::Requested { .. })
        && again.standing.state == record.standing.state;
    if !may_drain {
        tracing::info!(instance_id = instance_id(record), "changed meanwhile, not drained");
        return Ok(Some(again));
    }
    let draining = ecs::count_draining(app.clients.ecs(), &record.cluster).await?;
    if draining >= drain_budget(n, &app.config.policy) {
        tracing::info!(instance_id = instance_id(record), draining, rule = "budget", "drain withheld");
        return Ok(Some(again));
    }
    let at = app.clients.now();
    put_drain(app, pace, record, &Drain::Requested { cause: cause.clone(), at }).await?;
    pace.turn().await;
    let status = ContainerInstanceStatus::Draining;
    if let Err(error) =
        ecs::update_container_instance_state(app.clients.ecs(), &record.cluster, &record.arn, status).await
    {
        // Whether it took effect nobody can tell: read again, and claim nothing.
        failed(tally, record, &error);
        return read_again(app, record).await;
    }
    let done = Drain::Done { cause: cause.clone(), at };
    put_drain(app, pace, record, &done).await?;
    tally.drains += 1;
    tracing::warn!(cluster = %record.cluster, instance_id = instance_id(record), cause = cause.as_str(), "drained");
    let mut stands = again;
    stands.status = Status::Draining;
    stands.standing.drain = done;
    Ok(Some(stands))
}

async fn release(app: &App, pace: &mut Pace, record: &ContainerInstance) -> Stands {
    let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
    if again.standing.drain != record.standing.drain || again.status != Status::Active {
        return Ok(Some(again));
    }
    let released = Drain::Released { at: app.clients.now() };
    put_drain(app, pace, record, &released).await?;
    tracing::info!(cluster = %record.cluster, instance_id = instance_id(record), "drain released");
    again.standing.drain = released;
    Ok(Some(again))
}

async fn give_back(app: &App, pace: &mut Pace, record: &ContainerInstance, tally: &mut Tally) -> Stands {
    let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
    let standing = &again.standing;
    let may_give_back = again.status == Status::Draining
        && !standing.hold
        && standing.gate == Gate::Mapped
        && standing.drain == record.standing.drain
        && standing.state == record.standing.state;
    if !may_give_back {
        tracing::info!(instance_id = instance_id(record), "changed meanwhile, not given back");
        return Ok(Some(again));
    }
    // Released first: a death between the two calls leaves it draining and reported, never undoes an operator's drain.
    let released = Drain::Released { at: app.clients.now() };
    put_drain(app, pace, record, &released).await?;
    pace.turn().await;
    let status = ContainerInstanceStatus::Active;
    match ecs::update_container_instance_state(app.clients.ecs(), &record.cluster, &record.arn, status).await
    {
        Ok(()) => {
            tally.given_back += 1;
            tracing::warn!(cluster = %record.cluster, instance_id = instance_id(record), "given back");
            again.status = Status::Active;
            again.standing.drain = released;
            Ok(Some(again))
        }
        Err(error) => {
            failed(tally, record, &error);
            let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
            if again.status == Status::Draining && again.standing.drain == released {
                put_drain(app, pace, record, &record.standing.drain).await?;
                again.standing.drain = record.standing.drain.clone();
            }
            Ok(Some(again))
        }
    }
}

async fn forget(app: &App, pace: &mut Pace, record: &ContainerInstance) -> Stands {
    let Some(mut again) = read_again(app, record).await? else { return Ok(None) };
    if again.standing.drain != record.standing.drain || again.status != Status::Active {
        return Ok(Some(again));
    }
    pace.turn().await;
    let removal = [(&record.arn, vec![app.names.drain.clone()])];
    ecs::delete_attributes(app.clients.ecs(), &record.cluster, &removal).await?;
    again.standing.drain = Drain::Absent;
    Ok(Some(again))
}

fn instance_id(record: &ContainerInstance) -> Option<&str> {
    record.instance_id.as_ref().map(|id| id.as_str())
}
