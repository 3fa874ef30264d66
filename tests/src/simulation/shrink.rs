//! Finds the least of a history that still breaks the same invariant.
//!
//! Disturbances and faults are left out, kind by kind and then one by one, as long as the invariant stays broken. Faults
//! are drawn from hashes, so whatever stays happens as before, as far as the rest of the history allows.

use super::fault_rates::FaultKind;
use super::plan::{Exclusions, Plan};
use super::play::{History, play};
use super::world_event::DisturbanceKind;

/// The limit on replays.
const MOST_REPLAYS: usize = 120;

/// What is left of a history.
pub struct Shrunk {
    /// With its timeline.
    pub history: History,
    /// How many replays it took.
    pub replays: usize,
}

/// Shrinks the history of a seed that breaks that invariant.
pub fn shrink(seed: u64, invariant: &'static str) -> Shrunk {
    let plan = Plan::generate(seed);
    let mut search = Search { plan, invariant, excluded: Exclusions::default(), replays: 0 };
    let others = DisturbanceKind::OTHERS.into_iter().map(|(kind, _)| kind);
    let of_lies = DisturbanceKind::OF_LIES.into_iter().map(|(kind, _)| kind);
    for kind in DisturbanceKind::OF_REFUSALS.into_iter().chain(others).chain(of_lies) {
        search.try_without(|excluded| _ = excluded.kinds.insert(kind));
    }
    for (kind, ..) in FaultKind::ALL {
        search.try_without(|excluded| _ = excluded.faults.insert(kind));
    }
    for index in (0..search.plan.disturbances.len()).rev() {
        if !search.excluded.kinds.contains(&search.plan.disturbances[index].kind) {
            search.try_without(|excluded| _ = excluded.disturbances.insert(index));
        }
    }
    for fault in search.replay(&search.excluded, false).faults.into_iter().rev() {
        search.try_without(|excluded| _ = excluded.muted.insert(fault.key));
    }
    Shrunk { history: search.replay(&search.excluded, true), replays: search.replays }
}

struct Search {
    plan: Plan,
    invariant: &'static str,
    excluded: Exclusions,
    replays: usize,
}

impl Search {
    fn replay(&self, excluded: &Exclusions, with_timeline: bool) -> History {
        play(&self.plan.clone().without(excluded), with_timeline)
    }

    /// Leaves something more out if the invariant is broken all the same.
    fn try_without(&mut self, exclude: impl FnOnce(&mut Exclusions)) {
        if self.replays >= MOST_REPLAYS {
            return;
        }
        self.replays += 1;
        let mut excluded = self.excluded.clone();
        exclude(&mut excluded);
        let history = self.replay(&excluded, false);
        if history.violation.is_some_and(|violation| violation.invariant == self.invariant) {
            self.excluded = excluded;
        }
    }
}
