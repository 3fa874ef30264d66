//! Random fleets: small, and at the limits of the rules. Times come from a short list, so that they often coincide. Every
//! second fleet is healthy except for a few instances, because a wholly random fleet drains hardly anything.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::array::uniform3;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use shared::budget::Parameters;
use shared::cause::Cause;
use shared::config::{Mode, Policy};
use shared::ecs::Status;
use shared::history::{Action, Command, DEADLINE};
use shared::ids::CommandId;
use shared::invocation::InvocationResult;
use shared::state::{Drain, Gate, State, StateAttribute};

use super::build::{NOW, ago, attempt, host, let_in, policy, result};
use crate::fleet::{AgentState, CommandResult, Fleet, Instance, UnconfirmedSend};

/// Ages at which something changes, in seconds.
const AGES: [i64; 20] = [
    0, 10, 30, 60, 90, 120, 240, 300, 600, 780, 900, 960, 1_200, 1_800, 2_400, 2_700, 3_600, 3_660, 5_400,
    86_400,
];

const CAUSES: [&str; 14] = [
    "53",
    "port-445",
    "1355",
    "1326",
    "1312",
    "bad-credentials",
    "2",
    "67",
    "1219",
    "1219",
    "drive-in-use",
    "not-mapped",
    "lost",
    "undelivered",
];

/// Most commands of a fleet.
const COMMANDS: usize = 3;

pub(super) fn fleets() -> impl Strategy<Value = Fleet> {
    prop_oneof![fleet(instance().boxed(), results()), fleet(mostly_healthy().boxed(), proofs())]
}

pub(super) fn policies() -> impl Strategy<Value = Policy> {
    let minutes = |choices: [i64; 3]| select(choices.map(SignedDuration::from_mins).to_vec());
    (
        prop_oneof![7 => Just(Mode::Enforce), 1 => Just(Mode::Map)],
        1..5_u32,
        minutes([5, 15, 20]),
        option::weighted(7.0 / 8.0, minutes([5, 30, 30])),
        minutes([0, 5, 15]),
        select(&[1, 10, 50, 100][..]),
        select(&[1, 20, 50, 100][..]),
    )
        .prop_map(|(mode, max_attempts, reprobe, verify_every, drain_after, drain, breaker)| Policy {
            mode,
            max_attempts,
            reprobe,
            verify_every,
            drain_after,
            max_drain_percent: drain,
            breaker_percent: breaker,
            ..policy()
        })
}

/// A fleet of such instances. The commands' results are of that kind, or the commands have none.
fn fleet(
    instance: BoxedStrategy<Instance>,
    results: impl Strategy<Value = InvocationResult> + Clone + 'static,
) -> impl Strategy<Value = Fleet> {
    let member = (instance, uniform3(option::weighted(1.0 / 3.0, outcome(results))));
    let members = prop_oneof![7 => vec(member.clone(), 1..8), 1 => vec(member, 10..24)];
    let unconfirmed = option::weighted(1.0 / 8.0, (times(), actions(), any::<Index>()));
    let parameters = prop_oneof![
        1 => Just(Parameters::Missing),
        1 => Just(Parameters::Unread),
        6 => Just(Parameters::Changed(NOW - SignedDuration::from_hours(48))),
        8 => times().prop_map(Parameters::Changed),
    ];
    (
        members,
        vec((times(), actions()), 0..=COMMANDS),
        unconfirmed,
        option::weighted(0.25, mostly_healthy()),
        parameters,
        prop::bool::weighted(0.05),
        any::<bool>(),
    )
        .prop_map(|(members, commands, unconfirmed, stale, parameters, is_partial, is_fresh)| {
            let (mut instances, outcomes): (Vec<Instance>, Vec<_>) = members.into_iter().unzip();
            instances.iter_mut().zip(0..).for_each(|(instance, n)| name(instance, n));
            let commands = run_commands(&mut instances, commands, &outcomes);
            let unconfirmed = unconfirmed.map(|(at, action, target)| UnconfirmedSend {
                at,
                action,
                targets: vec![target.get(&instances).id.clone()],
                max_concurrency: 50,
                earlier: Vec::new(),
            });
            let stale = stale.map(|mut instance| {
                name(&mut instance, 23);
                instance.record
            });
            let attempts =
                instances.iter().flat_map(|one| one.results.iter().filter_map(|r| attempt(one, r)));
            Fleet {
                attempts: Arc::new(attempts.chain(is_fresh.then(|| let_in("-1s"))).collect()),
                instances: instances.into_iter().map(|i| (i.record.arn.clone(), i)).collect(),
                stale_registrations: stale.into_iter().collect(),
                commands: Arc::new(commands),
                unconfirmed_sends: unconfirmed.into_iter().collect(),
                parameters,
                is_partial,
            }
        })
}

fn name(instance: &mut Instance, n: u32) {
    let Instance { id, record, .. } = host(n, "shut");
    (instance.record.arn, instance.record.instance_id) = (record.arn, record.instance_id);
    instance.id = id;
}

fn times() -> impl Strategy<Value = Timestamp> + Clone {
    (select(&AGES[..]), select(&[0, 0, 0, 1, -1][..]))
        .prop_map(|(seconds, millis)| NOW - SignedDuration::from_millis((seconds * 1_000 + millis).max(0)))
}

fn actions() -> impl Strategy<Value = Action> + Clone {
    select(&[Action::Check, Action::Map][..])
}

fn causes() -> impl Strategy<Value = Cause> + Clone {
    select(CAUSES.map(Cause::new).to_vec())
}

fn mostly_healthy() -> impl Strategy<Value = Instance> + Clone {
    let since = NOW - SignedDuration::from_hours(9);
    let healthy = (times(), any::<bool>()).prop_map(move |(judged, has_logon)| {
        let judged = judged.max(NOW - SignedDuration::from_mins(20));
        let logon = has_logon.then_some(judged);
        (Gate::Mapped, State::Mapped { since, judged, logon })
    });
    // An instance that may be drained, or nearly.
    let broken = (times(), select(&[0, 5, 15, 40][..]), 2..8_u32, causes());
    let broken = broken.prop_map(|(judged, minutes, attempts, cause)| {
        let failing_since = judged - SignedDuration::from_mins(minutes);
        let judged = judged.max(NOW - SignedDuration::from_mins(10));
        (Gate::Shut, State::Unmapped { attempts, judged, logon: None, cause, failing_since })
    });
    let with_state = prop_oneof![6 => healthy, 1 => broken].prop_map(|(gate, state)| {
        let mut instance = host(0, "shut");
        instance.record.attributes.gate = gate;
        instance.record.attributes.state = StateAttribute::Known(state);
        instance
    });
    prop_oneof![7 => with_state, 1 => instance()]
}

fn instance() -> impl Strategy<Value = Instance> + Clone {
    let drain = prop_oneof![
        1 => (causes(), times()).prop_map(|(cause, at)| Drain::Requested { cause, at }),
        2 => (causes(), times()).prop_map(|(cause, at)| Drain::Done { cause, at }),
        1 => times().prop_map(|at| Drain::Released { at }),
        1 => Just(Drain::Foreign),
        5 => Just(Drain::Absent),
    ];
    let status =
        prop_oneof![1 => Just(Status::Other), 3 => Just(Status::Draining), 6 => Just(Status::Active)];
    let agent = prop_oneof![
        1 => Just(AgentState::Offline { last_ping: None }),
        1 => Just(AgentState::Unasked),
        3 => Just(AgentState::Online),
    ];
    let is_connected = prop::bool::weighted(0.9);
    (
        gate_and_state(),
        prop::bool::weighted(0.1),
        drain,
        is_connected,
        status,
        option::weighted(0.17, times()),
        agent,
    )
        .prop_map(|((gate, state), hold, drain, is_connected, status, registered_at, agent)| {
            let mut instance = host(0, "shut");
            let record = &mut instance.record;
            record.attributes.gate = gate;
            record.attributes.state = state;
            record.attributes.hold = hold;
            record.attributes.drain = drain;
            record.is_connected = is_connected;
            record.status = status;
            record.registered_at = registered_at.unwrap_or(record.registered_at);
            instance.agent = agent;
            instance
        })
}

/// Most gates fit their state.
fn gate_and_state() -> impl Strategy<Value = (Gate, StateAttribute)> + Clone {
    let logon = || option::weighted(0.3, times());
    let failure = (times(), times(), logon(), causes());
    let state = prop_oneof![
        2 => Just(None),
        1 => (times(), logon()).prop_map(|(at, logon)| Some(State::Restarted { at, logon })),
        2 => (times(), times(), logon()).prop_map(|(judged, earlier, logon)| {
            Some(State::Mapped { since: judged.min(earlier), judged, logon })
        }),
        1 => failure.clone().prop_map(|(judged, earlier, logon, cause)| {
            Some(State::Doubtful { since: judged.min(earlier), judged, logon, cause })
        }),
        4 => (failure, 1..8_u32).prop_map(|((judged, earlier, logon, cause), attempts)| {
            let failing_since = judged.min(earlier);
            Some(State::Unmapped { attempts, judged, logon, cause, failing_since })
        }),
    ];
    (any::<bool>(), prop::bool::weighted(7.0 / 8.0), state).prop_map(|(is_open, fits, state)| {
        let is_open = match &state {
            Some(state) if fits => matches!(state, State::Mapped { .. } | State::Doubtful { .. }),
            _ => is_open,
        };
        let gate = if is_open { Gate::Mapped } else { Gate::Shut };
        let state = match (state, gate) {
            (Some(state), _) => StateAttribute::Known(state),
            (None, Gate::Mapped) => StateAttribute::Unreadable,
            (None, Gate::Shut) => StateAttribute::Absent,
        };
        (gate, state)
    })
}

/// How a command ends on an instance, as far as the command's time allows.
#[derive(Debug, Clone)]
enum Outcome {
    Pending(InvocationResult),
    NotReadAgain(InvocationResult),
    Ended(InvocationResult),
}

fn outcome(
    results: impl Strategy<Value = InvocationResult> + Clone,
) -> impl Strategy<Value = Outcome> + Clone {
    let no_result = ["lost", "undelivered", "timeout", "no-result"];
    let no_result = select(no_result.map(|cause| InvocationResult::NoResult(Cause::new(cause))).to_vec());
    prop_oneof![
        2 => results.clone().prop_map(Outcome::Pending),
        1 => results.clone().prop_map(Outcome::NotReadAgain),
        2 => no_result.prop_map(Outcome::Ended),
        3 => results.prop_map(Outcome::Ended),
    ]
}

fn parse(results: &[&str]) -> Vec<InvocationResult> {
    results.iter().map(|text| result(&format!("map -0s {text}")).result.unwrap()).collect()
}

fn proofs() -> impl Strategy<Value = InvocationResult> + Clone {
    select(parse(&["mapped", "changed"]))
}

fn results() -> impl Strategy<Value = InvocationResult> + Clone {
    select(parse(&[
        "mapped",
        "changed",
        "53",
        "1355",
        "1326",
        "1326 read",
        "2",
        "1219",
        "drive-in-use",
        "busy",
    ]))
}

/// Gives the instances the results of these commands.
fn run_commands(
    instances: &mut [Instance],
    mut commands: Vec<(Timestamp, Action)>,
    outcomes: &[[Option<Outcome>; COMMANDS]],
) -> Vec<Command> {
    commands.sort_by_key(|(at, _)| *at);
    commands.dedup_by_key(|(at, _)| *at);
    let run = |(n, (requested_at, action)): (usize, (Timestamp, Action))| {
        let id = CommandId::parse(&ago(requested_at)).unwrap();
        let mut command =
            Command { is_final: true, ..Command::sent(id, action, 50, Vec::new(), requested_at) };
        for (instance, outcomes) in instances.iter_mut().zip(outcomes) {
            let Some(outcome) = outcomes[n].clone() else { continue };
            let result = match outcome {
                Outcome::Pending(_) if NOW.duration_since(requested_at) <= DEADLINE => {
                    Some(InvocationResult::Pending)
                }
                Outcome::NotReadAgain(_) if requested_at <= instance.floor() => None,
                Outcome::Pending(result) | Outcome::NotReadAgain(result) | Outcome::Ended(result) => {
                    Some(result)
                }
            };
            let has_ended = result != Some(InvocationResult::Pending);
            command.completed += usize::from(has_ended);
            command.is_final &= has_ended;
            command.instances.push(instance.id.clone());
            let command = command.id.clone();
            Arc::make_mut(&mut instance.results).push(CommandResult {
                command: Some(command),
                requested_at,
                action,
                result,
                is_stopped: false,
            });
        }
        command
    };
    commands.into_iter().enumerate().map(run).collect()
}
