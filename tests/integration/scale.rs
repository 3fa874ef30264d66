//! The scale study at sizes that a test affords, and whether its document is still what the program writes.

use std::time::Duration;

use tests::scale::{
    SCALE_OUTS, SteadyState, assumed, failing_row, row, scaled_out_row, steady_row, steady_states, study,
    study_of_failures,
};

const DOCUMENT: &str = include_str!("../../docs/scale.md");

fn assert_kept(row: &str, broken: &[String]) {
    assert_eq!(broken, [""; 0], "{row}");
    assert!(DOCUMENT.contains(row), "docs/scale.md is outdated, run `make scale`: {row}");
}

#[test]
fn a_wave_keeps_what_is_promised_and_the_document_shows_it() {
    for instances in [10, 100] {
        let wave = study(instances);
        assert_kept(&row(&wave), &wave.broken_promises());
    }
    assert!(DOCUMENT.contains(&assumed()), "docs/scale.md is outdated, run `make scale`");
}

#[test]
fn a_wave_that_fails_for_an_hour_is_not_drained_and_opens_once_the_server_is_back() {
    for instances in [10, 100] {
        let wave = study_of_failures(instances);
        assert_kept(&failing_row(&wave), &wave.broken_promises());
    }
}

#[test]
fn new_instances_of_a_running_fleet_open_within_the_script_and_two_looks() {
    for scale_out in [SCALE_OUTS[0], SCALE_OUTS[3]] {
        let seen = scale_out.study();
        assert_kept(&scaled_out_row(&seen), &seen.broken_promises());
    }
}

#[test]
fn a_fleet_that_the_budget_allows_is_checked_within_its_period() {
    let states = steady_states();
    let state = states.iter().find(|state| state.instances == 250).expect("it is in the document");
    let seen = state.study();
    assert_kept(&steady_row(&seen), &seen.broken_promises());
}

#[test]
fn where_the_budget_allows_no_more_the_period_stretches_and_says_so() {
    let state = SteadyState { instances: 500, budget: 3, check: Duration::from_secs(12), hours: 2 };
    let seen = state.study();
    assert!(seen.broken_promises().is_empty(), "{seen:?}");
    assert!(seen.said > state.formula().mul_f64(0.9) && seen.said < state.promised(), "{seen:?}");
}
