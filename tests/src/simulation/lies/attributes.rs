//! What somebody writes into our attributes: each format with any times, other formats, and anything.

use std::time::Duration;

use jiff::Timestamp;

use super::{Generator, moment};
use crate::simulation::world_event::{HostNumber, HostProblem, OperatorAction, TimedEvent, WorldEvent};

const NAMES: [&str; 4] = ["smb.G", "smb.G.state", "smb.G.drain", "smb.hold"];

const CAUSES: [&str; 9] =
    ["1326", "5", "53", "port-445", "85", "drive-in-use", "silent", "not-mapped", "anything"];

impl Generator {
    /// One attribute of an instance or several of them are written, now or when it registers.
    pub(super) fn attributes(&mut self, at: Duration) -> Vec<TimedEvent> {
        let host = self.host();
        let now = moment(at);
        if self.rng.u8(0..6) == 0 {
            let mut events: Vec<TimedEvent> = (0..self.rng.usize(1..=3))
                .map(|_| self.attribute(now))
                .map(|(name, value)| (at, WorldEvent::RegistersWith(host, name, value)))
                .collect();
            events.push((at, WorldEvent::RegisterAgain(host)));
            return events;
        }
        let mut events = self.written(host, at);
        if self.rng.u8(0..6) == 0 {
            // It fails for a reason of its own, and somebody holds it with whatever value.
            let held = self.any_text(8);
            events = vec![
                (at, WorldEvent::ProblemBegins(host, HostProblem::OutsideDomain)),
                (at, WorldEvent::Write(host, "smb.hold", Some(held))),
            ];
        }
        // A hold that stays would keep many instances from being drained and given back.
        if events.iter().any(|(_, event)| matches!(event, WorldEvent::Write(_, "smb.hold", _))) {
            let end = at + Duration::from_secs(self.rng.u64(600..7200));
            events.push((end, WorldEvent::Write(host, "smb.hold", None)));
        }
        events
    }

    fn written(&mut self, host: HostNumber, at: Duration) -> Vec<TimedEvent> {
        let now = moment(at);
        let write = |name, value| (at, WorldEvent::Write(host, name, Some(value)));
        match self.rng.u8(0..8) {
            // What belongs together.
            0 => vec![write("smb.G", "mapped".to_owned()), write("smb.G.state", self.mapped_state(now))],
            1 => vec![write("smb.G", "shut".to_owned()), write("smb.G.state", self.failing_state(now))],
            // Somebody drains it, and says that we did.
            2 => {
                let drains = WorldEvent::Operator(host, OperatorAction::Drain);
                vec![(at, drains), write("smb.G.drain", self.drain_claim(now))]
            }
            _ => (0..self.rng.usize(1..=2))
                .map(|_| {
                    let (name, value) = self.attribute(now);
                    write(name, value)
                })
                .collect(),
        }
    }

    fn attribute(&mut self, now: Timestamp) -> (&'static str, String) {
        let name = self.one_of(&NAMES);
        let value = match (self.rng.u8(0..8), name) {
            (0, _) => {
                let length = self.one_of(&[1, 2, 24, 127, 128]);
                self.any_text(length)
            }
            (_, "smb.G") => {
                self.one_of(&["mapped", "mapped", "shut", "Mapped", "mapped x", "open"]).to_owned()
            }
            (_, "smb.G.state") => match self.rng.u8(0..4) {
                0 => format!("restarted {} {}", self.time(now), self.time_or_dash(now)),
                1 => self.mapped_state(now),
                _ => self.failing_state(now),
            },
            (_, "smb.G.drain") => match self.rng.u8(0..4) {
                0 => format!("requested {} {}", self.one_of(&CAUSES), self.time(now)),
                1 | 2 => self.drain_claim(now),
                _ => format!("released {}", self.time(now)),
            },
            _ => "by hand".to_owned(),
        };
        (name, value)
    }

    fn drain_claim(&mut self, now: Timestamp) -> String {
        let (word, cause) = (self.one_of(&["done", "done", "done", "Done"]), self.one_of(&CAUSES));
        let time = self.time(now);
        match self.rng.u8(0..4) {
            0 => format!("{word} {cause}"),
            1 => format!("{word} {cause} {time} again"),
            _ => format!("{word} {cause} {time}"),
        }
    }

    fn mapped_state(&mut self, now: Timestamp) -> String {
        let (since, judged, logon) = (self.time(now), self.time(now), self.time_or_dash(now));
        match self.rng.u8(0..3) {
            0 => format!("doubtful {since} {judged} {logon} {}", self.one_of(&CAUSES)),
            _ => format!("mapped {since} {judged} {logon}"),
        }
    }

    fn failing_state(&mut self, now: Timestamp) -> String {
        let attempts = self.one_of(&["0", "1", "3", "9", "4294967295", "4294967296", "-1"]);
        let (judged, logon, cause) = (self.time(now), self.time_or_dash(now), self.one_of(&CAUSES));
        format!("unmapped {attempts} {judged} {logon} {cause} {}", self.time(now))
    }

    fn time_or_dash(&mut self, now: Timestamp) -> String {
        if self.rng.bool() { "-".to_owned() } else { self.time(now) }
    }
}
