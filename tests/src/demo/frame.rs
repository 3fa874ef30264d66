//! The cluster at one moment, as it is shown: one row an instance, and what is counted.

use super::ink::Tone;
use std::collections::BTreeMap;
use std::time::Duration;

/// What an instance amounts to at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Light {
    /// Mapped, gate open.
    Open,
    /// Gate open, the last look failed for a cause that may pass.
    Doubtful,
    /// Registered, gate shut, nothing proven yet.
    Waiting,
    /// A command is on its way, running or not judged yet, the gate shut.
    Working,
    /// Proven not to be mapped, gate shut.
    Shut,
    /// Drained by `drain-unmapped`.
    Drained,
    /// Drained by an operator.
    Operators,
    /// Not registered yet.
    Absent,
    /// Linux, or in no cluster.
    NotOurs,
}

/// Every light, in the order of legends.
pub const LIGHTS: [Light; 9] = [
    Light::Open,
    Light::Doubtful,
    Light::Working,
    Light::Waiting,
    Light::Absent,
    Light::Shut,
    Light::Drained,
    Light::Operators,
    Light::NotOurs,
];

impl Light {
    /// One character.
    pub fn glyph(self) -> char {
        match self {
            Self::Open => '●',
            Self::Doubtful => '◍',
            Self::Waiting => '○',
            Self::Working => '◐',
            Self::Shut => '✗',
            Self::Drained => '▼',
            Self::Operators => '▽',
            Self::Absent => '·',
            Self::NotOurs => '–',
        }
    }

    /// For a legend.
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "gate open",
            Self::Doubtful => "open, in doubt",
            Self::Waiting => "waiting",
            Self::Working => "command under way",
            Self::Shut => "not mapped",
            Self::Drained => "drained by us",
            Self::Operators => "operator's drain",
            Self::Absent => "not there yet",
            Self::NotOurs => "none of ours",
        }
    }

    /// For a terminal.
    pub fn tone(self) -> Tone {
        match self {
            Self::Open => Tone::Good,
            Self::Doubtful => Tone::Warn,
            Self::Waiting => Tone::Plain,
            Self::Working => Tone::Busy,
            Self::Shut => Tone::Bad,
            Self::Drained => Tone::Drained,
            Self::Operators | Self::Absent | Self::NotOurs => Tone::Quiet,
        }
    }

    /// For the report.
    pub fn colour(self) -> &'static str {
        match self {
            Self::Open => "#1f8a5b",
            Self::Doubtful => "#d99a1c",
            Self::Waiting => "#c9d3df",
            Self::Working => "#3b82d6",
            Self::Shut => "#cf4436",
            Self::Drained => "#7d4fc4",
            Self::Operators => "#8a94a3",
            Self::Absent => "none",
            Self::NotOurs => "#eceff3",
        }
    }
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// EC2 instance id.
    pub id: String,
    /// What is special about it, e.g. `scale-out, disk on G:`.
    pub who: String,
    /// ECS status, or what stands in its place.
    pub status: String,
    /// SSM's word about its agent.
    pub agent: &'static str,
    /// Whether tasks that need the share may be placed.
    pub gate_open: bool,
    /// What was last proven: `mapped`, `unmapped, 2 tries`, …
    pub state: String,
    /// Why it is not mapped.
    pub cause: String,
    /// Tasks that run on it.
    pub tasks: usize,
    /// All of it at a glance.
    pub light: Light,
}

/// Who did what how often.
pub type CallCounts = BTreeMap<(String, String), CallCount>;

/// Of one operation by one caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCount {
    /// All of them.
    pub made: usize,
    /// Those that were answered with an error.
    pub refused: usize,
}

/// The cluster at one moment.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Since the start.
    pub elapsed: Duration,
    /// The act's title.
    pub act: String,
    /// What is waited for.
    pub waiting_for: String,
    /// One an instance, in the order of the cast.
    pub rows: Vec<Row>,
    /// AWS calls so far.
    pub calls: CallCounts,
}

impl Frame {
    /// How many instances show that light.
    pub fn count(&self, light: Light) -> usize {
        self.rows.iter().filter(|row| row.light == light).count()
    }

    /// AWS calls so far, by caller.
    pub fn calls_by_caller(&self) -> BTreeMap<&str, usize> {
        let mut all = BTreeMap::new();
        for ((caller, _), count) in &self.calls {
            *all.entry(caller.as_str()).or_default() += count.made;
        }
        all
    }
}

/// Who speaks in the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The demo itself, as the world outside.
    World,
    /// The customer who runs tasks, and operators.
    Customer,
    /// EC2 and ECS: what became of instances.
    Aws,
    /// The function.
    MapShare,
    /// The function.
    DrainUnmapped,
    /// The function.
    Validator,
}

impl Actor {
    /// As the timeline prints it.
    pub fn label(self) -> &'static str {
        match self {
            Self::World => "world",
            Self::Customer => "customer",
            Self::Aws => "aws",
            Self::MapShare => "map-share",
            Self::DrainUnmapped => "drain-unmapped",
            Self::Validator => "validator",
        }
    }
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Since the start.
    pub at: Duration,
    /// Who.
    pub actor: Actor,
    /// Good or bad news.
    pub tone: Tone,
    /// What.
    pub text: String,
}
