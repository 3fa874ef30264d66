//! Carries a plan out, in its order, one instance's gate and state never in two calls.
//!
//! Before every write the instance is read again: what was decided on an older reading is dropped when the instance
//! stands otherwise by now, and the next look decides anew. Nothing here decides.

mod drains;
mod writes;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use shared::ecs::{ContainerInstance, EcsError};
use shared::ids::InstanceId;
use shared::send::{self, SendError, Sent};

use crate::App;
use crate::decide::{Action, Plan};
use crate::drain::DrainAction;
use crate::fleet::{Fleet, Instance, UnconfirmedSend};
use crate::read::Memory;
use crate::sends::PlannedCommand;
use crate::statistics::RunStatistics;
use writes::write_states;

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

/// Carries a plan out until `end`; what is left over is decided anew by the next look.
pub async fn carry_out(
    app: &App,
    memory: &mut Memory,
    pace: &mut Pace,
    fleet: &mut Fleet,
    plan: &Plan,
    statistics: &mut RunStatistics,
    end: Timestamp,
) {
    // What shuts a gate or keeps one comes first, for that is what keeps tasks off. Then the commands, so that hosts are at
    // work while gates are opened: of thousands, that takes a minute.
    write_states(app, pace, fleet, plan, statistics, end, false).await;
    let unwritten = unwritten(plan, fleet);
    for action in &plan.actions {
        if let Action::Send(order) = action {
            if is_over(app, end) {
                return;
            }
            let mut order = order.clone();
            order.targets.retain(|id| !unwritten.contains(id));
            send_order(app, memory, fleet, &order, statistics).await;
        }
    }
    write_states(app, pace, fleet, plan, statistics, end, true).await;
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
                drains::drain(app, pace, &record, cause, n, statistics).await
            }
            DrainAction::Release => drains::release(app, pace, &record).await,
            DrainAction::GiveBack => drains::give_back(app, pace, &record, statistics).await,
            DrainAction::Forget => drains::forget(app, pace, &record).await,
        };
        match outcome {
            Ok(Some(now_stands)) => {
                if let Some(instance) = fleet.instances.get_mut(arn) {
                    instance.record = now_stands;
                }
            }
            Ok(None) => {}
            Err(error) => failed(statistics, &record, &error),
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

/// The instances on which what was decided does not stand, and no command may rest on it: a `map` is not for a gate that is
/// still open, nor what follows from a verdict for an instance that somebody else has changed.
fn unwritten(plan: &Plan, fleet: &Fleet) -> BTreeSet<InstanceId> {
    let is_unwritten = |instance: &&Instance| !is_written(plan, &instance.record);
    fleet.instances.values().filter(is_unwritten).map(|instance| instance.id.clone()).collect()
}

/// What was decided on stands on the instance.
fn is_written(plan: &Plan, record: &ContainerInstance) -> bool {
    let decided = plan.fleet.instances.get(&record.arn).map(|instance| &instance.record.attributes);
    decided.is_some_and(|decided| {
        decided.state == record.attributes.state && decided.gate == record.attributes.gate
    })
}

fn failed(statistics: &mut RunStatistics, record: &ContainerInstance, error: &EcsError) {
    statistics.failed(error.is_throttle());
    tracing::error!(
        cluster = %record.cluster,
        instance_id = instance_id(record),
        error = %error,
        "write failed, the next run decides anew"
    );
}

async fn send_order(
    app: &App,
    memory: &mut Memory,
    fleet: &mut Fleet,
    order: &PlannedCommand,
    statistics: &mut RunStatistics,
) {
    let request = send::CommandRequest {
        document: &app.config.document,
        stack: &app.config.stack,
        action: order.action,
        rate_control: order.rate_control,
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
        statistics.sent(order, fleet, &targets);
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
        statistics.failed(matches!(error, SendError::Throttled(_)));
        if matches!(error, SendError::Lost { .. }) {
            memory.unconfirmed.push(UnconfirmedSend { at: now, action: order.action, targets });
        }
    }
}

fn instance_id(record: &ContainerInstance) -> Option<&str> {
    record.instance_id.as_ref().map(|id| id.as_str())
}
