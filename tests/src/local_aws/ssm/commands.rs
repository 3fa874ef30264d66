//! A command and its invocations. SSM sends `MaxConcurrency` invocations at a time, stops sending when errors exceed
//! `MaxErrors`, and times out the unfinished invocations when the command expires.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::fleet::{InstanceId, Power, Scripted};
use crate::local_aws::LocalAws;
use crate::local_aws::advance::Timer;

/// A command.
#[derive(Debug, Clone)]
pub struct Command {
    /// The `CommandId`.
    pub id: Arc<str>,
    pub(crate) document: Arc<str>,
    pub(crate) version: String,
    pub(crate) version_number: usize,
    pub(crate) comment: String,
    pub(crate) parameters: Value,
    pub(crate) requested: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) timeout: Duration,
    pub(crate) execution_timeout: Duration,
    pub(crate) max_concurrency: String,
    pub(crate) max_errors: String,
    pub(crate) concurrency: usize,
    pub(crate) errors_allowed: usize,
    pub(crate) invocations: Vec<Invocation>,
    /// The index of the first target that was not sent.
    pub(crate) next: usize,
    pub(crate) slots_taken: usize,
    pub(crate) errors: usize,
}

/// The invocation of a command on one target.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The target.
    pub instance: InstanceId,
    pub(crate) phase: Phase,
    /// Without spaces, as filters take it.
    pub(crate) details: Cow<'static, str>,
    pub(crate) sent: Option<Timestamp>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) exit_code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What the script wrote, while a process that it started keeps its output open.
    pub(crate) held_output: Option<String>,
    /// Whether it counts against `MaxConcurrency`.
    pub(crate) has_slot: bool,
    /// Whether the script was stopped before it had an effect.
    pub(crate) stopped: bool,
    /// Whether the host may have lied.
    pub(crate) is_lie: bool,
    /// When the step ended, if the agent does not say what is true.
    pub(crate) says_ended: Option<Timestamp>,
    /// The result that a test scripted, until it takes effect.
    pub(crate) scripted: Option<Scripted>,
    /// What a test has parsed its output to, once it is final.
    parsed: OnceLock<Option<Value>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not sent because of `MaxConcurrency`.
    Waiting,
    /// Sent, but not taken by the agent.
    Sent,
    /// The agent runs the script.
    Running,
    /// Final.
    Done,
}

impl Command {
    /// The time of the request.
    pub fn requested(&self) -> Timestamp {
        self.requested
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters[name].get(0)?.as_str()
    }

    /// The invocations, one per target.
    pub fn invocations(&self) -> &[Invocation] {
        &self.invocations
    }

    /// The command's `StatusDetails` at a moment, from those of its invocations.
    pub(crate) fn details_at(&self, at: Timestamp) -> &'static str {
        let all = || self.invocations.iter().map(|one| one.details_at(at));
        if all().any(|details| !is_final(details)) {
            let begun = self.invocations.iter().any(|one| one.started.is_some_and(|started| started <= at));
            return if begun || all().any(is_final) { "InProgress" } else { "Pending" };
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
            held_output: None,
            has_slot: false,
            stopped: false,
            is_lie: false,
            says_ended: None,
            scripted: None,
            parsed: OnceLock::new(),
        }
    }

    /// When the invocation became final.
    pub fn finished(&self) -> Option<Timestamp> {
        self.finished
    }

    /// Standard output and standard error in one text, as SSM shows it. A script ends its line.
    pub(crate) fn shown(&self) -> String {
        let end = if self.stdout.is_empty() || self.stdout.ends_with('\n') { "" } else { "\n" };
        super::agent::output(&format!("{}{end}", self.stdout), &self.stderr)
    }

    /// What `parse` makes of the shown output. A final invocation's is parsed once.
    pub(crate) fn parsed(&self, parse: fn(&str) -> Option<Value>) -> Option<&Value> {
        self.parsed.get_or_init(|| parse(&self.shown())).as_ref()
    }

    pub(crate) fn details_at(&self, at: Timestamp) -> &str {
        if self.finished.is_some_and(|finished| finished <= at) {
            return &self.details;
        }
        if self.finished.is_none() && !matches!(&*self.details, "Pending" | "InProgress") {
            // Delayed, or a scripted status that is not final.
            return &self.details;
        }
        if self.started.is_some_and(|started| started <= at) { "InProgress" } else { "Pending" }
    }
}

/// Whether an invocation with that `StatusDetails` is final.
pub(crate) fn is_final(details: &str) -> bool {
    !matches!(details, "Pending" | "InProgress" | "Delayed" | "Cancelling")
}

/// Whether it counts against `MaxErrors`. An invocation that never ran does not.
pub(crate) fn counts_as_error(details: &str) -> bool {
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

    /// Sends as many invocations as `MaxConcurrency` allows.
    pub(crate) fn send_waiting(&mut self, key: u64) {
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
        if let Some((scripted, is_lie)) = host.next_scripted() {
            let after = scripted.after;
            if let Some(invocation) = self.invocation(key, target) {
                invocation.stopped = true;
                invocation.is_lie = is_lie;
                invocation.scripted = Some(scripted);
            }
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

    /// The delivery timeout has passed: the agent no longer takes the invocation, and its slot becomes free.
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
        self.send_waiting(key);
    }

    /// The command expires: unfinished invocations time out, though a script may still be running.
    pub(crate) fn expires(&mut self, key: u64) {
        self.finish_all(key, "DeliveryTimedOut", |one| one.phase != Phase::Done);
    }

    /// Makes the matching invocations final, and sends no more.
    fn finish_all(&mut self, key: u64, details: &'static str, matches: impl Fn(&Invocation) -> bool) {
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        command.next = command.invocations.len();
        let matching: Vec<bool> = command.invocations.iter().map(matches).collect();
        for target in (0..matching.len()).filter(|target| matching[*target]) {
            self.finish(key, target, details, -1, String::new());
        }
    }

    /// Makes an invocation final. When errors exceed `MaxErrors`, it terminates what has not started.
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
            let not_started = |one: &Invocation| matches!(one.phase, Phase::Waiting | Phase::Sent);
            self.finish_all(key, "Terminated", not_started);
        } else {
            self.send_waiting(key);
        }
    }

    fn free_slot(&mut self, key: u64, target: usize) {
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        let invocation = &mut command.invocations[target];
        if std::mem::take(&mut invocation.has_slot) {
            command.slots_taken -= 1;
        }
    }
}
