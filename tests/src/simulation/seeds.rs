//! Many seeds, on every core.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::plan::Plan;
use super::play::{Played, play};
use super::statistics::Statistics;

/// Plays seeds on every core, as many as there are or until one breaks a promise: that one.
pub fn play_many(from: u64, seeds: u64) -> (Statistics, Option<Played>) {
    play_each(from, seeds, |_| {})
}

/// The same, and tells of each history that was played, in no order.
pub fn play_each(from: u64, seeds: u64, tell: impl Fn(&Played) + Sync) -> (Statistics, Option<Played>) {
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let results = Mutex::new((Statistics::default(), None::<Played>));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let played = play(&Plan::draw(seed), false);
            tell(&played);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0 += &played.statistics;
            if played.violation.is_some() {
                stop.store(true, Ordering::Relaxed);
                // The lowest, whichever core was faster.
                if results.1.as_ref().is_none_or(|other| played.seed < other.seed) {
                    results.1 = Some(played);
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
