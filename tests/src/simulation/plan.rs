//! Everything that a seed decides, before the history begins: settings, fleet, fault rates and disturbances.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fault_rates::{FaultKind, Rates};
use super::world_event::{Disturbance, DisturbanceKind};

/// How long disturbances and faults go on.
pub(super) const FAULT_PERIOD: Duration = Duration::from_secs(3 * 3600);

/// No fleet is larger.
pub(super) const MOST_HOSTS: usize = 20;

/// Everything that a seed decides.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) seed: u64,
    /// The functions' environment, except what is the same in every stack.
    pub(super) variables: BTreeMap<&'static str, String>,
    pub(super) fleet: Fleet,
    pub(super) rates: Rates,
    /// Single faults that a replay leaves out, by their key.
    pub(super) muted: BTreeSet<u64>,
    /// In the order in which they begin.
    pub(super) disturbances: Vec<Disturbance>,
    pub(super) conditions: Conditions,
}

/// The fleet at the beginning: all in `apps`, or every third in `batch`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fleet {
    pub(super) hosts: u64,
    pub(super) mapped_by_hand: bool,
    /// Both `apps` and `batch` are watched, else `apps` alone.
    pub(super) two_clusters: bool,
}

/// What stays the same throughout a history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    /// The queue's visibility time-out.
    pub(super) visibility: Duration,
    /// Most messages in one invocation of `map-share`.
    pub(super) batch: usize,
    /// How late SSM's listings are, in a history with late listings.
    pub(super) ssm_lag: Duration,
    /// How late ECS's listings are, in a history with late listings.
    pub(super) ecs_lag: Duration,
    /// This many bad log-ons lock the account for half an hour; `None`: it never locks.
    pub(super) lock_out: Option<usize>,
    /// How often one bad log-on counts.
    pub(super) multiplier: u32,
    /// The directory accepts the previous password over NTLM.
    pub(super) ntlm: bool,
    /// A check takes 12 s on average, and up to a minute.
    pub(super) slow_checks: bool,
    /// The document's default version is an old one, of another share.
    pub(super) old_default: bool,
    /// Commands are allowed to tagged instances alone, and every fifth host has no tag.
    pub(super) only_tagged: bool,
    /// From an AWS call to its answer.
    pub(super) latency: Duration,
    /// `StatusDetails` has spaces, as in documents, instead of the API's spelling.
    pub(super) spaced_details: bool,
    /// A `PutAttributes` that fails for one target has written the targets before it.
    pub(super) partial_puts: bool,
    /// Listings come in pages of no more results than this.
    pub(super) most_a_page: usize,
    /// When the faults stop, the parameter holds the directory's password.
    pub(super) password_right_in_the_end: bool,
}

/// What a replay leaves out, to find the least that still breaks an invariant.
#[derive(Debug, Clone, Default)]
pub(super) struct Exclusions {
    pub(super) kinds: BTreeSet<DisturbanceKind>,
    /// Single disturbances, by their index in the plan.
    pub(super) disturbances: BTreeSet<usize>,
    pub(super) faults: BTreeSet<FaultKind>,
    /// Single faults, by their key.
    pub(super) muted: BTreeSet<u64>,
}

impl Plan {
    /// The same plan with something left out.
    pub(super) fn without(mut self, excluded: &Exclusions) -> Self {
        self.rates.retain(|kind, _| !excluded.faults.contains(kind));
        self.muted.clone_from(&excluded.muted);
        let mut index = 0..;
        self.disturbances.retain(|one| {
            let is_excluded = index.next().is_some_and(|index| excluded.disturbances.contains(&index));
            !is_excluded && !excluded.kinds.contains(&one.kind)
        });
        self
    }
}
