//! Desired minus actual: one pure function from the fleet to what is to be done.
//!
//! In this order, which is safe to die in: words are judged, gates that nobody vouches for are shut, what stands on the
//! instances is put in order, commands are planned, and last of all drains.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shared::cause::Cause;
use shared::config::Policy;
use shared::ids::{ClusterRef, CommandId, ContainerInstanceArn};
use shared::invocation::{Failure, InvocationResult, Proof};
use shared::state::{Gate, State, StateAttribute};

use crate::drain::{DrainAction, Rule, plan_drains};
use crate::fleet::{AgentState, Answer, Fleet, Instance};
use crate::schedule::later;
use crate::sends::{Braking, PlannedCommand, ask_brake, plan_sends};
use crate::verdict::{Verdict, judge};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write gate and state, if the instance still stands as it was read.
    Write {
        /// To which instance.
        arn: ContainerInstanceArn,
        /// What.
        verdict: Verdict,
        /// Why.
        why: Why,
    },
    /// Send a command.
    Send(PlannedCommand),
    /// Do something about a drain.
    Drain {
        /// Of which instance.
        arn: ContainerInstanceArn,
        /// What.
        action: DrainAction,
    },
}

impl Action {
    /// The instance whose gate and state are written.
    fn written_to(&self) -> Option<&ContainerInstanceArn> {
        match self {
            Action::Write { arn, .. } => Some(arn),
            Action::Send(_) | Action::Drain { .. } => None,
        }
    }
}

/// What a write rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The script read the share.
    Proof(Proof),
    /// The script said no.
    Failure(Failure),
    /// SSM brought no word of the script's.
    NoResult,
    /// Nobody has vouched for an open gate for too long, while SSM is well.
    Silent,
    /// The attributes did not fit each other.
    Tidied,
}

/// What SSM's words that a command did not run mean: also that it was stopped because a sibling failed.
pub const UNDELIVERED: &str = "undelivered";

/// What was decided, and what it rests on.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// Who would be drained, but for this rule.
    pub withheld: BTreeMap<ContainerInstanceArn, Rule>,
    /// Clusters whose breaker is open.
    pub breakers: BTreeMap<ClusterRef, Rule>,
    /// The credential brake.
    pub braking: Braking,
    /// Too many open gates are overdue: it is SSM that is silent, not the hosts.
    pub is_ssm_unwell: bool,
    /// The fleet as it will stand once the writes are done.
    pub fleet: Fleet,
}

/// Decides.
pub fn decide(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Plan {
    let mut fleet = fleet.clone();
    let mut writes = judge_words(&mut fleet);
    writes.extend(tidy(&mut fleet, policy, now));
    let is_ssm_unwell = is_ssm_unwell(&fleet, policy, now);
    let braking = ask_brake(&fleet, policy, now);
    if !is_ssm_unwell && !braking.brake.checks_withheld {
        let silent = shut_silent(&mut fleet, &writes, policy, now);
        writes.extend(silent);
    }
    // Shutting gates comes first, for that is what keeps tasks off.
    writes
        .sort_by_key(|write| matches!(write, Action::Write { verdict, .. } if verdict.gate == Gate::Mapped));
    let drains = plan_drains(&fleet, policy, now);
    let mut actions = writes;
    actions.extend(plan_sends(&fleet, policy, now).into_iter().map(Action::Send));
    actions.extend(drains.actions.into_iter().map(|(arn, action)| Action::Drain { arn, action }));
    Plan { actions, withheld: drains.withheld, breakers: drains.breakers, braking, is_ssm_unwell, fleet }
}

fn judge_words(fleet: &mut Fleet) -> Vec<Action> {
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        if !instance.record.is_connected {
            continue;
        }
        let Some((answer, verdict)) = judge(instance) else { continue };
        let why = match &answer.result {
            Some(InvocationResult::Mapped(proof)) => Why::Proof(proof.clone()),
            Some(InvocationResult::Failed(failure)) => Why::Failure(failure.clone()),
            _ => Why::NoResult,
        };
        apply(instance, &verdict);
        writes.push(Action::Write { arn: arn.clone(), verdict, why });
    }
    writes
}

/// Gates and states that an operator, or a death of ours, left at odds.
fn tidy(fleet: &mut Fleet, policy: &Policy, now: Timestamp) -> Vec<Action> {
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        if !instance.record.is_connected || !instance.is_open() {
            continue;
        }
        let verdict = match &instance.record.attributes.state {
            // The gate was opened by hand over a proof of the contrary.
            StateAttribute::Known(state @ (State::Unmapped { .. } | State::Restarted { .. })) => {
                Verdict { gate: Gate::Shut, state: state.clone() }
            }
            // Counts as mapped and due. Written down, so that the time until somebody vouches for it runs.
            StateAttribute::Unreadable => {
                let registered = instance.record.registered_at;
                // Where proofs are never renewed it must at least not pass for a fresh one.
                let judged =
                    policy.verify_every.map_or(registered, |period| later(now, -period).max(registered));
                Verdict { gate: Gate::Mapped, state: State::Mapped { since: judged, judged, logon: None } }
            }
            StateAttribute::Known(State::Mapped { .. } | State::Doubtful { .. }) | StateAttribute::Absent => {
                continue;
            }
        };
        apply(instance, &verdict);
        writes.push(Action::Write { arn: arn.clone(), verdict, why: Why::Tidied });
    }
    writes
}

fn judged_long_ago(instance: &Instance, ago: jiff::SignedDuration, now: Timestamp) -> bool {
    instance.is_open() && instance.state().is_some_and(|state| now.duration_since(state.judged()) > ago)
}

/// Whether so many open gates are overdue that the silence is not the hosts'.
fn is_ssm_unwell(fleet: &Fleet, policy: &Policy, now: Timestamp) -> bool {
    let Some(period) = policy.verify_every else { return false };
    let open = fleet.counted().filter(|instance| instance.is_open()).count();
    // No later than gates are shut as silent, or a short period would shut them before anybody asks what is silent.
    let late = period + period.min(policy.base * 20);
    let overdue = fleet.counted().filter(|instance| judged_long_ago(instance, late, now)).count();
    overdue > 0 && (overdue > (open * policy.breaker_percent as usize).div_ceil(100) || overdue * 2 >= open)
}

/// Shuts the gates that nobody has vouched for in two periods, though somebody could have.
fn shut_silent(fleet: &mut Fleet, written: &[Action], policy: &Policy, now: Timestamp) -> Vec<Action> {
    let Some(period) = policy.verify_every else { return Vec::new() };
    let is_late = |instance: &Instance| instance.counts() && judged_long_ago(instance, period * 2, now);
    if !fleet.instances.values().any(is_late) {
        return Vec::new();
    }
    let stopped = stopped_commands(fleet);
    // Who has just been heard is not silent, however long ago it was asked.
    let heard: BTreeSet<&ContainerInstanceArn> = written.iter().filter_map(Action::written_to).collect();
    let mut writes = Vec::new();
    for (arn, instance) in &mut fleet.instances {
        let Some(state) = instance.state() else { continue };
        if !is_late(instance) || heard.contains(arn) || !is_silent(instance, &stopped) {
            continue;
        }
        let verdict = Verdict {
            gate: Gate::Shut,
            state: State::Unmapped {
                attempts: 1,
                judged: state.judged(),
                logon: state.logon(),
                cause: Cause::new("silent"),
                failing_since: now,
            },
        };
        apply(instance, &verdict);
        writes.push(Action::Write { arn: arn.clone(), verdict, why: Why::Silent });
    }
    writes
}

/// It was asked and said nothing, or it cannot be asked. One that waits for its turn, is being asked or was not, because
/// a sibling failed, is not silent: after hours in which no check was sent, the last to be asked would be shut for it.
fn is_silent(instance: &Instance, stopped: &BTreeSet<CommandId>) -> bool {
    let was_asked = match instance.fresh_answers().next_back() {
        Some(Answer { command, result: Some(InvocationResult::NoResult(cause)), .. }) => {
            cause.as_str() != UNDELIVERED || !stopped.contains(command)
        }
        _ => false,
    };
    let cannot_be_asked = matches!(instance.agent, AgentState::Offline { .. });
    (was_asked || cannot_be_asked) && !instance.is_in_flight()
}

/// Commands in which somebody failed, so that SSM may have stopped before it asked everybody.
fn stopped_commands(fleet: &Fleet) -> BTreeSet<CommandId> {
    let failed = |answer: &&Answer| match &answer.result {
        Some(InvocationResult::Failed(_)) => true,
        Some(InvocationResult::NoResult(cause)) => cause.as_str() != UNDELIVERED,
        Some(InvocationResult::Mapped(_) | InvocationResult::Pending) | None => false,
    };
    let answers = fleet.instances.values().flat_map(|instance| &instance.answers);
    answers.filter(failed).map(|answer| answer.command.clone()).collect()
}

fn apply(instance: &mut Instance, verdict: &Verdict) {
    instance.record.attributes.gate = verdict.gate;
    instance.record.attributes.state = StateAttribute::Known(verdict.state.clone());
    instance.record.attributes.any = true;
}
