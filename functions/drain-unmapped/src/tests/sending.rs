//! Which commands are sent, and their targets, with a fresh password and without.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use shared::budget::Parameters;
use shared::config::Policy;
use shared::ecs::Status;
use shared::history::Action;
use shared::ids::InstanceId;

use super::build::{FleetWith, NOW, With, decided, fleet, host, hosts, of_kind, policy};
use crate::decide::{AgentsToAsk, assess, decide};
use crate::fleet::{AgentState, Fleet, Instance, UnconfirmedSend};

fn check_sent(fleet: &Fleet, expected: &[&str]) {
    let lines = decided(fleet, &policy());
    assert_eq!(of_kind(&lines, &["map", "check"]), expected, "of {lines:#?}");
}

/// Judged so long ago that its check is due, whatever its phase in the period.
const DUE: &str = "open mapped -99m -40m -";

#[test]
fn an_instance_is_sent_what_its_gate_and_state_ask_for() {
    let (map, check_p, check) = ("map 1 (50/all)", "check 1 (2/0)", "check 1 (1/0)");
    let table = [
        // (gate and state, while the password is fresh, while it is not and the canary is another one)
        ("shut", map, ""),
        ("shut restarted -1m -", map, ""),
        ("shut restarted -1m -3d", map, ""),
        ("shut restarted -1m -1d", map, check_p),
        // Its gate was edited: it may not have lost its session.
        ("shut mapped -99m -20m -", check, check),
        ("shut doubtful -99m -20m -1d 53", check_p, check_p),
        ("shut unmapped 1 -1m - 53 -1m", map, ""),
        ("shut unmapped 1 -1m - not-mapped -1m", map, ""),
        // The command was not delivered or was stopped: checked again without presenting a password.
        ("shut unmapped 1 -1m - undelivered -1m", map, check),
        ("shut unmapped 1 -10s - 53 -10s", "", ""),
        // A saved credential was refused that is not the parameters' password.
        ("shut unmapped 1 -20m -3d 1326 -20m", map, ""),
        (DUE, check, check),
        ("open mapped -99m -40m -1d", check_p, check_p),
        ("open mapped -99m -40m -3d", "map 1 (3/1)", ""),
        ("open doubtful -99m -2m - 53", check, check),
        ("open mapped -99m -1m -", "", ""),
    ];
    let expect = |text: &'static str| [text][usize::from(text.is_empty())..].to_vec();
    for (stands, fresh, not_fresh) in table {
        let stale_check_refused = |one: Instance| {
            if stands.contains("-3d 1326") { one.result("check -20m 1326 read") } else { one }
        };
        check_sent(&fleet([stale_check_refused(host(1, stands))]), &expect(fresh));
        let canary = host(2, "shut").result("map -1m wait");
        check_sent(&fleet([stale_check_refused(host(1, stands)), canary]).not_fresh(), &expect(not_fresh));
    }
    // It registered long ago, so it may have been mapped by hand.
    let old = || host(1, "shut").registered("-601s");
    check_sent(&fleet([old()]), &[check]);
    check_sent(&fleet([old()]).not_fresh(), &[check]);
}

#[test]
fn no_command_rests_on_a_verdict_that_was_not_written() {
    let judged = host(1, "open mapped -99m -40m -1d").result("check -1m not-mapped");
    let before = fleet([judged, host(2, "shut")]);
    let plan = decide(&before, &policy(), NOW);
    let targets = |fleet: &Fleet| -> usize {
        plan.commands_for(fleet).iter().map(|command| command.targets.len()).sum()
    };
    assert_eq!(targets(&plan.fleet), 2, "both are written");
    assert_eq!(targets(&before), 1, "the verdict of one is not");
}

#[test]
fn nothing_is_sent_to_an_instance_that_cannot_or_must_not_take_it() {
    let due = || host(1, "shut");
    let table = [
        ("its agent is offline", fleet([due().offline()])),
        ("its agent was not asked", fleet([due().with(|i| i.agent = AgentState::Unasked)])),
        ("disconnected", fleet([due().disconnected()])),
        ("deregistering", fleet([due().status(Status::Other)])),
        ("registered just now", fleet([due().registered("-9s")])),
        ("in flight", fleet([due().result("map -4m wait")])),
        ("in flight, a check", fleet([due().result("check -1m wait")])),
        ("perhaps sent", fleet([due()]).lost(Action::Map, "-59s", 1..2)),
        ("perhaps sent, a check", fleet([due()]).lost(Action::Check, "-59s", 1..2)),
    ];
    for (name, fleet) in table {
        assert_eq!(decided(&fleet, &policy()), [""; 0], "{name}");
        assert_eq!(decided(&fleet.not_fresh(), &policy()), [""; 0], "{name}");
    }
    check_sent(&fleet([due()]).lost(Action::Map, "-60s", 1..2), &["map 1 (50/all)"]);
    check_sent(&fleet([due()]).lost(Action::Map, "-1s", 2..3), &["map 1 (50/all)"]);
    check_sent(&fleet([due().registered("-19s")]), &[]);
    check_sent(&fleet([due().registered("-20s")]), &["map 1 (50/all)"]);
    check_sent(&fleet([due().registered("-10s")]).not_fresh(), &["map 1 (50/all)"]);
    check_sent(&fleet([due().draining()]), &["map 1 (50/all)"]);
    check_sent(&fleet([due().held()]), &["map 1 (50/all)"]);
}

#[test]
fn a_fresh_password_goes_to_all_instances_at_once_in_groups_of_fifty() {
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
        assert_eq!(to_ask(&fleet)[1].enough, commands * 50, "{name}");
    }
}

#[test]
fn the_instance_that_waited_longest_is_sent_a_map_first() {
    let late = hosts(0..700, "shut").into_iter().map(|i| i.registered("-61s"));
    let fleet = fleet(late.chain(hosts(700..750, "shut")));
    assert_eq!(decided(&fleet, &policy())[0], "map 700..=749 (50/all)");
    let waiting: Vec<InstanceId> = hosts(700..750, "shut").into_iter().map(|i| i.id).collect();
    assert_eq!(to_ask(&fleet)[1].ids[..50], waiting);
}

fn to_ask(fleet: &Fleet) -> Vec<AgentsToAsk> {
    assess(fleet, &policy(), NOW).agents_to_ask(&policy(), NOW)
}

#[test]
fn no_more_agents_are_asked_than_can_be_sent_to() {
    let asked = |fleet: &Fleet| -> Vec<String> {
        let to_ask = to_ask(fleet).into_iter().filter(|one| !one.ids.is_empty());
        to_ask
            .map(|AgentsToAsk { ids, enough }| match enough {
                usize::MAX => format!("all {}", ids.len()),
                _ => format!("{enough} of {}", ids.len()),
            })
            .collect()
    };
    let holds_it = |range| hosts(range, "open mapped -99m -40m -1d");
    let late = |range| hosts(range, "open mapped -99m -61m -");
    let at_work = |result: &str, late: Vec<Instance>| {
        fleet([host(1, DUE), host(2, "open mapped -99m -14m -").result(result)].into_iter().chain(late))
    };
    let table: [(&str, Fleet, &[&str]); 9] = [
        ("checks", fleet(holds_it(0..120)), &["50 of 120"]),
        ("a check is at work", at_work("check -12m wait", Vec::new()), &[]),
        ("it is over", at_work("check -13m no lost", Vec::new()), &["50 of 1"]),
        (
            "the gate of a late one is shut if its agent is offline",
            fleet(late(0..60)),
            &["all 60", "50 of 60"],
        ),
        ("also while a check is at work", at_work("check -12m wait", late(3..5)), &["all 2"]),
        (
            "those that fail",
            fleet(hosts(0..3, "shut unmapped 9 -99m - 53 -99m")).not_fresh(),
            &["all 3", "1 of 3"],
        ),
        ("a canary", fleet(hosts(0..9, "shut")).not_fresh(), &["1 of 9"]),
        ("renewals", fleet(hosts(0..30, "open mapped -9d -40m -9d")), &["9 of 30"]),
        ("nothing is due", fleet(hosts(0..9, "open mapped -99m -1m -")), &[]),
    ];
    for (name, fleet, expected) in table {
        assert_eq!(asked(&fleet), expected, "{name}");
    }
    // Those of the kind that is checked first come first, and those that may not be checked are not asked.
    let mixed = fleet(
        hosts(0..9, "open mapped -99m -45m -")
            .into_iter()
            .chain(hosts(9..18, "open mapped -99m -44m -1d"))
            .chain(hosts(18..27, "open mapped -99m -43m -")),
    );
    let ids: Vec<InstanceId> = hosts(0..9, "shut")
        .into_iter()
        .chain(hosts(18..27, "shut"))
        .chain(hosts(9..18, "shut"))
        .map(|one| one.id)
        .collect();
    assert_eq!(to_ask(&mixed).last().unwrap().ids, ids);
}

#[test]
fn nothing_is_planned_for_an_instance_without_room_for_its_attributes() {
    let full = |stands: &str, n| host(1, stands).with(|i| i.record.custom_attributes = n);
    let table = [
        ("no room for the two", full("shut", 9), &[][..]),
        ("room for the two", full("shut", 8), &["map 1 (50/all)"][..]),
        ("its result is not recorded", full("shut", 9).result("map -1m changed"), &[]),
        ("nor its failure", full("shut", 9).result("map -1m 53"), &[]),
        ("no room for the gate", full("shut unmapped 1 -9m - 53 -9m", 10), &[]),
        ("it has both", full("open mapped -99m -1m -", 10), &[]),
        // The state was deleted. No proof can be recorded, and an open gate can be shut without it.
        ("open without room for the state", full("open", 10), &["write 1: shut"]),
        ("which failed", full("open", 10).result("check -1m not-mapped"), &["write 1: shut"]),
    ];
    for (name, instance, expected) in table {
        let lines = decided(&fleet([instance]), &policy());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let is_as_expected = lines.len() == expected.len()
            && lines.iter().zip(expected).all(|(line, start)| line.starts_with(start));
        assert!(is_as_expected, "{name}: {lines:?}");
    }
}

#[test]
fn the_number_of_checks_follows_the_budget() {
    let holds_it = |range| hosts(range, "open mapped -99m -40m -1d");
    check_sent(&fleet(holds_it(0..120)), &["check 0..=47 (2/0)"]);
    check_sent(&fleet(hosts(0..120, DUE)), &["check 0..=23 (1/0)"]);
    let four = Policy { refusal_budget: 4, ..policy() };
    assert_eq!(decided(&fleet(holds_it(0..120)), &four), ["check 0..=49 (3/0)"]);
    assert_eq!(decided(&fleet(hosts(0..120, DUE)), &four), ["check 0..=47 (2/0)"]);
    // One command is for instances of one kind, the first in turn deciding.
    let mixed = holds_it(0..9).into_iter().chain(hosts(9..18, "open mapped -99m -45m -"));
    check_sent(&fleet(mixed), &["check 9..=17 (1/0)"]);

    let at_work = |result: &str| fleet([host(1, DUE), host(2, "open mapped -99m -14m -").result(result)]);
    check_sent(&at_work("check -12m wait"), &[]);
    check_sent(&at_work("map -12m wait"), &["check 1 (1/0)"]);
    check_sent(&at_work("check -13m no lost"), &["check 1 (1/0)"]);
    check_sent(&fleet([host(1, DUE)]).lost(Action::Check, "-59s", 2..3), &[]);
    check_sent(&fleet([host(1, DUE)]).lost(Action::Check, "-60s", 2..3), &["check 1 (1/0)"]);
}

#[test]
fn the_least_recently_judged_are_checked_first() {
    let mut instances = hosts(0..49, "open mapped -99m -41m -");
    instances.extend(hosts(49..60, "open mapped -99m -45m -"));
    instances.push(host(60, "shut").registered("-1h"));
    let lines = decided(&fleet(instances), &policy());
    assert_eq!(lines.len(), 1);
    let asked = |n: u32| lines[0].split(' ').any(|word| word == n.to_string());
    assert!((49..=60).all(asked) && (0..12).all(asked) && !(12..49).any(asked), "{lines:?}");
    // Also where a large fleet's checks take longer than SSM's history is read back.
    let late = hosts(0..30, "open mapped -9d -101m -").into_iter();
    let later = hosts(30..60, "open mapped -9d -119m -");
    check_sent(&fleet(late.chain(later)), &["check 30..=53 (1/0)"]);
}

#[test]
fn an_instance_whose_check_hangs_is_not_first_in_the_next_one() {
    // If it were first, SSM would stop the command for all behind it, again and again.
    let hangs = host(60, "open mapped -9d -89m -").result("check -12m no undelivered");
    let stopped = hosts(0..50, "open mapped -9d -41m -")
        .into_iter()
        .map(|instance| instance.result("check -12m no undelivered").stopped());
    check_sent(&fleet(stopped.chain([hangs])), &["check 0..=23 (1/0)"]);
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
    check_sent(&fleet(stale(0..20)), &["map 0..=8 (3/1)"]);
    let with = |result: &str| {
        let other = host(30, "open mapped -9d -20m -3d").result(result);
        fleet(stale(0..20).into_iter().chain([other]))
    };
    check_sent(&with("map -12m wait"), &[]);
    check_sent(&with("map -19m no lost"), &["map 0..=8 (3/1)"]);
    // A `map` that makes a new mapping is no renewal.
    let new = host(30, "shut").result("map -1m wait");
    check_sent(&fleet(stale(0..20).into_iter().chain([new])), &["map 0..=8 (3/1)"]);
    check_sent(&fleet(stale(0..20)).lost(Action::Map, "-59s", 0..9), &[]);
    check_sent(&fleet(stale(0..20)).lost(Action::Map, "-60s", 0..9), &["map 0..=8 (3/1)"]);

    let table = [
        // Checked when it is due, not before.
        ("open mapped -9d -1m -3d", ""),
        // Not older than the parameter, or not logged on by us: nothing to renew.
        ("open mapped -9d -40m -2d", "check 1 (1/0)"),
        (DUE, "check 1 (1/0)"),
        ("open doubtful -9d -40m -3d 53", "check 1 (1/0)"),
    ];
    for (stands, expected) in table {
        check_sent(&fleet([host(1, stands)]), &[expected][usize::from(expected.is_empty())..]);
    }
    // While the password is not fresh, one is the canary; and all are checked once an instance was refused.
    check_sent(&fleet(stale(0..20)).not_fresh(), &["map 0 (50/all)"]);
    let refused = host(30, "shut unmapped 1 -5m - 1326 -5m").result("map -5m 1326");
    let fleet = fleet(stale(0..20).into_iter().chain([refused])).not_fresh();
    check_sent(&fleet, &["check 0..=19 (1/0)"]);
}

#[test]
fn checks_leave_room_for_the_refusals_that_are_spent() {
    let due = || hosts(0..9, "open mapped -99m -40m -1d");
    let refused = |n: u32, logon: &str, what: &str| {
        host(n, &format!("shut unmapped 1 -1m {logon} 1326 -1m")).result(&format!("{what} -1m 1326 read"))
    };
    let with = |others: Vec<Instance>| fleet(due().into_iter().chain(others)).not_fresh();
    let sent = |fleet: &Fleet| of_kind(&decided(fleet, &policy()), &["check"]).join(" ");
    assert_eq!(sent(&with(vec![])), "check 0..=8 (2/0)");
    assert_eq!(sent(&with(vec![refused(20, "-1d", "check")])), "check 0..=8 (1/0)");
    assert_eq!(sent(&with(vec![refused(20, "-1d", "check"), refused(21, "-1d", "map")])), "");
    // A host that fails with another cause spends nothing; but it is the canary, and may be refused twice.
    let other = host(20, "shut unmapped 1 -1m -1d 53 -1m").result("check -1m 53");
    assert_eq!(sent(&with(vec![other])), "check 0..=8 (1/0)");
    // The canary of the same look may be refused, too.
    assert_eq!(sent(&with(vec![refused(20, "-1d", "check"), host(21, "shut")])), "check 0..=8 (1/0)");
}

#[test]
fn a_canary_waits_for_a_check_and_no_other_check_begins_meanwhile() {
    let refused = |n, ago: &str| {
        host(n, &format!("shut unmapped 1 {ago} - 1326 {ago}")).result(&format!("map {ago} 1326"))
    };
    let checking = host(2, "open mapped -9d -40m -1d").result("check -1m wait");
    let fleet = fleet([host(1, "shut"), refused(3, "-5m"), checking, host(4, DUE)]).not_fresh();
    // One is spent and two may be: a canary would be the fourth.
    let with_two = fleet.clone().having(|fleet| {
        let command =
            Arc::make_mut(&mut fleet.commands).iter_mut().find(|one| one.action == Action::Check).unwrap();
        command.instances.push(host(9, "shut").id);
    });
    check_sent(&with_two, &[]);
    assert_eq!(decide(&with_two, &policy(), NOW).waiting.maps, [host(1, "shut").id]);
    // A canary that waits for another one holds no check: in an outage there is always one.
    let trying = host(2, "shut").result("map -10s wait");
    check_sent(&super::build::fleet([host(1, "shut"), trying, host(4, DUE)]).not_fresh(), &["check 4 (1/0)"]);
    check_sent(&fleet, &["map 1 (50/all)"]);
}

#[test]
fn nothing_is_sent_while_parameters_or_fleet_could_not_be_read() {
    let instances =
        || [host(1, "shut"), host(2, "shut unmapped 1 -1m - 53 -1m"), host(3, "open mapped -9d -40m -3d")];
    check_sent(&fleet(instances()).having(|f| f.parameters = Parameters::Unread), &[]);
    check_sent(&fleet(instances()).having(|f| f.is_partial = true), &[]);
    // A missing parameter ends the script before it presents a password: the canary is sent and reports it.
    let missing = fleet(instances()).having(|f| f.parameters = Parameters::Missing);
    check_sent(&missing, &["map 1 (50/all)", "check 3 (1/0)"]);
}

#[test]
fn without_checks_only_what_is_not_mapped_is_sent_to() {
    let off = Policy { verify_every: None, ..policy() };
    let lines = decided(&fleet([host(1, DUE), host(2, "shut"), host(3, "open mapped -9d -40m -3d")]), &off);
    assert_eq!(lines, ["map 2 (50/all)"]);
}

#[test]
fn an_unconfirmed_send_is_no_command_that_was_there_before_it() {
    let check = |n: u32, ago: &str| fleet([host(n, DUE).result(&format!("check {ago} mapped"))]);
    let send = |earlier: &Fleet| {
        let targets = vec![host(1, DUE).id];
        let send = UnconfirmedSend {
            at: NOW,
            action: Action::Check,
            targets,
            max_concurrency: 1,
            earlier: Vec::new(),
        };
        send.after(&earlier.commands)
    };
    let nothing = fleet([]);
    assert!(send(&nothing).may_be(&check(1, "-29s").commands[0]));
    assert!(!send(&nothing).may_be(&check(1, "-31s").commands[0]));
    assert!(!send(&nothing).may_be(&check(2, "-1s").commands[0]));
    let earlier = check(1, "-9s");
    assert!(!send(&earlier).may_be(&earlier.commands[0]));
    assert!(send(&earlier).may_be(&check(1, "-1s").commands[0]));
}
