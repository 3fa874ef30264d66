//! How the product is told to behave: its mode, its waits, its budgets.

use jiff::SignedDuration;
use serde::Serialize;

use super::variables::{self, Reader};
use crate::time;

/// Refused log-ons closer together than this are one row: the 30 minutes in which Active Directory adds them up, and a
/// margin.
pub const ROW_GAP: SignedDuration = SignedDuration::from_mins(31);

/// What the product may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads and says what it would do; writes nothing.
    Report,
    /// Everything but drain.
    Map,
    /// Drains, too.
    Enforce,
}

/// The mode, and every wait and budget. All waits are these methods; no other code multiplies a variable:
///
/// | method | formula | default | how long |
/// |---|---|---|---|
/// | [`look_interval`](Self::look_interval) | `base` / 10 | 3 s | from one look at the fleet to the next within a run |
/// | [`map_rate_window`](Self::map_rate_window) | `base` / 2 | 15 s | the time in which a limited number of instances is sent `map` |
/// | [`quick_retry_wait`](Self::quick_retry_wait) | `base` × 1, 2, 4, 8 … | 30 s … | from a failed attempt to its quick retry |
/// | [`first_canary_wait`](Self::first_canary_wait) | `base` / 3 | 10 s | from a registration to its first command while the password is not fresh |
/// | [`drain_attempt_jitter`](Self::drain_attempt_jitter) | `base` | 30 s | the attempt before a drain is delayed at most |
/// | [`freshness`](Self::freshness) | `base` × 2 | 1 min | the password is fresh after an instance was let in with it |
/// | [`first_attempt_wait`](Self::first_attempt_wait) | `base` × 2 ÷ 3 | 20 s | from a registration to drain-unmapped's first command while the password is fresh, for map-share's own is listed by then |
/// | [`unconfirmed_send_wait`](Self::unconfirmed_send_wait) | `base` × 2 | 1 min | until a `SendCommand` whose answer was lost is certainly listed, if SSM took it |
/// | [`doubtful_check_wait`](Self::doubtful_check_wait) | `base` × 2 | 1 min | from a doubtful result to the next check |
/// | [`busy_wait`](Self::busy_wait) | `base` × 2 | 1 min | from a command that found another one at work to the next |
/// | [`canary_overlap`](Self::canary_overlap) | `base` × 3 | 90 s | from a canary that is still in flight to the next |
/// | [`shared_cause_wait`](Self::shared_cause_wait) | `base` × 10 | 5 min | between attempts once quick retries are spent, network and directory causes |
/// | [`verify_gap`](Self::verify_gap) | `verify_every` / 4, at most `base` × 10 | 5 min | the least time from a proof to its first check |
/// | [`no_result_wait`](Self::no_result_wait) | `base` × 20 | 10 min | from a command without a result to the next |
/// | [`agent_wait`](Self::agent_wait) | `base` × 20 | 10 min | a run waits for the SSM agent of a new instance |
/// | [`adoption_wait`](Self::adoption_wait) | `base` × 20 | 10 min | the age at which a registration without a state is checked before it is mapped |
/// | [`retry_wait`](Self::retry_wait) | `reprobe` | 15 min | between attempts once quick retries are spent, all other causes |
/// | [`ssm_unwell_after`](Self::ssm_unwell_after) | period + period, at most `base` × 20 | 40 min | the age at which a proof is overdue |
/// | [`silent_after`](Self::silent_after) | period × 2 | 60 min | the age of a proof at which its instance counts as silent |
/// | [`history_window`](Self::history_window) | 31 min × `REFUSAL_BUDGET` | 93 min | how far back SSM's history is read |
/// | [`turn_memory`](Self::turn_memory) | 62 min × `REFUSAL_BUDGET` | 186 min | how long the time of an instance's last command orders the next ones |
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What may be done at all.
    pub mode: Mode,
    /// How many of our log-ons may be refused in a row.
    pub refusal_budget: u32,
    /// Quick retries after the first failure.
    pub max_attempts: u32,
    /// The unit of most waits.
    pub base: SignedDuration,
    /// How often an unmapped instance is tried again once quick retries are spent.
    pub reprobe: SignedDuration,
    /// How old a proof may get before it is checked; `None`: proofs are never checked again.
    pub verify_every: Option<SignedDuration>,
    /// How long an SSM agent may be silent before it is reported.
    pub unreachable_after: SignedDuration,
    /// How long an instance must have failed, by its own results, before it is drained.
    pub drain_after: SignedDuration,
    /// How much of a cluster may be draining, by any actor.
    pub max_drain_percent: u32,
    /// How much of a cluster may have failed before nothing is drained.
    pub breaker_percent: u32,
    /// How many ECS writes a second a function allows itself, of the account's 40 that `RunTask` shares.
    pub ecs_writes_per_second: u32,
}

impl Policy {
    pub(super) fn read(env: &mut Reader) -> Option<Self> {
        let mode = env.read(&variables::MODE, |text| match text {
            "report" => Some(Mode::Report),
            "map" => Some(Mode::Map),
            "enforce" => Some(Mode::Enforce),
            _ => None,
        });
        // All are read before the first that is wrong ends it, so that all are named.
        let refusal_budget = env.whole(&variables::REFUSAL_BUDGET);
        let max_attempts = env.whole(&variables::MAX_ATTEMPTS);
        let base = env.decimal(&variables::RETRY_BASE_SECONDS);
        let reprobe = env.decimal(&variables::REPROBE_MINUTES);
        let verify = env.decimal(&variables::VERIFY_EVERY_MINUTES);
        let unreachable = env.decimal(&variables::UNREACHABLE_AFTER_MINUTES);
        let drain_after = env.decimal(&variables::DRAIN_AFTER_MINUTES);
        let max_drain_percent = env.whole(&variables::MAX_DRAIN_PERCENT);
        let breaker_percent = env.whole(&variables::BREAKER_PERCENT);
        let writes = env.whole(&variables::ECS_WRITES_PER_SECOND);
        Some(Policy {
            mode: mode?,
            refusal_budget: refusal_budget?,
            max_attempts: max_attempts?,
            base: time::seconds(base?),
            reprobe: time::minutes(reprobe?),
            verify_every: verify.map(|m| (m > 0.0).then(|| time::minutes(m)))?,
            unreachable_after: time::minutes(unreachable?),
            drain_after: time::minutes(drain_after?),
            max_drain_percent: max_drain_percent?,
            breaker_percent: breaker_percent?,
            ecs_writes_per_second: writes?,
        })
    }

    /// From one look at the fleet to the next within a run.
    pub fn look_interval(&self) -> SignedDuration {
        self.base / 10
    }

    /// The time in which a limited number of instances is sent `map`.
    pub fn map_rate_window(&self) -> SignedDuration {
        self.base / 2
    }

    /// From the failed attempt of this number, counted from 1, to its quick retry.
    pub fn quick_retry_wait(&self, attempts: u32) -> SignedDuration {
        self.base * (1_i32 << attempts.saturating_sub(1).min(20))
    }

    /// How long the attempt before a drain is delayed at most, so that not all instances make theirs at once.
    pub fn drain_attempt_jitter(&self) -> SignedDuration {
        self.base
    }

    /// How far back SSM's history is read: a row of as many refusals as the budget allows is always seen whole.
    pub fn history_window(&self) -> SignedDuration {
        ROW_GAP * i32::try_from(self.refusal_budget).unwrap_or(i32::MAX)
    }

    /// How long the time of an instance's last command orders the next ones: longer than the checks of a large fleet take.
    pub fn turn_memory(&self) -> SignedDuration {
        self.history_window() * 2
    }

    /// How long a password stays fresh after an instance was let in with it.
    pub fn freshness(&self) -> SignedDuration {
        self.base * 2
    }

    /// From a canary that is still in flight to the next.
    pub fn canary_overlap(&self) -> SignedDuration {
        self.base * 3
    }

    /// From a registration to its first command while the password is not fresh: map-share sends none then.
    pub fn first_canary_wait(&self) -> SignedDuration {
        self.base / 3
    }

    /// The age at which a registration without a state is checked before it is mapped: it may have been mapped by hand.
    pub fn adoption_wait(&self) -> SignedDuration {
        self.base * 20
    }

    /// From a registration to the first command of drain-unmapped while the password is fresh.
    pub fn first_attempt_wait(&self) -> SignedDuration {
        self.base * 2 / 3
    }

    /// Until a `SendCommand` whose answer was lost is certainly listed, if SSM took it.
    pub fn unconfirmed_send_wait(&self) -> SignedDuration {
        self.base * 2
    }

    /// From a doubtful result to the next check.
    pub fn doubtful_check_wait(&self) -> SignedDuration {
        self.base * 2
    }

    /// From a command that found another one at work to the next.
    pub fn busy_wait(&self) -> SignedDuration {
        self.base * 2
    }

    /// Between attempts once quick retries are spent, where the cause is the network's or the directory's.
    pub fn shared_cause_wait(&self) -> SignedDuration {
        self.base * 10
    }

    /// The least time from a proof to its first check; `None` where proofs are never checked again.
    pub fn verify_gap(&self) -> Option<SignedDuration> {
        self.verify_every.map(|period| (period / 4).min(self.base * 10))
    }

    /// From a command without a result to the next.
    pub fn no_result_wait(&self) -> SignedDuration {
        self.base * 20
    }

    /// How long a run waits for the SSM agent of a new instance.
    pub fn agent_wait(&self) -> SignedDuration {
        self.base * 20
    }

    /// Between attempts once quick retries are spent, where the cause is any other.
    pub fn retry_wait(&self) -> SignedDuration {
        self.reprobe
    }

    /// The age at which a proof is overdue, in a fleet that is checked once in each period. Never later than
    /// [`silent_after`](Self::silent_after), so that whether SSM is unwell is known before a gate is shut for silence.
    pub fn ssm_unwell_after(&self, period: SignedDuration) -> SignedDuration {
        period + period.min(self.base * 20)
    }

    /// The age of a proof at which its instance counts as silent, in a fleet that is checked once in each period.
    pub fn silent_after(&self, period: SignedDuration) -> SignedDuration {
        period * 2
    }
}

/// What counts where no variable is set.
impl Default for Policy {
    fn default() -> Self {
        Policy::read(&mut Reader::new(&|_| None)).expect("every default is allowed")
    }
}
