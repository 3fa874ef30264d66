//! Which commands are sent to whom, under the credential brake.
//!
//! Everything that is due goes out as soon as the brake lets it, but no faster than Parameter Store answers the hosts;
//! nothing here knows how a send can fail.

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared::brake::{self, Brake, CredentialFailure, Evidence, Parameters, Password};
use shared::cause::Class;
use shared::config::Policy;
use shared::ecs::Status;
use shared::history::{Action, Command, WINDOW};
use shared::ids::InstanceId;
use shared::invocation::InvocationResult;
use shared::send::{MaxErrors, RateControl, TARGETS_A_COMMAND};
use shared::state::State;

use crate::decide::UNDELIVERED;
use crate::fleet::{AgentState, Answer, Fleet, Instance};
use crate::schedule::{self, Attempt, Triggers, next_attempt};
use crate::verdict::judge;

/// A `check` reconnects an idle mapping with the credential that Windows kept, and that is a log-on: SSM itself stops
/// at the first failure.
const CHECK: RateControl = RateControl { max_concurrency: 2, max_errors: MaxErrors::Count(0) };

/// A mapping whose log-on is older than the password is renewed a few at a time.
const RENEWAL: RateControl = RateControl { max_concurrency: 2, max_errors: MaxErrors::Count(1) };

/// Few enough that slow ones end within the deadline, two at a time.
const RENEWALS_A_COMMAND: usize = 6;

/// One check command in flight for so many instances.
const INSTANCES_A_CHECK: usize = 500;

/// So many hosts are told to map within half the base. Each asks Parameter Store, which answers 40 calls a second by
/// default, to the tasks of this account as well, and a host waits no longer than 30 s for its turn.
const MAPS: usize = 600;

/// A command to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCommand {
    /// What to ask for.
    pub action: Action,
    /// Of whom, at most 50.
    pub targets: Vec<InstanceId>,
    /// SSM's own brake.
    pub rate_control: RateControl,
    /// Why, for the log.
    pub reason: &'static str,
}

/// What the brake weighs, from the whole fleet.
pub fn evidence(fleet: &Fleet, now: Timestamp) -> Evidence {
    let parameters = if fleet.is_partial { Parameters::Unread } else { fleet.parameters };
    Evidence {
        newest_logon: fleet.newest_logon(),
        failures: fleet.instances.values().filter_map(|i| credential_failure(i, parameters, now)).collect(),
        parameters,
    }
}

/// The credential failure that an instance last spoke of. A disconnected one's counts while it is fresh: agents come
/// and go, but one that stays away must not hold the others for ever.
fn credential_failure(
    instance: &Instance,
    parameters: Parameters,
    now: Timestamp,
) -> Option<CredentialFailure> {
    // What an instance said whose agent is away is not written down yet, but it was said.
    let is_away = !instance.record.is_connected;
    let verdict = if is_away { judge(instance).map(|(_, verdict)| verdict.state) } else { None };
    let (began, requested) = match verdict.as_ref().or(instance.state()) {
        Some(State::Unmapped { judged, cause, failing_since, .. }) if cause.class() == Class::Credentials => {
            (*failing_since, *judged)
        }
        Some(State::Unmapped { .. } | State::Mapped { .. } | State::Doubtful { .. }) => return None,
        // A restart voids a proof, but a password that was refused before it is no better after it.
        Some(State::Restarted { .. }) | None => {
            let requested = last_word_was_a_refusal(instance)?;
            (requested, requested)
        }
    };
    let counts = instance.counts() || now.duration_since(requested) < WINDOW;
    let answer = instance.answers.iter().find(|answer| answer.requested_at == requested);
    let with_parameters_password = answer.is_some_and(|answer| match (answer.action, &answer.result) {
        // What Windows kept is what the parameters hold, where they have not changed since the log-on: trying them
        // again would be one more bad log-on for nothing.
        (Action::Check, Some(InvocationResult::Failed(_))) => {
            has_logged_on_since_a_change(instance, parameters)
        }
        (Action::Map, Some(InvocationResult::Failed(failure))) => failure.step == "create",
        (_, Some(_)) => false,
        // What was not read again is taken for the worse.
        (_, None) => true,
    });
    counts.then(|| CredentialFailure {
        began,
        requested,
        action: answer.map(|answer| answer.action),
        with_parameters_password,
    })
}

fn has_logged_on_since_a_change(instance: &Instance, parameters: Parameters) -> bool {
    let logon = instance.state().and_then(State::logon);
    matches!((logon, parameters), (Some(logon), Parameters::Changed(changed)) if logon > changed)
}

fn last_word_was_a_refusal(instance: &Instance) -> Option<Timestamp> {
    let said = instance.answers.iter().rev().find_map(|answer| match &answer.result {
        Some(InvocationResult::Failed(failure)) => Some((answer, failure.cause.class())),
        Some(InvocationResult::Mapped(_)) => Some((answer, Class::Unknown)),
        Some(InvocationResult::Pending | InvocationResult::NoResult(_)) | None => None,
    });
    said.filter(|(_, class)| *class == Class::Credentials).map(|(answer, _)| answer.requested_at)
}

/// The brake and whether its canary is due.
#[derive(Debug, Clone, Copy)]
pub struct Braking {
    /// What the brake says.
    pub brake: Brake,
    /// One instance may try the parameters' password now.
    pub canary_due: bool,
}

/// Asks the brake.
pub fn ask_brake(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Braking {
    let evidence = evidence(fleet, now);
    let mut brake = brake::assess(&evidence);
    // Whose credentials fail in the part that was not read, nobody knows.
    brake.checks_withheld |= fleet.is_partial;
    let listed = fleet.commands.iter().filter(|c| c.action == Action::Map).map(|c| c.requested_at);
    let lost = fleet.unconfirmed_sends.iter().filter(|s| s.action == Action::Map).map(|s| s.at);
    let last_map = listed.chain(lost).max();
    let one_in_flight = fleet.at_work(Action::Map, policy.base, now).next().is_some();
    let canary_due =
        !one_in_flight && brake.is_canary_due(&evidence, last_map, policy.base, policy.reprobe, now);
    Braking { brake, canary_due }
}

/// Whose agents are asked before anything is sent.
#[derive(Debug, Default)]
pub struct Asked {
    /// All of these.
    pub all: BTreeSet<InstanceId>,
    /// Of these, in this order, until `enough` are online: more are not sent to anyway.
    pub in_turn: Vec<InstanceId>,
    /// How many that is.
    pub enough: usize,
}

/// The instances whose agents must be asked before anything is sent.
pub fn agents_to_ask(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Asked {
    let triggers = Triggers::of(fleet);
    let Braking { brake, canary_due } = ask_brake(fleet, policy, now);
    let proven = brake.password == Password::Proven;
    let (mut all, mut maps) = (BTreeSet::new(), Vec::new());
    for instance in fleet.counted().filter(|instance| is_free(fleet, instance, policy, now)) {
        match next_attempt(instance, &triggers, policy).filter(|(at, _)| *at <= now) {
            Some((at, Attempt::First | Attempt::Retry)) if proven => maps.push((at, instance.id.clone())),
            Some(_) => drop(all.insert(instance.id.clone())),
            None if canary_due && !instance.is_open() => drop(all.insert(instance.id.clone())),
            None => {}
        }
    }
    let enough = room_for_maps(fleet, policy, now) * TARGETS_A_COMMAND;
    Asked { all, in_turn: oldest_first(maps), enough }
}

fn is_free(fleet: &Fleet, instance: &Instance, policy: &Policy, now: Timestamp) -> bool {
    instance.counts() && !instance.is_in_flight() && !fleet.may_be_on_its_way(&instance.id, policy.base, now)
}

/// What is sent now.
pub fn plan_sends(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Vec<PlannedCommand> {
    let Braking { brake, canary_due } = ask_brake(fleet, policy, now);
    let proven = brake.password == Password::Proven;
    let triggers = Triggers::of(fleet);
    let ready: Vec<&Instance> = fleet
        .counted()
        .filter(|instance| instance.agent == AgentState::Online && is_free(fleet, instance, policy, now))
        .collect();
    let canary = if canary_due { choose_canary(&ready, &triggers, policy, now) } else { None };

    let (mut maps, mut checks, mut renewals) = (Vec::new(), Vec::new(), Vec::new());
    for instance in ready {
        let Some((at, due)) = next_attempt(instance, &triggers, policy) else { continue };
        if at > now || canary == Some(&instance.id) {
            continue;
        }
        let waiting = || Waiting::new(instance, now);
        match due {
            Attempt::First | Attempt::Retry if proven => maps.push((at, instance.id.clone())),
            // Presents nothing of ours, and adopts a fleet that was mapped by hand.
            Attempt::First => checks.push(Waiting { last_turn: Timestamp::MIN, ..waiting() }),
            // Stopped with its siblings, or not reached: nothing is known about it but that.
            Attempt::Retry if was_not_delivered(instance) => checks.push(waiting()),
            Attempt::Retry => {}
            Attempt::Verify if proven && is_stale(instance, &triggers) => renewals.push(waiting()),
            Attempt::Verify => checks.push(waiting()),
        }
    }

    let mut orders: Vec<PlannedCommand> = oldest_first(maps)
        .chunks(TARGETS_A_COMMAND)
        .take(room_for_maps(fleet, policy, now))
        .map(|targets| PlannedCommand {
            action: Action::Map,
            targets: targets.to_vec(),
            rate_control: RateControl::ALL_AT_ONCE,
            reason: "due and the password is proven",
        })
        .collect();
    orders.extend(canary.map(|id| PlannedCommand {
        action: Action::Map,
        targets: vec![id.clone()],
        rate_control: RateControl::ALL_AT_ONCE,
        reason: "canary",
    }));
    if !renewal_at_work(fleet, policy, now) {
        orders.extend(in_turn(renewals, now).chunks(RENEWALS_A_COMMAND).take(1).map(|targets| {
            PlannedCommand {
                action: Action::Map,
                targets: targets.to_vec(),
                rate_control: RENEWAL,
                reason: "logged on with an older password",
            }
        }));
    }
    if !brake.checks_withheld {
        let room = fleet
            .counted()
            .count()
            .div_ceil(INSTANCES_A_CHECK)
            .saturating_sub(fleet.at_work(Action::Check, policy.base, now).count());
        orders.extend(in_turn(checks, now).chunks(TARGETS_A_COMMAND).take(room).map(|targets| {
            PlannedCommand {
                action: Action::Check,
                targets: targets.to_vec(),
                rate_control: CHECK,
                reason: "look without presenting the password",
            }
        }));
    }
    orders
}

/// How many more commands may tell hosts to map now, whoever has told others lately.
fn room_for_maps(fleet: &Fleet, policy: &Policy, now: Timestamp) -> usize {
    let lately = |command: &&Command| {
        command.action == Action::Map && now.duration_since(command.requested_at) < policy.base / 2
    };
    let told = fleet.commands.iter().filter(lately).map(|command| command.instances.len()).sum();
    MAPS.saturating_sub(told) / TARGETS_A_COMMAND
}

/// An instance that waits for a rationed command.
struct Waiting {
    /// When it last had its turn: was judged, or sent something, whatever came of it. Without this a host that hangs, and
    /// so is never judged, would lead every check, and SSM would stop all that come after it, for ever.
    last_turn: Timestamp,
    /// Two hosts that take no command hold both places until it expires, and SSM then says the same of all that waited
    /// behind them: it is not known whose turn it was.
    is_unsure: bool,
    id: InstanceId,
}

impl Waiting {
    fn new(instance: &Instance, now: Timestamp) -> Self {
        let last = turns(instance).max_by_key(|answer| answer.requested_at);
        let sent = last.map_or(Timestamp::MIN, |answer| answer.requested_at);
        let judged = if was_not_delivered(instance) { Timestamp::MIN } else { instance.floor() };
        let is_unsure = sent > judged
            && last.and_then(|answer| answer.result.as_ref()).is_none_or(
                |word| matches!(word, InvocationResult::NoResult(cause) if cause.as_str() == UNDELIVERED),
            );
        // SSM's history tells of no turn before that.
        Waiting { last_turn: judged.max(sent).max(now - WINDOW), is_unsure, id: instance.id.clone() }
    }
}

/// What an instance was sent, but for what SSM stopped because of its siblings: that was no turn.
fn turns(instance: &Instance) -> impl Iterator<Item = &Answer> {
    instance.answers.iter().filter(|answer| !answer.is_stopped)
}

/// Who waited longest goes first. Those of whom it is not known are equals, each as long as the longest, and are shuffled
/// anew each time; so are those whose turn, if they had one, SSM's history no longer tells of. Else two that take no command,
/// or ten that hang and lead by turns, would keep the same others waiting for ever.
fn in_turn(mut waiting: Vec<Waiting>, now: Timestamp) -> Vec<InstanceId> {
    let unsure = waiting.iter().filter(|one| one.is_unsure).map(|one| one.last_turn).min();
    waiting.sort_by_cached_key(|one| {
        let turn = unsure.filter(|_| one.is_unsure).unwrap_or(one.last_turn);
        let is_shuffled = one.is_unsure || turn <= now - WINDOW;
        (turn, is_shuffled.then(|| schedule::hash(&one.id, now)), one.id.clone())
    });
    waiting.into_iter().map(|one| one.id).collect()
}

fn oldest_first(mut waiting: Vec<(Timestamp, InstanceId)>) -> Vec<InstanceId> {
    waiting.sort();
    waiting.into_iter().map(|(_, id)| id).collect()
}

fn was_not_delivered(instance: &Instance) -> bool {
    matches!(instance.state(), Some(State::Unmapped { cause, .. }) if cause.as_str() == UNDELIVERED)
}

/// The mapping was made with a password that was changed since. `-`, never logged on by us, is nobody's business.
pub fn is_stale(instance: &Instance, triggers: &Triggers) -> bool {
    let Some(State::Mapped { logon: Some(logon), .. }) = instance.state() else { return false };
    triggers.parameters_changed.is_some_and(|changed| *logon < changed)
}

/// A `map` is at work on an instance whose gate is open.
fn renewal_at_work(fleet: &Fleet, policy: &Policy, now: Timestamp) -> bool {
    let open: BTreeSet<&InstanceId> =
        fleet.instances.values().filter(|instance| instance.is_open()).map(|instance| &instance.id).collect();
    fleet.at_work(Action::Map, policy.base, now).flatten().any(|id| open.contains(id))
}

/// The one that may try: first one without a failed `map`, then the least recently judged, then by ARN.
///
/// A command that was not delivered is no failed `map`, once: a host whose agent takes none, try after try, would
/// otherwise be the canary for ever, and all others would wait for it. A check that was not delivered is no try: SSM says
/// so of all that waited behind such a host, and whoever is judged by every check would never be the canary.
fn choose_canary<'f>(
    ready: &[&'f Instance],
    triggers: &Triggers,
    policy: &Policy,
    now: Timestamp,
) -> Option<&'f InstanceId> {
    let may_try = |instance: &&&Instance| {
        let waits_for_registration =
            instance.is_unknown() && next_attempt(instance, triggers, policy).is_none_or(|(at, _)| at > now);
        !instance.is_open() && instance.record.status != Status::Other && !waits_for_registration
    };
    let rank = |instance: &&&Instance| {
        let has_failed_map = match instance.state() {
            Some(State::Unmapped { attempts, cause, .. }) => match cause.as_str() {
                "not-mapped" => false,
                UNDELIVERED => *attempts > 1,
                _ => true,
            },
            _ => false,
        };
        let tried = match instance.state() {
            _ if was_not_delivered(instance) => {
                let maps = turns(instance).filter(|answer| answer.action == Action::Map);
                let told = maps.map(|answer| answer.requested_at).fold(now - WINDOW, Timestamp::max);
                (told, schedule::hash(&instance.id, told))
            }
            Some(state) => (state.judged(), 0),
            None => (Timestamp::MIN, 0),
        };
        (has_failed_map, tried, instance.record.arn.clone())
    };
    ready.iter().filter(may_try).min_by_key(rank).map(|instance| &instance.id)
}
