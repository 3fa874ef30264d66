//! What the evidence allows.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use super::evidence::Credential;
use crate::cause::Cause;
use crate::config::{Policy, ROW_GAP};
use crate::history::Action;
use crate::ids::InstanceId;
use crate::invocation::Step;

/// A log-on that the directory refused, as far as the history tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When the invocation ended.
    pub at: Timestamp,
    /// The instance.
    pub instance: InstanceId,
    /// The action of its command.
    pub action: Action,
    /// The script's step; `None` where the invocation ended without a result line.
    pub step: Option<Step>,
    /// The script's cause, or why there is no result line.
    pub cause: Cause,
    /// How many log-ons were refused.
    pub weight: u32,
    /// It was the password that the parameters hold now.
    pub is_of_current_password: bool,
}

/// An instance was let in with the password that the parameters hold now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetIn {
    /// When the invocation ended.
    pub at: Timestamp,
    /// The instance.
    pub instance: InstanceId,
}

/// What the evidence allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// `REFUSAL_BUDGET`.
    pub of: u32,
    /// The refusals that count, oldest first: each less than [`ROW_GAP`] after the one before, and the last one less than
    /// that ago.
    pub row: Vec<Refusal>,
    /// What may yet be refused: the log-ons of commands in flight.
    pub possible: u32,
    /// The last instance that was let in with the current password, if nobody was refused since.
    pub let_in: Option<LetIn>,
    /// That was a moment ago: the current password may be presented by everyone who is due.
    pub is_fresh: bool,
    /// Instances whose last word was a refusal of the current password.
    pub refused_instances: BTreeSet<InstanceId>,
    /// When a parameter last changed, where both exist.
    pub parameters_changed: Option<Timestamp>,
    /// The evidence is incomplete, so nothing is sent.
    pub is_unreadable: bool,
    /// Instances that may have a mapping, whose saved credential a `map` tries first.
    pub(super) mapped_instances: BTreeSet<InstanceId>,
    pub(super) maps_in_flight: u32,
    pub(super) last_map_in_flight: Option<Timestamp>,
    pub(super) is_refused_instance_in_flight: bool,
}

impl Budget {
    /// Refused log-ons in the row.
    pub fn spent(&self) -> u32 {
        self.row.iter().map(|refusal| refusal.weight).sum()
    }

    /// How many log-ons of a `map` may be refused. Where the instance has a mapping, the script reads it first, which is a
    /// log-on with the saved credential.
    pub fn refusals_of_map(&self, id: &InstanceId) -> u32 {
        1 + u32::from(self.mapped_instances.contains(id))
    }

    /// All log-ons of a `map` on the instance may be refused, and it would still be within the budget. A password that was
    /// written after the last refusal is tried even where only one more may be refused.
    pub fn has_room(&self, id: &InstanceId) -> bool {
        let refusals = if self.has_changed_since_last_refusal() { 1 } else { self.refusals_of_map(id) };
        !self.is_unreadable && self.spent() + self.possible + refusals <= self.of
    }

    /// The instance may try the current password, though it is not fresh.
    pub fn allows_canary(&self, id: &InstanceId, policy: &Policy, now: Timestamp) -> bool {
        let is_free =
            self.last_map_in_flight.is_none_or(|last| now.duration_since(last) >= policy.canary_overlap());
        is_free && self.has_room(id) && self.spares_last_refusal()
    }

    /// Nothing but the commands in flight keeps the instance from being the canary.
    pub fn allows_canary_after_commands(&self, id: &InstanceId) -> bool {
        let later = self.after_commands();
        later.has_room(id) && later.spares_last_refusal()
    }

    /// An instance that was refused alone may try again: only where no other refusal counts or may come.
    pub fn allows_refused_instance(&self) -> bool {
        !self.is_unreadable && self.row.is_empty() && self.possible == 0
    }

    /// How many instances may be checked at a time whose saved credential is this. A check of a mapping without a live
    /// session logs on with it.
    pub fn checks_at_a_time(&self, credential: Credential) -> u32 {
        if self.is_unreadable || self.is_refused_instance_in_flight {
            return 0;
        }
        let most = match credential {
            Credential::Current => self.of.saturating_sub(1).saturating_sub(self.refused_with_current()),
            Credential::Stale | Credential::Unknown => {
                self.of.saturating_sub(2).max(1).saturating_sub(self.spent_on_other_passwords())
            }
        };
        most.min(self.of.saturating_sub(self.spent()).saturating_sub(self.possible))
    }

    /// Nothing may be checked, whatever becomes of the commands in flight.
    pub fn withholds_checks(&self) -> bool {
        let later = self.after_commands();
        [Credential::Current, Credential::Unknown].iter().all(|one| later.checks_at_a_time(*one) == 0)
    }

    /// The same while a `map` is in flight on the instance.
    pub fn with_map(&self, id: &InstanceId) -> Self {
        Budget { possible: self.possible + self.refusals_of_map(id), ..self.clone() }
    }

    /// When the row is over if nothing else is refused; `None` where it is empty.
    pub fn row_ends(&self) -> Option<Timestamp> {
        self.row.last().and_then(|last| last.at.checked_add(ROW_GAP).ok())
    }

    /// Distinct instances in the row that were refused with the current password.
    pub fn refused_with_current(&self) -> u32 {
        let instances: BTreeSet<&InstanceId> = self
            .row
            .iter()
            .filter(|refusal| refusal.is_of_current_password)
            .map(|refusal| &refusal.instance)
            .collect();
        u32::try_from(instances.len()).unwrap_or(u32::MAX)
    }

    /// How many refusals are spent, and by which instances, for the report and the log.
    pub fn describe(&self) -> String {
        let row: Vec<String> = self.row.iter().map(ToString::to_string).collect();
        let row = if row.is_empty() { String::new() } else { format!(" ({})", row.join(", ")) };
        format!("{} of {} refused log-ons spent{row}", self.spent(), self.of)
    }

    fn spent_on_other_passwords(&self) -> u32 {
        let others = self.row.iter().filter(|refusal| !refusal.is_of_current_password);
        others.map(|refusal| refusal.weight).sum()
    }

    /// The last refusal of the budget is kept for a password that was written after the others: its right correction is
    /// then tried at once.
    fn spares_last_refusal(&self) -> bool {
        self.has_changed_since_last_refusal()
            || self.refused_with_current() + self.maps_in_flight + 1 < self.of
    }

    /// The same if the commands in flight end without a refusal.
    fn after_commands(&self) -> Self {
        Budget {
            possible: 0,
            maps_in_flight: 0,
            last_map_in_flight: None,
            is_refused_instance_in_flight: false,
            ..self.clone()
        }
    }

    fn has_changed_since_last_refusal(&self) -> bool {
        let last = self.row.last();
        last.is_some_and(|last| self.parameters_changed.is_some_and(|changed| changed > last.at))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { at, instance, action, step, cause, .. } = self;
        write!(f, "{instance} {at:.0} {}", action.as_str())?;
        if let Some(step) = step {
            write!(f, " {}", step.as_str())?;
        }
        write!(f, " {cause}")
    }
}
