//! What happens by itself as time goes on.

use std::time::Duration;

use jiff::Timestamp;

use super::LocalAws;
use crate::fleet::{InstanceId, Power};

/// Something that falls due.
#[derive(Debug, Clone)]
pub(crate) enum Timer {
    /// The EC2 instance reaches that state.
    Power(InstanceId, Power),
    /// The ECS agent of the instance registers, or connects again.
    EcsAgent(InstanceId, Timestamp),
    /// The SSM agent of the instance comes online, if it still is the boot of that time.
    SsmAgent(InstanceId, Timestamp),
    /// The agent looks for the command's invocation.
    PickUp(u64, usize),
    /// The agent has not taken the invocation within the delivery time.
    Undelivered(u64, usize),
    /// The script asks Parameter Store, having been refused so often.
    GetParameters(u64, usize, u32),
    /// The script ends by itself.
    RunEnds(u64, usize),
    /// The agent ends the script.
    RunTimesOut(u64, usize),
    /// A dictated outcome is due.
    Dictated(u64, usize),
    /// A cancelled script has stopped.
    Cancelled(u64, usize),
    /// The command's total time is over.
    Expires(u64),
    /// A task placed on a container instance is running, or a stopping one has stopped.
    Task(std::sync::Arc<str>),
}

impl LocalAws {
    /// Lets everything happen that falls due up to `now`, in order. A clock that goes back changes nothing.
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

    /// When the next thing falls due by itself.
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
            Timer::Cancelled(command, target) => self.cancelled(command, target),
            Timer::Expires(command) => self.expires(command),
            Timer::Task(task) => self.task_moves_on(&task),
        }
    }
}
