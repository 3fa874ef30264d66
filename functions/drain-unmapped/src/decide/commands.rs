//! Which commands are sent, and their targets.
//!
//! What is due is sent as soon as the budget of refused log-ons allows it, but no faster than Parameter Store answers the
//! hosts. Nothing here knows how a send can fail.

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared::budget::{Budget, Credential};
use shared::cause::Cause;
use shared::config::Policy;
use shared::history::{Action, Command};
use shared::ids::InstanceId;
use shared::send::{MaxErrors, RateControl, TARGETS_A_COMMAND};
use shared::state::{State, StateAttribute};

use super::canary::{self, Choice};
use super::pace::CheckPace;
use super::schedule::{Attempt, Triggers, next_attempt};
use super::turns::{Waiting, in_turn};
use super::verdict::was_no_attempt;
use crate::fleet::{AgentState, Fleet, Instance};

/// A mapping that logged on before the password changed is renewed a few at a time.
const RENEWAL: RateControl = RateControl { max_concurrency: 3, max_errors: MaxErrors::Count(1) };

/// Few enough that slow ones end within the deadline, three at a time.
pub(super) const RENEWALS_A_COMMAND: usize = 9;

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

/// Commands, and what waits for the budget.
#[derive(Debug, Clone, Default)]
pub(super) struct PlannedCommands {
    /// In the order in which they are sent.
    pub commands: Vec<PlannedCommand>,
    /// What is due, could be sent, and is not.
    pub waiting: HeldBack,
    /// Instances are due for a `check` and wait for the one that is at work, or that is sent now.
    pub has_more_checks: bool,
}

/// What the budget of refused log-ons holds back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Instances that are due for a `map`, the one to try first in front.
    pub maps: Vec<InstanceId>,
    /// Instances that are due for a `check`.
    pub checks: Vec<InstanceId>,
    /// Instances that are due and were refused the current password.
    pub refused: Vec<InstanceId>,
}

impl HeldBack {
    /// How many instances wait.
    pub fn count(&self) -> usize {
        self.maps.len() + self.checks.len() + self.refused.len()
    }
}

/// What is sent now, in this order: due maps; the canary or an instance that was refused alone; renewals; checks.
pub(super) fn plan_commands(
    fleet: &Fleet,
    budget: &Budget,
    pace: &CheckPace,
    policy: &Policy,
    now: Timestamp,
) -> PlannedCommands {
    let Due { mut maps, canaries, mut renewals, mut checks } = due(fleet, budget, pace, policy, now);
    maps.retain(|(_, one)| one.is_online());
    // IAM refuses a whole command for one target that it does not allow. Those that it refused come last, apart.
    let (denied, maps): (Vec<_>, Vec<_>) =
        maps.into_iter().partition(|(_, one)| one.is_unmapped_by(Cause::REFUSED_BY_SSM));
    let [maps, denied] = [oldest_first(maps), oldest_first(denied)];
    let mut commands: Vec<PlannedCommand> = maps
        .chunks(TARGETS_A_COMMAND)
        .chain(denied.chunks(TARGETS_A_COMMAND))
        .take(room_for_maps(fleet, policy, now))
        .map(|targets| map(targets, "due, and an instance was let in a moment ago"))
        .collect();
    let due_for_checks = checks.len();
    checks.retain(|one| budget.withholds_checks() || one.instance.is_online());
    let checks = in_turn(checks, pace.turn_memory(policy), now);
    let may_check = fleet.at_work(Action::Check, policy, now).next().is_none();
    let next_check = checks.iter().find(|one| budget.checks_at_a_time(one.credential) > 0);
    let Choice { mut chosen, holds_checks } = canary::choose(&canaries, budget, policy, now);
    if let Some(first) = next_check
        && may_check
        && is_turn_of_checks(fleet)
    {
        chosen = chosen.filter(|one| {
            !canary::is_tried(one, budget) || budget.with_map(&one.id).checks_at_a_time(first.credential) > 0
        });
    }
    let chosen = chosen.map(|one| one.id.clone());
    let unchosen = canaries.iter().map(|one| one.id.clone()).filter(|id| Some(id) != chosen.as_ref());
    let (refused, maps) = unchosen.partition(|id| budget.refused_instances.contains(id));
    let mut waiting = HeldBack { maps, refused, checks: Vec::new() };
    let budget = chosen.as_ref().map_or_else(|| budget.clone(), |id| budget.with_map(id));
    commands.extend(chosen.map(|id| {
        let is_refused = budget.refused_instances.contains(&id);
        map(&[id], if is_refused { "refused alone, tried again" } else { "canary" })
    }));
    if !renewal_at_work(fleet, policy, now) {
        renewals.retain(|one| one.instance.is_online());
        let renewals = in_turn(renewals, pace.turn_memory(policy), now);
        let renewals = ids(renewals.iter().map(|one| one.instance).take(RENEWALS_A_COMMAND));
        commands.extend((!renewals.is_empty()).then(|| PlannedCommand {
            rate_control: RENEWAL,
            ..map(&renewals, "logged on with an older password")
        }));
    }
    if budget.withholds_checks() {
        waiting.checks = ids(checks.iter().map(|one| one.instance));
    } else if !holds_checks && may_check {
        commands.extend(check(&checks, &budget, pace));
    }
    let has_more_checks = due_for_checks
        > commands.last().map_or(0, |last| match last.action {
            Action::Check => last.targets.len(),
            Action::Map => 0,
        });
    PlannedCommands { commands, waiting, has_more_checks }
}

/// The last command was a `map`. Where a check and the retry of a failed `map` cannot be sent together, they take turns: a host
/// whose `map` takes minutes and fails would hold up every check.
fn is_turn_of_checks(fleet: &Fleet) -> bool {
    let last = |action| {
        let commands = fleet.commands.iter().filter(move |command| command.action == action);
        commands.map(|command| command.requested_at).max()
    };
    last(Action::Map) > last(Action::Check)
}

pub(super) fn ids<'f>(instances: impl Iterator<Item = &'f Instance>) -> Vec<InstanceId> {
    instances.map(|one| one.id.clone()).collect()
}

fn map(targets: &[InstanceId], reason: &'static str) -> PlannedCommand {
    PlannedCommand {
        action: Action::Map,
        targets: targets.to_vec(),
        rate_control: RateControl::ALL_AT_ONCE,
        reason,
    }
}

/// One `check`. A check reconnects an idle mapping with the credential that Windows kept, which is a log-on, so the budget
/// says how many run at a time. It goes to instances of one kind: of the first in turn that may be checked at all. SSM
/// stops the command at the first failure.
fn check(waiting: &[Waiting<'_>], budget: &Budget, pace: &CheckPace) -> Option<PlannedCommand> {
    let first = waiting.iter().find(|one| budget.checks_at_a_time(one.credential) > 0)?;
    let at_a_time = budget.checks_at_a_time(first.credential);
    let room = pace.targets(at_a_time);
    let alike = waiting.iter().filter(|one| one.is_like(first)).map(|one| one.instance);
    Some(PlannedCommand {
        action: Action::Check,
        targets: ids(alike.take(room)),
        rate_control: RateControl { max_concurrency: at_a_time, max_errors: MaxErrors::Count(0) },
        reason: "look without presenting the parameters' password",
    })
}

/// What is due now, by the command that it is due for. No agent of it is known to be offline.
#[derive(Default)]
pub(super) struct Due<'f> {
    /// To be sent a `map`, all at once.
    pub(super) maps: Vec<(Timestamp, &'f Instance)>,
    /// To be sent a `map`, one at a time, in this order; among them those that were refused the current password.
    pub(super) canaries: Vec<&'f Instance>,
    pub(super) renewals: Vec<Waiting<'f>>,
    pub(super) checks: Vec<Waiting<'f>>,
}

pub(super) fn due<'f>(
    fleet: &'f Fleet,
    budget: &Budget,
    pace: &CheckPace,
    policy: &Policy,
    now: Timestamp,
) -> Due<'f> {
    let triggers = Triggers::of(fleet, budget, now);
    let mut due = Due::default();
    for instance in fleet.counted().filter(|one| is_free(fleet, one, policy, now)) {
        let Some((at, attempt)) = next_attempt(instance, &triggers, policy) else { continue };
        if at > now {
            continue;
        }
        let waiting = Waiting::new(instance, fleet.credential(instance), pace.turn_memory(policy), now);
        match wanted(instance, attempt, fleet, budget) {
            Wanted::Map if budget.is_fresh => due.maps.push((at, instance)),
            Wanted::Map | Wanted::MapAlone => due.canaries.push(instance),
            Wanted::Renewal if budget.is_fresh => due.renewals.push(waiting),
            Wanted::Renewal if budget.refused_with_current() == 0 => due.canaries.push(instance),
            Wanted::Renewal | Wanted::Check => due.checks.push(waiting),
            Wanted::CheckFirst => due.checks.push(waiting.before_others()),
        }
    }
    due.canaries.sort_by_cached_key(|instance| canary::rank(instance, budget));
    due
}

/// What an instance that is due is to be sent.
enum Wanted {
    Map,
    /// A `map` while nothing else may be refused.
    MapAlone,
    Renewal,
    Check,
    /// A `check` before all others.
    CheckFirst,
}

fn wanted(instance: &Instance, attempt: Attempt, fleet: &Fleet, budget: &Budget) -> Wanted {
    let is_refused = budget.refused_instances.contains(&instance.id);
    let credential = fleet.credential(instance);
    let is_restarted =
        matches!(instance.record.attributes.state, StateAttribute::Known(State::Restarted { .. }));
    match attempt {
        Attempt::First | Attempt::Adopt | Attempt::Retry if is_refused => Wanted::MapAlone,
        // The check logs on with the current password, and then it is fresh.
        Attempt::First if is_restarted && credential == Credential::Current && !budget.is_fresh => {
            Wanted::CheckFirst
        }
        // Nothing is known about it but that a command did not get to it. It may have been mapped by hand.
        Attempt::Retry if instance.is_unmapped_by(Cause::UNDELIVERED) && !budget.is_fresh => Wanted::Check,
        // A check of it waited behind others. A `map` waits for nobody, and changes no mapping that can be read.
        Attempt::Adopt
            if budget.is_fresh && instance.fresh_results().any(|one| was_no_attempt(instance, one)) =>
        {
            Wanted::Map
        }
        Attempt::First | Attempt::Retry => Wanted::Map,
        Attempt::Adopt => Wanted::CheckFirst,
        Attempt::Verify if credential == Credential::Stale && instance.is_mapped() => Wanted::Renewal,
        Attempt::Verify => Wanted::Check,
    }
}

fn is_free(fleet: &Fleet, instance: &Instance, policy: &Policy, now: Timestamp) -> bool {
    // What it answers could not be recorded.
    let is_recorded = instance.is_open() || !instance.record.lacks_room();
    is_recorded
        && instance.counts()
        && !matches!(instance.agent, AgentState::Offline { .. })
        && !instance.is_in_flight()
        && !fleet.may_be_on_its_way(&instance.id, policy, now)
}

/// How many more `map` commands may be sent now, whichever function sent the last ones.
pub(super) fn room_for_maps(fleet: &Fleet, policy: &Policy, now: Timestamp) -> usize {
    let is_recent = |command: &&Command| {
        command.action == Action::Map && now.duration_since(command.requested_at) < policy.map_rate_window()
    };
    let sent = fleet.commands.iter().filter(is_recent).map(|command| command.instances.len()).sum();
    MAPS.saturating_sub(sent) / TARGETS_A_COMMAND
}

/// A `map` is at work on an instance whose gate is open.
pub(super) fn renewal_at_work(fleet: &Fleet, policy: &Policy, now: Timestamp) -> bool {
    let open: BTreeSet<&InstanceId> =
        fleet.instances.values().filter(|instance| instance.is_open()).map(|instance| &instance.id).collect();
    fleet.at_work(Action::Map, policy, now).flatten().any(|id| open.contains(id))
}

pub(super) fn oldest_first(mut waiting: Vec<(Timestamp, &Instance)>) -> Vec<InstanceId> {
    waiting.sort_by_key(|(at, one)| (*at, &one.id));
    ids(waiting.into_iter().map(|(_, one)| one))
}
