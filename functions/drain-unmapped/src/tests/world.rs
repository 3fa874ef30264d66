//! A fleet over time: looks, and commands that run as SSM runs them. Pure: every result is known when its command is sent.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::budget::Attempt;
use shared::cause::Cause;
use shared::config::Policy;
use shared::ecs::Status;
use shared::history::{Action, Command, DEADLINE};
use shared::ids::{CommandId, InstanceId};
use shared::invocation::InvocationResult;
use shared::send::MaxErrors;
use shared::state::Drain;

use super::build::{NOW, result};
use crate::decide::{DrainAction, Plan, PlannedCommand, PlannedDrain, decide};
use crate::fleet::{CommandResult, Fleet};

/// The result on instance number `n` at a time, e.g. `mapped`, `53`, `no lost`.
pub(super) type Nature = Box<dyn Fn(u32, Action, Timestamp) -> &'static str>;

/// Everything there is.
pub(super) struct World {
    now: Timestamp,
    pub(super) fleet: Fleet,
    pub(super) has_drained: bool,
    nature: Nature,
    policy: Policy,
    sent: Vec<Sent>,
}

struct Sent {
    id: CommandId,
    action: Action,
    at: Timestamp,
    targets: Vec<InstanceId>,
    max_concurrency: u32,
    said: Vec<Said>,
}

/// A target's invocation.
struct Said {
    id: InstanceId,
    end: Timestamp,
    result: InvocationResult,
    is_stopped: bool,
}

/// The result of an instance whose script hangs until its time limit.
pub(super) const HANGS: &str = "no timeout";

/// The result of an instance whose agent takes no command, and of all targets behind it, once the command expires.
pub(super) const TAKES_NONE: &str = "no undelivered";

/// How long a script may take.
const SCRIPT: SignedDuration = SignedDuration::from_mins(10);

/// When a command expires that was not delivered.
const EXPIRY: SignedDuration = SignedDuration::from_mins(12);

impl World {
    pub(super) fn new(fleet: Fleet, policy: Policy, nature: Nature) -> Self {
        World { now: NOW, fleet, has_drained: false, nature, policy, sent: Vec::new() }
    }

    /// Looks once, does what was decided, and waits.
    pub(super) fn look(&mut self, wait: SignedDuration) -> Plan {
        self.read();
        let plan = decide(&self.fleet, &self.policy, self.now);
        self.fleet = plan.fleet.clone();
        for command in &plan.commands {
            self.send(command);
        }
        for drain in &plan.drains {
            self.drain(drain);
        }
        self.now += wait;
        plan
    }

    fn drain(&mut self, PlannedDrain { arn, action }: &PlannedDrain) {
        let now = self.now;
        self.has_drained |= matches!(action, DrainAction::Drain(_));
        let record = &mut self.fleet.instances.get_mut(arn).unwrap().record;
        (record.status, record.attributes.drain) = match action {
            DrainAction::Drain(cause) => (Status::Draining, Drain::Done { cause: *cause, at: now }),
            DrainAction::MarkReleased | DrainAction::GiveBack => {
                (Status::Active, Drain::Released { at: now })
            }
            DrainAction::Forget => (Status::Active, Drain::Absent),
        };
    }

    /// What `ListCommands` and `ListCommandInvocations` tell now.
    fn read(&mut self) {
        let now = self.now;
        let window = self.policy.history_window();
        self.sent.retain(|sent| now.duration_since(sent.at) < window);
        let commands = Arc::make_mut(&mut self.fleet.commands);
        let attempts = Arc::make_mut(&mut self.fleet.attempts);
        commands.clear();
        attempts.clear();
        self.fleet.instances.values_mut().for_each(|instance| instance.results = Arc::default());
        for sent in &self.sent {
            let completed = sent.said.iter().filter(|said| said.end <= now).count();
            commands.push(Command {
                id: sent.id.clone(),
                requested_at: sent.at,
                action: sent.action,
                instances: sent.targets.clone(),
                max_concurrency: sent.max_concurrency,
                completed,
                errors: 0,
                is_final: completed == sent.targets.len(),
            });
        }
        for sent in &self.sent {
            let over = sent.said.iter().filter(|said| said.end <= now);
            attempts.extend(over.map(|said| Attempt {
                instance: said.id.clone(),
                action: sent.action,
                requested_at: sent.at,
                ended_at: said.end,
                ended_at_least: said.end,
                result: said.result.clone(),
            }));
        }
        for instance in self.fleet.instances.values_mut() {
            for sent in &self.sent {
                let Some(said) = sent.said.iter().find(|said| said.id == instance.id) else { continue };
                let result = match &said.result {
                    result if said.end <= now => result.clone(),
                    _ if now.duration_since(sent.at) > DEADLINE => {
                        InvocationResult::NoResult(Cause::new("lost"))
                    }
                    _ => InvocationResult::Pending,
                };
                Arc::make_mut(&mut instance.results).push(CommandResult {
                    command: Some(sent.id.clone()),
                    requested_at: sent.at,
                    action: sent.action,
                    result: Some(result),
                    is_stopped: said.is_stopped,
                });
            }
        }
    }

    /// SSM starts the targets in their order, so many at a time, and no more after so many errors.
    fn send(&mut self, order: &PlannedCommand) {
        let lanes = usize::try_from(order.rate_control.max_concurrency).unwrap();
        let mut free = vec![self.now; lanes];
        let mut errors: Vec<Timestamp> = Vec::new();
        let mut said = Vec::new();
        for (i, id) in order.targets.iter().enumerate() {
            let lane = (0..lanes).min_by_key(|lane| free[*lane]).unwrap();
            let start = free[lane];
            let until_now = errors.iter().filter(|end| **end <= start).count();
            let is_stopped =
                matches!(order.rate_control.max_errors, MaxErrors::Count(most) if until_now > most as usize);
            if is_stopped || start >= self.now + EXPIRY {
                let result = InvocationResult::NoResult(Cause::new("undelivered"));
                said.push(Said { id: id.clone(), end: start, result, is_stopped });
                continue;
            }
            let n: u32 = id.as_str().trim_start_matches("i-").parse().unwrap();
            let text = (self.nature)(n, order.action, start);
            let result = result(&format!("{} -0s {text}", order.action.as_str())).result.unwrap();
            let seconds = 4 + (u64::from(n) * 7 + i as u64) % 9;
            let lasts = SignedDuration::from_secs(i64::try_from(seconds).unwrap());
            let end = match text {
                HANGS => start + SCRIPT,
                TAKES_NONE => self.now + EXPIRY,
                _ => start + lasts,
            };
            // A check that finds the letter free has looked, and that is no error.
            let is_error = !matches!(result, InvocationResult::Mapped(_)) && text != "not-mapped";
            errors.extend(is_error.then_some(end));
            free[lane] = end;
            said.push(Said { id: id.clone(), end, result, is_stopped });
        }
        let id = CommandId::parse(&format!("{} {}", self.sent.len(), self.now)).unwrap();
        let max_concurrency = order.rate_control.max_concurrency;
        let targets = order.targets.clone();
        self.sent.push(Sent { id, action: order.action, at: self.now, targets, max_concurrency, said });
    }
}
