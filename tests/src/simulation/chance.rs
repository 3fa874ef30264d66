//! Faults by chance: each kind with a rate, every draw a hash of seed, kind, subject and moment.
//!
//! A hash instead of a generator, so that switching one fault off leaves the draws of all others as they were: that is
//! what makes a failing seed shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use shared::aws::retry_config;

use crate::fleet::hash;
use crate::local_aws::faults::Fault;

/// What can go wrong between the product and AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// An event never arrives.
    EventLost,
    /// An event arrives twice.
    EventDoubled,
    /// An event arrives minutes late, and so out of order.
    EventDelayed,
    /// A message is received again though it was deleted.
    MessageRedelivered,
    /// A call is throttled.
    Throttled,
    /// A 5xx without effect.
    FailedBefore,
    /// The effect, then a 5xx.
    FailedAfter,
    /// A request that does not arrive.
    NotReached,
    /// The effect, and no answer.
    AnswerLost,
    /// The effect, and its answer seconds late: often after the caller has given up.
    AnsweredLate,
    /// Listings show what was seconds ago. Drawn once a seed.
    ListingsLate,
    /// A function dies before or after the effect of one of its calls.
    Killed,
    /// A function is cut off at some moment, as by its time-out.
    CutOff,
    /// A second sweep runs beside the first.
    Overlap,
    /// A function's clock is seconds off. Drawn once a sandbox.
    ClockOff,
    /// A call fails through all its retries, and the next one does not.
    FailedForGood,
    /// SSM refuses a command's targets, though their agents are online.
    TargetsRefused,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 17] = [
        FaultKind::EventLost,
        FaultKind::EventDoubled,
        FaultKind::EventDelayed,
        FaultKind::MessageRedelivered,
        FaultKind::Throttled,
        FaultKind::FailedBefore,
        FaultKind::FailedAfter,
        FaultKind::NotReached,
        FaultKind::AnswerLost,
        FaultKind::AnsweredLate,
        FaultKind::ListingsLate,
        FaultKind::Killed,
        FaultKind::CutOff,
        FaultKind::Overlap,
        FaultKind::ClockOff,
        FaultKind::FailedForGood,
        FaultKind::TargetsRefused,
    ];

    /// How often it strikes where a seed has it at all: in ten thousand draws, from the mildest to the worst.
    fn range(self) -> (u32, u32) {
        match self {
            FaultKind::EventLost | FaultKind::EventDelayed => (300, 9_000),
            FaultKind::EventDoubled | FaultKind::MessageRedelivered => (300, 3_000),
            FaultKind::Throttled
            | FaultKind::FailedBefore
            | FaultKind::FailedAfter
            | FaultKind::NotReached
            | FaultKind::AnswerLost
            | FaultKind::AnsweredLate => (20, 400),
            FaultKind::ListingsLate | FaultKind::ClockOff => (10_000, 10_000),
            FaultKind::Killed | FaultKind::CutOff => (100, 2_000),
            FaultKind::FailedForGood => (50, 500),
            FaultKind::TargetsRefused => (300, 5_000),
            FaultKind::Overlap => (200, 2_000),
        }
    }
}

/// The rates of one seed, in ten thousand; a kind that is missing never strikes.
pub type Rates = BTreeMap<FaultKind, u32>;

/// Draws the rates: half of the kinds in a seed, so that seeds differ in kind and not only in degree.
pub fn draw_rates(rng: &mut fastrand::Rng) -> Rates {
    let mut rates = Rates::new();
    // Drawn apart, so that what else seeds draw stays as it was.
    let mut apart = fastrand::Rng::with_seed(!rng.clone().u64(..));
    for kind in FaultKind::ALL {
        let is_apart = matches!(kind, FaultKind::FailedForGood | FaultKind::TargetsRefused);
        let rng = if is_apart { &mut apart } else { &mut *rng };
        let (mildest, worst) = kind.range();
        // Mild ones are more common: the square of an even draw.
        let share = rng.f64().powi(2);
        let rate = mildest + (f64::from(worst - mildest) * share) as u32;
        if rng.bool() {
            rates.insert(kind, rate);
        }
    }
    rates
}

/// A fault that struck: what it is known by, so that it can be muted in a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: FaultKind,
    /// Whom or what: a call, a message, a run.
    pub subject: String,
    /// Its draw.
    pub key: u64,
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.subject)
    }
}

/// The dice, shared by everything that can fail.
#[derive(Clone)]
pub struct Dice {
    seed: u64,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    rates: Rates,
    muted: BTreeSet<u64>,
    struck: Vec<Struck>,
    /// Calls that are failing for good, with the retries that are still to fail.
    failing: BTreeMap<String, u32>,
}

impl Dice {
    /// Dice with these rates, but for the draws that are muted.
    pub fn new(seed: u64, rates: Rates, muted: BTreeSet<u64>) -> Self {
        let (struck, failing) = (Vec::new(), BTreeMap::new());
        Dice { seed, inner: Arc::new(Mutex::new(Inner { rates, muted, struck, failing })) }
    }

    /// One draw. Where it strikes: a number for whatever else has to be drawn about it.
    pub fn roll(&self, kind: FaultKind, subject: &str, now: Timestamp) -> Option<u64> {
        let mut inner = self.inner();
        let rate = u64::from(*inner.rates.get(&kind)?);
        let key = hash(self.seed ^ ((kind as u64 + 1) << 56), subject, now.as_millisecond());
        if key % 10_000 >= rate || inner.muted.contains(&key) {
            return None;
        }
        inner.struck.push(Struck { at: now, kind, subject: subject.to_owned(), key });
        Some(key / 10_000)
    }

    /// How a call fails, if it does.
    pub fn call(&self, caller: &str, operation: &str, now: Timestamp) -> Option<Fault> {
        let subject = format!("{operation} of {caller}");
        if self.fails_again(&subject) || self.fails_for_good(&subject, now) {
            return Some(Fault::ErrorBefore(500));
        }
        if operation == "SendCommand" && self.roll(FaultKind::TargetsRefused, &subject, now).is_some() {
            return Some(Fault::InvalidInstance);
        }
        let kinds = [
            FaultKind::Throttled,
            FaultKind::FailedBefore,
            FaultKind::FailedAfter,
            FaultKind::NotReached,
            FaultKind::AnswerLost,
            FaultKind::AnsweredLate,
        ];
        kinds.into_iter().find_map(|kind| {
            let more = self.roll(kind, &subject, now)?;
            let status = if more % 2 == 0 { 500 } else { 503 };
            Some(match kind {
                FaultKind::Throttled => Fault::Throttle,
                FaultKind::FailedBefore => Fault::ErrorBefore(status),
                FaultKind::FailedAfter => Fault::ErrorAfter(status),
                FaultKind::NotReached => Fault::NotReached,
                FaultKind::AnswerLost => Fault::AnswerLost,
                _ => Fault::Late(Duration::from_millis(500 + more % 9_500)),
            })
        })
    }

    fn fails_for_good(&self, subject: &str, now: Timestamp) -> bool {
        let strikes = self.roll(FaultKind::FailedForGood, subject, now).is_some();
        if strikes {
            self.inner().failing.insert(subject.to_owned(), retry_config().max_attempts() - 1);
        }
        strikes
    }

    fn fails_again(&self, subject: &str) -> bool {
        let mut inner = self.inner();
        let Some(left) = inner.failing.get_mut(subject).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing strikes any more.
    pub fn put_away(&self) {
        let mut inner = self.inner();
        inner.rates.clear();
        inner.failing.clear();
    }

    /// What has struck so far, in order.
    pub fn struck(&self) -> Vec<Struck> {
        self.inner().struck.clone()
    }

    /// How many have struck so far.
    pub fn count(&self) -> usize {
        self.inner().struck.len()
    }
}
