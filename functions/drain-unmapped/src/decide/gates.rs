//! Gates and states: what follows from results, from contradicting attributes, and from silence.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::cause::Cause;
use shared::config::Policy;
use shared::ecs::ContainerInstance;
use shared::history::{Action, Command};
use shared::ids::{CommandId, ContainerInstanceArn};
use shared::invocation::{Failure, InvocationResult, Proof};
use shared::state::{Gate, State, StateAttribute};

use super::pace::CheckPace;
use super::schedule::later;
use super::verdict::{Verdict, judge};
use crate::fleet::{AgentState, CommandResult, Fleet, Instance};

/// Gate and state to write on one instance, if its attributes are still as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateWrite {
    /// The instance.
    pub arn: ContainerInstanceArn,
    /// The gate as it was read.
    pub gate_before: Gate,
    /// What to write.
    pub verdict: Verdict,
    /// What it rests on.
    pub why: Why,
}

impl GateWrite {
    /// It opens a gate.
    pub fn opens(&self) -> bool {
        self.gate_before == Gate::Shut && self.verdict.gate == Gate::Mapped
    }
}

/// What a write rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The script read the share.
    Proof(Arc<Proof>),
    /// The script reported a failure.
    Failure(Arc<Failure>),
    /// The invocation ended without a result line.
    NoResult,
    /// An open gate was not proven for too long, while SSM is well.
    Silent,
    /// Gate and state contradicted each other.
    Contradiction,
    /// The proof was of another share.
    OtherShare,
}

impl Why {
    /// As it is logged; `None` where the script's result line says it.
    pub fn as_str(&self) -> Option<&'static str> {
        match self {
            Why::Proof(_) | Why::Failure(_) => None,
            Why::NoResult => Some("no result"),
            Why::Silent => Some("silent"),
            Why::Contradiction => Some("gate and state contradicted each other"),
            Why::OtherShare => Some("the proof is of another share"),
        }
    }
}

/// A proof of another share is none: the gate is shut, whatever the host says in the same look.
pub(super) fn shut_other_shares(fleet: &mut Fleet, now: Timestamp) -> Vec<GateWrite> {
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        let StateAttribute::OtherShare(proof) = &instance.record.attributes.state else { continue };
        if !instance.record.is_connected {
            continue;
        }
        let state = State::Unmapped {
            attempts: 1,
            judged: proof.judged(),
            logon: proof.logon(),
            cause: Cause::OTHER_SHARE,
            failing_since: now,
        };
        let verdict = Verdict { gate: Gate::Shut, state };
        writes.push(apply(arn, instance, verdict, Why::OtherShare));
    }
    writes
}

/// Judges every connected instance's newest result. What ECS has no room for is not recorded; only an open gate is shut.
pub(super) fn apply_results(fleet: &mut Fleet, written: &[GateWrite]) -> Vec<GateWrite> {
    let written: BTreeSet<&ContainerInstanceArn> = written.iter().map(|write| &write.arn).collect();
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        if !instance.record.is_connected || written.contains(arn) {
            continue;
        }
        let Some((result, verdict)) = judge(instance) else { continue };
        if instance.record.lacks_room() && !(instance.is_open() && verdict.gate == Gate::Shut) {
            continue;
        }
        let why = match &result.result {
            Some(InvocationResult::Mapped(proof)) => Why::Proof(proof.clone()),
            Some(InvocationResult::Failed(failure)) => Why::Failure(failure.clone()),
            _ => Why::NoResult,
        };
        writes.push(apply(arn, instance, verdict, why));
    }
    writes
}

/// Gates and states that contradict each other, because an operator edited one of them.
pub(super) fn reconcile_attributes(fleet: &mut Fleet, policy: &Policy, now: Timestamp) -> Vec<GateWrite> {
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        if !instance.record.is_connected || !instance.is_open() {
            continue;
        }
        let verdict = match &instance.record.attributes.state {
            // The gate was opened by hand over a failure.
            StateAttribute::Known(state @ (State::Unmapped { .. } | State::Restarted { .. })) => {
                Verdict { gate: Gate::Shut, state: state.clone() }
            }
            // No proof of it can be recorded.
            StateAttribute::Unreadable if instance.record.lacks_room() => Verdict {
                gate: Gate::Shut,
                state: State::Unmapped {
                    attempts: 1,
                    judged: instance.record.registered_at,
                    logon: None,
                    cause: Cause::SILENT,
                    failing_since: now,
                },
            },
            // Counts as mapped and due. It is written, so that the time until it counts as silent runs.
            StateAttribute::Unreadable => {
                let registered = instance.record.registered_at;
                // With checks switched off it must at least not look like a fresh proof.
                let judged =
                    policy.verify_every.map_or(registered, |period| later(now, -period).max(registered));
                Verdict { gate: Gate::Mapped, state: State::Mapped { since: judged, judged, logon: None } }
            }
            _ => continue,
        };
        writes.push(apply(arn, instance, verdict, Why::Contradiction));
    }
    writes
}

/// Whether SSM, not the hosts, is silent: nobody answered the last two checks; or too many open gates are overdue though their
/// instances were asked, or have an agent that is offline. One alone never is SSM's fault, and an instance that waits for its
/// turn was not asked.
pub(super) fn is_ssm_unwell(fleet: &Fleet, pace: &CheckPace, policy: &Policy, now: Timestamp) -> bool {
    let Some(late) = pace.period.map(|period| policy.ssm_unwell_after(period)) else { return false };
    let open = fleet.counted().filter(|instance| instance.is_open()).count();
    let mut old =
        fleet.counted().filter(|instance| is_open_and_judged_before(instance, late, now)).peekable();
    // Of a fleet that keeps its period, no result is looked at.
    let stopped = if old.peek().is_some() { stopped_commands(fleet) } else { BTreeSet::new() };
    let was_asked_in_vain = |instance: &&Instance| {
        was_asked(instance, &stopped) || matches!(instance.agent, AgentState::Offline { .. })
    };
    let overdue = old.filter(was_asked_in_vain).count();
    let are_many = overdue > (open * policy.breaker_percent as usize).div_ceil(100) || overdue * 2 >= open;
    overdue > 1 && are_many || is_nobody_answering(fleet, now)
}

/// The last two checks are over, were sent to two instances or more, and none of them answered.
fn is_nobody_answering(fleet: &Fleet, now: Timestamp) -> bool {
    let is_over = |command: &&Command| command.is_final || command.is_past_deadline(now);
    let checks = fleet.commands.iter().rev().filter(|command| command.action == Action::Check);
    let last: BTreeSet<&CommandId> = checks.filter(is_over).take(2).map(|command| &command.id).collect();
    let mut asked = 0;
    for instance in fleet.counted() {
        let of_last = |result: &&CommandResult| result.command.as_ref().is_some_and(|id| last.contains(id));
        let mut results = instance.results.iter().filter(of_last).peekable();
        asked += usize::from(results.peek().is_some());
        // A result that is not read again was judged, so it was an answer.
        if results.any(|one| !matches!(one.result, Some(InvocationResult::NoResult(_)))) {
            return false;
        }
    }
    last.len() == 2 && asked > 1
}

/// Shuts the gates that were not proven in two periods, though their instances were asked or cannot be asked.
pub(super) fn shut_silent(
    fleet: &mut Fleet,
    written: &[GateWrite],
    late: Option<SignedDuration>,
    now: Timestamp,
) -> Vec<GateWrite> {
    if !fleet.instances.values().any(|instance| is_late(instance, late, now)) {
        return Vec::new();
    }
    let stopped = stopped_commands(fleet);
    // An instance whose result was just judged is not silent, however old that command is.
    let judged: BTreeSet<&ContainerInstanceArn> = written.iter().map(|write| &write.arn).collect();
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        let Some(state) = instance.state() else { continue };
        if !is_late(instance, late, now) || judged.contains(arn) || !is_silent(instance, &stopped) {
            continue;
        }
        let state = State::Unmapped {
            attempts: 1,
            judged: state.judged(),
            logon: state.logon(),
            cause: Cause::SILENT,
            failing_since: now,
        };
        writes.push(apply(arn, instance, Verdict { gate: Gate::Shut, state }, Why::Silent));
    }
    writes
}

/// Its gate is open, and its proof older than that, so that it is shut if the instance is silent.
pub(super) fn is_late(instance: &Instance, late: Option<SignedDuration>, now: Timestamp) -> bool {
    instance.counts() && late.is_some_and(|late| is_open_and_judged_before(instance, late, now))
}

fn is_open_and_judged_before(instance: &Instance, ago: SignedDuration, now: Timestamp) -> bool {
    instance.is_open() && instance.state().is_some_and(|state| now.duration_since(state.judged()) > ago)
}

/// It was asked and did not answer, or it cannot be asked. An instance that waits for its turn, is being asked, or was not
/// asked because SSM stopped the command, is not silent.
fn is_silent(instance: &Instance, stopped: &BTreeSet<CommandId>) -> bool {
    let cannot_be_asked = matches!(instance.agent, AgentState::Offline { .. });
    (was_asked(instance, stopped) || cannot_be_asked) && !instance.is_in_flight()
}

/// A command was sent to it and brought no result.
fn was_asked(instance: &Instance, stopped: &BTreeSet<CommandId>) -> bool {
    let Some(last) = instance.fresh_results().next_back() else { return false };
    match &last.result {
        Some(InvocationResult::NoResult(cause)) => {
            *cause != Cause::UNDELIVERED || !last.command.as_ref().is_some_and(|id| stopped.contains(id))
        }
        _ => false,
    }
}

/// Commands in which an invocation failed, so that SSM may have stopped before it got to every target.
fn stopped_commands(fleet: &Fleet) -> BTreeSet<CommandId> {
    let failed = |result: &&CommandResult| match &result.result {
        Some(InvocationResult::Failed(_)) => true,
        Some(InvocationResult::NoResult(cause)) => *cause != Cause::UNDELIVERED,
        Some(InvocationResult::Mapped(_) | InvocationResult::Pending) | None => false,
    };
    let results = fleet.instances.values().flat_map(|instance| instance.results.iter());
    results.filter(failed).filter_map(|result| result.command.clone()).collect()
}

/// What the attributes are once a verdict is written: without room for a state it has none.
pub fn set(record: &mut ContainerInstance, verdict: &Verdict) {
    let has_room = !record.lacks_room();
    let attributes = &mut record.attributes;
    attributes.has_gate |= verdict.gate != attributes.gate;
    attributes.has_state |= has_room;
    attributes.gate = verdict.gate;
    attributes.state =
        if has_room { StateAttribute::Known(verdict.state.clone()) } else { StateAttribute::Absent };
}

/// Applies a verdict to the fleet, and says what to write for it.
fn apply(arn: &ContainerInstanceArn, instance: &mut Instance, verdict: Verdict, why: Why) -> GateWrite {
    let gate_before = instance.record.attributes.gate;
    set(&mut instance.record, &verdict);
    GateWrite { arn: arn.clone(), gate_before, verdict, why }
}
