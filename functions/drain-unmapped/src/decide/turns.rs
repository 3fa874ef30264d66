//! The order of turns: who goes first among the instances that wait for a staggered command.
//!
//! See docs/architecture.md, Order of checks.

use jiff::{SignedDuration, Timestamp};
use shared::budget::Credential;
use shared::cause::Cause;
use shared::invocation::InvocationResult;

use super::schedule::hash;
use crate::fleet::{CommandResult, Instance};

/// An instance that waits for a staggered command.
pub(super) struct Waiting<'f> {
    /// When it was last judged or sent a command, whatever came of it. An instance that hangs is never judged; without
    /// the time of sending it would be first in every command.
    last_turn: Timestamp,
    /// The last command was not delivered. SSM says so also of all targets behind an instance that takes no command, so
    /// it is unknown whether this one had its turn.
    is_unsure: bool,
    /// The credential that it would log on with.
    pub(super) credential: Credential,
    pub(super) instance: &'f Instance,
}

impl<'f> Waiting<'f> {
    /// By what is known of its last turn. Which of two turns longer ago than that was the earlier is not known:
    /// an instance that hangs is never judged, and the history no longer tells when it was sent a command.
    pub(super) fn new(
        instance: &'f Instance,
        credential: Credential,
        memory: SignedDuration,
        now: Timestamp,
    ) -> Self {
        let last = turns(instance).max_by_key(|result| result.requested_at);
        let sent = last.map_or(Timestamp::MIN, |result| result.requested_at);
        let judged =
            if instance.is_unmapped_by(Cause::UNDELIVERED) { Timestamp::MIN } else { instance.floor() };
        let is_unsure = sent > judged
            && last.and_then(|result| result.result.as_ref()).is_none_or(
                |result| matches!(result, InvocationResult::NoResult(cause) if *cause == Cause::UNDELIVERED),
            );
        let last_turn = judged.max(sent).max(now - memory);
        Waiting { last_turn, is_unsure, credential, instance }
    }

    /// Nothing is known about it yet: before everyone else.
    pub(super) fn before_others(self) -> Self {
        Waiting { last_turn: Timestamp::MIN, ..self }
    }

    /// Both hold the current password, or neither is known to.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.credential == Credential::Current) == (other.credential == Credential::Current)
    }
}

/// What an instance was sent, without the commands that SSM stopped before they got to it.
pub(super) fn turns(instance: &Instance) -> impl Iterator<Item = &CommandResult> {
    instance.results.iter().filter(|result| !result.is_stopped)
}

/// The longest wait first. Instances whose last turn is unknown count as the one of them that waited longest, and are
/// shuffled anew each time; so are those whose last turn is older than the memory of turns. Without that, two instances
/// that take no command, or ten that hang, would keep the same others waiting for ever.
pub(super) fn in_turn<'f>(
    mut waiting: Vec<Waiting<'f>>,
    memory: SignedDuration,
    now: Timestamp,
) -> Vec<Waiting<'f>> {
    let oldest = now - memory;
    let unsure = waiting.iter().filter(|one| one.is_unsure).map(|one| one.last_turn).min();
    waiting.sort_by_cached_key(|one| {
        let turn = unsure.filter(|_| one.is_unsure).unwrap_or(one.last_turn);
        let is_shuffled = one.is_unsure || turn <= oldest;
        let id = &one.instance.id;
        (turn, is_shuffled.then(|| hash(id, now)), id.clone())
    });
    waiting
}
