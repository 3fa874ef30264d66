//! Random faults: each kind has a rate, and every draw is a hash of seed, kind, subject and time.
//!
//! A hash instead of a generator, so that a fault that is left out changes no other draw. That is how a failing seed is
//! shrunk. So the text of a subject and the order of the kinds are part of every seed's history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use shared::aws::retry_config;

use crate::fleet::hash;
use crate::local_aws::faults::Fault;

/// What can go wrong between the functions and AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FaultKind {
    EventLost,
    EventDoubled,
    /// Minutes late, and so out of order.
    EventDelayed,
    /// A message that was deleted is received again.
    MessageRedelivered,
    Throttled,
    /// A 5xx without effect.
    FailedBefore,
    /// The effect, then a 5xx.
    FailedAfter,
    /// The request does not arrive.
    NotReached,
    /// The effect, and no answer.
    AnswerLost,
    /// The effect, and its answer seconds late, often after the caller's time-out.
    AnsweredLate,
    /// Listings are seconds old. Drawn once a history.
    ListingsLate,
    /// A function dies before or after the effect of one of its calls.
    Killed,
    /// A function ends at any moment, as by its time-out.
    CutOff,
    /// A second reconcile run overlaps the first.
    Overlap,
    /// A function's clock is seconds off. Drawn once a sandbox.
    ClockOff,
    /// A call fails in all its retries, and then no more.
    AllRetriesFail,
    /// SSM refuses a command's targets although their agents are online.
    TargetsRefused,
}

impl FaultKind {
    /// Every kind, in the order of the draws, with its lowest and its highest rate in ten thousand draws.
    pub(super) const ALL: [(FaultKind, u32, u32); 17] = {
        use FaultKind::*;
        [
            (EventLost, 300, 9_000),
            (EventDoubled, 300, 3_000),
            (EventDelayed, 300, 9_000),
            (MessageRedelivered, 300, 3_000),
            (Throttled, 20, 400),
            (FailedBefore, 20, 400),
            (FailedAfter, 20, 400),
            (NotReached, 20, 400),
            (AnswerLost, 20, 400),
            (AnsweredLate, 20, 400),
            (ListingsLate, 10_000, 10_000),
            (Killed, 100, 2_000),
            (CutOff, 100, 2_000),
            (Overlap, 200, 2_000),
            (ClockOff, 10_000, 10_000),
            (AllRetriesFail, 50, 500),
            (TargetsRefused, 300, 5_000),
        ]
    };
}

/// The rates of one history, in ten thousand. A kind that is missing never occurs.
pub(super) type Rates = BTreeMap<FaultKind, u32>;

/// Half of the kinds, so that histories differ in kind and not only in rate.
pub(super) fn generate_rates(rng: &mut fastrand::Rng) -> Rates {
    let mut rates = Rates::new();
    // Kinds that were added later have a generator of their own, so that all other draws stay the same.
    let mut later_kinds = fastrand::Rng::with_seed(!rng.clone().u64(..));
    for (kind, lowest, highest) in FaultKind::ALL {
        let is_later = matches!(kind, FaultKind::AllRetriesFail | FaultKind::TargetsRefused);
        let rng = if is_later { &mut later_kinds } else { &mut *rng };
        // Low rates are more frequent.
        let share = rng.f64().powi(2);
        let rate = lowest + (f64::from(highest - lowest) * share) as u32;
        if rng.bool() {
            rates.insert(kind, rate);
        }
    }
    rates
}

/// A fault that occurred.
#[derive(Debug, Clone)]
pub(super) struct InjectedFault {
    pub(super) at: Timestamp,
    pub(super) kind: FaultKind,
    /// The call, message or run that failed.
    pub(super) subject: String,
    /// Identifies the fault in a replay.
    pub(super) key: u64,
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.subject)
    }
}

/// Decides what fails. All clones share one state.
#[derive(Clone)]
pub(super) struct FaultInjector {
    seed: u64,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    rates: Rates,
    muted: BTreeSet<u64>,
    injected: Vec<InjectedFault>,
    /// Calls of which all retries fail, and how many of these are still to come.
    failing: BTreeMap<String, u32>,
}

impl FaultInjector {
    /// Faults at these rates, except the muted ones.
    pub(super) fn new(seed: u64, rates: Rates, muted: BTreeSet<u64>) -> Self {
        let (injected, failing) = (Vec::new(), BTreeMap::new());
        FaultInjector { seed, inner: Arc::new(Mutex::new(Inner { rates, muted, injected, failing })) }
    }

    /// Whether this fault occurs now. If so, a random number for whatever else has to be decided about it.
    pub(super) fn draw(&self, kind: FaultKind, subject: &str, now: Timestamp) -> Option<u64> {
        let mut inner = self.inner();
        let rate = u64::from(*inner.rates.get(&kind)?);
        let key = hash(self.seed ^ ((kind as u64 + 1) << 56), subject, now.as_millisecond());
        if key % 10_000 >= rate || inner.muted.contains(&key) {
            return None;
        }
        inner.injected.push(InjectedFault { at: now, kind, subject: subject.to_owned(), key });
        Some(key / 10_000)
    }

    /// How a call fails, if it does.
    pub(super) fn draw_for_call(&self, caller: &str, operation: &str, now: Timestamp) -> Option<Fault> {
        let subject = format!("{operation} of {caller}");
        if self.next_retry_fails(&subject) || self.all_retries_fail(&subject, now) {
            return Some(Fault::ErrorBefore(500));
        }
        if operation == "SendCommand" && self.draw(FaultKind::TargetsRefused, &subject, now).is_some() {
            return Some(Fault::InvalidInstance);
        }
        let status = |random: u64| if random.is_multiple_of(2) { 500 } else { 503 };
        let late = |random: u64| Duration::from_millis(500 + random % 9_500);
        let kinds: [(FaultKind, &dyn Fn(u64) -> Fault); 6] = [
            (FaultKind::Throttled, &|_| Fault::Throttle),
            (FaultKind::FailedBefore, &|random| Fault::ErrorBefore(status(random))),
            (FaultKind::FailedAfter, &|random| Fault::ErrorAfter(status(random))),
            (FaultKind::NotReached, &|_| Fault::NotReached),
            (FaultKind::AnswerLost, &|_| Fault::AnswerLost),
            (FaultKind::AnsweredLate, &|random| Fault::Late(late(random))),
        ];
        kinds.into_iter().find_map(|(kind, fault)| self.draw(kind, &subject, now).map(fault))
    }

    fn all_retries_fail(&self, subject: &str, now: Timestamp) -> bool {
        let fails = self.draw(FaultKind::AllRetriesFail, subject, now).is_some();
        if fails {
            self.inner().failing.insert(subject.to_owned(), retry_config().max_attempts() - 1);
        }
        fails
    }

    fn next_retry_fails(&self, subject: &str) -> bool {
        let mut inner = self.inner();
        let Some(left) = inner.failing.get_mut(subject).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing fails.
    pub(super) fn stop(&self) {
        let mut inner = self.inner();
        inner.rates.clear();
        inner.failing.clear();
    }

    /// What has failed so far, in order.
    pub(super) fn injected(&self) -> Vec<InjectedFault> {
        self.inner().injected.clone()
    }
}
