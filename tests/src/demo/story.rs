//! All that is kept of a run, for its last page and its report. Plain data.

use super::frame::{Entry, Light, Row};
use std::time::Duration;

/// A run.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// Said of the run in one line: instances, seed, what was made to go wrong.
    pub setting: String,
    /// How long it took.
    pub length: Duration,
    /// When each act began, and its title.
    pub acts: Vec<(Duration, String)>,
    /// One an instance, in the order of the cast.
    pub lanes: Vec<Lane>,
    /// The timeline.
    pub entries: Vec<Entry>,
    /// Every AWS call.
    pub calls: Vec<CallMark>,
    /// What a person wants to quote.
    pub figures: Vec<Figure>,
    /// What the run had to reach, and whether it did.
    pub checks: Vec<Check>,
    /// The work that a person would have had.
    pub by_hand: Vec<Chore>,
    /// What the validator said.
    pub validations: Vec<Validation>,
}

/// What became of an instance.
#[derive(Debug, Clone)]
pub struct Lane {
    /// How it stood at the end.
    pub last: Row,
    /// From when on it looked how; the last one lasts to the end.
    pub spans: Vec<(Duration, Light)>,
}

/// An AWS call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallMark {
    /// Since the start.
    pub at: Duration,
    /// `map-share`, `drain-unmapped`, …
    pub caller: String,
    /// `SendCommand`, …
    pub operation: String,
    /// Whether the answer was an error.
    pub refused: bool,
}

/// A measured number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// With its unit.
    pub value: String,
    /// What it says.
    pub label: String,
}

/// Something that the run had to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub text: String,
    /// What was found instead; `None`: reached.
    pub missed: Option<String>,
}

/// One kind of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chore {
    /// What has to be done.
    pub what: String,
    /// How many steps of a person that would have been in this run.
    pub steps: usize,
    /// How it was done instead.
    pub instead: String,
}

/// A report of the validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The task definition.
    pub family: String,
    /// `valid`.
    pub valid: bool,
    /// Level, code and rule, place, message.
    pub findings: Vec<[String; 4]>,
}

impl Story {
    /// Whether everything was reached.
    pub fn succeeded(&self) -> bool {
        self.checks.iter().all(|check| check.missed.is_none())
    }

    /// How many instances showed one of `lights` at `at`.
    pub fn count_at(&self, at: Duration, lights: &[Light]) -> usize {
        self.lanes.iter().filter(|lane| lights.contains(&lane.light_at(at))).count()
    }

    /// Every moment at which some instance changed, the start and the end.
    pub fn moments(&self) -> Vec<Duration> {
        let mut all: Vec<Duration> =
            self.lanes.iter().flat_map(|lane| lane.spans.iter().map(|(at, _)| *at)).collect();
        all.extend([Duration::ZERO, self.length]);
        all.sort();
        all.dedup();
        all
    }
}

impl Lane {
    /// How it looked at that time.
    pub fn light_at(&self, at: Duration) -> Light {
        self.spans.iter().rev().find(|(from, _)| *from <= at).map_or(Light::Absent, |(_, light)| *light)
    }
}
