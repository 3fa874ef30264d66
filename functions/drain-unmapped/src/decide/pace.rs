//! What a check takes, and how often a fleet of this size can be checked with this budget.
//!
//! See docs/architecture.md, Order of checks.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use shared::budget::Credential;
use shared::config::Policy;
use shared::history::{Action, Command};
use shared::invocation::InvocationResult;
use shared::send::TARGETS_A_COMMAND;

use crate::fleet::Fleet;

/// A `check` command has as many targets as are checked in this time. Others wait until it ends.
const COMMAND: SignedDuration = SignedDuration::from_mins(6);

/// What a check takes, as long as none was measured.
const UNMEASURED: SignedDuration = SignedDuration::from_secs(15);

/// Shorter and longer ones are not believed. A command has at least one target for each place.
const LIMITS: [SignedDuration; 2] = [SignedDuration::from_secs(1), COMMAND];

/// So many of the last commands are measured.
const COMMANDS: usize = 9;

/// How fast the fleet is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckPace {
    /// The time for which one check takes one of the places that the budget allows, with what SSM adds.
    pub each: SignedDuration,
    /// How many instances that hold the current password are checked at a time, while no log-on is refused.
    pub at_a_time: u32,
    /// The time in which every open gate is checked once: `VERIFY_EVERY_MINUTES`, or longer where that many checks do not
    /// fit into it. `None` where proofs are never checked again.
    pub period: Option<SignedDuration>,
    /// The age of a proof at which its instance counts as silent.
    pub(super) silent_after: Option<SignedDuration>,
}

impl CheckPace {
    /// Measures the fleet's last checks.
    pub fn of(fleet: &Fleet, policy: &Policy) -> Self {
        let each = measured(fleet).unwrap_or(UNMEASURED).clamp(LIMITS[0], LIMITS[1]);
        let at_a_time = policy.refusal_budget.saturating_sub(1).max(1);
        let others_at_a_time = policy.refusal_budget.saturating_sub(2).max(1);
        let (mut current, mut others) = (0, 0);
        for instance in fleet.counted().filter(|instance| instance.is_open()) {
            *(if fleet.credential(instance) == Credential::Current { &mut current } else { &mut others }) +=
                1;
        }
        let round = each * rounds(current, at_a_time) + each * rounds(others, others_at_a_time);
        let period = policy.verify_every.map(|period| period.max(round));
        let silent_after = period.map(|period| policy.silent_after(period));
        CheckPace { each, at_a_time, period, silent_after }
    }

    /// How many targets a command has that checks so many at a time.
    pub(super) fn targets(&self, at_a_time: u32) -> usize {
        let rounds = usize::try_from(COMMAND.as_millis() / self.each.as_millis().max(1)).unwrap_or(1).max(1);
        (rounds * at_a_time as usize).min(TARGETS_A_COMMAND)
    }

    /// How long the time of an instance's last command orders the next ones: longer than a round of checks takes.
    pub(super) fn turn_memory(&self, policy: &Policy) -> SignedDuration {
        self.period.map_or(SignedDuration::ZERO, |period| period * 2).max(policy.turn_memory())
    }

    /// How long a command is expected to last at least from now on: its last checks may end at any time.
    pub fn rest_of(&self, command: &Command) -> SignedDuration {
        let unfinished = command.instances.len().saturating_sub(command.completed);
        let rounds = unfinished / (command.max_concurrency.max(1) as usize);
        self.each * i32::try_from(rounds).unwrap_or(i32::MAX)
    }
}

/// How many checks one place makes.
fn rounds(targets: usize, at_a_time: u32) -> i32 {
    i32::try_from(targets.div_ceil(at_a_time.max(1) as usize)).unwrap_or(i32::MAX)
}

/// The median of what a check took in each of the last commands that anybody answered. What SSM did not deliver in time does
/// not count: if only fast commands were measured, a fleet that becomes slow would be sent commands that never end.
fn measured(fleet: &Fleet) -> Option<SignedDuration> {
    let mut ends: BTreeMap<Timestamp, (usize, Timestamp)> = BTreeMap::new();
    for attempt in fleet.attempts.iter().filter(|one| one.action == Action::Check) {
        if !matches!(attempt.result, InvocationResult::NoResult(_)) {
            let (answers, end) = ends.entry(attempt.requested_at).or_insert((0, attempt.ended_at));
            (*answers, *end) = (*answers + 1, attempt.ended_at.max(*end));
        }
    }
    let took = |command: &Command| {
        let (answers, end) = ends.get(&command.requested_at)?;
        Some(end.duration_since(command.requested_at) / rounds(*answers, command.max_concurrency).max(1))
    };
    let is_over = |command: &&Command| command.action == Action::Check && command.is_final;
    let checks = fleet.commands.iter().rev().filter(is_over);
    let mut took: Vec<SignedDuration> = checks.filter_map(took).take(COMMANDS).collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}
