//! Lies: hosts that answer falsely for themselves, attributes that anyone may write, forged and replayed events, and
//! callers by hand.
//!
//! Every eighth history lies, in addition to whatever else happens in it. Lies have a generator of their own, so that all
//! other draws stay as they are.

mod answers;
mod attributes;
mod effects;
mod events;

pub(super) use effects::{apply, forged};

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::plan::FAULT_PERIOD;
use super::world_event::{Disturbance, DisturbanceKind, HostNumber, TimedEvent, WorldEvent};
use crate::local_aws::{ACCOUNT, REGION};
use crate::scenarios::base;

/// Of so many seeds one lies.
const EVERY: u64 = 8;

/// It is the one with this remainder.
const REMAINDER: u64 = 5;

/// Whether the history of a seed lies.
pub(super) fn is_lying(seed: u64) -> bool {
    seed % EVERY == REMAINDER
}

/// The lies of a plan with so many hosts at its beginning.
pub(super) fn disturbances(seed: u64, hosts: u64) -> Vec<Disturbance> {
    let mut generator =
        Generator { rng: fastrand::Rng::with_seed(seed.rotate_left(32)), hosts, liars: [1; 2] };
    generator.liars = [generator.rng.u64(1..=hosts.max(1)), generator.host()];
    let mut disturbances = Vec::new();
    for (kind, most) in DisturbanceKind::OF_LIES {
        if generator.rng.u8(0..3) == 0 {
            continue;
        }
        for _ in 0..generator.rng.usize(1..=most) {
            let at = Duration::from_millis(generator.rng.u64(0..FAULT_PERIOD.as_millis() as u64));
            disturbances.push(Disturbance { kind, events: generator.events(kind, at) });
        }
    }
    disturbances
}

struct Generator {
    rng: fastrand::Rng,
    /// Hosts at the beginning of the history.
    hosts: u64,
    /// The two that lie, if any does.
    liars: [HostNumber; 2],
}

impl Generator {
    fn events(&mut self, kind: DisturbanceKind, at: Duration) -> Vec<TimedEvent> {
        match kind {
            DisturbanceKind::Liar => self.liar(at),
            DisturbanceKind::Attributes => self.attributes(at),
            DisturbanceKind::Forged => vec![(at, self.forged(moment(at)))],
            _ => vec![(at, self.caller())],
        }
    }

    /// One of the two lies for some time, more likely from early on.
    fn liar(&mut self, at: Duration) -> Vec<TimedEvent> {
        let liars = self.liars;
        let (host, at) = (self.one_of(&liars), at / self.rng.u32(1..=4));
        let answers = (0..self.rng.usize(1..=6)).map(|_| self.answer(moment(at))).collect();
        let end = at + Duration::from_secs(self.rng.u64(600..9000));
        vec![(at, WorldEvent::LiesBegin(host, answers)), (end, WorldEvent::LiesEnd(host))]
    }

    /// A person invokes a function.
    fn caller(&mut self) -> WorldEvent {
        let record = |arn: &str| {
            let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{arn}");
            json!({"messageId": "tick", "body": "{}", "eventSource": "aws:sqs", "eventSourceARN": arn})
        };
        WorldEvent::Look(match self.rng.u8(0..8) {
            0 | 1 => {
                return WorldEvent::InvokeByHand((0..self.rng.usize(1..=3)).map(|_| self.host()).collect());
            }
            2 => json!({"report": true, "cluster": "apps"}),
            3 | 4 => json!({"report": true}),
            5 => json!({"Records": []}),
            6 => json!({"Records": [record("another.fifo")]}),
            _ => json!({"Records": [{"messageId": "tick", "body": "{}"}]}),
        })
    }

    /// A host, or the number of one that does not exist.
    fn host(&mut self) -> HostNumber {
        self.rng.u64(1..=self.hosts + 3)
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.rng.usize(0..values.len())]
    }

    /// A time as somebody may write it: seconds to decades before or after a moment, in several formats.
    fn time(&mut self, now: Timestamp) -> String {
        let at = self.timestamp(now);
        match self.rng.u8(0..16) {
            0 => format!("{at:.0}"),
            1 => format!("{at:.9}"),
            2 => format!("{at:.3}").replace('Z', "-00:00"),
            3 => format!("{at:.3}").replace('T', "t"),
            4 => at.as_second().to_string(),
            5 => {
                self.one_of(&["9999-12-30T22:00:00Z", "-009999-01-02T00:00:00Z", "tomorrow", "-"]).to_owned()
            }
            _ => format!("{at:.3}"),
        }
    }

    fn timestamp(&mut self, now: Timestamp) -> Timestamp {
        let digits = self.rng.u32(1..=9);
        let seconds = self.rng.i64(0..10_i64.pow(digits));
        let seconds = if self.rng.bool() { -seconds } else { seconds };
        now + SignedDuration::new(seconds, self.rng.i32(0..1000) * 1_000_000)
    }

    /// So many characters that ECS accepts.
    fn any_text(&mut self, length: usize) -> String {
        const ALLOWED: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./\\@: ";
        let text: String =
            (0..length).map(|_| char::from(ALLOWED[self.rng.usize(0..ALLOWED.len())])).collect();
        // ECS accepts no space at either end.
        format!("x{}x", text.get(2..).unwrap_or_default())
    }
}

/// A moment of the history.
fn moment(at: Duration) -> Timestamp {
    base() + at
}
