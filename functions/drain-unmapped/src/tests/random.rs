//! Random fleets: small, and on the edges. Times come from a short list, so that they meet; every second fleet is a
//! healthy one with a little wrong, for in a wholly random one nothing may be drained.

use jiff::{SignedDuration, Timestamp};
use shared::brake::Parameters;
use shared::cause::Cause;
use shared::config::{Mode, Policy};
use shared::ecs::Status;
use shared::history::{Action, Command, DEADLINE};
use shared::ids::CommandId;
use shared::invocation::InvocationResult;
use shared::state::{Drain, Gate, State, StateAttribute};

use super::build::{NOW, ago, host, policy, result};
use crate::fleet::{AgentState, CommandResult, Fleet, Instance, UnconfirmedSend};

pub(super) use fastrand::Rng;

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
    "8",
    "1219",
    "drive-in-use",
    "not-mapped",
    "lost",
    "undelivered",
];

/// What does not change from case to case, made once.
pub(super) struct Generator {
    hosts: Vec<Instance>,
    words: Vec<InvocationResult>,
    no_words: Vec<InvocationResult>,
    causes: Vec<Cause>,
}

impl Generator {
    pub(super) fn new() -> Self {
        let word = |text: &str| result(&format!("map -0s {text}")).result.unwrap();
        let said = ["mapped", "changed", "53", "1355", "1326", "1326 read", "2", "8", "drive-in-use", "busy"];
        let no_words = ["no lost", "no undelivered", "no timeout", "no no-result"];
        Generator {
            hosts: (0..24).map(|n| host(n, "shut")).collect(),
            words: said.into_iter().map(word).collect(),
            no_words: no_words.into_iter().map(word).collect(),
            causes: CAUSES.into_iter().map(Cause::new).collect(),
        }
    }

    /// A fleet and a policy.
    pub(super) fn fleet(&self, rng: &mut Rng) -> (Fleet, Policy) {
        let is_healthy = rng.bool();
        let size = if rng.u8(..8) == 0 { rng.usize(10..24) } else { rng.usize(1..8) };
        let mut instances: Vec<Instance> =
            self.hosts[..size].iter().map(|host| self.instance(host, is_healthy, rng)).collect();
        let commands = self.commands(&mut instances, is_healthy, rng);
        let lost = (rng.u8(..8) == 0).then(|| UnconfirmedSend {
            at: time(rng),
            action: action(rng),
            targets: vec![instances[rng.usize(..size)].id.clone()],
        });
        let stale = (rng.u8(..4) == 0).then(|| self.instance(&self.hosts[23], true, rng).record);
        let fleet = Fleet {
            instances: instances.into_iter().map(|i| (i.record.arn.clone(), i)).collect(),
            stale_registrations: stale.into_iter().collect(),
            commands,
            unconfirmed_sends: lost.into_iter().collect(),
            parameters: match rng.u8(..16) {
                0 => Parameters::Missing,
                1 => Parameters::Unread,
                2..8 => Parameters::Changed(NOW - SignedDuration::from_hours(48)),
                _ => Parameters::Changed(time(rng)),
            },
            is_partial: rng.u8(..20) == 0,
        };
        (fleet, random_policy(rng))
    }

    fn instance(&self, host: &Instance, is_healthy: bool, rng: &mut Rng) -> Instance {
        let mut instance = host.clone();
        let record = &mut instance.record;
        let is_well = is_healthy && rng.u8(..4) != 0;
        if is_well {
            let judged = time(rng).max(NOW - SignedDuration::from_mins(20));
            let logon = if rng.bool() { Some(judged) } else { None };
            record.attributes.gate = Gate::Mapped;
            record.attributes.state = StateAttribute::Known(State::Mapped {
                since: NOW - SignedDuration::from_hours(9),
                judged,
                logon,
            });
            return instance;
        }
        if is_healthy && rng.bool() {
            record.attributes.state = self.broken(rng);
            return instance;
        }
        record.attributes.gate = if rng.bool() { Gate::Mapped } else { Gate::Shut };
        record.attributes.state = self.state(record.attributes.gate, rng);
        // Most gates fit their state.
        if rng.u8(..8) != 0
            && let Some(state) = record.attributes.state.state()
        {
            let is_open = matches!(state, State::Mapped { .. } | State::Doubtful { .. });
            record.attributes.gate = if is_open { Gate::Mapped } else { Gate::Shut };
        }
        record.attributes.hold = rng.u8(..10) == 0;
        record.attributes.drain = self.drain(rng);
        record.is_connected = rng.u8(..10) != 0;
        record.status = match rng.u8(..10) {
            0 => Status::Other,
            1..4 => Status::Draining,
            _ => Status::Active,
        };
        if rng.u8(..6) == 0 {
            record.registered_at = time(rng);
        }
        instance.agent = match rng.u8(..5) {
            0 => AgentState::Offline { last_ping: None },
            1 => AgentState::Unasked,
            _ => AgentState::Online,
        };
        instance
    }

    fn state(&self, gate: Gate, rng: &mut Rng) -> StateAttribute {
        let logon = (rng.u8(..3) == 0).then(|| time(rng));
        let (judged, earlier) = (time(rng), time(rng));
        let (since, cause) = (judged.min(earlier), self.causes[rng.usize(..self.causes.len())].clone());
        StateAttribute::Known(match rng.u8(..10) {
            0 | 1 if gate == Gate::Mapped => return StateAttribute::Unreadable,
            0 | 1 => return StateAttribute::Absent,
            2 => State::Restarted { at: judged, logon },
            3 | 4 => State::Mapped { since, judged, logon },
            5 => State::Doubtful { since, judged, logon, cause },
            _ => State::Unmapped { attempts: rng.u32(1..8), judged, logon, cause, failing_since: since },
        })
    }

    /// One that may be drained, or nearly.
    fn broken(&self, rng: &mut Rng) -> StateAttribute {
        let (judged, minutes) = (time(rng), [0, 5, 15, 40][rng.usize(..4)]);
        StateAttribute::Known(State::Unmapped {
            attempts: rng.u32(2..8),
            judged: judged.max(NOW - SignedDuration::from_mins(10)),
            logon: None,
            cause: self.causes[rng.usize(..self.causes.len())].clone(),
            failing_since: judged - SignedDuration::from_mins(minutes),
        })
    }

    fn drain(&self, rng: &mut Rng) -> Drain {
        let (cause, at) = (self.causes[0].clone(), time(rng));
        match rng.u8(..10) {
            0 => Drain::Requested { cause, at },
            1 | 2 => Drain::Done { cause, at },
            3 => Drain::Released { at },
            4 => Drain::Foreign,
            _ => Drain::Absent,
        }
    }

    /// A few commands, each to some of the instances, with an answer of each.
    fn commands(&self, instances: &mut [Instance], is_healthy: bool, rng: &mut Rng) -> Vec<Command> {
        let mut times: Vec<Timestamp> = (0..rng.usize(..4)).map(|_| time(rng)).collect();
        times.sort_unstable();
        times.dedup();
        let mut commands = Vec::new();
        for requested_at in times {
            let mut command = Command {
                id: CommandId::parse(&ago(requested_at)).unwrap(),
                requested_at,
                action: action(rng),
                instances: Vec::new(),
                completed: 0,
                is_final: true,
            };
            for instance in instances.iter_mut() {
                if rng.u8(..3) != 0 {
                    continue;
                }
                let is_fresh = requested_at > instance.floor();
                let word = match rng.u8(..8) {
                    0 | 1 if NOW.duration_since(requested_at) <= DEADLINE => Some(InvocationResult::Pending),
                    2 if !is_fresh => None,
                    3 | 4 => Some(self.no_words[rng.usize(..self.no_words.len())].clone()),
                    // The first two are proofs.
                    _ if is_healthy => Some(self.words[rng.usize(..2)].clone()),
                    _ => Some(self.words[rng.usize(..self.words.len())].clone()),
                };
                command.instances.push(instance.id.clone());
                let is_over = word != Some(InvocationResult::Pending);
                command.completed += usize::from(is_over);
                command.is_final &= is_over;
                instance.results.push(CommandResult {
                    command: command.id.clone(),
                    requested_at,
                    action: command.action,
                    result: word,
                    is_stopped: false,
                });
            }
            commands.push(command);
        }
        commands
    }
}

fn time(rng: &mut Rng) -> Timestamp {
    let millis = AGES[rng.usize(..AGES.len())] * 1_000 + [0, 0, 0, 1, -1][rng.usize(..5)];
    NOW - SignedDuration::from_millis(millis.max(0))
}

fn action(rng: &mut Rng) -> Action {
    if rng.bool() { Action::Check } else { Action::Map }
}

fn random_policy(rng: &mut Rng) -> Policy {
    let minutes = |choices: [i64; 3], rng: &mut Rng| SignedDuration::from_mins(choices[rng.usize(..3)]);
    Policy {
        mode: if rng.u8(..8) == 0 { Mode::Map } else { Mode::Enforce },
        max_attempts: rng.u32(1..5),
        reprobe: minutes([5, 15, 20], rng),
        verify_every: (rng.u8(..8) != 0).then(|| minutes([5, 30, 30], rng)),
        drain_after: minutes([0, 5, 15], rng),
        max_drain_percent: [1, 10, 50, 100][rng.usize(..4)],
        breaker_percent: [1, 20, 50, 100][rng.usize(..4)],
        ..policy()
    }
}
