//! The canary: the one instance that may try a password that is not proven.

use jiff::Timestamp;
use shared::cause::Cause;
use shared::config::Policy;
use shared::ecs::Status;
use shared::history::{Action, WINDOW};
use shared::ids::InstanceId;
use shared::state::State;

use super::schedule::{Triggers, hash, next_attempt};
use super::turns::{turns, was_not_delivered};
use crate::fleet::Instance;

/// Chooses it: first instances without a failed `map`, then the least recently judged, then by ARN.
///
/// One `map` that was not delivered does not count as failed, a second one does: an instance whose agent takes no command
/// would otherwise be the canary for ever. A `check` that was not delivered is no attempt, because SSM says so of every
/// target behind such an instance.
pub(super) fn choose_canary<'f>(
    ready: &[&'f Instance],
    triggers: &Triggers,
    policy: &Policy,
    now: Timestamp,
) -> Option<&'f InstanceId> {
    let may_try = |instance: &&&Instance| {
        let waits_for_registration =
            instance.is_unknown() && next_attempt(instance, triggers, policy).is_none_or(|(at, _)| at > now);
        !instance.is_open() && instance.record.status != Status::Other && !waits_for_registration
    };
    let rank = |instance: &&&Instance| {
        (has_failed_map(instance), last_attempt(instance, now), instance.record.arn.clone())
    };
    ready.iter().filter(may_try).min_by_key(rank).map(|instance| &instance.id)
}

fn has_failed_map(instance: &Instance) -> bool {
    match instance.state() {
        Some(State::Unmapped { cause, .. }) if *cause == Cause::NOT_MAPPED => false,
        Some(State::Unmapped { attempts, cause, .. }) => *cause != Cause::UNDELIVERED || *attempts > 1,
        _ => false,
    }
}

/// When it was last judged or, if that command was not delivered, last sent a `map`; with a number that shuffles equals.
fn last_attempt(instance: &Instance, now: Timestamp) -> (Timestamp, u64) {
    match instance.state() {
        _ if was_not_delivered(instance) => {
            let maps = turns(instance).filter(|result| result.action == Action::Map);
            let sent = maps.map(|result| result.requested_at).fold(now - WINDOW, Timestamp::max);
            (sent, hash(&instance.id, sent))
        }
        Some(state) => (state.judged(), 0),
        None => (Timestamp::MIN, 0),
    }
}
