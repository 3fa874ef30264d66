//! Builders that show only what matters to a case.
//!
//! Gate and state are written as in the attributes, the gate (`open` or `shut`) first and every time as an offset from
//! [`NOW`]: `open mapped -2d -20m -`. A command's result is `map -1m` and one of: `mapped` and the
//! time of the last boot, `changed` (mapped, with a log-on), a cause from the result line, `no` and a cause without a result line, `wait`, or `?` where it was not read
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::budget::{Attempt, Parameters};
use shared::cause::Cause;
use shared::config::{Mode, Policy};
use shared::ecs::{ContainerInstance, Status};
use shared::history::{Action, Command};
use shared::ids::{ClusterRef, CommandId, ContainerInstanceArn, InstanceId};
use shared::invocation::{Failure, InvocationResult, Proof, Step};
use shared::send::MaxErrors;
use shared::state::{Drain, Gate, InstanceAttributes, State, StateAttribute};

use crate::decide::{DrainAction, GateWrite, Plan, PlannedCommand, PlannedDrain, Verdict, decide};
use crate::fleet::{AgentState, CommandResult, Fleet, Instance, UnconfirmedSend};

/// The moment of every decision.
pub(super) const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// The defaults of the environment.
pub(super) fn policy() -> Policy {
    Policy {
        mode: Mode::Enforce,
        refusal_budget: 3,
        max_attempts: 4,
        base: SignedDuration::from_secs(30),
        reprobe: SignedDuration::from_mins(15),
        verify_every: Some(SignedDuration::from_mins(30)),
        unreachable_after: SignedDuration::from_mins(45),
        drain_after: SignedDuration::from_mins(15),
        max_drain_percent: 10,
        breaker_percent: 20,
        ecs_writes_per_second: 10,
    }
}

/// An offset such as `-20m`, `-1500ms`, `+3s`; `None` for any other word.
fn offset(word: &str) -> Option<SignedDuration> {
    let unit = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at(unit);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(SignedDuration::from_millis(number.parse::<i64>().ok()? * millis))
}

/// The time at an offset from [`NOW`].
pub(super) fn at(text: &str) -> Timestamp {
    NOW + offset(text).unwrap_or_else(|| panic!("{text:?} is no offset"))
}

/// The offset of a time from [`NOW`], in the largest unit up to minutes that leaves no rest.
pub(super) fn ago(at: Timestamp) -> String {
    let millis = at.duration_since(NOW).as_millis();
    match millis {
        _ if millis % 60_000 == 0 => format!("{}m", millis / 60_000),
        _ if millis % 1_000 == 0 => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// An attribute's value, its offsets replaced by times.
fn stamped(text: &str) -> String {
    let stamp =
        |word: &str| offset(word).map_or_else(|| word.to_owned(), |by| shared::time::format(NOW + by));
    text.split(' ').map(stamp).collect::<Vec<_>>().join(" ")
}

/// An attribute's value, its times replaced by offsets.
fn unstamped(text: &str) -> String {
    let unstamp = |word: &str| shared::time::parse(word).map_or_else(|| word.to_owned(), ago);
    text.split(' ').map(unstamp).collect::<Vec<_>>().join(" ")
}

/// A gate and a state as in the module's description.
pub(super) fn shown(verdict: &Verdict) -> String {
    let gate = if verdict.gate == Gate::Mapped { "open" } else { "shut" };
    format!("{gate} {}", unstamped(&verdict.state.print()))
}

/// Container instance number `n`: `ACTIVE`, connected, its agent online. It registered ten days ago; without a state, five
/// minutes ago.
pub(super) fn host(n: u32, stands: &str) -> Instance {
    let (gate, state) = stands.split_once(' ').unwrap_or((stands, ""));
    let gate = match gate {
        "open" => Gate::Mapped,
        "shut" => Gate::Shut,
        other => panic!("{other:?} is no gate"),
    };
    let state = match (state, gate) {
        ("", Gate::Mapped) => StateAttribute::Unreadable,
        ("", Gate::Shut) => StateAttribute::Absent,
        (text, _) => StateAttribute::Known(
            State::parse(&stamped(text)).unwrap_or_else(|| panic!("{text:?} is no state")),
        ),
    };
    let registered = if state == StateAttribute::Absent { "-5m" } else { "-10d" };
    let (has_gate, has_state) = (gate == Gate::Mapped, matches!(state, StateAttribute::Known(_)));
    let arn = format!("arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/{n:032}");
    let id = InstanceId::parse(&format!("i-{n:017}")).unwrap();
    Instance {
        record: ContainerInstance {
            arn: ContainerInstanceArn::parse(&arn).unwrap(),
            cluster: ClusterRef::parse("windows").unwrap(),
            instance_id: Some(id.clone()),
            status: Status::Active,
            is_connected: true,
            is_windows: true,
            registered_at: at(registered),
            version: 1,
            attributes: InstanceAttributes {
                gate,
                state,
                drain: Drain::Absent,
                hold: false,
                has_gate,
                has_state,
                is_of_other_stack: false,
            },
            custom_attributes: 2,
        },
        id,
        results: Arc::default(),
        agent: AgentState::Online,
    }
}

/// Numbers `range`, all alike.
pub(super) fn hosts(range: std::ops::Range<u32>, stands: &str) -> Vec<Instance> {
    range.map(|n| host(n, stands)).collect()
}

/// What an instance may be beyond its gate and state.
pub(super) trait With: Sized {
    /// Changes the instance.
    fn with(self, change: impl FnOnce(&mut Instance)) -> Self;

    /// ECS's status.
    fn status(self, status: Status) -> Self {
        self.with(|i| i.record.status = status)
    }

    /// Draining.
    fn draining(self) -> Self {
        self.status(Status::Draining)
    }

    /// Its ECS agent is disconnected.
    fn disconnected(self) -> Self {
        self.with(|i| i.record.is_connected = false)
    }

    /// Its SSM agent is offline.
    fn offline(self) -> Self {
        self.with(|i| i.agent = AgentState::Offline { last_ping: None })
    }

    /// It has the attribute `smb.hold`.
    fn held(self) -> Self {
        self.with(|i| i.record.attributes.hold = true)
    }

    /// Of another cluster.
    fn cluster(self, name: &str) -> Self {
        self.with(|i| i.record.cluster = ClusterRef::parse(name).unwrap())
    }

    /// When it registered.
    fn registered(self, text: &str) -> Self {
        self.with(|i| i.record.registered_at = at(text))
    }

    /// The drain attribute, e.g. `done 8 -30m`.
    fn drain(self, text: &str) -> Self {
        self.with(|i| i.record.attributes.drain = Drain::parse(Some(&stamped(text))))
    }

    /// SSM stopped all its commands because other targets failed.
    fn stopped(self) -> Self {
        self.with(|i| Arc::make_mut(&mut i.results).iter_mut().for_each(|result| result.is_stopped = true))
    }

    /// One more result, later than those before.
    fn result(self, text: &str) -> Self {
        self.with(|i| Arc::make_mut(&mut i.results).push(result(text)))
    }
}

impl With for Instance {
    fn with(mut self, change: impl FnOnce(&mut Instance)) -> Self {
        change(&mut self);
        self
    }
}

/// A command's result as in the module's description.
pub(super) fn result(text: &str) -> CommandResult {
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap_or_else(|| panic!("{text:?} is no result"));
    let (action, requested, word) = (next(), next(), next());
    let proof = |changed, boot: Option<&str>| {
        InvocationResult::Mapped(Arc::new(Proof {
            changed,
            status: Some("OK".to_owned()),
            privacy: Some(true),
            boot: boot.map(at),
            script: None,
        }))
    };
    let action = Action::parse(action).unwrap_or_else(|| panic!("{text:?} has no action"));
    let step = if action == Action::Map { "create" } else { "read" };
    let result = match word {
        "mapped" => Some(proof(false, words.next())),
        "changed" => Some(proof(true, None)),
        "wait" => Some(InvocationResult::Pending),
        "?" => None,
        "no" => Some(InvocationResult::NoResult(Cause::new(next()))),
        said => Some(InvocationResult::Failed(Arc::new(Failure {
            cause: Cause::new(said),
            said: said.to_owned(),
            step: Step::parse(words.next().unwrap_or(step)),
            refused: None,
            message: String::new(),
            script: None,
        }))),
    };
    let command = CommandId::parse(&format!("{action:?} {requested}")).unwrap();
    CommandResult { command: Some(command), requested_at: at(requested), action, result, is_stopped: false }
}

/// A fleet whose password is fresh: its parameters changed two days ago, and an instance that has ended was let in just
/// now. Its commands and attempts are those that the results name.
pub(super) fn fleet(instances: impl IntoIterator<Item = Instance>) -> Fleet {
    let mut fleet = Fleet {
        instances: instances.into_iter().map(|i| (i.record.arn.clone(), i)).collect(),
        stale_registrations: Vec::new(),
        commands: Arc::default(),
        attempts: Arc::new(vec![let_in("-1s")]),
        unconfirmed_sends: Vec::new(),
        parameters: Parameters::Changed(at("-2d")),
        is_partial: false,
    };
    let mut commands: BTreeMap<(Timestamp, CommandId), Command> = BTreeMap::new();
    for instance in fleet.instances.values() {
        for result in instance.results.iter() {
            let command = commands
                .entry((result.requested_at, result.command.clone().unwrap()))
                .or_insert_with(|| Command {
                    id: result.command.clone().unwrap(),
                    requested_at: result.requested_at,
                    action: result.action,
                    instances: Vec::new(),
                    max_concurrency: if result.action == Action::Map { 50 } else { 2 },
                    completed: 0,
                    errors: 0,
                    is_final: true,
                });
            command.instances.push(instance.id.clone());
            let is_over = result.result != Some(InvocationResult::Pending);
            command.completed += usize::from(is_over);
            command.is_final &= is_over;
            Arc::make_mut(&mut fleet.attempts).extend(attempt(instance, result));
        }
    }
    fleet.commands = Arc::new(commands.into_values().collect());
    fleet
}

/// What a result is to the budget, if it is over. Its script ended in the moment in which it was requested.
pub(super) fn attempt(instance: &Instance, result: &CommandResult) -> Option<Attempt> {
    let said = result.result.clone().filter(|said| *said != InvocationResult::Pending)?;
    Some(Attempt {
        instance: instance.id.clone(),
        action: result.action,
        requested_at: result.requested_at,
        ended_at: result.requested_at,
        ended_at_least: result.requested_at,
        result: said,
    })
}

/// An instance that has ended since was let in at that time.
pub(super) fn let_in(text: &str) -> Attempt {
    let result = result(&format!("map {text} changed"));
    attempt(&host(99_999, "shut"), &result).expect("it is over")
}

/// What a fleet may be beyond its instances.
pub(super) trait FleetWith: Sized {
    /// Changes the fleet.
    fn having(self, change: impl FnOnce(&mut Fleet)) -> Self;

    /// Nobody but its own instances was let in.
    fn not_fresh(self) -> Self {
        self.having(|fleet| {
            Arc::make_mut(&mut fleet.attempts).retain(|attempt| attempt.instance != host(99_999, "shut").id);
        })
    }

    /// When one of the parameters last changed.
    fn changed(self, text: &str) -> Self {
        self.having(|fleet| fleet.parameters = Parameters::Changed(at(text)))
    }

    /// A `SendCommand` whose answer was lost.
    fn lost(self, action: Action, text: &str, targets: std::ops::Range<u32>) -> Self {
        let targets = targets.map(|n| host(n, "shut").id).collect();
        self.having(|fleet| {
            fleet.unconfirmed_sends.push(UnconfirmedSend {
                at: at(text),
                action,
                targets,
                max_concurrency: 50,
                earlier: Vec::new(),
            });
        })
    }
}

impl FleetWith for Fleet {
    fn having(mut self, change: impl FnOnce(&mut Fleet)) -> Self {
        change(&mut self);
        self
    }
}

fn number(digits: &str) -> u32 {
    digits.trim_start_matches("i-").parse().unwrap()
}

/// A plan in one line each, phase by phase: `write 1: shut …`, `map 1 2`, `check 1..=50`, `drain 3: 8`, `give back 3`.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let shut_or_kept = plan.shut_or_kept.iter().map(write_line);
    let commands = plan.commands.iter().map(command_line);
    let opened = plan.opened.iter().map(write_line);
    shut_or_kept.chain(commands).chain(opened).chain(plan.drains.iter().map(drain_line)).collect()
}

fn write_line(GateWrite { arn, verdict, .. }: &GateWrite) -> String {
    format!("write {}: {}", number(arn.short_id()), shown(verdict))
}

fn command_line(command: &PlannedCommand) -> String {
    let mut numbers: Vec<u32> = command.targets.iter().map(|id| number(id.as_str())).collect();
    numbers.sort_unstable();
    let targets = match numbers.as_slice() {
        [first, .., last] if numbers.len() > 3 && (last - first) as usize + 1 == numbers.len() => {
            format!("{first}..={last}")
        }
        _ => numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    };
    let errors = match command.rate_control.max_errors {
        MaxErrors::All => "all".to_owned(),
        MaxErrors::Count(n) => n.to_string(),
    };
    format!("{} {targets} ({}/{errors})", command.action.as_str(), command.rate_control.max_concurrency)
}

fn drain_line(PlannedDrain { arn, action }: &PlannedDrain) -> String {
    let n = number(arn.short_id());
    match action {
        DrainAction::Drain(cause) => format!("drain {n}: {cause}"),
        DrainAction::MarkReleased => format!("release {n}"),
        DrainAction::GiveBack => format!("give back {n}"),
        DrainAction::Forget => format!("forget {n}"),
    }
}

/// What is decided about a fleet now, in lines.
pub(super) fn decided(fleet: &Fleet, policy: &Policy) -> Vec<String> {
    lines(&decide(fleet, policy, NOW))
}

/// Of what is decided, the lines that begin so.
pub(super) fn of_kind<'l>(lines: &'l [String], kinds: &[&str]) -> Vec<&'l str> {
    lines.iter().map(String::as_str).filter(|line| kinds.iter().any(|kind| line.starts_with(kind))).collect()
}
