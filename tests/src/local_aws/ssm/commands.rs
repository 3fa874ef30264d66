//! A command, its invocations, and how SSM hands them out: `MaxConcurrency` at a time, none any more once errors exceed
//! `MaxErrors`, and everything unfinished given up when the command expires.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::fleet::{InstanceId, Power};
use crate::local_aws::LocalAws;
use crate::local_aws::advance::Timer;

/// What a `SendCommand` began.
#[derive(Debug, Clone)]
pub struct Command {
    pub(crate) id: Arc<str>,
    pub(crate) document: Arc<str>,
    pub(crate) version: String,
    pub(crate) comment: String,
    pub(crate) parameters: Value,
    pub(crate) targets: Value,
    pub(crate) requested: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) timeout: Duration,
    pub(crate) execution_timeout: Duration,
    pub(crate) max_concurrency: String,
    pub(crate) max_errors: String,
    pub(crate) service_role: String,
    pub(crate) concurrency: usize,
    pub(crate) errors_allowed: usize,
    pub(crate) invocations: Vec<Invocation>,
    /// The first target that was not handed out.
    pub(crate) next: usize,
    pub(crate) slots_taken: usize,
    pub(crate) errors: usize,
    pub(crate) cancelled: bool,
}

/// One target of a command.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub(crate) instance: InstanceId,
    pub(crate) phase: Phase,
    /// Unspaced, as filters take it.
    pub(crate) details: Cow<'static, str>,
    pub(crate) sent: Option<Timestamp>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) exit_code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) has_slot: bool,
    /// The script was stopped before it did anything.
    pub(crate) stopped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not handed out, for `MaxConcurrency`.
    Waiting,
    /// Handed out, not taken by the agent.
    Sent,
    /// The agent runs it.
    Running,
    /// Final.
    Done,
}

impl Command {
    /// `CommandId`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was requested.
    pub fn requested(&self) -> Timestamp {
        self.requested
    }

    /// The value of one of its parameters.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters[name].get(0)?.as_str()
    }

    /// Its targets.
    pub fn invocations(&self) -> &[Invocation] {
        &self.invocations
    }

    /// `StatusDetails` of the whole at a moment, from what its invocations were at that moment.
    pub(crate) fn details_at(&self, at: Timestamp) -> &'static str {
        if self.invocations.is_empty() {
            return "NoInstancesInTag";
        }
        let all = || self.invocations.iter().map(|one| one.details_at(at));
        if all().any(|details| !is_final(details)) {
            if self.cancelled {
                return "Cancelling";
            }
            let begun = self.invocations.iter().any(|one| one.started.is_some_and(|started| started <= at));
            return if begun || all().any(is_final) { "InProgress" } else { "Pending" };
        }
        if self.cancelled {
            return "Cancelled";
        }
        let count = |wanted: &str| all().filter(|details| *details == wanted).count();
        let total = self.invocations.len();
        match () {
            () if count("Success") == total => "Success",
            () if count("Failed") > self.errors_allowed => "Failed",
            () if count("ExecutionTimedOut") > self.errors_allowed => "ExecutionTimedOut",
            () if count("Failed") + count("ExecutionTimedOut") > self.errors_allowed => "Failed",
            () if count("DeliveryTimedOut") > self.errors_allowed => "DeliveryTimedOut",
            () => "Incomplete",
        }
    }
}

impl Invocation {
    pub(crate) fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            phase: Phase::Waiting,
            details: "Pending".into(),
            sent: None,
            started: None,
            finished: None,
            exit_code: -1,
            stdout: String::new(),
            stderr: String::new(),
            has_slot: false,
            stopped: false,
        }
    }

    /// The target.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// `StatusDetails` now, unspaced.
    pub fn details(&self) -> &str {
        &self.details
    }

    /// What stands on standard output.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// When it became final.
    pub fn finished(&self) -> Option<Timestamp> {
        self.finished
    }

    pub(crate) fn details_at(&self, at: Timestamp) -> &str {
        if self.finished.is_some_and(|finished| finished <= at) {
            return &self.details;
        }
        if self.finished.is_none() && !matches!(&*self.details, "Pending" | "InProgress") {
            // Delayed, Cancelling and dictated words that are not final.
            return &self.details;
        }
        if self.started.is_some_and(|started| started <= at) { "InProgress" } else { "Pending" }
    }
}

/// Whether an invocation of that `StatusDetails` changes no more.
pub(crate) fn is_final(details: &str) -> bool {
    !matches!(details, "Pending" | "InProgress" | "Delayed" | "Cancelling")
}

/// `Failed` and `ExecutionTimedOut` count against `MaxErrors`; what never ran does not.
fn counts_as_error(details: &str) -> bool {
    matches!(details, "Failed" | "ExecutionTimedOut")
}

impl LocalAws {
    /// Commands in the order of their requests.
    pub fn commands(&self) -> impl DoubleEndedIterator<Item = &Command> {
        self.ssm.commands.values()
    }

    pub(crate) fn invocation(&mut self, command: u64, target: usize) -> Option<&mut Invocation> {
        self.ssm.commands.get_mut(&command)?.invocations.get_mut(target)
    }

    /// Hands out as many invocations as may run at a time.
    pub(crate) fn hand_out(&mut self, key: u64) {
        loop {
            let now = self.now;
            let Some(command) = self.ssm.commands.get_mut(&key) else { return };
            let target = command.next;
            if target >= command.invocations.len() || command.slots_taken >= command.concurrency {
                return;
            }
            command.next += 1;
            let timeout = command.timeout;
            let invocation = &mut command.invocations[target];
            if invocation.phase != Phase::Waiting {
                continue;
            }
            invocation.phase = Phase::Sent;
            invocation.sent = Some(now);
            invocation.has_slot = true;
            command.slots_taken += 1;
            let instance = invocation.instance.clone();
            self.deliver(key, target, &instance, timeout);
        }
    }

    fn deliver(&mut self, key: u64, target: usize, instance: &InstanceId, timeout: Duration) {
        let now = self.now;
        let Some(host) = self.world.hosts.get_mut(instance) else {
            return self.finish(key, target, "Undeliverable", -1, String::new());
        };
        if let Some(scripted) = host.scripted.pop_front().or_else(|| host.always.clone()) {
            let after = scripted.after;
            let dictated = Invocation {
                details: Cow::Owned(scripted.details.split(' ').collect()),
                exit_code: scripted.exit_code,
                stdout: scripted.output,
                ..Invocation::new(instance.clone())
            };
            self.ssm.dictate(key, target, dictated);
            return self.after(after, Timer::Dictated(key, target));
        }
        if matches!(host.power, Power::Terminated | Power::ShuttingDown) {
            return self.finish(key, target, "Undeliverable", -1, String::new());
        }
        host.inbox.push((key, target));
        self.after(timeout, Timer::Undelivered(key, target));
        if self.world.hosts[instance].answers() {
            let delay = self.world.vary(self.world.pace.pick_up, instance, now);
            self.after(delay, Timer::PickUp(key, target));
        }
    }

    /// The delivery time is over: the agent will not start it any more, and its place is free for another.
    pub(crate) fn undelivered(&mut self, key: u64, target: usize) {
        let Some(invocation) = self.invocation(key, target) else { return };
        if invocation.phase != Phase::Sent {
            return;
        }
        invocation.details = "Delayed".into();
        let instance = invocation.instance.clone();
        if let Some(host) = self.world.hosts.get_mut(&instance) {
            host.inbox.retain(|entry| *entry != (key, target));
        }
        self.free_slot(key, target);
        self.hand_out(key);
    }

    /// The command's total time is over: whatever is unfinished has timed out, though a script may still be running.
    pub(crate) fn expires(&mut self, key: u64) {
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        command.next = command.invocations.len();
        let open = |one: &Invocation| one.phase != Phase::Done;
        let unfinished: Vec<_> =
            (0..command.invocations.len()).filter(|target| open(&command.invocations[*target])).collect();
        for target in unfinished {
            self.finish(key, target, "DeliveryTimedOut", -1, String::new());
        }
    }

    /// An invocation becomes final; errors beyond `MaxErrors` end what has not started.
    pub(crate) fn finish(
        &mut self,
        key: u64,
        target: usize,
        details: impl Into<Cow<'static, str>>,
        exit_code: i64,
        stdout: String,
    ) {
        let now = self.now;
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        let invocation = &mut command.invocations[target];
        if invocation.phase == Phase::Done {
            return;
        }
        invocation.phase = Phase::Done;
        invocation.details = details.into();
        invocation.exit_code = exit_code;
        invocation.stdout = stdout;
        invocation.finished = Some(now);
        if exit_code > 0 && invocation.details == "Failed" {
            invocation.stderr = format!("failed to run commands: exit status {exit_code}");
        }
        command.errors += usize::from(counts_as_error(&invocation.details));
        let terminate = command.errors > command.errors_allowed;
        self.free_slot(key, target);
        self.emit_invocation(key, target);
        if terminate {
            self.terminate_waiting(key);
        } else {
            self.hand_out(key);
        }
    }

    fn free_slot(&mut self, key: u64, target: usize) {
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        let invocation = &mut command.invocations[target];
        if std::mem::take(&mut invocation.has_slot) {
            command.slots_taken -= 1;
        }
    }

    fn terminate_waiting(&mut self, key: u64) {
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        let not_started = |one: &Invocation| matches!(one.phase, Phase::Waiting | Phase::Sent);
        let targets: Vec<_> = (0..command.invocations.len())
            .filter(|target| not_started(&command.invocations[*target]))
            .collect();
        command.next = command.invocations.len();
        for target in targets {
            self.finish(key, target, "Terminated", -1, String::new());
        }
    }
}
