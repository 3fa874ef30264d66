//! Which SSM agents are asked before anything is sent.

use jiff::Timestamp;
use shared::budget::Budget;
use shared::config::Policy;
use shared::history::Action;
use shared::ids::InstanceId;
use shared::send::TARGETS_A_COMMAND;

use super::commands::{Due, RENEWALS_A_COMMAND, due, ids, oldest_first, renewal_at_work, room_for_maps};
use super::gates::is_late;
use super::pace::CheckPace;
use super::turns::{Waiting, in_turn};
use crate::fleet::Fleet;

/// Agents that are asked before anything is sent: in this order, until enough are online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentsToAsk {
    /// The agents.
    pub ids: Vec<InstanceId>,
    /// So many are sent to.
    pub enough: usize,
}

/// The agents of the instances that may be sent something now, by command. In any case those of instances that fail are
/// asked, because the report says whose agent is offline; and those of `late` ones, whose gate is shut if it is.
pub(super) fn agents_to_ask(
    fleet: &Fleet,
    budget: &Budget,
    pace: &CheckPace,
    policy: &Policy,
    now: Timestamp,
) -> Vec<AgentsToAsk> {
    let Due { maps, canaries, renewals, mut checks } = due(fleet, budget, pace, policy, now);
    let failing = canaries.iter().copied().filter(|one| one.state().is_some());
    let late = checks.iter().map(|one| one.instance).filter(|one| is_late(one, pace.silent_after, now));
    let mut to_ask = vec![AgentsToAsk { ids: ids(failing.chain(late)), enough: usize::MAX }];
    to_ask.push(if budget.is_fresh {
        AgentsToAsk { ids: oldest_first(maps), enough: room_for_maps(fleet, policy, now) * TARGETS_A_COMMAND }
    } else {
        let allowed = canaries.into_iter().filter(|one| budget.allows_canary(&one.id, policy, now));
        AgentsToAsk { ids: ids(allowed), enough: 1 }
    });
    if !renewal_at_work(fleet, policy, now) {
        let renewals = in_turn(renewals, pace.turn_memory(policy), now);
        to_ask.push(AgentsToAsk {
            ids: ids(renewals.iter().map(|one| one.instance)),
            enough: RENEWALS_A_COMMAND,
        });
    }
    if fleet.at_work(Action::Check, policy, now).next().is_none() {
        checks.retain(|one| budget.checks_at_a_time(one.credential) > 0);
        let checks = in_turn(checks, pace.turn_memory(policy), now);
        let is_like_first = |one: &&Waiting<'_>| one.is_like(&checks[0]);
        let (alike, others): (Vec<_>, Vec<_>) = checks.iter().partition(is_like_first);
        let in_turn = alike.into_iter().chain(others).map(|one| one.instance);
        to_ask.push(AgentsToAsk { ids: ids(in_turn), enough: TARGETS_A_COMMAND });
    }
    to_ask
}
