//! Plays many seeds, on every core.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_async::time::{SystemTimeSource, TimeSource};

use super::lies;
use super::plan::Plan;
use super::play::{History, play};
use super::statistics::Statistics;

/// The seeds that are played.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// Only those whose histories lie.
    pub only_lies: bool,
    /// Also after one that breaks an invariant.
    pub goes_on: bool,
    /// No history begins later.
    pub until: Option<SystemTime>,
}

impl Seeds {
    /// So many, until one breaks an invariant.
    pub fn new(from: u64, count: u64) -> Self {
        Seeds { from, count, only_lies: false, goes_on: false, until: None }
    }
}

/// Plays the seeds. The answer is the lowest one that breaks an invariant: that history. `played` gets every history, in
/// no order.
pub fn play_many(seeds: Seeds, played: impl Fn(&History) + Sync) -> (Statistics, Option<History>) {
    let is_played = |seed: &u64| !seeds.only_lies || lies::is_lying(*seed);
    let count = usize::try_from(seeds.count).unwrap_or(usize::MAX);
    let to_play = Mutex::new((seeds.from..).filter(is_played).take(count));
    let stop = AtomicBool::new(false);
    let results = Mutex::new((Statistics::default(), None::<History>));
    let work = || {
        let is_over = || seeds.until.is_some_and(|until| SystemTimeSource::new().now() > until);
        while !stop.load(Ordering::Relaxed) && !is_over() {
            let seed = to_play.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(seed) = seed else { return };
            let history = play(&Plan::generate(seed), false);
            played(&history);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0 += &history.statistics;
            if history.violation.is_some() {
                stop.store(!seeds.goes_on, Ordering::Relaxed);
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
