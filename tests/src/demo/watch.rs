//! Watches the run: turns what the local AWS shows, emits and was asked into a timeline, lanes and counts.
//!
//! It looks many times a second and says what changed since. Changes of one kind that fall together share a line.

use super::cast::Member;
use super::frame::{Actor, CallCounts, Entry, Frame, Light};
use super::hear::Heard;
use super::ink::Tone;
use super::look::{Standing, cause, look};
use super::story::{CallMark, Lane};
use crate::local_aws::LocalAws;
use crate::runtime_api::Line;
use jiff::Timestamp;
use serde_json::Value;
use shared::state::{Drain, Gate, State};
use std::time::Duration;

/// So long a line waits for others of its kind.
const TOGETHER: Duration = Duration::from_millis(350);
/// More instances than this are counted, not named.
const NAMED: usize = 3;

/// What has been seen so far.
#[derive(Default)]
pub struct Watch {
    /// Who plays.
    pub cast: Vec<Member>,
    /// The last look.
    pub standings: Vec<Standing>,
    /// How each of the cast looked when.
    pub spans: Vec<Vec<(Duration, Light)>>,
    /// The timeline, as far as it is settled.
    pub entries: Vec<Entry>,
    /// Every AWS call.
    pub calls: Vec<CallMark>,
    /// Instances whose gate was open at some look while their letter did not hold the share.
    pub open_without_share: Vec<String>,
    /// What the functions printed, as far as it matters.
    pub heard: Heard,
    gathering: Vec<Gathering>,
    /// The local AWS's own times are told from here.
    base: Option<Timestamp>,
}

/// A line that still waits for others of its kind. `text` has a `#` where the instances go.
struct Gathering {
    at: Duration,
    actor: Actor,
    tone: Tone,
    text: String,
    ids: Vec<String>,
}

impl Watch {
    /// A watch over a world that begins at `base`.
    pub fn new(base: Timestamp) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// Adds instances to the cast.
    pub fn enter(&mut self, members: Vec<Member>) {
        self.spans.resize(self.cast.len() + members.len(), Vec::new());
        self.cast.extend(members);
    }

    /// A line of its own.
    pub fn say(&mut self, at: Duration, actor: Actor, tone: Tone, text: impl Into<String>) {
        self.gathering.push(Gathering { at, actor, tone, text: text.into(), ids: Vec::new() });
    }

    /// Listens to what a function printed.
    pub fn listen(&mut self, at: Duration, actor: Actor, lines: &[Line]) {
        for (actor, tone, text, instance) in
            lines.iter().filter_map(|line| self.heard.hear(actor, line)).collect::<Vec<_>>()
        {
            match instance {
                Some(id) => self.gather(at, actor, tone, text, &id),
                None => self.say(at, actor, tone, text),
            }
        }
    }

    /// Looks, and returns the lines of the timeline that are settled by now.
    pub fn step(&mut self, at: Duration, aws: &LocalAws, remote: &str) -> Vec<Entry> {
        self.note_calls(aws);
        let standings = look(aws, &self.cast, remote);
        for (n, standing) in standings.iter().enumerate() {
            if standing.gate == Gate::Mapped && !standing.truly_mapped {
                self.open_without_share.push(standing.id.to_string());
            }
            let spans = &mut self.spans[n];
            if spans.last().map(|(_, light)| *light) != Some(standing.row.light) {
                spans.push((at, standing.row.light));
            }
        }
        let before = std::mem::take(&mut self.standings);
        for (n, now) in standings.iter().enumerate() {
            for (actor, tone, text) in changes(before.get(n), now) {
                self.gather(at, actor, tone, text, &now.id);
            }
        }
        self.standings = standings;
        self.settle(at, TOGETHER)
    }

    /// All lines that still wait.
    pub fn finish(&mut self, at: Duration) -> Vec<Entry> {
        self.settle(at, Duration::ZERO)
    }

    /// Whether a line still waits for others.
    pub fn has_more_to_say(&self) -> bool {
        !self.gathering.is_empty()
    }

    /// What is shown right now.
    pub fn frame(&self, elapsed: Duration, act: &str, waiting_for: &str) -> Frame {
        let mut calls = CallCounts::new();
        for call in &self.calls {
            let count = calls.entry((call.caller.clone(), call.operation.clone())).or_default();
            count.made += 1;
            count.refused += usize::from(call.refused);
        }
        Frame {
            elapsed,
            act: act.to_owned(),
            waiting_for: waiting_for.to_owned(),
            rows: self.standings.iter().map(|standing| standing.row.clone()).collect(),
            calls,
        }
    }

    /// The lanes of the chart.
    pub fn lanes(&self) -> Vec<Lane> {
        let spans = self.spans.iter().cloned();
        self.standings.iter().zip(spans).map(|(one, spans)| Lane { last: one.row.clone(), spans }).collect()
    }

    fn note_calls(&mut self, aws: &LocalAws) {
        let base = self.base.unwrap_or_default();
        for call in &aws.calls()[self.calls.len()..] {
            let at = call.at.duration_since(base).unsigned_abs();
            let mark = CallMark {
                at,
                caller: call.caller.0.to_string(),
                operation: call.operation.clone(),
                refused: call.status >= 400,
            };
            if let Some((actor, tone, text)) = describe_call(&mark, &call.request()) {
                self.gathering.push(Gathering { at, actor, tone, text, ids: Vec::new() });
            }
            self.calls.push(mark);
        }
    }

    fn gather(&mut self, at: Duration, actor: Actor, tone: Tone, text: String, id: &str) {
        let same = |one: &&mut Gathering| !one.ids.is_empty() && one.actor == actor && one.text == text;
        match self.gathering.iter_mut().find(same) {
            Some(one) => one.ids.push(id.to_owned()),
            None => self.gathering.push(Gathering { at, actor, tone, text, ids: vec![id.to_owned()] }),
        }
    }

    fn settle(&mut self, now: Duration, wait: Duration) -> Vec<Entry> {
        self.gathering.sort_by_key(|one| one.at);
        // A line that waits holds up the later ones, so that the timeline stays in order.
        let waits = |one: &Gathering| one.at + wait > now;
        let settled = self.gathering.iter().position(waits).unwrap_or(self.gathering.len());
        let lines: Vec<Entry> = self
            .gathering
            .drain(..settled)
            .map(|one| Entry {
                at: one.at,
                actor: one.actor,
                tone: one.tone,
                text: one.text.replace('#', &name(&one.ids)),
            })
            .collect();
        self.entries.extend(lines.iter().cloned());
        lines
    }
}

/// `i-…1`, `i-…1 and i-…2`, `12 instances`.
fn name(ids: &[String]) -> String {
    match ids {
        [] => String::new(),
        ids if ids.len() <= NAMED => ids.join(", "),
        ids => format!("{} instances", ids.len()),
    }
}

type Change = (Actor, Tone, String);

fn changes(before: Option<&Standing>, now: &Standing) -> Vec<Change> {
    let mut found = Vec::new();
    let mut say = |actor, tone, text: &str| found.push((actor, tone, text.to_owned()));
    // What was there when the story began is told by its first act.
    let Some(before) = before else { return found };
    if now.registered && !before.registered {
        say(Actor::Aws, Tone::Plain, "registered with the cluster: #");
    }
    if now.row.agent == "online" && before.row.agent != "online" && now.part == super::cast::Part::AgentLate {
        say(Actor::Aws, Tone::Plain, "the late SSM agent is online: #");
    }
    match (before.gate, now.gate) {
        (Gate::Shut, Gate::Mapped) => say(Actor::DrainUnmapped, Tone::Good, "mapped, proven, gate open: #"),
        (Gate::Mapped, Gate::Shut) => {
            let cause = now.state.as_ref().and_then(cause).unwrap_or("no cause given");
            say(Actor::DrainUnmapped, Tone::Bad, &format!("gate shut, {cause}: #"));
        }
        _ => {}
    }
    let cause_of = |standing: &Standing| standing.state.as_ref().and_then(cause).map(str::to_owned);
    if cause_of(now) != cause_of(before)
        && let Some(cause) = cause_of(now)
    {
        match now.state {
            Some(State::Doubtful { .. }) => {
                let text = format!("in doubt ({cause}), gate left open for a second look: #");
                say(Actor::DrainUnmapped, Tone::Warn, &text);
            }
            _ if before.gate == Gate::Mapped => {}
            _ => say(Actor::DrainUnmapped, Tone::Bad, &format!("not mapped, {cause}: #")),
        }
    }
    if !now.draining && before.draining {
        say(Actor::DrainUnmapped, Tone::Good, "given back: #");
    }
    if let (Drain::Done { cause, .. }, false) = (&now.drain, before.drain.is_ours()) {
        say(Actor::DrainUnmapped, Tone::Drained, &format!("drained for {cause}: #"));
    }
    found
}

/// Calls that are worth a line.
fn describe_call(call: &CallMark, request: &Value) -> Option<Change> {
    let actor = match call.caller.as_str() {
        "map-share" => Actor::MapShare,
        "drain-unmapped" => Actor::DrainUnmapped,
        _ => return None,
    };
    let instances = request["InstanceIds"].as_array().map_or(0, Vec::len);
    let action = request["Parameters"]["Action"][0].as_str().unwrap_or("?");
    match (call.operation.as_str(), call.refused) {
        ("SendCommand", refused) => {
            let plural = if instances == 1 { "" } else { "s" };
            let text = format!("one command, {action}, to {instances} instance{plural}");
            Some(if refused {
                (actor, Tone::Warn, format!("{text}: refused by SSM"))
            } else {
                (actor, Tone::Busy, text)
            })
        }
        _ => None,
    }
}
