//! Fast scenarios of the budget of refused log-ons; `make scenarios PLAY=credentials` plays all of them.

use tests::scenarios::credentials::{Measured, SCENARIOS, play};

/// `REFUSAL_BUDGET` where nothing else is set.
const BUDGET: usize = 3;

fn measured(name: &str) -> Measured {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a scenario's name");
    Measured::of(&[play(scenario, 1)])
}

fn delay(measured: &Measured, name: &str) -> i64 {
    let values = measured.delays.iter().find(|(known, _)| *known == name).expect("a measure's name");
    *values.1.iter().max().expect("it was measured")
}

#[test]
fn a_wrong_password_is_refused_no_more_often_than_the_budget_allows() {
    for name in ["S1quick", "S1fix5", "X010"] {
        let refusals = measured(name).refusals;
        assert!((2..=BUDGET).contains(&refusals.highest), "{name}: {refusals:?}");
        assert!(refusals.most <= BUDGET, "{name}: {refusals:?}");
        assert_eq!(refusals.locks[..2], [0, 0], "{name}: {refusals:?}");
    }
}

#[test]
fn an_ordinary_wave_is_refused_nothing_and_is_open_within_minutes() {
    let wave = measured("W010");
    assert_eq!(wave.refusals.most, 0);
    assert!(delay(&wave, "last") <= 135, "{wave:?}");
}
