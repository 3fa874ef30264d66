//! When an instance is next due, and for which command.
//!
//! It does not ask whether the budget of refused log-ons allows the command; `commands` does. The waits are [`Policy`]'s; see
//! docs/architecture.md, Retry rhythm.

use std::collections::BTreeMap;
use std::hash::Hasher;

use jiff::{SignedDuration, Timestamp};
use shared::budget::Budget;
use shared::cause::{Cause, Class};
use shared::config::Policy;
use shared::ids::InstanceId;
use shared::invocation::InvocationResult;
use shared::state::{State, StateAttribute};

use super::verdict::was_no_attempt;
use crate::fleet::{Fleet, Instance};

/// What an instance is due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attempt {
    /// It registered, or was restarted, and was not tried since.
    First,
    /// It may have been mapped by hand, or its gate was edited: it is checked before anything is mapped.
    Adopt,
    /// It is unmapped, and its wait is over.
    Retry,
    /// Its proof is old, or doubtful.
    Verify,
}

/// What the schedule depends on beside the instance, gathered over the fleet.
#[derive(Debug, Clone)]
pub struct Triggers {
    /// The time of the look.
    pub now: Timestamp,
    /// The parameters' password is fresh, so map-share sends to new instances, too.
    pub is_fresh: bool,
    /// The oldest command that SSM's history shows: who was new by then was not mapped by hand before the deployment.
    pub first_command: Option<Timestamp>,
    /// The later of the parameters' last changes.
    pub parameters_changed: Option<Timestamp>,
    /// The newest `since` of the mapped instances: an instance recovered, or was mapped for the first time.
    pub recovered: Option<Timestamp>,
    /// How many instances fail with a cause of each class.
    failing: BTreeMap<Class, u32>,
}

impl Triggers {
    /// Gathers them.
    pub fn of(fleet: &Fleet, budget: &Budget, now: Timestamp) -> Self {
        let since = |instance: &Instance| match instance.state() {
            Some(State::Mapped { since, .. }) if instance.is_open() => Some(*since),
            _ => None,
        };
        let mut failing = BTreeMap::new();
        for instance in fleet.counted() {
            if let Some(State::Unmapped { cause, .. }) = instance.state() {
                *failing.entry(cause.class()).or_default() += 1;
            }
        }
        Triggers {
            now,
            is_fresh: budget.is_fresh,
            first_command: fleet.commands.first().map(|command| command.requested_at),
            parameters_changed: fleet.parameters.changed(),
            recovered: fleet.counted().filter_map(since).max(),
            failing,
        }
    }

    /// The first trigger later than the last attempt after which trying again may help. The recovery of others is none
    /// for an instance that has failed alone since its quick retries.
    fn after(&self, failing: &Failing<'_>, policy: &Policy) -> Option<Timestamp> {
        let is_alone = self.failing.get(&failing.cause.class()).is_none_or(|n| *n <= 1);
        let trigger = match failing.cause.class() {
            Class::Credentials => self.parameters_changed,
            _ if failing.cause.heals_with_others()
                && !(is_alone && failing.attempts > policy.max_attempts) =>
            {
                self.recovered
            }
            _ => None,
        };
        trigger.filter(|at| *at > failing.judged)
    }
}

/// When the instance is next due, and for what; `None` where checks are off and it is mapped. The caller asks whether a
/// command is in flight and whether the agent is online.
pub fn next_attempt(
    instance: &Instance,
    triggers: &Triggers,
    policy: &Policy,
) -> Option<(Timestamp, Attempt)> {
    let registered = instance.record.registered_at;
    let (at, attempt) = match (&instance.record.attributes.state, instance.is_open()) {
        // A check found no mapping. Nothing was tried, so there is nothing to wait for.
        (StateAttribute::Known(State::Unmapped { attempts: 1, judged, cause, .. }), _)
            if *cause == Cause::NOT_MAPPED =>
        {
            (*judged, Attempt::Retry)
        }
        // Who maps another share to the letter is asked before anything is mapped: at once when the share has changed.
        (StateAttribute::Known(State::Unmapped { attempts, judged, cause, failing_since, .. }), _)
            if *cause == Cause::OTHER_SHARE =>
        {
            let failing = Failing { attempts: *attempts, judged: *judged, cause, since: *failing_since };
            let at = if *attempts == 1 { *judged } else { retry_at(&instance.id, &failing, policy) };
            (at, Attempt::Adopt)
        }
        (StateAttribute::Known(State::Unmapped { attempts, judged, cause, failing_since, .. }), _) => {
            let failing = Failing { attempts: *attempts, judged: *judged, cause, since: *failing_since };
            let at = retry_at(&instance.id, &failing, policy);
            let trigger = triggers.after(&failing, policy);
            (trigger.map_or(at, |trigger| at.min(trigger)), Attempt::Retry)
        }
        (StateAttribute::Known(State::Mapped { judged, .. }), true) => {
            (verify_at(&instance.id, *judged, policy)?, Attempt::Verify)
        }
        (StateAttribute::Known(State::Doubtful { judged, .. }), true) => {
            (later(*judged, policy.doubtful_check_wait()), Attempt::Verify)
        }
        (StateAttribute::Unreadable | StateAttribute::OtherShare(_), _) => (registered, Attempt::Verify),
        (StateAttribute::Known(State::Mapped { .. } | State::Doubtful { .. }), false) => {
            (registered, Attempt::Adopt)
        }
        (StateAttribute::Absent, _)
            if triggers.first_command.unwrap_or(triggers.now) > later(registered, policy.adoption_wait()) =>
        {
            (registered, Attempt::Adopt)
        }
        (StateAttribute::Absent | StateAttribute::Known(State::Restarted { .. }), _) => {
            let wait =
                if triggers.is_fresh { policy.first_attempt_wait() } else { policy.first_canary_wait() };
            (later(registered, wait), Attempt::First)
        }
    };
    Some((at.max(not_before(instance, policy)), attempt))
}

/// A command without a result is not followed by another at once, unless it was no attempt: SSM stopped it before it got to
/// the instance, or it was a check that waited behind others until its command was over.
fn not_before(instance: &Instance, policy: &Policy) -> Timestamp {
    let last =
        instance.fresh_results().rfind(|result| !result.is_stopped && !was_no_attempt(instance, result));
    let pause = match last.and_then(|last| last.result.as_ref()) {
        Some(InvocationResult::Failed(failure)) if failure.cause == Cause::BUSY => policy.busy_wait(),
        Some(InvocationResult::NoResult(_)) => policy.no_result_wait(),
        _ => return Timestamp::MIN,
    };
    last.map_or(Timestamp::MIN, |last| later(last.requested_at, pause))
}

/// What is recorded of an unmapped instance.
struct Failing<'i> {
    attempts: u32,
    judged: Timestamp,
    cause: &'i Cause,
    since: Timestamp,
}

/// When an unmapped instance is tried again without a trigger.
fn retry_at(id: &InstanceId, failing: &Failing<'_>, policy: &Policy) -> Timestamp {
    let Failing { attempts, judged, cause, since } = *failing;
    // The budget says when it may try again.
    if cause.is_refused_logon() {
        return judged;
    }
    let wait = if attempts <= cause.quick_retries(policy.max_attempts) {
        policy.quick_retry_wait(attempts)
    } else if matches!(cause.class(), Class::Network | Class::Directory) {
        policy.shared_cause_wait()
    } else {
        policy.retry_wait()
    };
    let at = later(judged, wait + jitter(wait, 10, id, judged));
    // Tried once more when it has failed long enough to be drained: a drain rests on a failed attempt, not on time alone.
    let for_drain = later(since, policy.drain_after);
    if judged < for_drain {
        at.min(later(for_drain, jitter(policy.drain_attempt_jitter(), 1, id, judged)))
    } else {
        at
    }
}

/// Each instance has its own phase in the period, so that a fleet that was mapped in one wave is not checked in one.
fn verify_at(id: &InstanceId, judged: Timestamp, policy: &Policy) -> Option<Timestamp> {
    let period = i64::try_from(policy.verify_every?.as_millis()).unwrap_or(i64::MAX).max(1);
    let earliest = later(judged, policy.verify_gap()?).as_millisecond();
    let phase = i64::try_from(hash(id, Timestamp::UNIX_EPOCH) % period.unsigned_abs()).unwrap_or_default();
    let at = earliest + (phase - earliest).rem_euclid(period);
    Timestamp::from_millisecond(at).ok()
}

/// Jitter of up to `wait / divisor`, hashed from the id and the last attempt, so that every run computes the same.
fn jitter(wait: SignedDuration, divisor: i64, id: &InstanceId, judged: Timestamp) -> SignedDuration {
    let most = i64::try_from(wait.as_millis()).unwrap_or_default() / divisor;
    if most <= 0 {
        return SignedDuration::ZERO;
    }
    SignedDuration::from_millis(i64::try_from(hash(id, judged) % most.unsigned_abs()).unwrap_or_default())
}

/// A pseudo-random number for an id at a time: the same in every run.
pub(super) fn hash(id: &InstanceId, at: Timestamp) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(id.as_str().as_bytes());
    hasher.write(&at.as_millisecond().to_le_bytes());
    // FNV's low bits of similar ids are similar; fold the high ones in.
    let hash = hasher.finish();
    hash ^ (hash >> 32)
}

/// A time and a wait; the last time there is, where the sum is later.
pub fn later(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
