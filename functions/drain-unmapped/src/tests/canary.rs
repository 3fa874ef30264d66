//! Which instance tries a password that is not fresh, and when; and when one tries again that was refused alone.

use std::sync::Arc;

use shared::history::Action;

use super::build::{FleetWith, NOW, With, decided, fleet, host, hosts, let_in, of_kind, policy};
use crate::decide::{assess, decide};
use crate::fleet::{Fleet, Instance};

/// The one `map` that is sent, if any.
fn check_map(fleet: &Fleet, expected: Option<u32>, name: &str) {
    let lines = decided(fleet, &policy());
    let expected: Vec<String> = expected.iter().map(|n| format!("map {n} (50/all)")).collect();
    assert_eq!(of_kind(&lines, &["map"]), expected, "{name}");
}

/// An instance that was refused the password so long ago.
fn refused(n: u32, ago: &str) -> Instance {
    host(n, &format!("shut unmapped 1 {ago} - 1326 {ago}")).result(&format!("map {ago} 1326"))
}

#[test]
fn the_canary_is_sent_alone_within_the_budget() {
    let with = |others: &[Instance]| fleet([host(1, "shut")].into_iter().chain(others.to_vec())).not_fresh();
    let flying = |ago: &str| host(2, "shut").result(&format!("map {ago} wait"));
    let checked = |ago: &str| host(2, "open mapped -9d -40m -9d").result(&format!("check {ago} wait"));
    let table = [
        ("never tried", with(&[]), Some(1)),
        (
            "one found a mapping just now",
            with(&[host(2, "open mapped -9d -1s -").result("map -1s mapped")]),
            Some(1),
        ),
        ("one is in flight", with(&[flying("-89s")]), None),
        ("one hangs", with(&[flying("-90s")]), Some(1)),
        ("two hang", with(&[flying("-90s"), host(3, "shut").result("map -91s wait")]), None),
        ("one may have been sent", with(&[]).lost(Action::Map, "-59s", 2..3), None),
        ("that one would be listed by now", with(&[]).lost(Action::Map, "-60s", 2..3), Some(1)),
        ("a check is in flight", with(&[checked("-1m")]), Some(1)),
        ("one was refused", with(&[refused(2, "-5m")]), Some(1)),
        ("two were refused", with(&[refused(2, "-5m"), refused(3, "-4m")]), None),
        (
            "two were refused, the parameter changed since",
            with(&[refused(2, "-5m"), refused(3, "-4m")]).changed("-1s"),
            Some(1),
        ),
        (
            "two were refused before the row was over",
            with(&[refused(2, "-32m"), refused(3, "-31m")]),
            Some(1),
        ),
        (
            "two were refused that have ended since",
            with(&[]).having(|fleet| {
                let gone = [refused(2, "-5m"), refused(3, "-4m")];
                Arc::make_mut(&mut fleet.attempts)
                    .extend(gone.iter().filter_map(|one| super::build::attempt(one, &one.results[0])));
            }),
            None,
        ),
        (
            "two were refused and registered anew",
            with(&[
                host(2, "shut").registered("-1m").result("map -5m 1326"),
                host(3, "shut").registered("-1m").result("map -4m 1326"),
            ]),
            None,
        ),
        (
            "two were refused and are disconnected",
            with(&[refused(2, "-5m").disconnected(), refused(3, "-4m").disconnected()]),
            None,
        ),
        (
            "a silent script counts as refused",
            with(&[host(2, "shut").result("map -5m no timeout"), host(3, "shut").result("map -4m no lost")]),
            None,
        ),
    ];
    for (name, fleet, expected) in table {
        check_map(&fleet, expected, name);
    }
}

#[test]
fn an_instance_that_registered_anew_may_have_the_mapping_that_a_check_found_before() {
    let refused_by_checks =
        [2, 3].map(|n| host(n, "shut unmapped 1 -5m - 1326 -5m").result("check -5m 1326"));
    let with = |new: Instance| {
        fleet([new.registered("-1m")].into_iter().chain(refused_by_checks.clone())).not_fresh()
    };
    check_map(&with(host(1, "shut")), Some(1), "nothing was ever sent to it");
    check_map(&with(host(1, "shut").result("check -50m ?")), None, "a check did not fail, so it is not read");
    check_map(&with(host(1, "shut").result("check -50m not-mapped")), Some(1), "a check found none");
}

#[test]
fn the_canary_is_one_without_a_failed_map_then_the_least_recently_judged_then_by_arn() {
    let failed = "shut unmapped 1 -99m - 53 -99m";
    let tried = "shut unmapped 9 -40m - 53 -9h";
    let table = [
        ("by ARN", vec![host(2, "shut"), host(1, "shut")], 1),
        ("no state", vec![host(1, failed), host(2, "shut")], 2),
        ("restarted", vec![host(1, failed), host(2, "shut restarted -5m -")], 2),
        ("not mapped", vec![host(1, failed), host(2, "shut unmapped 1 -5m - not-mapped -5m")], 2),
        ("a failed map", vec![host(1, failed), host(2, "shut unmapped 1 -5m - no-result -5m")], 1),
        ("a failed map", vec![host(1, "shut unmapped 1 -5m - silent -5m"), host(2, failed)], 2),
        ("least recently judged", vec![host(1, "shut restarted -5m -"), host(2, "shut restarted -6m -")], 2),
        ("least recently judged", vec![host(1, "shut unmapped 1 -98m - 53 -9h"), host(2, failed)], 2),
        ("draining", vec![host(1, "shut").draining(), host(2, failed)], 1),
        ("held", vec![host(1, "shut").held(), host(2, failed)], 1),
        ("its retry is not due", vec![host(1, "shut unmapped 9 -4m - 53 -9h"), host(2, failed)], 2),
        ("a renewal after a first map", vec![host(1, "open mapped -9d -99m -3d"), host(2, "shut")], 2),
        ("before one that failed later", vec![host(1, "open mapped -9d -99m -3d"), host(2, tried)], 1),
        ("after one that failed earlier", vec![host(1, "open mapped -9d -35m -3d"), host(2, tried)], 2),
        ("a renewal", vec![host(1, "open mapped -9d -99m -3d")], 1),
        ("disconnected", vec![host(1, "shut").disconnected(), host(2, failed)], 2),
        ("agent offline", vec![host(1, "shut").offline(), host(2, failed)], 2),
        ("in flight", vec![host(1, "shut").result("check -1m wait"), host(2, failed)], 2),
        ("registered just now", vec![host(1, "shut").registered("-9s"), host(2, failed)], 2),
        ("busy just now", vec![host(1, "shut").result("check -30s busy"), host(2, failed)], 2),
    ];
    for (name, instances, expected) in table {
        check_map(&fleet(instances).not_fresh(), Some(expected), name);
    }
}

#[test]
fn a_wave_waits_for_the_canary_and_follows_it_at_once() {
    let wave = || hosts(0..120, "shut");
    check_map(&fleet(wave()).not_fresh(), Some(0), "not fresh");
    let sent = |fleet: &Fleet| of_kind(&decided(fleet, &policy()), &["map"]).len();
    assert_eq!(sent(&fleet(wave())), 3, "fresh");
    let stale = |ago: &str| {
        fleet(wave()).not_fresh().having(|fleet| Arc::make_mut(&mut fleet.attempts).push(let_in(ago)))
    };
    assert_eq!((sent(&stale("-60s")), sent(&stale("-61s"))), (3, 1), "for a minute");
    // The canary's own proof is enough, also in the look that judges it.
    let canary = host(500, "shut").result("map -10s changed");
    assert_eq!(sent(&fleet(wave().into_iter().chain([canary])).not_fresh()), 3);
}

#[test]
fn restarted_instances_that_hold_the_password_are_checked_and_the_first_proof_makes_it_fresh() {
    let restarted = |logon: &str| hosts(0..9, &format!("shut restarted -1m {logon}"));
    let lines = |instances: Vec<Instance>| decided(&fleet(instances).not_fresh(), &policy());
    assert_eq!(lines(restarted("-1d")), ["check 0..=8 (2/0)"]);
    assert_eq!(lines(restarted("-3d")), ["map 0 (50/all)"], "with an older one");
    assert_eq!(lines(restarted("-")), ["map 0 (50/all)"], "with an unknown one");
    let proven = host(20, "shut restarted -1m -1d").result("check -10s mapped -1m");
    let sent = lines(restarted("-1d").into_iter().chain([proven]).collect());
    assert_eq!(sent[0], "map 0..=8 (50/all)", "{sent:?}");
}

#[test]
fn an_instance_that_was_refused_alone_tries_again_once_nothing_else_may_be_refused() {
    let due = "open mapped -9d -40m -1d";
    let failed = |n, ago: &str| host(n, &format!("shut unmapped 9 {ago} - 53 -9h"));
    let table = [
        ("a row that is over", fleet([refused(1, "-31m")]), Some(1)),
        ("a row", fleet([refused(1, "-1859s")]), None),
        ("another one's row", fleet([refused(1, "-40m"), refused(2, "-9m")]), None),
        ("recorded only", fleet([host(1, "shut unmapped 3 -5h - 1326 -9h")]), Some(1)),
        ("one at a time", fleet([refused(1, "-40m"), refused(2, "-50m")]), Some(2)),
        ("while a check runs", fleet([refused(1, "-40m"), host(2, due).result("check -1m wait")]), None),
        ("others first", fleet([refused(1, "-40m"), host(2, "shut")]).not_fresh(), Some(2)),
        ("before one that failed later", fleet([refused(1, "-60m"), failed(2, "-40m")]).not_fresh(), Some(1)),
        (
            "after one that failed earlier",
            fleet([refused(1, "-40m"), failed(2, "-60m")]).not_fresh(),
            Some(2),
        ),
        ("not before its row is over", fleet([refused(1, "-30m"), failed(2, "-20m")]).not_fresh(), Some(2)),
        (
            "it is waited for",
            fleet([refused(1, "-60m"), failed(2, "-40m"), host(3, due).result("check -1m wait")]).not_fresh(),
            None,
        ),
        ("the password changed", fleet([refused(1, "-5m")]).not_fresh().changed("-1m"), Some(1)),
    ];
    for (name, fleet, expected) in table {
        check_map(&fleet, expected, name);
    }
    // No check begins beside it, nor before it.
    assert_eq!(decided(&fleet([refused(1, "-40m"), host(2, due)]), &policy()), ["map 1 (50/all)"]);
    let running = host(3, "open mapped -9d -40m -1d").result("check -13m mapped");
    let waits = fleet([refused(1, "-40m"), host(2, due), running.result("check -1m wait")]);
    assert_eq!(of_kind(&decided(&waits, &policy()), &["check", "map"]), [""; 0]);
}

#[test]
fn the_budget_is_the_same_before_and_after_the_results_are_taken() {
    let fleets = [
        fleet([host(1, "shut").result("map -5m 1326")]),
        fleet([host(1, "shut").result("map -5m changed")]).not_fresh(),
        fleet([host(1, "shut restarted -9m -1d").result("check -10s mapped")]).not_fresh(),
    ];
    for fleet in fleets {
        let plan = decide(&fleet, &policy(), NOW);
        assert_eq!(assess(&plan.fleet, &policy(), NOW).budget, plan.budget);
    }
}

#[test]
fn checks_and_retries_of_a_failed_map_take_turns_where_both_are_too_many() {
    let slow = host(1, "shut unmapped 9 -8m -1d dns -1h").result("map -8m dns dns");
    let adopted = host(2, "shut").registered("-3h");
    let refused = host(3, "shut unmapped 1 -20m - 1326 -20m").result("map -20m 1326");
    let checked = host(4, "open mapped -99m -5m -").result("check -5m mapped");
    let sent = |others: &[&Instance]| {
        let instances = [&slow, &adopted].into_iter().chain(others.iter().copied()).cloned();
        of_kind(&decided(&fleet(instances).not_fresh(), &policy()), &["map", "check"])
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(sent(&[]), ["map 1 (50/all)", "check 2 (1/0)"], "there is room for both");
    assert_eq!(sent(&[&refused]), ["check 2 (1/0)"], "a map was the last command");
    assert_eq!(sent(&[&refused, &checked]), ["map 1 (50/all)"], "a check was the last command");
}
