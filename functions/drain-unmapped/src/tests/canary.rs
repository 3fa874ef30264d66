//! Who may try a password that is not proven, and when.

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

/// The password was refused so long ago.
fn refused(ago: &str) -> Instance {
    host(8, &format!("shut unmapped 1 {ago} - 1326 {ago}")).answer(&format!("map {ago} 1326")).offline()
}

/// The same password was refused where Windows had kept it.
fn kept_refused(ago: &str) -> Instance {
    let instance = host(7, &format!("shut unmapped 1 {ago} -26h 1326 {ago}")).offline();
    instance.answer(&format!("check {ago} 1326"))
}

/// A mapped instance on which a `map` was requested so long ago; it changed nothing, so it proves no password.
fn mapped(ago: &str) -> Instance {
    host(9, &format!("open mapped -9d {ago} -")).answer(&format!("map {ago} mapped"))
}

#[test]
fn the_canary_goes_alone_and_after_its_pause() {
    let waiting = || host(1, "shut unmapped 1 -50m - not-mapped -50m");
    let unproven = |others: &[Instance]| fleet([waiting()].into_iter().chain(others.to_vec())).unproven();
    let table = [
        ("nobody ever tried", unproven(&[]), Some(1)),
        ("one tried 119 s ago", unproven(&[mapped("-119s")]), None),
        ("one tried 120 s ago", unproven(&[mapped("-120s")]), Some(1)),
        ("one is at work", unproven(&[mapped("-12m"), host(2, "shut").answer("map -12m wait")]), None),
        ("one is lost", unproven(&[host(2, "shut").answer("map -14m no lost").offline()]), Some(1)),
        ("a check is at work", unproven(&[host(2, "shut").answer("check -1m wait")]), Some(1)),
        ("one may be on its way", unproven(&[]).lost(Action::Map, "-59s", 2..3), None),
        ("one would be listed by now", unproven(&[]).lost(Action::Map, "-119s", 2..3), None),
        ("that one is forgotten", unproven(&[]).lost(Action::Map, "-120s", 2..3), Some(1)),
        ("refused a moment ago", unproven(&[refused("-5m")]), None),
        ("refused 1799 s ago", unproven(&[refused("-1799s")]), None),
        ("refused 1800 s ago", unproven(&[refused("-1800s")]), Some(1)),
        ("what Windows kept of it was refused", unproven(&[kept_refused("-1799s")]), None),
        ("what Windows kept of it was refused before", unproven(&[kept_refused("-1800s")]), Some(1)),
        ("the parameter was changed since", unproven(&[refused("-5m")]).changed("-1s"), Some(1)),
        ("the parameter was changed before", unproven(&[refused("-5m")]).changed("-6m"), None),
        ("a gate that is open is no canary", fleet([mapped("-1h")]).unproven(), None),
    ];
    for (name, fleet, expected) in table {
        check_canary(&fleet, expected, name);
    }
}

#[test]
fn first_goes_who_has_not_failed_then_who_was_judged_longest_ago_then_by_arn() {
    let failed = "shut unmapped 1 -50m - 53 -50m";
    let tried = "shut unmapped 9 -40m - 53 -9h";
    let unreached = |answer: &str| host(2, "shut unmapped 9 -5m - undelivered -9h").answer(answer);
    let table = [
        ("by ARN", vec![host(2, "shut"), host(1, "shut")], 1),
        ("no state", vec![host(1, failed), host(2, "shut")], 2),
        ("restarted", vec![host(1, failed), host(2, "shut restarted -5m -")], 2),
        ("not mapped", vec![host(1, failed), host(2, "shut unmapped 1 -5m - not-mapped -5m")], 2),
        ("undelivered", vec![host(1, failed), host(2, "shut unmapped 1 -5m - undelivered -5m")], 2),
        (
            "undelivered time and again",
            vec![host(1, failed), host(2, "shut unmapped 2 -5m - undelivered -30m")],
            1,
        ),
        ("shut by hand", vec![host(1, failed), host(2, "shut mapped -99m -5m -")], 2),
        ("a failed map", vec![host(1, failed), host(2, "shut unmapped 1 -5m - no-result -5m")], 1),
        ("a failed map", vec![host(1, "shut unmapped 1 -5m - silent -5m"), host(2, failed)], 2),
        ("least recently judged", vec![host(1, "shut restarted -5m -"), host(2, "shut restarted -6m -")], 2),
        ("least recently judged", vec![host(1, "shut unmapped 1 -49m - 53 -9h"), host(2, failed)], 2),
        (
            "a check that was not delivered is no try",
            vec![host(1, tried), unreached("check -5m no undelivered")],
            2,
        ),
        ("a map that was not delivered is", vec![host(1, tried), unreached("map -5m no undelivered")], 1),
        ("stopped", vec![host(1, tried), unreached("map -5m no undelivered").stopped()], 2),
        ("draining", vec![host(1, "shut").draining(), host(2, failed)], 1),
        ("held", vec![host(1, "shut").held(), host(2, failed)], 1),
        ("not yet its turn of retry", vec![host(1, "shut unmapped 9 -5m - 1326 -9h")], 1),
        ("away", vec![host(1, "shut").disconnected(), host(2, failed)], 2),
        ("agent away", vec![host(1, "shut").offline(), host(2, failed)], 2),
        ("at work", vec![host(1, "shut").answer("check -1m wait"), host(2, failed)], 2),
        ("registered just now", vec![host(1, "shut").registered("-59s"), host(2, failed)], 2),
        ("busy just now", vec![host(1, "shut").answer("check -30s busy"), host(2, failed)], 2),
    ];
    for (name, instances, expected) in table {
        check_canary(&fleet(instances).unproven(), Some(expected), name);
    }
}

#[test]
fn the_password_is_what_the_fleet_says_of_it() {
    let before = "shut unmapped 1 -5m - 1326 -5m";
    let logged_on = || host(7, "open mapped -9d -1m -4m");
    let table = [
        ("nobody logged on", fleet([]).unproven(), Password::Unproven),
        ("somebody did", fleet([]), Password::Proven),
        ("before the change", fleet([]).changed("-1h"), Password::Unproven),
        ("refused at create", fleet([host(1, before).answer("map -5m 1326")]), Password::Refused),
        ("refused elsewhere", fleet([host(1, before).answer("map -5m 1326 read")]), Password::Proven),
        ("a kept credential refused", fleet([host(1, before).answer("check -5m 1326")]), Password::Unproven),
        (
            "a kept credential refused that is the parameters' password",
            fleet([host(1, "shut unmapped 1 -5m -26h 1326 -5m").answer("check -5m 1326")]),
            Password::Refused,
        ),
        (
            "a kept credential refused that is older than the parameters",
            fleet([host(1, "shut unmapped 1 -5m -49h 1326 -5m").answer("check -5m 1326")]),
            Password::Unproven,
        ),
        ("not read again", fleet([host(1, before).answer("map -5m ?")]), Password::Refused),
        ("left the window", fleet([host(1, before)]), Password::Unproven),
        (
            "refused before the change",
            fleet([host(1, before).answer("map -5m 1326")]).changed("-4m"),
            Password::Unproven,
        ),
        (
            "others log on since",
            fleet([host(1, before).answer("map -5m 1326"), logged_on()]),
            Password::Proven,
        ),
        ("not a credential", fleet([host(1, "shut").answer("map -5m 53")]), Password::Proven),
        // Judged in this very look.
        ("a word not judged yet", fleet([host(1, "shut").answer("map -5m 1326")]), Password::Refused),
        // Its ECS agent went away before its word could be written down.
        (
            "said by one that is away",
            fleet([host(1, "shut").disconnected().answer("map -5m 1326")]),
            Password::Refused,
        ),
        (
            "stands on one that is away",
            fleet([host(1, before).disconnected().answer("map -5m ?")]),
            Password::Refused,
        ),
        (
            "stands for long on one that is away",
            fleet([host(1, "shut unmapped 1 -45m - 1326 -45m").disconnected()]),
            Password::Proven,
        ),
        // A restart, or a new registration, voids a proof and no refusal.
        (
            "restarted since",
            fleet([host(1, "shut restarted -1m -").answer("map -5m 1326")]),
            Password::Refused,
        ),
        (
            "restarted, and another word since",
            fleet([host(1, "shut restarted -1m -").answer("map -9m 1326").answer("map -5m mapped")]),
            Password::Proven,
        ),
        (
            "registered since",
            fleet([host(1, "shut").registered("-1m").answer("map -5m 1326")]),
            Password::Refused,
        ),
    ];
    for (name, fleet, expected) in table {
        let judged = crate::decide::decide(&fleet, &policy(), NOW);
        assert_eq!(judged.credentials.brake.password, expected, "{name}");
        assert_eq!(assess(&judged.fleet, &policy(), NOW).credentials.brake.password, expected, "{name}");
    }
}
