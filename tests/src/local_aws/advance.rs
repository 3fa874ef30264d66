//! Timers: what happens by itself as time passes.

use std::time::Duration;

use jiff::Timestamp;

use super::LocalAws;
use crate::fleet::{InstanceId, Power};

/// A timer's action. An invocation is named by its command's key and its index among the command's targets.
#[derive(Debug, Clone)]
pub(crate) enum Timer {
    /// The EC2 instance reaches that state.
    Power(InstanceId, Power),
    /// The ECS agent registers or reconnects, unless the host has booted again since that time.
    EcsAgent(InstanceId, Timestamp),
    /// The SSM agent comes online, unless the host has booted again since that time.
    SsmAgent(InstanceId, Timestamp),
    /// The SSM agent takes the invocation.
    PickUp(u64, usize),
    /// The delivery timeout of the invocation has passed.
    Undelivered(u64, usize),
    /// The script calls `GetParameters`, after that many throttled calls.
    GetParameters(u64, usize, u32),
    /// The script ends.
    RunEnds(u64, usize),
    /// The document's timeout has passed, and the agent stops the script.
    RunTimesOut(u64, usize),
    /// The invocation gets its scripted result.
    Dictated(u64, usize),
    /// The command expires.
    Expires(u64),
    /// A task that was placed is running, or a task that was stopping has stopped.
    Task(std::sync::Arc<str>),
}

impl LocalAws {
    /// Fires every timer up to `now`, in order. A clock that goes back changes nothing.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.timers.first_entry() {
            let due = entry.key().0;
            if due > now {
                break;
            }
            let timer = entry.remove();
            self.now = self.now.max(due);
            self.fire(timer);
        }
        self.now = self.now.max(now);
    }

    /// When the next timer fires.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.keys().next().map(|(due, _)| *due)
    }

    pub(crate) fn after(&mut self, delay: Duration, timer: Timer) {
        self.next += 1;
        self.timers.insert((self.now + delay, self.next), timer);
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Power(id, power) => self.power(&id, power),
            Timer::EcsAgent(id, boot) => self.ecs_agent_connects(&id, boot),
            Timer::SsmAgent(id, boot) => self.ssm_agent_online(&id, boot),
            Timer::PickUp(command, target) => self.pick_up(command, target),
            Timer::Undelivered(command, target) => self.undelivered(command, target),
            Timer::GetParameters(command, target, refused) => self.get_parameters(command, target, refused),
            Timer::RunEnds(command, target) => self.run_ends(command, target),
            Timer::RunTimesOut(command, target) => self.run_times_out(command, target),
            Timer::Dictated(command, target) => self.dictated(command, target),
            Timer::Expires(command) => self.expires(command),
            Timer::Task(task) => self.task_moves_on(&task),
        }
    }
}
