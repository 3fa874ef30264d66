//! SSM's command history. What is in flight is read from it, and stored nowhere else.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::ids::{CommandId, InstanceId};

/// After this time the result of a command that is not final is not expected any more: 120 s delivery, 600 s document, and a margin.
pub const DEADLINE: SignedDuration = SignedDuration::from_mins(13);

/// The document's one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Looks and changes nothing.
    Check,
    /// May create the mapping, and may replace ours.
    Map,
}

impl Action {
    /// As the document takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Check => "check",
            Action::Map => "map",
        }
    }

    /// As `ListCommands` returns it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "check" => Some(Action::Check),
            "map" => Some(Action::Map),
            _ => None,
        }
    }
}

/// One `SendCommand` of our document, as `ListCommands` returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// SSM's id.
    pub id: CommandId,
    /// When SSM accepted it, in whole milliseconds.
    pub requested_at: Timestamp,
    /// Its action. A command that a person sent without one counts as `map`, which is the careful assumption.
    pub action: Action,
    /// Its targets.
    pub instances: Vec<InstanceId>,
    /// How many of its targets run it at a time.
    pub max_concurrency: u32,
    /// How many of its invocations are final.
    pub completed: usize,
    /// How many of its invocations failed or exceeded the document's time limit.
    pub errors: usize,
    /// All invocations are final.
    pub is_final: bool,
}

/// Whether a command that is not final may still become so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Its result is waited for.
    Ahead,
    /// Its result is not expected any more.
    Past,
}

impl Command {
    /// A command that SSM took from us and may not list yet.
    pub fn sent(
        id: CommandId,
        action: Action,
        max_concurrency: u32,
        instances: Vec<InstanceId>,
        requested_at: Timestamp,
    ) -> Self {
        Command {
            id,
            requested_at,
            action,
            instances,
            max_concurrency,
            completed: 0,
            errors: 0,
            is_final: false,
        }
    }

    /// Where the deadline lies at `now`.
    pub fn deadline(&self, now: Timestamp) -> Deadline {
        if now.duration_since(self.requested_at) > DEADLINE { Deadline::Past } else { Deadline::Ahead }
    }

    /// Past its deadline at `now`.
    pub fn is_past_deadline(&self, now: Timestamp) -> bool {
        self.deadline(now) == Deadline::Past
    }

    /// May still change something on its targets.
    pub fn is_in_flight(&self, now: Timestamp) -> bool {
        !self.is_final && !self.is_past_deadline(now)
    }
}

/// One instance's part of a command, as `ListCommandInvocations` returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The instance.
    pub instance_id: InstanceId,
    /// When the script's step ended, as its agent says; `None` where it does not.
    pub finished_at: Option<Timestamp>,
    /// SSM's `StatusDetails`, with or without spaces.
    pub status_details: String,
    /// The script step's standard output, at most 2,500 characters.
    pub output: String,
}
