//! The simulated fleet: some hundred histories, those that once broke a promise, and that a seed is a history.
//!
//! `make simulate SEEDS=10000` plays more, optimised.

use tests::simulation::plan::Plan;
use tests::simulation::play::play;
use tests::simulation::regressions::REGRESSIONS;
use tests::simulation::seeds::play_many;

const SEEDS: u64 = 300;

#[test]
fn no_history_breaks_a_promise() {
    let (statistics, broken) = play_many(1, SEEDS);
    println!("{statistics}");
    if let Some(played) = broken {
        let violation = played.violation.expect("it is broken");
        panic!(
            "seed {} breaks \"{}\" at {}: {}; see it with: make simulate SEED={}",
            played.seed, violation.invariant, violation.at, violation.what, played.seed
        );
    }
    assert_eq!(statistics.seeds, SEEDS);
    // A simulation in which nothing happens would keep every promise.
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
fn what_once_broke_a_promise_keeps_it() {
    for regression in REGRESSIONS {
        let played = play(&Plan::draw(regression.seed), false);
        assert_eq!(played.violation, None, "{}: seed {}", regression.name, regression.seed);
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in [7, 20, 53] {
        let (first, second) = (play(&Plan::draw(seed), true), play(&Plan::draw(seed), false));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.statistics, second.statistics, "seed {seed}");
        assert!(!first.timeline.is_empty() && second.timeline.is_empty());
    }
    assert_ne!(play(&Plan::draw(7), false).trace, play(&Plan::draw(8), false).trace);
}
