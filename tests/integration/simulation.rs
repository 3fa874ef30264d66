//! The simulated fleet: three hundred seeds, those that once broke an invariant, and that a seed always gives one history.
//!
//! `make simulate SEEDS=10000` plays more of them, with an optimised build.

use tests::simulation::plan::Plan;
use tests::simulation::play::play;
use tests::simulation::regressions::REGRESSIONS;
use tests::simulation::seeds::{Seeds, play_many};

const SEEDS: u64 = 300;

#[test]
fn no_history_breaks_an_invariant() {
    let (statistics, broken) = play_many(Seeds::new(1, SEEDS), |_| {});
    println!("{statistics}");
    if let Some(history) = broken {
        let violation = history.violation.expect("it is broken");
        panic!(
            "seed {} breaks \"{}\" at {}: {}; see it with: make simulate SEED={}",
            history.seed, violation.invariant, violation.at, violation.what, history.seed
        );
    }
    assert_eq!(statistics.seeds, SEEDS);
    // A simulation in which nothing happens would break no invariant.
    assert!(
        statistics.faults > 10 * SEEDS
            && statistics.calls > 500 * SEEDS
            && statistics.written > statistics.calls,
        "{statistics}"
    );
    assert!(
        statistics.gates[1] > SEEDS && statistics.drains[0] > 10 && statistics.drains[1] > 0,
        "{statistics}"
    );
    assert!(statistics.placed > SEEDS && statistics.log_ons.iter().all(|count| *count > 10), "{statistics}");
}

#[test]
fn seeds_that_once_broke_an_invariant_no_longer_do() {
    for (seed, defect) in REGRESSIONS {
        assert_eq!(play(&Plan::generate(seed), false).violation, None, "seed {seed}: {defect}");
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [7, 20, 53] {
        let (first, second) = (play(&Plan::generate(seed), true), play(&Plan::generate(seed), false));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.statistics, second.statistics, "seed {seed}");
        assert!(!first.timeline.is_empty() && second.timeline.is_empty());
    }
    assert_ne!(play(&Plan::generate(7), false).trace, play(&Plan::generate(8), false).trace);
}
