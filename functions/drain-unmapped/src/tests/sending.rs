//! Which commands are sent, and their targets, with a proven password and without.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use shared::brake::Parameters;
use shared::config::Policy;
use shared::ecs::Status;
use shared::history::Action;
use shared::ids::InstanceId;

use super::build::{FleetWith, NOW, With, decided, fleet, host, hosts, of_kind, policy};
use crate::decide::{assess, decide};
use crate::fleet::{AgentState, Fleet, Instance};

fn check_sent(fleet: &Fleet, expected: &[&str]) {
    let lines = decided(fleet, &policy());
    assert_eq!(of_kind(&lines, &["map", "check"]), expected, "of {lines:#?}");
}

/// Judged so long ago that its check is due, whatever its phase in the period.
const DUE: &str = "open mapped -99m -40m -";

#[test]
fn an_instance_is_sent_what_its_gate_and_state_ask_for() {
    let table = [
        // (gate and state, while proven, while unproven and the canary not due)
        ("shut", "map 1 (50/all)", "check 1 (2/0)"),
        ("shut restarted -1m -", "map 1 (50/all)", "check 1 (2/0)"),
        ("shut mapped -99m -20m -", "map 1 (50/all)", "check 1 (2/0)"),
        ("shut doubtful -99m -20m - 53", "map 1 (50/all)", "check 1 (2/0)"),
        ("shut unmapped 1 -1m - 53 -1m", "map 1 (50/all)", ""),
        ("shut unmapped 1 -1m - not-mapped -1m", "map 1 (50/all)", ""),
        ("shut unmapped 1 -20m - 1326 -20m", "map 1 (50/all)", ""),
        // The command was not delivered or was stopped: checked again without presenting a password.
        ("shut unmapped 1 -1m - undelivered -1m", "map 1 (50/all)", "check 1 (2/0)"),
        ("shut unmapped 1 -10s - 53 -10s", "", ""),
        (DUE, "check 1 (2/0)", "check 1 (2/0)"),
        ("open doubtful -99m -2m - 53", "check 1 (2/0)", "check 1 (2/0)"),
        ("open mapped -99m -1m -", "", ""),
    ];
    for (stands, proven, unproven) in table {
        check_sent(&fleet([host(1, stands)]), &[proven][usize::from(proven.is_empty())..]);
        let canary_was_a_minute_ago = host(2, "open mapped -99m -1m -").result("map -1m mapped");
        let fleet = fleet([host(1, stands), canary_was_a_minute_ago]).unproven();
        check_sent(&fleet, &[unproven][usize::from(unproven.is_empty())..]);
    }
}

#[test]
fn nothing_is_sent_to_an_instance_that_cannot_or_must_not_take_it() {
    let due = || host(1, "shut");
    let table = [
        ("its agent is offline", fleet([due().offline()])),
        ("its agent was not asked", fleet([due().with(|i| i.agent = AgentState::Unasked)])),
        ("disconnected", fleet([due().disconnected()])),
        ("deregistering", fleet([due().status(Status::Other)])),
        ("registered just now", fleet([due().registered("-59s")])),
        ("in flight", fleet([due().result("map -12m wait")])),
        ("in flight, a check", fleet([due().result("check -1m wait")])),
        ("perhaps sent", fleet([due()]).lost(Action::Map, "-59s", 1..2)),
        ("perhaps sent, a check", fleet([due()]).lost(Action::Check, "-59s", 1..2)),
    ];
    for (name, fleet) in table {
        assert_eq!(decided(&fleet, &policy()), [""; 0], "{name}");
        assert_eq!(decided(&fleet.unproven(), &policy()), [""; 0], "{name}");
    }
    check_sent(&fleet([due()]).lost(Action::Map, "-60s", 1..2), &["map 1 (50/all)"]);
    check_sent(&fleet([due()]).lost(Action::Map, "-1s", 2..3), &["map 1 (50/all)"]);
    check_sent(&fleet([due().registered("-60s")]), &["map 1 (50/all)"]);
    check_sent(&fleet([due().draining()]), &["map 1 (50/all)"]);
    check_sent(&fleet([due().held()]), &["map 1 (50/all)"]);
}

#[test]
fn a_proven_password_goes_to_all_instances_at_once_in_groups_of_fifty() {
    check_sent(
        &fleet(hosts(0..120, "shut")),
        &["map 0..=49 (50/all)", "map 50..=99 (50/all)", "map 100..=119 (50/all)"],
    );
}

#[test]
fn no_more_instances_are_sent_a_map_at_a_time_than_parameter_store_answers() {
    let sent = |ago: &str| -> Vec<Instance> {
        hosts(1000..1320, "shut").into_iter().map(|i| i.result(&format!("map {ago} wait"))).collect()
    };
    let table = [
        ("none was sent", Vec::new(), 12),
        ("some just now", sent("-1s"), 5),
        ("some fifteen seconds ago", sent("-15s"), 12),
    ];
    for (name, others, commands) in table {
        let fleet = fleet(hosts(0..900, "shut").into_iter().chain(others));
        let maps = of_kind(&decided(&fleet, &policy()), &["map"]).len();
        assert_eq!(maps, commands, "{name}");
        assert_eq!(
            assess(&fleet, &policy(), NOW).agents_to_ask(&policy(), NOW).enough,
            commands * 50,
            "{name}"
        );
    }
}

#[test]
fn the_instance_that_waited_longest_is_sent_a_map_first() {
    let late = hosts(0..700, "shut").into_iter().map(|i| i.registered("-61s"));
    let fleet = fleet(late.chain(hosts(700..750, "shut")));
    assert_eq!(decided(&fleet, &policy())[0], "map 700..=749 (50/all)");
    let waiting: Vec<InstanceId> = hosts(700..750, "shut").into_iter().map(|i| i.id).collect();
    assert_eq!(assess(&fleet, &policy(), NOW).agents_to_ask(&policy(), NOW).in_turn[..50], waiting);
}

#[test]
fn the_number_of_checks_follows_the_size_of_the_fleet() {
    let young = |range| hosts(range, "open mapped -99m -1m -");
    check_sent(&fleet(hosts(0..120, DUE)), &["check 0..=49 (2/0)"]);
    check_sent(&fleet(hosts(0..120, DUE).into_iter().chain(young(120..500))), &["check 0..=49 (2/0)"]);
    let two = ["check 0..=49 (2/0)", "check 50..=99 (2/0)"];
    check_sent(&fleet(hosts(0..120, DUE).into_iter().chain(young(120..501))), &two);
    let away = young(120..700).into_iter().map(With::disconnected);
    check_sent(&fleet(hosts(0..120, DUE).into_iter().chain(away)), &["check 0..=49 (2/0)"]);

    let at_work = |result: &str| fleet([host(1, DUE), host(2, "open mapped -99m -14m -").result(result)]);
    check_sent(&at_work("check -12m wait"), &[]);
    check_sent(&at_work("map -12m wait"), &["check 1 (2/0)"]);
    check_sent(&at_work("check -13m no lost"), &["check 1 (2/0)"]);
    check_sent(&fleet([host(1, DUE)]).lost(Action::Check, "-59s", 2..3), &[]);
    check_sent(&fleet([host(1, DUE)]).lost(Action::Check, "-60s", 2..3), &["check 1 (2/0)"]);
}

#[test]
fn the_least_recently_judged_are_checked_first() {
    let mut instances = hosts(0..49, "open mapped -99m -41m -");
    instances.extend(hosts(49..60, "open mapped -99m -45m -"));
    instances.push(host(60, "shut"));
    let lines = decided(&fleet(instances).having(|f| f.parameters = Parameters::Unread), &policy());
    assert_eq!(lines.len(), 1);
    let asked = |n: u32| lines[0].split(' ').any(|word| word == n.to_string());
    assert!((49..=60).all(asked) && (0..38).all(asked) && !(38..49).any(asked), "{lines:?}");
}

#[test]
fn an_instance_whose_check_hangs_is_not_first_in_the_next_one() {
    // If it were first, SSM would stop the command for all behind it, again and again.
    let hangs = host(60, "open mapped -9d -89m -").result("check -12m no undelivered");
    let stopped = hosts(0..50, "open mapped -9d -41m -")
        .into_iter()
        .map(|instance| instance.result("check -12m no undelivered").stopped());
    check_sent(&fleet(stopped.chain([hangs])), &["check 0..=49 (2/0)"]);
}

#[test]
fn instances_that_take_no_command_do_not_keep_the_same_others_waiting() {
    // Two of them hold both places of a command until it expires, and SSM then reports the same for all behind them.
    let whom = |minutes: i64| {
        let open = "open mapped -9d -99m -";
        // Instances that the last check was not sent to are not first either.
        let waited = hosts(0..40, open).into_iter().map(|one| one.result("check -12m no undelivered"));
        let others = hosts(40..42, open).into_iter().map(|one| one.result("check -24m no undelivered"));
        decide(&fleet(waited.chain(others)), &policy(), NOW + SignedDuration::from_mins(minutes)).commands[0]
            .targets
            .clone()
    };
    let leaders: BTreeSet<InstanceId> = (0..40).flat_map(|minutes| whom(minutes)[..2].to_vec()).collect();
    assert!(leaders.len() > 25, "{leaders:?}");
}

#[test]
fn mappings_older_than_the_password_are_renewed_a_few_at_a_time() {
    let stale = |range| hosts(range, "open mapped -9d -40m -3d");
    check_sent(&fleet(stale(0..20)), &["map 0..=5 (2/1)"]);
    let with = |result: &str| {
        let other = host(30, "open mapped -9d -20m -3d").result(result);
        fleet(stale(0..20).into_iter().chain([other]))
    };
    check_sent(&with("map -12m wait"), &[]);
    check_sent(&with("map -19m no lost"), &["map 0..=5 (2/1)"]);
    // A `map` that makes a new mapping is no renewal.
    let new = host(30, "shut").result("map -1m wait");
    check_sent(&fleet(stale(0..20).into_iter().chain([new])), &["map 0..=5 (2/1)"]);
    check_sent(&fleet(stale(0..20)).lost(Action::Map, "-59s", 0..6), &[]);
    check_sent(&fleet(stale(0..20)).lost(Action::Map, "-60s", 0..6), &["map 0..=5 (2/1)"]);

    let table = [
        // Checked when it is due, not before.
        ("open mapped -9d -1m -3d", ""),
        // Not older than the parameter, or not logged on by us: nothing to renew.
        ("open mapped -9d -40m -2d", "check 1 (2/0)"),
        (DUE, "check 1 (2/0)"),
        ("open doubtful -9d -40m -3d 53", "check 1 (2/0)"),
    ];
    for (stands, expected) in table {
        check_sent(&fleet([host(1, stands)]), &[expected][usize::from(expected.is_empty())..]);
    }
    // While the password is not proven, all are checked without presenting it.
    let canary_was_a_minute_ago = host(30, "open mapped -99m -1m -").result("map -1m mapped");
    let fleet = fleet(stale(0..20).into_iter().chain([canary_was_a_minute_ago])).unproven();
    check_sent(&fleet, &["check 0..=19 (2/0)"]);
}

#[test]
fn no_check_is_sent_while_two_instances_credentials_fail() {
    let failing = |n, cause: &str| {
        host(n, &format!("shut unmapped 1 -1m - {cause} -1m")).result(&format!("check -1m {cause}")).offline()
    };
    let checked = ["check 1 (2/0)"];
    check_sent(&fleet([host(1, DUE), failing(2, "1326")]), &checked);
    check_sent(&fleet([host(1, DUE), failing(2, "1326"), failing(3, "1909")]), &[]);
    check_sent(&fleet([host(1, DUE), failing(2, "1326"), failing(3, "53")]), &checked);
    // They began before the last log-on: these instances fail alone.
    let alone = |n| host(n, "shut unmapped 9 -1m - 1326 -2d").result("map -1m 1326").offline();
    check_sent(&fleet([host(1, DUE), alone(2), alone(3)]), &checked);
    // Nor to instances without a state; but the canary is sent.
    let failing = [failing(2, "1326"), failing(3, "1909")];
    let unknown = hosts(4..9, "shut");
    check_sent(&fleet(failing.into_iter().chain(unknown)), &["map 4 (50/all)"]);
}

#[test]
fn nothing_presents_a_password_whose_parameters_or_fleet_could_not_be_read() {
    let instances =
        || [host(1, "shut"), host(2, "shut unmapped 1 -1m - 53 -1m"), host(3, "open mapped -9d -40m -3d")];
    let unread = fleet(instances()).having(|f| f.parameters = Parameters::Unread);
    check_sent(&unread, &["check 1 3 (2/0)"]);
    check_sent(&fleet(instances()).having(|f| f.is_partial = true), &[]);
    // A missing parameter ends the script before it presents a password: the canary is sent and reports it.
    let missing = fleet(instances()).having(|f| f.parameters = Parameters::Missing);
    check_sent(&missing, &["map 1 (50/all)", "check 3 (2/0)"]);
}

#[test]
fn without_checks_only_what_is_not_mapped_is_sent_to() {
    let off = Policy { verify_every: None, ..policy() };
    let lines = decided(&fleet([host(1, DUE), host(2, "shut"), host(3, "open mapped -9d -40m -3d")]), &off);
    assert_eq!(lines, ["map 2 (50/all)"]);
}
