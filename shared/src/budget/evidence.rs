//! What the budget is counted from.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::history::{Action, Command, DEADLINE};
use crate::ids::InstanceId;
use crate::invocation::{InvocationResult, Reported};
use crate::time;

/// Which password an instance's saved credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    /// The one that the parameters hold now.
    Current,
    /// One from before a parameter changed.
    Stale,
    /// Not known: no log-on of ours is recorded.
    Unknown,
}

/// What is known of the two parameters, never their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// The later of their last changes.
    Changed(Timestamp),
    /// One of them does not exist: a `map` fails before it presents anything, and reports that.
    Missing,
    /// They could not be read.
    Unread,
}

impl Parameters {
    /// From the date of each, `None` where it does not exist. A date ahead of our clock is not true, and so tells nothing.
    pub fn from_dates(dates: [Option<Timestamp>; 2], now: Timestamp) -> Self {
        let [Some(user_name), Some(password)] = dates else { return Parameters::Missing };
        time::not_ahead(user_name.max(password), now).map_or(Parameters::Unread, Parameters::Changed)
    }

    /// The later of their last changes, where it is known.
    pub fn changed(self) -> Option<Timestamp> {
        match self {
            Parameters::Changed(at) => Some(at),
            Parameters::Missing | Parameters::Unread => None,
        }
    }

    /// Which password a credential is that was saved at `logon`.
    pub fn credential(self, logon: Option<Timestamp>) -> Credential {
        match (logon, self.changed()) {
            (Some(logon), Some(changed)) if logon > changed => Credential::Current,
            (Some(logon), Some(changed)) if logon < changed => Credential::Stale,
            _ => Credential::Unknown,
        }
    }
}

/// What one command did on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The instance, whatever its registration; it may have ended since.
    pub instance: InstanceId,
    /// What the command asked for.
    pub action: Action,
    /// When SSM accepted the command.
    pub requested_at: Timestamp,
    /// When the invocation ended, between the request and now: the latest that it may have been.
    pub ended_at: Timestamp,
    /// The earliest that it may have been: the request, where the agent gives no time or one in the future.
    pub ended_at_least: Timestamp,
    /// What the invocation means.
    pub result: InvocationResult,
}

impl Attempt {
    /// An invocation of a command; `None` while it is pending. One whose end is not recorded ended at its deadline.
    pub fn new(command: &Command, reported: &Reported, now: Timestamp) -> Option<Self> {
        let told = reported.ended_at.filter(|at| *at <= now);
        let ended = reported.ended_at.or_else(|| command.requested_at.checked_add(DEADLINE).ok());
        reported.result.is_final().then(|| Attempt {
            instance: reported.instance.clone(),
            action: command.action,
            requested_at: command.requested_at,
            ended_at: ended.map_or(now, |at| at.min(now)).max(command.requested_at),
            ended_at_least: told.map_or(command.requested_at, |at| at.max(command.requested_at)),
            result: reported.result.clone(),
        })
    }
}

/// A command that is not final within its deadline, or a send without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// What it asks for.
    pub action: Action,
    /// When it was sent.
    pub requested_at: Timestamp,
    /// Its targets.
    pub instances: Vec<InstanceId>,
    /// Targets that may still log on.
    pub unfinished: u32,
    /// How many of them at a time: SSM stops such a command at its first failures.
    pub at_a_time: u32,
}

impl InFlight {
    /// A listed command; `None` where it is over.
    pub fn of(command: &Command, now: Timestamp) -> Option<Self> {
        let unfinished = command.instances.len().saturating_sub(command.completed);
        command.is_in_flight(now).then(|| InFlight {
            action: command.action,
            requested_at: command.requested_at,
            instances: command.instances.clone(),
            unfinished: u32::try_from(unfinished).unwrap_or(u32::MAX),
            at_a_time: command.max_concurrency,
        })
    }

    /// How many log-ons may yet be refused, of targets that may be refused so often each.
    pub(super) fn possible_refusals(&self, of_targets: impl Iterator<Item = u32>) -> u32 {
        let mut most: Vec<u32> = of_targets.collect();
        most.sort_unstable_by(|a, b| b.cmp(a));
        most.iter().take(self.unfinished.min(self.at_a_time) as usize).sum()
    }
}

/// What an instance's attributes say, over all its registrations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The last log-on with the parameters' password, as of then.
    pub logon: Option<Timestamp>,
    /// Request time of the command whose proof opened the gate.
    pub opened_by: Option<Timestamp>,
    /// Request time of the last command before that whose result was not read, because it did not fail.
    pub unread: Option<Timestamp>,
    /// When there was no mapping, where that is the last thing recorded: a check found none, or nothing is recorded at all.
    pub unmapped_at: Option<Timestamp>,
    /// Request time of a command that was refused, where that is the last thing recorded.
    pub refused_by: Option<Timestamp>,
}

/// Everything that the budget is counted from.
#[derive(Debug, Clone)]
pub struct Evidence<'e> {
    /// The two parameters.
    pub parameters: Parameters,
    /// Commands in flight.
    pub in_flight: Vec<InFlight>,
    /// The attempts in the window that are over, in any order.
    pub attempts: &'e [Attempt],
    /// What attributes say. Without an instance's attributes the budget only allows less.
    pub stamps: BTreeMap<InstanceId, Stamps>,
    /// A part of the fleet could not be read.
    pub is_partial: bool,
}
