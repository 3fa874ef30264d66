//! Which commands are sent, and their targets.
//!
//! What is due is sent as soon as the credentials allow it, but no faster than Parameter Store answers the hosts. Nothing
//! here knows how a send can fail.

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared::brake::Password;
use shared::config::Policy;
use shared::history::{Action, Command};
use shared::ids::InstanceId;
use shared::send::{MaxErrors, RateControl, TARGETS_A_COMMAND};

use super::canary::choose_canary;
use super::credentials::Credentials;
use super::schedule::{Attempt, Triggers, is_stale, next_attempt};
use super::turns::{Waiting, in_turn, was_not_delivered};
use crate::fleet::{AgentState, Fleet, Instance};

/// A `check` reconnects an idle mapping with the credential that Windows kept, which is a log-on. SSM stops the command at
/// the first failure.
const CHECK: RateControl = RateControl { max_concurrency: 2, max_errors: MaxErrors::Count(0) };

/// A mapping that logged on before the password changed is renewed a few at a time.
const RENEWAL: RateControl = RateControl { max_concurrency: 2, max_errors: MaxErrors::Count(1) };

/// Few enough that slow ones end within the deadline, two at a time.
const RENEWALS_A_COMMAND: usize = 6;

/// One check command in flight for so many instances.
const INSTANCES_A_CHECK: usize = 500;

/// So many instances are sent a `map` within half the base. Each asks Parameter Store, which answers 40 calls a second by
/// default for the whole account, and an instance waits at most 30 s for its answer.
const MAPS: usize = 600;

/// A command to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCommand {
    /// What to ask for.
    pub action: Action,
    /// Its targets, at most 50.
    pub targets: Vec<InstanceId>,
    /// SSM's rate control for it.
    pub rate_control: RateControl,
    /// Why, for the log.
    pub reason: &'static str,
}

/// The agents to ask before anything is sent.
#[derive(Debug, Default)]
pub struct AgentsToAsk {
    /// All of these.
    pub all: BTreeSet<InstanceId>,
    /// Of these, in this order, until `enough` are online: no more are sent to.
    pub in_turn: Vec<InstanceId>,
    /// How many that is.
    pub enough: usize,
}

/// The agents of the instances that may be sent something now.
pub(super) fn agents_to_ask(
    fleet: &Fleet,
    credentials: &Credentials,
    policy: &Policy,
    now: Timestamp,
) -> AgentsToAsk {
    let triggers = Triggers::of(fleet);
    let proven = credentials.brake.password == Password::Proven;
    let (mut all, mut maps) = (BTreeSet::new(), Vec::new());
    for instance in fleet.counted().filter(|instance| is_free(fleet, instance, policy, now)) {
        match next_attempt(instance, &triggers, policy).filter(|(at, _)| *at <= now) {
            Some((at, Attempt::First | Attempt::Retry)) if proven => maps.push((at, instance.id.clone())),
            Some(_) => drop(all.insert(instance.id.clone())),
            None if credentials.canary_due && !instance.is_open() => drop(all.insert(instance.id.clone())),
            None => {}
        }
    }
    let enough = room_for_maps(fleet, policy, now) * TARGETS_A_COMMAND;
    AgentsToAsk { all, in_turn: oldest_first(maps), enough }
}

/// What is sent now, in this order: due maps, the canary, renewals, checks.
pub(super) fn plan_commands(
    fleet: &Fleet,
    credentials: &Credentials,
    policy: &Policy,
    now: Timestamp,
) -> Vec<PlannedCommand> {
    let Due { maps, canary, renewals, checks } = due(fleet, credentials, policy, now);
    let all_at_once = |targets: &[InstanceId], reason| PlannedCommand {
        action: Action::Map,
        targets: targets.to_vec(),
        rate_control: RateControl::ALL_AT_ONCE,
        reason,
    };
    let mut commands: Vec<PlannedCommand> = oldest_first(maps)
        .chunks(TARGETS_A_COMMAND)
        .take(room_for_maps(fleet, policy, now))
        .map(|targets| all_at_once(targets, "due and the password is proven"))
        .collect();
    commands.extend(canary.map(|id| all_at_once(&[id], "canary")));
    if !renewal_at_work(fleet, policy, now) {
        commands.extend(in_turn(renewals, now).chunks(RENEWALS_A_COMMAND).take(1).map(|targets| {
            PlannedCommand {
                action: Action::Map,
                targets: targets.to_vec(),
                rate_control: RENEWAL,
                reason: "logged on with an older password",
            }
        }));
    }
    if !credentials.brake.checks_withheld {
        let room = room_for_checks(fleet, policy, now);
        commands.extend(in_turn(checks, now).chunks(TARGETS_A_COMMAND).take(room).map(|targets| {
            PlannedCommand {
                action: Action::Check,
                targets: targets.to_vec(),
                rate_control: CHECK,
                reason: "look without presenting the password",
            }
        }));
    }
    commands
}

/// What is due now, by the command that it is due for.
#[derive(Default)]
struct Due {
    maps: Vec<(Timestamp, InstanceId)>,
    canary: Option<InstanceId>,
    renewals: Vec<Waiting>,
    checks: Vec<Waiting>,
}

fn due(fleet: &Fleet, credentials: &Credentials, policy: &Policy, now: Timestamp) -> Due {
    let proven = credentials.brake.password == Password::Proven;
    let triggers = Triggers::of(fleet);
    let ready: Vec<&Instance> = fleet
        .counted()
        .filter(|instance| instance.agent == AgentState::Online && is_free(fleet, instance, policy, now))
        .collect();
    let mut due = Due::default();
    if credentials.canary_due {
        due.canary = choose_canary(&ready, &triggers, policy, now).cloned();
    }
    for instance in ready {
        let Some((at, attempt)) = next_attempt(instance, &triggers, policy) else { continue };
        if at > now || due.canary.as_ref() == Some(&instance.id) {
            continue;
        }
        match attempt {
            Attempt::First | Attempt::Retry if proven => due.maps.push((at, instance.id.clone())),
            // Presents no password of ours, and takes over a fleet that was mapped by hand.
            Attempt::First => due.checks.push(Waiting::first(instance, now)),
            // Nothing is known about it but that a command did not get to it.
            Attempt::Retry if was_not_delivered(instance) => due.checks.push(Waiting::new(instance, now)),
            Attempt::Retry => {}
            Attempt::Verify if proven && is_stale(instance, &triggers) => {
                due.renewals.push(Waiting::new(instance, now));
            }
            Attempt::Verify => due.checks.push(Waiting::new(instance, now)),
        }
    }
    due
}

fn is_free(fleet: &Fleet, instance: &Instance, policy: &Policy, now: Timestamp) -> bool {
    instance.counts() && !instance.is_in_flight() && !fleet.may_be_on_its_way(&instance.id, policy, now)
}

/// How many more `map` commands may be sent now, whichever function sent the last ones.
fn room_for_maps(fleet: &Fleet, policy: &Policy, now: Timestamp) -> usize {
    let is_recent = |command: &&Command| {
        command.action == Action::Map && now.duration_since(command.requested_at) < policy.map_rate_window()
    };
    let sent = fleet.commands.iter().filter(is_recent).map(|command| command.instances.len()).sum();
    MAPS.saturating_sub(sent) / TARGETS_A_COMMAND
}

fn room_for_checks(fleet: &Fleet, policy: &Policy, now: Timestamp) -> usize {
    let at_work = fleet.at_work(Action::Check, policy, now).count();
    fleet.counted().count().div_ceil(INSTANCES_A_CHECK).saturating_sub(at_work)
}

/// A `map` is at work on an instance whose gate is open.
fn renewal_at_work(fleet: &Fleet, policy: &Policy, now: Timestamp) -> bool {
    let open: BTreeSet<&InstanceId> =
        fleet.instances.values().filter(|instance| instance.is_open()).map(|instance| &instance.id).collect();
    fleet.at_work(Action::Map, policy, now).flatten().any(|id| open.contains(id))
}

fn oldest_first(mut waiting: Vec<(Timestamp, InstanceId)>) -> Vec<InstanceId> {
    waiting.sort();
    waiting.into_iter().map(|(_, id)| id).collect()
}
