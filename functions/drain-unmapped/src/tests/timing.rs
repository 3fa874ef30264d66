//! When an instance is due for what.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use shared::config::Policy;

use super::build::{FleetWith, NOW, With, ago, at, fleet, host, policy};
use crate::decide::{Attempt, Triggers, assess, next_attempt};
use crate::fleet::{Fleet, Instance};

fn due_in(instance: &Instance, policy: &Policy) -> Option<(Timestamp, Attempt)> {
    next_attempt(instance, &triggers(&fleet([instance.clone()])), policy)
}

fn triggers(fleet: &Fleet) -> Triggers {
    Triggers::of(fleet, &assess(fleet, &policy(), NOW).budget, NOW)
}

/// The wait after the last of `attempts` failures, an hour after the first one, so that no attempt is due for a drain.
fn check_wait(attempts: u32, cause: &str, policy: &Policy, expected: &str) {
    let instance = host(1, &format!("shut unmapped {attempts} -1m - {cause} -1h"));
    let (due_at, due) = due_in(&instance, policy).unwrap();
    let (wait, expected) = (due_at.duration_since(at("-1m")), at(expected).duration_since(NOW));
    let is_within = wait >= expected && wait <= expected + expected / 10;
    assert!(
        is_within && due == Attempt::Retry,
        "{attempts} × {cause}: {} from the last attempt",
        ago(NOW + wait)
    );
}

#[test]
fn waits_double_while_retries_are_quick_and_then_go_by_the_class() {
    for quick in ["53", "dns", "1355", "1219", "not-domain-joined", "lost", "no-result", "silent"] {
        for (attempts, wait) in [(1, "+30s"), (2, "+60s"), (3, "+2m"), (4, "+4m")] {
            check_wait(attempts, quick, &policy(), wait);
        }
    }
    for attempts in [5, 6, 40, u32::MAX] {
        for shared in ["53", "port-445", "parameter-store", "1311", "1396"] {
            check_wait(attempts, shared, &policy(), "+5m");
        }
        for other in ["1219", "wmi-failed", "not-mapped", "5", "2", "67", "drive-in-use", "lost", "4711"] {
            check_wait(attempts, other, &policy(), "+15m");
        }
    }
    for slow in ["5", "bad-credentials", "2", "kms-denied", "refused-by-ssm", "85", "1202", "drive-in-use"] {
        check_wait(1, slow, &policy(), "+15m");
    }
    for once in ["67", "161"] {
        check_wait(1, once, &policy(), "+30s");
        check_wait(2, once, &policy(), "+15m");
    }
    let one = Policy { max_attempts: 1, ..policy() };
    check_wait(1, "53", &one, "+30s");
    check_wait(2, "53", &one, "+5m");
    let ten = Policy { max_attempts: 10, base: SignedDuration::from_secs(300), ..policy() };
    check_wait(10, "53", &ten, "+153600s");
}

#[test]
fn a_refused_log_on_has_no_wait_of_its_own() {
    for attempts in [1, 9] {
        check_wait(attempts, "1326", &policy(), "+0s");
        check_wait(attempts, "1909", &policy(), "+0s");
    }
}

#[test]
fn a_letter_that_a_check_found_free_is_taken_at_once() {
    check_wait(1, "not-mapped", &policy(), "+0s");
    // After a map: the letter was free again after it had been taken.
    check_wait(2, "not-mapped", &policy(), "+60s");
}

#[test]
fn one_attempt_is_due_when_it_has_failed_long_enough_to_be_drained() {
    let table = [
        // (failing since, judged, due from, due until)
        ("-14m", "-1m", "+1m", "+90s"),
        ("-15m", "-1m", "+0m", "+30s"),
        // A quick retry comes first.
        ("-6m", "-1m", "+3m", "+204s"),
        // The last attempt was that one: the usual wait again.
        ("-16m", "-1m", "+14m", "+930s"),
        ("-20m", "-1m", "+14m", "+930s"),
    ];
    for (since, judged, from, until) in table {
        let attempts = if since == "-6m" { 4 } else { 5 };
        let instance = host(1, &format!("shut unmapped {attempts} {judged} - 1219 {since}"));
        let (due, _) = due_in(&instance, &policy()).unwrap();
        assert!(due >= at(from) && due <= at(until), "{since} {judged}: {}", ago(due));
    }
}

#[test]
fn a_trigger_later_than_the_last_attempt_makes_a_failing_instance_due_at_once() {
    // An instance that failed a minute ago, another one, and when a parameter changed.
    let (came_in, checked) = ("open mapped -30s -30s -", "open mapped -99m -30s -80m");
    let table = [
        ("53", came_in, "-2d", true),
        ("1355", came_in, "-2d", true),
        ("2", came_in, "-2d", true),
        ("parameter-missing", came_in, "-2d", true),
        // A cause that only this instance can have.
        ("mapped-elsewhere", came_in, "-2d", false),
        ("aws-tools-missing", came_in, "-2d", false),
        ("1219", came_in, "-2d", false),
        ("lost", came_in, "-2d", false),
        ("5", came_in, "-2d", false),
        ("53", "open mapped -1m -30s -", "-2d", false),
        ("53", "shut mapped -30s -30s -", "-2d", false),
        ("53", "open doubtful -30s -30s - 53", "-2d", false),
        // An ordinary check is no trigger, nor is a renewal.
        ("53", checked, "-2d", false),
        ("5", "open mapped -99m -30s -30s", "-2d", false),
        // A parameter was changed.
        ("5", checked, "-30s", true),
        ("bad-credentials", checked, "-30s", true),
        ("5", checked, "-1m", false),
        ("53", checked, "-30s", false),
        ("parameter-missing", checked, "-30s", false),
    ];
    for (cause, other, changed, expected) in table {
        let failing = host(1, &format!("shut unmapped 9 -1m - {cause} -1h"));
        let failing_too = format!("shut unmapped 9 -1m - {cause} -1h");
        let triggers =
            triggers(&fleet([failing.clone(), host(2, other), host(3, &failing_too)]).changed(changed));
        let (due, _) = next_attempt(&failing, &triggers, &policy()).unwrap();
        assert_eq!(due <= NOW, expected, "{cause}, {other}, changed {changed}: {}", ago(due));
    }
    let failing_too = host(3, "shut unmapped 9 -1m - 53 -1h");
    let failing = host(1, "shut unmapped 9 -1m - 53 -1h");
    let triggers = triggers(&fleet([failing.clone(), failing_too, host(2, came_in).disconnected()]));
    assert!(
        next_attempt(&failing, &triggers, &policy()).unwrap().0 > NOW,
        "a disconnected instance is no trigger"
    );
}

#[test]
fn an_instance_that_fails_alone_does_not_follow_the_recovery_of_others() {
    let is_due = |attempts: u32, others: &[&str]| {
        let failing = host(1, &format!("shut unmapped {attempts} -10s - 53 -1h"));
        let others = others.iter().zip(2..).map(|(stands, n)| host(n, stands));
        let fleet = fleet([failing.clone(), host(9, "open mapped -5s -5s -")].into_iter().chain(others));
        next_attempt(&failing, &triggers(&fleet), &policy()).unwrap().0 <= NOW
    };
    assert!(is_due(4, &[]), "its quick retries are not spent");
    assert!(!is_due(5, &[]), "alone");
    assert!(is_due(5, &["shut unmapped 5 -10s - dns -1h"]), "another one fails with that class");
    assert!(!is_due(5, &["shut unmapped 5 -10s - 1355 -1h"]), "another class");
}

#[test]
fn a_new_instance_is_due_once_a_command_of_map_share_would_be_listed() {
    let due = |stands: &str, registered: &str| due_in(&host(1, stands).registered(registered), &policy());
    for stands in ["shut", "shut restarted -1s -"] {
        assert_eq!(due(stands, "-15s"), Some((at("+5s"), Attempt::First)), "{stands}");
    }
    // While the password is not fresh, map-share sends none.
    let new = host(1, "shut").registered("-5s");
    let not_fresh = triggers(&fleet([new.clone()]).not_fresh());
    assert_eq!(next_attempt(&new, &not_fresh, &policy()), Some((at("+5s"), Attempt::First)));
    assert_eq!(
        due("shut restarted -1s -", "-10d"),
        Some((at("-10d") + SignedDuration::from_secs(20), Attempt::First))
    );
    // It may have been mapped by hand, or somebody shut its gate.
    assert_eq!(due("shut", "-601s"), Some((at("-601s"), Attempt::Adopt)));
    assert_eq!(due("shut", "-600s").map(|(_, attempt)| attempt), Some(Attempt::First));
    // It was new when the first command of the history was sent.
    let earlier = |registered: &str| {
        let waiting = host(1, "shut").registered(registered);
        let tried = host(2, "shut unmapped 5 -9m - 53 -11m").result("map -11m 53");
        next_attempt(&waiting, &triggers(&fleet([waiting.clone(), tried])), &policy()).map(|(_, kind)| kind)
    };
    assert_eq!(earlier("-1250s"), Some(Attempt::First));
    assert_eq!(earlier("-1270s"), Some(Attempt::Adopt));
    for edited in ["shut mapped -99m -20m -", "shut doubtful -99m -1s - 53"] {
        assert_eq!(due(edited, "-5s"), Some((at("-5s"), Attempt::Adopt)), "{edited}");
    }
}

#[test]
fn a_doubtful_instance_is_checked_again_soon_and_a_mapped_one_once_a_period() {
    let doubtful = host(1, "open doubtful -99m -50s - 53");
    assert_eq!(due_in(&doubtful, &policy()), Some((at("+10s"), Attempt::Verify)));
    let mapped = host(1, "open mapped -99m -0s -");
    let (due, kind) = due_in(&mapped, &policy()).unwrap();
    assert!(kind == Attempt::Verify && due >= at("+5m") && due < at("+35m"), "{}", ago(due));
    let off = Policy { verify_every: None, ..policy() };
    assert_eq!(due_in(&mapped, &off), None);
}

#[test]
fn a_fleet_that_was_mapped_in_one_wave_is_checked_all_over_the_period() {
    let mut a_minute: BTreeMap<i64, u32> = BTreeMap::new();
    for n in 0..3_000 {
        let (due, _) = due_in(&host(n, "open mapped -0s -0s -"), &policy()).unwrap();
        *a_minute.entry(due.duration_since(NOW).as_mins()).or_default() += 1;
    }
    assert_eq!((a_minute.len(), a_minute.keys().next(), a_minute.keys().last()), (30, Some(&5), Some(&34)));
    assert!(a_minute.values().all(|&n| (60..=160).contains(&n)), "{a_minute:?}");
}

#[test]
fn a_check_that_comes_late_does_not_move_the_next_one() {
    for n in 0..50 {
        let (first, _) = due_in(&host(n, "open mapped -0s -0s -"), &policy()).unwrap();
        let judged = shared::time::format(first + SignedDuration::from_secs(70));
        let again = host(n, "open mapped -0s -0s -").with(|i| {
            let text = format!("mapped {judged} {judged} -");
            i.record.attributes.state =
                shared::state::StateAttribute::Known(shared::state::State::parse(&text).unwrap());
        });
        let (second, _) = due_in(&again, &policy()).unwrap();
        assert_eq!(second.duration_since(first), SignedDuration::from_mins(30), "{n}");
    }
}

#[test]
fn jitter_differs_between_instances_and_not_between_runs() {
    let due = |n| due_in(&host(n, "shut unmapped 1 -0s - 53 -0s"), &policy()).unwrap().0;
    let times: std::collections::BTreeSet<Timestamp> = (0..100).map(due).collect();
    assert!(times.len() > 90, "{}", times.len());
    assert!((0..100).all(|n| times.contains(&due(n))));
}

#[test]
fn a_command_without_a_result_is_not_followed_at_once_by_another() {
    let (mapped, doubtful) = ("open mapped -99m -50m -", "open doubtful -99m -50m - 53");
    let table = [
        (mapped, "check -1m no lost", "+9m"),
        (mapped, "check -10m no undelivered", "+0m"),
        (doubtful, "check -1m no no-result", "+9m"),
        (mapped, "check -10s busy", "+50s"),
        ("shut", "map -10s busy", "+50s"),
        ("shut unmapped 9 -50m - 1219 -2h", "map -10s busy", "+50s"),
    ];
    for (stands, result, expected) in table {
        let (due, _) = due_in(&host(1, stands).result(result), &policy()).unwrap();
        assert_eq!(ago(due), ago(at(expected)), "{stands} {result}");
    }
    for stands in [mapped, "shut", "shut unmapped 9 -50m - 1219 -2h"] {
        let stopped = host(1, stands).result("check -1m no undelivered").stopped();
        assert_eq!(due_in(&stopped, &policy()), due_in(&host(1, stands), &policy()), "{stands}");
    }
}
