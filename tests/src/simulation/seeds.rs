//! Plays many seeds, on every core.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::plan::Plan;
use super::play::{History, play};
use super::statistics::Statistics;

/// Plays this many seeds, or until one breaks an invariant: that history. `played` gets every history, in no order.
pub fn play_many(from: u64, seeds: u64, played: impl Fn(&History) + Sync) -> (Statistics, Option<History>) {
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let results = Mutex::new((Statistics::default(), None::<History>));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let history = play(&Plan::generate(seed), false);
            played(&history);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0 += &history.statistics;
            if history.violation.is_some() {
                stop.store(true, Ordering::Relaxed);
                // The lowest seed, whichever core was faster.
                if results.1.as_ref().is_none_or(|other| history.seed < other.seed) {
                    results.1 = Some(history);
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
