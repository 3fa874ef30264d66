//! Token buckets with ECS's documented rates for one account and Region. All callers share them.
//!
//! SSM publishes no rates for the operations used here; its buckets are unlimited until a test sets a limit.

use jiff::Timestamp;

/// The bucket that limits an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bucket {
    /// `PutAttributes`, `DeleteAttributes`, `UpdateContainerInstancesState`, `RunTask`, `StopTask`: 100 at once, 40/s.
    ClusterResourceModify,
    /// Listing and describing container instances and attributes: 100 at once, 20/s.
    ClusterResourceRead,
    /// `ListServices`, `DescribeServices`: 100 at once, 20/s.
    ClusterServiceRead,
    /// `RegisterTaskDefinition`: 20 at once, 1/s.
    TaskDefinitionModify,
    /// `DescribeTaskDefinition`: 50 at once, 20/s.
    TaskDefinitionRead,
    /// `SendCommand`.
    SendCommand,
    /// The other operations of SSM that the functions call.
    Ssm,
    /// `GetParameters`, which only scripts on hosts call.
    GetParameters,
}

/// One token in thousandths, so that refilling by the millisecond is exact.
const TOKEN: i64 = 1000;

/// More calls than any test makes.
const UNLIMITED: i64 = 1_000_000;

#[derive(Debug, Clone)]
struct Tokens {
    burst: i64,
    per_second: i64,
    /// What the customer's own calls take of the sustained rate.
    taken_per_second: i64,
    left: i64,
    at: Timestamp,
}

/// All buckets of the account, in the order of [`Bucket`].
#[derive(Debug, Clone)]
pub struct Throttles {
    buckets: [Tokens; 8],
}

impl Throttles {
    pub(crate) fn new(now: Timestamp) -> Self {
        let unlimited = (UNLIMITED, UNLIMITED);
        let limits = [(100, 40), (100, 20), (100, 20), (20, 1), (50, 20), unlimited, unlimited, unlimited];
        Self { buckets: limits.map(|(burst, per_second)| Tokens::new(burst, per_second, now)) }
    }

    /// Takes one token; `false` means `ThrottlingException`.
    pub fn take(&mut self, bucket: Bucket, now: Timestamp) -> bool {
        self.take_many(bucket, 1, now) == 1
    }

    /// Whether the bucket has a rate limit.
    pub(crate) fn is_limited(&self, bucket: Bucket) -> bool {
        self.buckets[bucket as usize].per_second < UNLIMITED
    }

    /// The customer's own calls: takes up to `count` tokens and returns how many it got.
    pub fn take_many(&mut self, bucket: Bucket, count: u32, now: Timestamp) -> u32 {
        let tokens = &mut self.buckets[bucket as usize];
        tokens.refill(now);
        let got = i64::from(count).min(tokens.left / TOKEN);
        tokens.left -= got * TOKEN;
        u32::try_from(got).unwrap_or(0)
    }

    /// The customer's own calls take that much of the sustained rate from now on.
    pub fn customer_takes(&mut self, bucket: Bucket, per_second: u32, now: Timestamp) {
        let tokens = &mut self.buckets[bucket as usize];
        tokens.refill(now);
        tokens.taken_per_second = i64::from(per_second);
    }

    /// Sets another burst and rate.
    pub fn limit(&mut self, bucket: Bucket, burst: u32, per_second: u32, now: Timestamp) {
        self.buckets[bucket as usize] = Tokens::new(burst.into(), per_second.into(), now);
    }
}

impl Tokens {
    fn new(burst: i64, per_second: i64, now: Timestamp) -> Self {
        let burst = burst * TOKEN;
        Self { burst, per_second, taken_per_second: 0, left: burst, at: now }
    }

    fn refill(&mut self, now: Timestamp) {
        let elapsed = (now.as_millisecond() - self.at.as_millisecond()).max(0);
        // A rate of n per second is n thousandths of a token in a millisecond.
        let gained = elapsed.saturating_mul(self.per_second - self.taken_per_second);
        self.left = self.left.saturating_add(gained).clamp(0, self.burst);
        self.at = self.at.max(now);
    }
}
