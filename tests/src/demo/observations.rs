//! Everything that is seen in a run, and the timeline that tells it.
//!
//! It looks many times a second. Changes of one kind that happen together share a line.

use super::deployment::NAMES;
use super::fleet_setup::{DemoInstance, Kind};
use super::logs::Logs;
use super::screen::Tone;
use super::view::{Condition, InstanceView, look};
use crate::fleet::{Account, LogOn, Presented};
use crate::local_aws::{Call, LocalAws};
use crate::runtime_api::Line;
use jiff::Timestamp;
use serde_json::Value;
use shared::state::{Drain, Gate, State};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a line waits for others of its kind.
const TOGETHER: Duration = Duration::from_millis(350);
/// More instances than this are counted, not named.
const NAMED: usize = 3;

/// One line of the timeline.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) actor: &'static str,
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// A report of the validator.
#[derive(Debug, Clone)]
pub(super) struct Validation {
    pub(super) family: String,
    pub(super) valid: bool,
    /// The rules whose findings are errors.
    pub(super) errors: Vec<String>,
}

/// Everything that was seen so far.
#[derive(Default)]
pub(super) struct Observations {
    pub(super) instances: Vec<DemoInstance>,
    /// The last look at each instance.
    pub(super) views: Vec<InstanceView>,
    /// From when on each instance was in which condition.
    pub(super) conditions: Vec<Vec<(Duration, Condition)>>,
    /// How many watched instances were registered, and how many had an open gate, whenever that changed.
    pub(super) gates: Vec<(Duration, [usize; 2])>,
    /// Instances whose gate was once open while their host did not have the share.
    pub(super) open_without_share: BTreeSet<String>,
    /// Calls by caller and operation, and how many of them were answered with an error.
    pub(super) calls: BTreeMap<(String, String), [usize; 2]>,
    /// The number of the first command to each instance.
    pub(super) first_command: BTreeMap<String, usize>,
    /// Of the commands that sent `map` to several instances, the longest time since an instance was let in.
    pub(super) longest_since_let_in: Duration,
    pub(super) logs: Logs,
    pub(super) log_ons_while_wrong: usize,
    /// Healthy instances that were drained while the password was wrong or the file server was away.
    pub(super) wrong_drains: usize,
    /// Tasks with the constraint that were placed on a host without the share.
    pub(super) misplaced_tasks: usize,
    pub(super) validations: Vec<Validation>,
    /// Invocations that failed, dead letters, PowerShells that ended.
    pub(super) failures: Vec<String>,
    pub(super) drafts: Vec<Draft>,
    pub(super) calls_read: usize,
    pub(super) base: Timestamp,
}

/// An entry that waits for others of its kind. If it is about instances, `#` in its text stands for their ids.
pub(super) struct Draft {
    entry: Entry,
    ids: Vec<String>,
}

impl Observations {
    /// Of a world that begins at `base`.
    pub(super) fn new(base: Timestamp, instances: Vec<DemoInstance>) -> Self {
        let conditions = vec![Vec::new(); instances.len()];
        Self { base, instances, conditions, ..Self::default() }
    }

    pub(super) fn add_instances(&mut self, instances: Vec<DemoInstance>) {
        self.instances.extend(instances);
        self.conditions.resize(self.instances.len(), Vec::new());
    }

    /// Commands that a function sent.
    pub(super) fn commands_by(&self, function: &str) -> usize {
        let calls = self.calls.get(&(function.to_owned(), "SendCommand".to_owned()));
        calls.map_or(0, |[made, refused]| made - refused)
    }

    /// Adds an entry that shares its line with no other.
    pub(super) fn say(&mut self, at: Duration, actor: &'static str, tone: Tone, text: impl Into<String>) {
        self.drafts.push(Draft { entry: Entry { at, actor, tone, text: text.into() }, ids: Vec::new() });
    }

    /// Adds an entry about an instance.
    fn say_of(&mut self, id: &str, entry: Entry) {
        let is_same = |draft: &&mut Draft| {
            !draft.ids.is_empty() && draft.entry.actor == entry.actor && draft.entry.text == entry.text
        };
        match self.drafts.iter_mut().find(is_same) {
            Some(draft) => draft.ids.push(id.to_owned()),
            None => self.drafts.push(Draft { entry, ids: vec![id.to_owned()] }),
        }
    }

    /// Takes the entries that wait for no others any more.
    pub(super) fn take_entries(&mut self, now: Duration) -> Vec<Entry> {
        self.drafts.sort_by_key(|draft| draft.entry.at);
        let settled = self.drafts.partition_point(|draft| draft.entry.at + TOGETHER <= now);
        let finish = |Draft { entry, ids }| {
            let ids = if ids.len() <= NAMED { ids.join(", ") } else { format!("{} instances", ids.len()) };
            Entry { text: entry.text.replace('#', &ids), ..entry }
        };
        self.drafts.drain(..settled).map(finish).collect()
    }

    /// Reads what a function printed.
    pub(super) fn read_logs(&mut self, at: Duration, actor: &'static str, lines: &[Line]) {
        for line in lines {
            match self.logs.read(line) {
                Some((tone, text, Some(id))) => self.say_of(&id, Entry { at, actor, tone, text }),
                Some((tone, text, None)) => self.say(at, actor, tone, text),
                None => {}
            }
        }
    }

    /// Looks at every instance and at the new calls.
    pub(super) fn look(&mut self, at: Duration, aws: &LocalAws) {
        for call in &aws.calls()[self.calls_read..] {
            self.read_call(call, &aws.world.account);
        }
        self.calls_read = aws.calls().len();
        let views = look(aws, &self.instances);
        for (view, conditions) in views.iter().zip(&mut self.conditions) {
            if view.gate == Gate::Mapped && !view.share_mapped {
                self.open_without_share.insert(view.id.to_string());
            }
            if conditions.last().map(|(_, condition)| *condition) != Some(view.condition()) {
                conditions.push((at, view.condition()));
            }
        }
        let watched = || views.iter().filter(|view| view.kind.is_watched());
        let registered = watched().filter(|view| view.registered).count();
        let open = watched().filter(|view| view.gate == Gate::Mapped).count();
        if self.gates.last().map(|(_, counts)| *counts) != Some([registered, open]) {
            self.gates.push((at, [registered, open]));
        }
        let before = std::mem::take(&mut self.views);
        for (before, now) in before.iter().zip(&views) {
            for (actor, tone, text) in changes(before, now) {
                self.say_of(&now.id, Entry { at, actor, tone, text: text + ": #" });
            }
        }
        self.views = views;
    }

    fn read_call(&mut self, call: &Call, account: &Account) {
        let key = (call.caller.0.to_string(), call.operation.clone());
        let [made, refused] = self.calls.entry(key).or_default();
        *made += 1;
        *refused += usize::from(call.status >= 400);
        let Some(function) = NAMES.into_iter().find(|name| **name == *call.caller.0) else { return };
        if call.operation != "SendCommand" {
            return;
        }
        let request = call.request();
        let ids: Vec<&str> =
            request["InstanceIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let action = request["Parameters"]["Action"][0].as_str().unwrap_or("?");
        let plural = if ids.len() == 1 { "" } else { "s" };
        let text = format!("one command, {action}, to {} instance{plural}", ids.len());
        let at = call.at.duration_since(self.base).unsigned_abs();
        if call.status >= 400 {
            self.say(at, function, Tone::Warn, text + ": refused by SSM");
        } else {
            self.say(at, function, Tone::Busy, text);
        }
        if !call.effect {
            return;
        }
        if action == "map" && ids.len() > 1 {
            let is_before = |one: &&LogOn| one.presented == Presented::Parameters && one.at <= call.at;
            let let_in = account.log_ons.iter().rfind(|one| is_before(one) && one.result.is_ok());
            let since = let_in.map_or(Duration::MAX, |one| call.at.duration_since(one.at).unsigned_abs());
            self.longest_since_let_in = self.longest_since_let_in.max(since);
        }
        let number = self.commands_by(NAMES[0]) + self.commands_by(NAMES[1]);
        for id in ids {
            self.first_command.entry(id.to_owned()).or_insert(number);
        }
    }
}

/// Who acted, whether it is good, and what happened to the instance.
fn changes(before: &InstanceView, now: &InstanceView) -> Vec<(&'static str, Tone, String)> {
    let mut found = Vec::new();
    let mut say = |actor, tone, text: &str| found.push((actor, tone, text.to_owned()));
    let controller = NAMES[1];
    if now.registered && !before.registered {
        say("aws", Tone::Plain, "registered with the cluster");
    }
    if now.agent == "Online" && before.agent != "Online" && now.kind == Kind::LateAgent {
        say("aws", Tone::Plain, "the late SSM agent is online");
    }
    let new_cause = now.cause().filter(|cause| before.cause() != Some(*cause));
    match (before.gate, now.gate, new_cause) {
        (Gate::Shut, Gate::Mapped, _) => say(controller, Tone::Good, "smb.G is mapped"),
        (Gate::Mapped, Gate::Shut, _) => {
            say(controller, Tone::Bad, &format!("smb.G is shut, {}", now.cause().unwrap_or("no cause")));
        }
        (Gate::Mapped, Gate::Mapped, Some(cause)) if matches!(now.state, Some(State::Doubtful { .. })) => {
            say(controller, Tone::Warn, &format!("doubtful, {cause}, smb.G stays mapped"));
        }
        (Gate::Shut, Gate::Shut, Some(cause)) => say(controller, Tone::Bad, &format!("unmapped, {cause}")),
        _ => {}
    }
    if before.is_draining() && !now.is_draining() {
        say(controller, Tone::Good, "given back");
    }
    if let (Drain::Done { cause, .. }, false) = (&now.drain, before.drain.is_ours()) {
        say(controller, Tone::Drained, &format!("drained for {cause}"));
    }
    found
}
