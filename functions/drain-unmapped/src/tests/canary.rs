//! Which instance may try a password that is not proven, and when.

use shared::brake::Password;
use shared::history::Action;

use super::build::{FleetWith, NOW, With, decided, fleet, host, of_kind, policy};
use crate::decide::assess;
use crate::fleet::{Fleet, Instance};

/// The one `map` that is sent, if any.
fn check_canary(fleet: &Fleet, expected: Option<u32>, name: &str) {
    let lines = decided(fleet, &policy());
    let expected: Vec<String> = expected.iter().map(|n| format!("map {n} (50/all)")).collect();
    assert_eq!(of_kind(&lines, &["map"]), expected, "{name}");
}

/// An instance on which the password was refused so long ago.
fn refused(ago: &str) -> Instance {
    host(8, &format!("shut unmapped 1 {ago} - 1326 {ago}")).result(&format!("map {ago} 1326")).offline()
}

/// An instance on which the same password, kept by Windows, was refused.
fn kept_refused(ago: &str) -> Instance {
    let instance = host(7, &format!("shut unmapped 1 {ago} -26h 1326 {ago}")).offline();
    instance.result(&format!("check {ago} 1326"))
}

/// A mapped instance on which a `map` was requested so long ago; it changed nothing, so it proves no password.
fn mapped(ago: &str) -> Instance {
    host(9, &format!("open mapped -9d {ago} -")).result(&format!("map {ago} mapped"))
}

#[test]
fn the_canary_is_sent_alone_and_after_its_pause() {
    let waiting = || host(1, "shut unmapped 1 -50m - not-mapped -50m");
    let unproven = |others: &[Instance]| fleet([waiting()].into_iter().chain(others.to_vec())).unproven();
    let table = [
        ("never tried", unproven(&[]), Some(1)),
        ("one tried 119 s ago", unproven(&[mapped("-119s")]), None),
        ("one tried 120 s ago", unproven(&[mapped("-120s")]), Some(1)),
        ("one is in flight", unproven(&[mapped("-12m"), host(2, "shut").result("map -12m wait")]), None),
        ("one is lost", unproven(&[host(2, "shut").result("map -14m no lost").offline()]), Some(1)),
        ("a check is in flight", unproven(&[host(2, "shut").result("check -1m wait")]), Some(1)),
        ("one may have been sent", unproven(&[]).lost(Action::Map, "-59s", 2..3), None),
        ("one would be listed by now", unproven(&[]).lost(Action::Map, "-119s", 2..3), None),
        ("that one is forgotten", unproven(&[]).lost(Action::Map, "-120s", 2..3), Some(1)),
        ("refused a moment ago", unproven(&[refused("-5m")]), None),
        ("refused 1799 s ago", unproven(&[refused("-1799s")]), None),
        ("refused 1800 s ago", unproven(&[refused("-1800s")]), Some(1)),
        ("the kept credential was refused", unproven(&[kept_refused("-1799s")]), None),
        ("the kept credential was refused before", unproven(&[kept_refused("-1800s")]), Some(1)),
        ("the parameter was changed since", unproven(&[refused("-5m")]).changed("-1s"), Some(1)),
        ("the parameter was changed before", unproven(&[refused("-5m")]).changed("-6m"), None),
        ("a gate that is open is no canary", fleet([mapped("-1h")]).unproven(), None),
    ];
    for (name, fleet, expected) in table {
        check_canary(&fleet, expected, name);
    }
}

#[test]
fn the_canary_is_one_without_a_failed_map_then_the_least_recently_judged_then_by_arn() {
    let failed = "shut unmapped 1 -50m - 53 -50m";
    let tried = "shut unmapped 9 -40m - 53 -9h";
    let unreached = |result: &str| host(2, "shut unmapped 9 -5m - undelivered -9h").result(result);
    let table = [
        ("by ARN", vec![host(2, "shut"), host(1, "shut")], 1),
        ("no state", vec![host(1, failed), host(2, "shut")], 2),
        ("restarted", vec![host(1, failed), host(2, "shut restarted -5m -")], 2),
        ("not mapped", vec![host(1, failed), host(2, "shut unmapped 1 -5m - not-mapped -5m")], 2),
        ("undelivered", vec![host(1, failed), host(2, "shut unmapped 1 -5m - undelivered -5m")], 2),
        ("undelivered twice", vec![host(1, failed), host(2, "shut unmapped 2 -5m - undelivered -30m")], 1),
        ("shut by hand", vec![host(1, failed), host(2, "shut mapped -99m -5m -")], 2),
        ("a failed map", vec![host(1, failed), host(2, "shut unmapped 1 -5m - no-result -5m")], 1),
        ("a failed map", vec![host(1, "shut unmapped 1 -5m - silent -5m"), host(2, failed)], 2),
        ("least recently judged", vec![host(1, "shut restarted -5m -"), host(2, "shut restarted -6m -")], 2),
        ("least recently judged", vec![host(1, "shut unmapped 1 -49m - 53 -9h"), host(2, failed)], 2),
        (
            "an undelivered check is no attempt",
            vec![host(1, tried), unreached("check -5m no undelivered")],
            2,
        ),
        ("an undelivered map is", vec![host(1, tried), unreached("map -5m no undelivered")], 1),
        ("stopped", vec![host(1, tried), unreached("map -5m no undelivered").stopped()], 2),
        ("draining", vec![host(1, "shut").draining(), host(2, failed)], 1),
        ("held", vec![host(1, "shut").held(), host(2, failed)], 1),
        ("its retry is not due", vec![host(1, "shut unmapped 9 -5m - 1326 -9h")], 1),
        ("disconnected", vec![host(1, "shut").disconnected(), host(2, failed)], 2),
        ("agent offline", vec![host(1, "shut").offline(), host(2, failed)], 2),
        ("in flight", vec![host(1, "shut").result("check -1m wait"), host(2, failed)], 2),
        ("registered just now", vec![host(1, "shut").registered("-59s"), host(2, failed)], 2),
        ("busy just now", vec![host(1, "shut").result("check -30s busy"), host(2, failed)], 2),
    ];
    for (name, instances, expected) in table {
        check_canary(&fleet(instances).unproven(), Some(expected), name);
    }
}

#[test]
fn the_password_is_proven_or_refused_by_the_whole_fleet() {
    let before = "shut unmapped 1 -5m - 1326 -5m";
    let logged_on = || host(7, "open mapped -9d -1m -4m");
    let table = [
        ("no log-on", fleet([]).unproven(), Password::Unproven),
        ("a log-on", fleet([]), Password::Proven),
        ("before the change", fleet([]).changed("-1h"), Password::Unproven),
        ("refused at create", fleet([host(1, before).result("map -5m 1326")]), Password::Refused),
        ("refused elsewhere", fleet([host(1, before).result("map -5m 1326 read")]), Password::Proven),
        ("a kept credential refused", fleet([host(1, before).result("check -5m 1326")]), Password::Unproven),
        (
            "a kept credential refused that is the parameters' password",
            fleet([host(1, "shut unmapped 1 -5m -26h 1326 -5m").result("check -5m 1326")]),
            Password::Refused,
        ),
        (
            "a kept credential refused that is older than the parameters",
            fleet([host(1, "shut unmapped 1 -5m -49h 1326 -5m").result("check -5m 1326")]),
            Password::Unproven,
        ),
        ("not read again", fleet([host(1, before).result("map -5m ?")]), Password::Refused),
        ("left the window", fleet([host(1, before)]), Password::Unproven),
        (
            "refused before the change",
            fleet([host(1, before).result("map -5m 1326")]).changed("-4m"),
            Password::Unproven,
        ),
        (
            "others logged on since",
            fleet([host(1, before).result("map -5m 1326"), logged_on()]),
            Password::Proven,
        ),
        ("not a credential", fleet([host(1, "shut").result("map -5m 53")]), Password::Proven),
        // Judged in the same look.
        ("a result not judged yet", fleet([host(1, "shut").result("map -5m 1326")]), Password::Refused),
        // Its ECS agent disconnected before the result could be written.
        (
            "reported by a disconnected instance",
            fleet([host(1, "shut").disconnected().result("map -5m 1326")]),
            Password::Refused,
        ),
        (
            "recorded on a disconnected instance",
            fleet([host(1, before).disconnected().result("map -5m ?")]),
            Password::Refused,
        ),
        (
            "recorded long ago on a disconnected instance",
            fleet([host(1, "shut unmapped 1 -45m - 1326 -45m").disconnected()]),
            Password::Proven,
        ),
        // A restart or a new registration voids a proof, but not a refusal.
        (
            "restarted since",
            fleet([host(1, "shut restarted -1m -").result("map -5m 1326")]),
            Password::Refused,
        ),
        (
            "restarted, and another result since",
            fleet([host(1, "shut restarted -1m -").result("map -9m 1326").result("map -5m mapped")]),
            Password::Proven,
        ),
        (
            "registered since",
            fleet([host(1, "shut").registered("-1m").result("map -5m 1326")]),
            Password::Refused,
        ),
    ];
    for (name, fleet, expected) in table {
        let judged = crate::decide::decide(&fleet, &policy(), NOW);
        assert_eq!(judged.credentials.brake.password, expected, "{name}");
        assert_eq!(assess(&judged.fleet, &policy(), NOW).credentials.brake.password, expected, "{name}");
    }
}
