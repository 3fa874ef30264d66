//! Properties of the budget over random histories.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Causes and actions at random, on a few instances, in a row.
fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let texts = [
        "map 1326",
        "check 1326 read",
        "map changed",
        "map mapped",
        "check mapped",
        "map no timeout",
        "map 53",
    ];
    let one = (1..5_u32, 0..9_000_i64, select(texts.to_vec()))
        .prop_map(|(n, ago, text)| attempt(n, NOW - ago, text));
    prop::collection::vec(one, 0..12)
}

proptest! {
    /// Invariant 3 of the budget: attributes and instances that disappear never allow more.
    #[test]
    fn what_disappears_never_raises_what_may_be_sent(
        attempts in attempts(),
        logons in prop::collection::btree_map(1..5_u32, 0..9_000_i64, 0..4),
        gone in 1..5_u32,
        changed in 0..9_000_i64,
    ) {
        let whole = logons.iter().fold(case(&attempts).changed(NOW - changed), |case, (n, ago)| {
            case.logon(*n, NOW - ago).opened(*n, NOW - ago - 10)
        });
        let mut less = whole.clone();
        less.stamps.remove(&id(gone));
        let (whole, less) = (whole.budget(), less.budget());
        prop_assert_eq!(whole.spent(), less.spent());
        prop_assert!(whole.is_fresh || !less.is_fresh);
    }

    /// Whatever is sent within the budget, and refused, stays within it.
    #[test]
    fn no_more_log_ons_are_refused_in_a_row_than_the_budget_allows(
        steps in prop::collection::vec((0..3_u8, 1..2_000_i64, any::<bool>()), 1..40),
    ) {
        let policy = Policy::default();
        let mut history: Vec<Attempt> = Vec::new();
        let mut second = NOW;
        for (n, (kind, wait, holds_current)) in (1000..).step_by(100).zip(steps) {
            second += wait;
            let known = case(&history);
            let known = if holds_current { known.logon(n, 1) } else { known };
            let map = if holds_current { "map 1326 create 2" } else { "map 1326" };
            let budget = known.budget_at(second);
            let credential = if holds_current { Credential::Current } else { Credential::Unknown };
            let (text, most) = match kind {
                0 => (map, u32::from(budget.allows_canary(&id(n), &policy, at(second)))),
                1 => ("check 1326 read", budget.checks_at_a_time(credential)),
                _ => (map, u32::from(budget.allows_refused_instance())),
            };
            history.extend((0..most).map(|more| attempt(n + more, second + 10, text)));
            let spent = case(&history).budget_at(second + 10).spent();
            prop_assert!(spent <= 3, "{spent} refused in a row");
        }
    }
}
