//! Invariants 5 and 6: commands go to connected instances whose agent is online and that nothing is at work on, to none
//! twice; a password that is not proven is presented by one at a time, while refused once in two reprobes; credentials
//! that Windows kept log on a few at a time, and not while two instances' fail.

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared::brake::Parameters;
use shared::cause::Class;
use shared::config::Policy;
use shared::history;
use shared::ids::InstanceId;
use shared::invocation::InvocationResult;
use shared::send::MaxErrors;
use shared::state::State;

use super::{Holds, counts, must, voided_until};
use crate::decide::{Plan, PlannedCommand};
use crate::fleet::{AgentState, CommandResult, Fleet, Instance};
use crate::tests::build::NOW;

pub(super) fn what_is_sent_fits(fleet: &Fleet, orders: &[&PlannedCommand]) -> Holds {
    let mut seen: BTreeSet<&InstanceId> = BTreeSet::new();
    for order in orders {
        must((1..=50).contains(&order.targets.len()), "5: SSM takes one to fifty targets")?;
        for id in &order.targets {
            must(seen.insert(id), "5: no instance is sent to twice")?;
            let target = fleet.instances.values().find(|instance| instance.id == *id);
            let target = target.ok_or_else(|| "5: no target is made up".to_owned())?;
            must(counts(target) && target.agent == AgentState::Online, "5: only who can take it is sent to")?;
            let is_at_work = target.results.iter().any(|answer| {
                answer.result == Some(InvocationResult::Pending) && answer.requested_at > voided_until(target)
            });
            must(!is_at_work, "5: nobody is sent to while a command is at work on it")?;
        }
    }
    Ok(())
}

fn newest_logon(fleet: &Fleet) -> Option<Timestamp> {
    let states = fleet.instances.values().map(|i| &i.record).chain(&fleet.stale_registrations);
    states.filter_map(|record| record.attributes.state.state().and_then(State::logon)).max()
}

/// Credential failures that stand on instances that count and began after every log-on.
pub(super) fn open_failures(plan: &Plan) -> usize {
    open_failures_of(plan).count()
}

fn open_failures_of(plan: &Plan) -> impl Iterator<Item = (&Instance, Timestamp)> {
    let logon = newest_logon(&plan.fleet);
    plan.fleet.instances.values().filter(|i| counts(i)).filter_map(move |instance| match instance.state() {
        Some(State::Unmapped { cause, judged, failing_since, .. })
            if cause.class() == Class::Credentials && logon.is_none_or(|logon| *failing_since > logon) =>
        {
            Some((instance, *judged))
        }
        _ => None,
    })
}

pub(super) fn the_password_is_presented_by_one_at_a_time_until_it_is_proven(
    plan: &Plan,
    policy: &Policy,
    orders: &[&PlannedCommand],
) -> Holds {
    let fleet = &plan.fleet;
    let maps: Vec<&&PlannedCommand> =
        orders.iter().filter(|order| order.action == history::Action::Map).collect();
    let targets: usize = maps.iter().map(|order| order.targets.len()).sum();
    let changed = match fleet.parameters {
        Parameters::Unread => {
            return must(targets == 0, "6: nothing is presented when nothing is known of it");
        }
        _ if fleet.is_partial => {
            return must(targets == 0, "6: nothing is presented when a cluster is unread");
        }
        Parameters::Missing => None,
        Parameters::Changed(at) => Some(at),
    };
    // At create, or by what Windows kept where that is the very same password.
    let was_refused = |(instance, judged): (&Instance, Timestamp)| {
        let is_it = |answer: &&CommandResult| answer.requested_at == judged;
        let logon = instance.state().and_then(State::logon);
        let is_the_same = |answer: &CommandResult| match (&answer.result, answer.action) {
            (Some(InvocationResult::Failed(failure)), history::Action::Map) => failure.step == "create",
            (Some(InvocationResult::Failed(_)), history::Action::Check) => {
                logon.is_some_and(|at| Some(at) > changed)
            }
            (word, _) => word.is_none(),
        };
        changed.is_some_and(|changed| judged > changed)
            && instance.results.iter().find(is_it).is_some_and(is_the_same)
    };
    let kept_was_refused = |(instance, judged): (&Instance, Timestamp)| {
        instance.results.iter().any(|a| a.requested_at == judged && a.action == history::Action::Check)
    };
    let is_refused = open_failures_of(plan).any(was_refused);
    let is_proven = changed.is_some_and(|changed| newest_logon(fleet).is_some_and(|logon| logon > changed));
    if is_proven && !is_refused && !open_failures_of(plan).any(kept_was_refused) {
        return Ok(());
    }
    must(targets <= 1, "6: one canary at a time")?;
    if targets == 0 {
        return Ok(());
    }
    let is_open = |id: &InstanceId| fleet.instances.values().any(|i| i.id == *id && i.is_open());
    must(!is_open(&maps[0].targets[0]), "6: a canary has no open gate")?;
    let listed = fleet
        .commands
        .iter()
        .filter(|c| c.action == history::Action::Map)
        .map(|c| (c.requested_at, c.is_final));
    let at_work =
        listed.clone().any(|(at, is_final)| !is_final && NOW.duration_since(at) <= history::DEADLINE);
    must(!at_work, "6: no canary while one is at work")?;
    let lost = fleet.unconfirmed_sends.iter().filter(|s| s.action == history::Action::Map).map(|s| s.at);
    let Some(last) = listed.map(|(at, _)| at).chain(lost).max() else { return Ok(()) };
    let pause = if is_refused { policy.reprobe * 2 } else { policy.base * 4 };
    let has_changed = changed.is_some_and(|changed| changed > last);
    must(has_changed || NOW.duration_since(last) >= pause, "6: the canary waits its pause")
}

pub(super) fn kept_credentials_are_rationed(
    plan: &Plan,
    policy: &Policy,
    orders: &[&PlannedCommand],
) -> Holds {
    let fleet = &plan.fleet;
    let n = fleet.instances.values().filter(|instance| counts(instance)).count();
    let checks: Vec<&&PlannedCommand> =
        orders.iter().filter(|order| order.action == history::Action::Check).collect();
    must(checks.is_empty() || open_failures(plan) < 2, "6: no checks while two instances' credentials fail")?;
    must(
        checks.is_empty() || !fleet.is_partial,
        "6: no checks while it is not known whose credentials fail",
    )?;
    let at_work = |action: history::Action| {
        let listed = fleet.commands.iter().filter(move |command| {
            command.action == action
                && !command.is_final
                && NOW.duration_since(command.requested_at) <= history::DEADLINE
        });
        let lost = fleet
            .unconfirmed_sends
            .iter()
            .filter(move |send| send.action == action && NOW.duration_since(send.at) < policy.base * 2);
        listed.map(|command| &command.instances).chain(lost.map(|send| &send.targets))
    };
    let room = n.div_ceil(500);
    must(
        checks.is_empty() || checks.len() + at_work(history::Action::Check).count() <= room,
        "6: checks are few",
    )?;
    let is_open = |id: &InstanceId| fleet.instances.values().any(|i| i.id == *id && i.is_open());
    let renewals: Vec<&&PlannedCommand> = orders
        .iter()
        .filter(|order| order.action == history::Action::Map && order.targets.iter().any(is_open))
        .collect();
    let renewing = at_work(history::Action::Map).filter(|targets| targets.iter().any(is_open)).count();
    must(renewals.is_empty() || renewals.len() + renewing <= 1, "6: one renewal at a time")?;
    for order in checks.iter().chain(&renewals) {
        let errors = u32::from(order.action == history::Action::Map);
        let rationing = order.rate_control;
        let is_rationed = rationing.max_concurrency == 2 && rationing.max_errors == MaxErrors::Count(errors);
        must(is_rationed, "6: kept credentials log on two at a time")?;
    }
    must(renewals.iter().all(|order| order.targets.len() <= 6), "6: renewals are few")
}
