//! A large fleet in operation: it is checked as often as the budget allows, and nothing pages.

use std::time::Duration;

use tests::scale::SteadyState;

#[test]
fn a_fleet_that_the_budget_allows_is_checked_within_its_period() {
    let state = SteadyState { instances: 250, budget: 3, check: Duration::from_secs(12), hours: 2 };
    let seen = state.study();
    assert!(seen.broken_promises().is_empty(), "{seen:?}");
}

#[test]
fn where_the_budget_allows_no_more_the_period_stretches_and_says_so() {
    let state = SteadyState { instances: 500, budget: 3, check: Duration::from_secs(12), hours: 2 };
    let seen = state.study();
    assert!(seen.broken_promises().is_empty(), "{seen:?}");
    assert!(seen.said > state.formula().mul_f64(0.9) && seen.said < state.promised(), "{seen:?}");
}
