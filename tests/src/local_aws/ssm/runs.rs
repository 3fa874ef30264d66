//! Script runs on hosts: the agent takes an invocation, runs its script, and reports.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::agent::StepEnd;
use super::commands::Phase;
use crate::fleet::script::{self, ScriptAction};
use crate::fleet::{Hang, InstanceId, Letter, MappingSettings, OnLinux, Platform, Scripts};
use crate::local_aws::advance::Timer;
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{ACCOUNT, LocalAws, REGION};

/// A started script that the model does not carry out ([`Scripts::External`]).
#[derive(Debug, Clone)]
pub struct StartedRun {
    /// The invocation: its command's key and its index among the targets.
    pub key: (u64, usize),
    /// The host.
    pub instance: InstanceId,
    /// What the script has to do.
    pub action: ScriptAction,
    /// The settings in the document.
    pub settings: MappingSettings,
    /// The time of the start.
    pub started: Timestamp,
}

/// How long a second script on the same host waits for the mutex.
const MUTEX_WAIT: Duration = Duration::from_secs(60);

impl LocalAws {
    /// An invocation gets its scripted result. One that is not final stays until the command expires.
    pub(crate) fn dictated(&mut self, key: u64, target: usize) {
        let now = self.now;
        let Some(invocation) = self.invocation(key, target) else { return };
        let Some(scripted) = invocation.scripted.take().filter(|_| invocation.phase != Phase::Done) else {
            return;
        };
        let details: String = scripted.details.split(' ').collect();
        let ran = !matches!(
            details.as_str(),
            "Pending" | "Delayed" | "DeliveryTimedOut" | "Undeliverable" | "Terminated"
        );
        if ran {
            invocation.started = invocation.sent;
        }
        invocation.says_ended = scripted.says_ended;
        if super::commands::is_final(&details) {
            return self.finish(key, target, details, scripted.exit_code, scripted.output);
        }
        invocation.exit_code = scripted.exit_code;
        invocation.details = details.into();
        invocation.phase = if ran { Phase::Running } else { Phase::Sent };
        invocation.started = ran.then_some(now);
    }

    /// The agent takes the invocation, if it is still waiting, and starts its script.
    pub(crate) fn pick_up(&mut self, key: u64, target: usize) {
        let now = self.now;
        let Some(command) = self.ssm.commands.get(&key) else { return };
        let invocation = &command.invocations[target];
        let instance = invocation.instance.clone();
        let in_time = invocation.sent.is_some_and(|sent| now < sent + command.timeout);
        if invocation.phase != Phase::Sent || !in_time || !self.world.host(&instance).answers() {
            return;
        }
        let (document, version) = (command.document.clone(), command.version_number);
        let action = ScriptAction::parse(command.parameter("Action"));
        let limit = command.execution_timeout;
        let host = self.world.host(&instance);
        host.inbox.retain(|entry| *entry != (key, target));
        let platform = host.platform;
        let invocation = self.invocation(key, target).expect("looked up");
        invocation.phase = Phase::Running;
        invocation.details = "InProgress".into();
        invocation.started = Some(now);
        self.emit_invocation(key, target);
        let document = &self.world.documents[&document];
        let Some(settings) = document.settings(version).cloned() else {
            return self.after(Duration::from_secs(1), Timer::RunEnds(key, target));
        };
        if platform != Platform::Windows && document.on_linux == OnLinux::Skipped {
            return self.after(Duration::from_millis(100), Timer::RunEnds(key, target));
        }
        self.world.host(&instance).runs.push((key, target));
        let run = StartedRun { key: (key, target), instance, action, settings, started: now };
        self.start_run(run, limit);
    }

    fn start_run(&mut self, run: StartedRun, limit: Duration) {
        let (now, (key, target)) = (self.now, run.key);
        if self.world.scripts == Scripts::External {
            self.ssm.started.push(run);
            return self.after(limit, Timer::RunTimesOut(key, target));
        }
        let StartedRun { instance, action, settings, .. } = &run;
        let host = &self.world.hosts[instance];
        let Some(own) = script::duration(&self.world, host, settings, *action, now) else {
            return self.after(limit, Timer::RunTimesOut(key, target));
        };
        // A host runs one script at a time. Another one waits for the mutex, at most for MUTEX_WAIT.
        let wait = host.script_ends.duration_since(now).max(jiff::SignedDuration::ZERO).unsigned_abs();
        let takes = if wait > MUTEX_WAIT { MUTEX_WAIT } else { wait + own };
        if takes >= limit {
            return self.after(limit, Timer::RunTimesOut(key, target));
        }
        let fetches = *action == ScriptAction::Map && host.letter == Letter::Free;
        let fetches = fetches && wait <= MUTEX_WAIT && self.throttles.is_limited(Bucket::GetParameters);
        let host = self.world.host(instance);
        host.asks_until = None;
        if wait <= MUTEX_WAIT {
            host.script_ends = now + takes;
        }
        if fetches {
            return self.after(takes - own / 2, Timer::GetParameters(key, target, 0));
        }
        self.after(takes, Timer::RunEnds(key, target));
    }

    /// The script ends: its effect on the host and its report happen at the same time.
    pub(crate) fn run_ends(&mut self, key: u64, target: usize) {
        let now = self.now;
        let Some(command) = self.ssm.commands.get(&key) else { return };
        let invocation = &command.invocations[target];
        let (instance, stopped) = (invocation.instance.clone(), invocation.stopped);
        let started = invocation.started.unwrap_or(now);
        let action = ScriptAction::parse(command.parameter("Action"));
        let document = &self.world.documents[&command.document];
        let modelled = document.settings(command.version_number).cloned();
        let platform = self.world.hosts[&instance].platform;
        if platform != Platform::Windows && document.on_linux == OnLinux::Skipped {
            // SSM reports a skipped step as Success; only the result line is missing.
            let skipped = "Step execution skipped due to unsupported platform. Step name: mapShare";
            return self.finish(key, target, "Success", 0, skipped.to_owned());
        }
        let Some(settings) = modelled else {
            return self.finish(key, target, "Success", 0, String::new());
        };
        let host = self.world.host(&instance);
        // A reboot ended the script; the agent reports that when it is back.
        if stopped || host.booted > started {
            return;
        }
        host.runs.retain(|run| *run != (key, target));
        let is_lie = host.is_liar();
        let finished = if host.script_ends > now && now >= started + MUTEX_WAIT {
            script::busy(&settings, action)
        } else {
            script::run(&mut self.world, &instance, &settings, action, now)
        };
        if let Some(invocation) = self.invocation(key, target) {
            invocation.is_lie = is_lie;
        }
        self.report(key, target, finished.exit_code, finished.line);
    }

    /// Where a process that the script started keeps its output open, the agent waits for it until the document's timeout.
    fn report(&mut self, key: u64, target: usize, exit_code: i64, stdout: String) {
        let Some(command) = self.ssm.commands.get_mut(&key) else { return };
        let invocation = &mut command.invocations[target];
        let started = invocation.started.unwrap_or(self.now);
        if self.world.hosts[&invocation.instance].hang == Some(Hang::Child) {
            invocation.held_output = Some(stdout);
            let times_out = started + command.execution_timeout;
            let rest = Duration::try_from(times_out.duration_since(self.now)).unwrap_or_default();
            return self.after(rest, Timer::RunTimesOut(key, target));
        }
        let details = if exit_code == 0 { "Success" } else { "Failed" };
        self.finish(key, target, details, exit_code, stdout);
    }

    /// The agent stops a script at its document's timeout.
    pub(crate) fn run_times_out(&mut self, key: u64, target: usize) {
        let Some(invocation) = self.invocation(key, target) else { return };
        if invocation.phase == Phase::Done {
            return;
        }
        invocation.stopped = true;
        let instance = invocation.instance.clone();
        self.world.host(&instance).runs.retain(|run| *run != (key, target));
        let Some(stdout) = self.invocation(key, target).and_then(|one| one.held_output.take()) else {
            return self.finish(key, target, "ExecutionTimedOut", -1, String::new());
        };
        let report = StepEnd::ChildHeldOutput.report("", "");
        self.finish(key, target, report.status, report.code, stdout);
        if let Some(invocation) = self.invocation(key, target) {
            invocation.stderr = report.stderr;
        }
    }

    /// A reboot ended the script: the agent reports a failure without output.
    pub(crate) fn run_was_lost(&mut self, key: u64, target: usize) {
        if let Some(invocation) = self.invocation(key, target) {
            invocation.stopped = true;
            self.finish(key, target, "Failed", 1, String::new());
        }
    }

    /// Takes the started scripts that the model does not carry out.
    pub fn take_started_runs(&mut self) -> Vec<StartedRun> {
        std::mem::take(&mut self.ssm.started)
    }

    /// The end of a script that the model did not carry out. Ignored if it was stopped in the meantime.
    pub fn complete_run(&mut self, now: Timestamp, key: (u64, usize), exit_code: i64, stdout: &str) {
        self.advance(now);
        let Some(invocation) = self.invocation(key.0, key.1) else { return };
        if invocation.stopped || invocation.phase == Phase::Done {
            return;
        }
        let instance = invocation.instance.clone();
        self.world.host(&instance).runs.retain(|run| *run != key);
        self.report(key.0, key.1, exit_code, stdout.to_owned());
    }

    /// SSM's event for a change of an invocation. Its keys are in kebab-case, and it spells `Cancelled` as `Canceled`.
    pub(crate) fn emit_invocation(&mut self, key: u64, target: usize) {
        if !self.keep_events {
            return;
        }
        let Some(command) = self.ssm.commands.get(&key) else { return };
        let invocation = &command.invocations[target];
        let status = match super::listing::invocation_status(&invocation.details) {
            "Cancelled" => "Canceled",
            "Cancelling" => "Canceling",
            status => status,
        };
        let detail = json!({
            "command-id": &*command.id,
            "document-name": &*command.document,
            "instance-id": &*invocation.instance,
            "requested-date-time": format!("{:.3}", command.requested),
            "status": status,
        });
        let resource = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{}", invocation.instance);
        self.emit("EC2 Command Invocation Status-change Notification", "aws.ssm", vec![resource], detail);
    }
}
