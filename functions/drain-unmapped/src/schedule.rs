//! When an instance is due for which command.
//!
//! Pure, and without the brake: what may be sent of what is due is decided in `sends.rs`.

use std::hash::Hasher;

use jiff::{SignedDuration, Timestamp};
use shared::brake::Parameters;
use shared::cause::{Cause, Class};
use shared::config::Policy;
use shared::ids::InstanceId;
use shared::invocation::InvocationResult;
use shared::state::{State, StateAttribute};

use crate::fleet::{Fleet, Instance};

/// What a `check` says of a free letter. A `map` says so only of a letter that is free again after it was taken.
const NOT_MAPPED: &str = "not-mapped";

/// Why an instance is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attempt {
    /// Nothing is known about it.
    First,
    /// It is unmapped, and its time has come.
    Retry,
    /// Its proof is old, or doubtful.
    Verify,
}

/// Triggers that make a failing instance due at once, gathered over the fleet.
#[derive(Debug, Clone, Copy)]
pub struct Triggers {
    /// The newest log-on with the parameters' password.
    pub newest_logon: Option<Timestamp>,
    /// The later of the parameters' last changes.
    pub parameters_changed: Option<Timestamp>,
    /// The newest `since` of the mapped instances: somebody recovered, or came in.
    pub recovered: Option<Timestamp>,
}

impl Triggers {
    /// Gathers them.
    pub fn of(fleet: &Fleet) -> Self {
        let since = |instance: &Instance| match instance.state() {
            Some(State::Mapped { since, .. }) if instance.is_open() => Some(*since),
            _ => None,
        };
        let recovered = fleet.counted().filter_map(since).max();
        let parameters_changed = match fleet.parameters {
            Parameters::Changed(at) => Some(at),
            Parameters::Missing | Parameters::Unread => None,
        };
        Triggers { newest_logon: fleet.newest_logon(), parameters_changed, recovered }
    }
}

/// When the instance is next due, and for what; `None` where it waits for nothing (checks are off). In flight or not,
/// online or not, is the caller's to ask.
pub fn next_attempt(
    instance: &Instance,
    triggers: &Triggers,
    policy: &Policy,
) -> Option<(Timestamp, Attempt)> {
    let (at, due) = match (&instance.record.attributes.state, instance.is_open()) {
        // A check's word that nothing is there: nothing was tried, so there is nothing to wait for.
        (StateAttribute::Known(State::Unmapped { attempts: 1, judged, cause, .. }), _)
            if cause.as_str() == NOT_MAPPED =>
        {
            (*judged, Attempt::Retry)
        }
        (StateAttribute::Known(State::Unmapped { attempts, judged, cause, failing_since, .. }), _) => {
            let at = retry_at(&instance.id, *attempts, *judged, cause, *failing_since, policy);
            let trigger = trigger_after(cause.class(), *judged, triggers);
            (trigger.map_or(at, |trigger| at.min(trigger)), Attempt::Retry)
        }
        (StateAttribute::Known(State::Mapped { judged, .. }), true) => {
            (verify_at(&instance.id, *judged, policy)?, Attempt::Verify)
        }
        (StateAttribute::Known(State::Doubtful { judged, .. }), true) => {
            (later(*judged, policy.base * 2), Attempt::Verify)
        }
        (StateAttribute::Unreadable, _) => (instance.record.registered_at, Attempt::Verify),
        // What map-share sent at the registration is listed by then.
        _ => (later(instance.record.registered_at, policy.base * 2), Attempt::First),
    };
    Some((at.max(not_before(instance, policy)), due))
}

/// A command that said nothing is not followed at once by another.
fn not_before(instance: &Instance, policy: &Policy) -> Timestamp {
    let last = instance.fresh_answers().next_back();
    let pause = match last.and_then(|answer| answer.result.as_ref()) {
        Some(InvocationResult::Failed(failure)) if failure.cause.as_str() == "busy" => policy.base * 2,
        Some(InvocationResult::NoResult(_)) => policy.base * 20,
        _ => return Timestamp::MIN,
    };
    last.map_or(Timestamp::MIN, |answer| later(answer.requested_at, pause))
}

/// When an unmapped instance is tried again, triggers apart.
fn retry_at(
    id: &InstanceId,
    attempts: u32,
    judged: Timestamp,
    cause: &Cause,
    failing_since: Timestamp,
    policy: &Policy,
) -> Timestamp {
    let wait = if attempts <= cause.quick_retries(policy.max_attempts) {
        policy.base * (1_i32 << attempts.saturating_sub(1).min(20))
    } else if matches!(cause.class(), Class::Network | Class::Directory) {
        policy.base * 10
    } else {
        policy.reprobe
    };
    let at = later(judged, wait + share_of(wait, 10, id, judged));
    // Once more when it has failed long enough to be drained: the drain rests on a try, not on the time that went by.
    let for_drain = later(failing_since, policy.drain_after);
    if judged < for_drain { at.min(later(for_drain, share_of(policy.base, 1, id, judged))) } else { at }
}

/// A trigger, later than the last try, that trying again may help.
fn trigger_after(class: Class, judged: Timestamp, triggers: &Triggers) -> Option<Timestamp> {
    let candidates = match class {
        Class::Network | Class::Directory | Class::Configuration => [triggers.recovered, None],
        Class::Credentials => [triggers.newest_logon, triggers.parameters_changed],
        Class::Host | Class::Unknown => [None, None],
    };
    candidates.into_iter().flatten().filter(|at| *at > judged).min()
}

/// Each instance has its own minute in the period, so that a fleet that was mapped in one wave is not checked in one.
fn verify_at(id: &InstanceId, judged: Timestamp, policy: &Policy) -> Option<Timestamp> {
    let period = i64::try_from(policy.verify_every?.as_millis()).unwrap_or(i64::MAX).max(1);
    let gap = (policy.verify_every? / 4).min(policy.base * 10);
    let earliest = later(judged, gap).as_millisecond();
    let phase = i64::try_from(hash(id, Timestamp::UNIX_EPOCH) % period.unsigned_abs()).unwrap_or_default();
    let at = earliest + (phase - earliest).rem_euclid(period);
    Timestamp::from_millisecond(at).ok()
}

/// Up to a tenth (or another share) of a wait, hashed from the id and the last try: spread, yet the same in every run.
fn share_of(wait: SignedDuration, divisor: i64, id: &InstanceId, judged: Timestamp) -> SignedDuration {
    let most = i64::try_from(wait.as_millis()).unwrap_or_default() / divisor;
    if most <= 0 {
        return SignedDuration::ZERO;
    }
    SignedDuration::from_millis(i64::try_from(hash(id, judged) % most.unsigned_abs()).unwrap_or_default())
}

/// A number for an id at a time: the same in every run, and of no order.
pub fn hash(id: &InstanceId, at: Timestamp) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(id.as_str().as_bytes());
    hasher.write(&at.as_millisecond().to_le_bytes());
    // FNV's low bits of similar ids are similar; fold the high ones in.
    let hash = hasher.finish();
    hash ^ (hash >> 32)
}

/// A time and a wait; the end of time where there is none that late.
pub fn later(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
