//! Each rule of draining, with a case on both sides of it.

use jiff::SignedDuration;
use shared::cause::{Class, Row};
use shared::config::{Mode, Policy};
use shared::state::Drain;

use super::build::{NOW, With, decided, fleet, host, hosts, of_kind, policy};
use crate::decide::{DrainAction, decide, drain_budget};
use crate::fleet::Instance;

/// A fault of the instance's own that has lasted long enough, with its last attempt a minute ago.
const BROKEN: &str = "shut unmapped 9 -1m - 1219 -40m";

/// Mapped, and proven in the middle of that fault.
const WELL: &str = "open mapped -2d -10m -";

/// Which of these are drained, and the rule that withholds the others: `1`, `1: budget`.
fn drains(instances: impl IntoIterator<Item = Instance>, policy: &Policy) -> Vec<String> {
    let plan = decide(&fleet(instances), policy, NOW);
    let lines = super::build::lines(&plan);
    let drained = of_kind(&lines, &["drain"]);
    let drained = drained.iter().map(|line| line["drain ".len()..].split(':').next().unwrap().to_owned());
    let number = |arn: &shared::ids::ContainerInstanceArn| arn.short_id().trim_start_matches('0').to_owned();
    let withheld = plan.withheld.iter().map(|(arn, rule)| format!("{}: {rule}", number(arn)));
    drained.chain(withheld).collect()
}

/// One instance among twenty that are well.
fn check(name: &str, instance: Instance, expected: &[&str]) {
    let fleet = hosts(21..41, WELL).into_iter().chain([instance]);
    assert_eq!(drains(fleet, &policy()), expected, "{name}");
}

#[test]
fn only_an_active_connected_instance_without_a_hold_is_drained() {
    let broken = || host(1, BROKEN);
    check("broken", broken(), &["1"]);
    check("draining already", broken().draining(), &[]);
    check("deregistering", broken().status(shared::ecs::Status::Other), &[]);
    check("disconnected", broken().disconnected(), &[]);
    check("held", broken().held(), &["1: hold"]);
    check("released", broken().drain("released -5m"), &["1: released"]);
    check("re-activated", broken().drain("done 1219 -5m"), &["1: released"]);
    check("not our value", broken().drain("by the night shift"), &["1: drain-attribute-not-ours"]);
    let full = |n| broken().with(|i| i.record.custom_attributes = n);
    check("no room for the drain attribute", full(10), &["1: attribute-limit"]);
    check("room for it", full(9), &["1"]);
    check("no room, and it has the attribute", full(10).drain("requested 1219 -5m"), &["1"]);
    check("requested before a crash", broken().drain("requested 1219 -5m"), &["1"]);
    check("a command is in flight", broken().result("map -30s wait"), &["1: in-flight"]);
    check("gate opened by hand", host(1, &BROKEN.replace("shut", "open")), &["1"]);
}

#[test]
fn a_drain_waits_until_the_attempt_that_it_rests_on_is_recorded() {
    let failed = host(1, "shut unmapped 9 -31m - 1219 -40m").result("map -1m 1219");
    let before = fleet(hosts(21..41, WELL).into_iter().chain([failed]));
    let plan = decide(&before, &policy(), NOW);
    let [drain] = plan.drains.as_slice() else { panic!("{:?}", plan.drains) };
    assert!(!plan.may_carry_out(&drain.action, &before.instances[&drain.arn].record));
    assert!(plan.may_carry_out(&drain.action, &plan.fleet.instances[&drain.arn].record));
    assert!(plan.may_carry_out(&DrainAction::GiveBack, &before.instances[&drain.arn].record));
}

#[test]
fn only_the_mode_enforce_drains() {
    for (mode, expected) in [(Mode::Enforce, "1"), (Mode::Map, "1: mode"), (Mode::Report, "1: mode")] {
        let fleet = hosts(21..41, WELL).into_iter().chain([host(1, BROKEN)]);
        assert_eq!(drains(fleet, &Policy { mode, ..policy() }), [expected], "{mode:?}");
    }
}

#[test]
fn it_must_have_failed_long_enough_from_its_first_to_its_last_attempt() {
    let table = [
        ("shut unmapped 9 -1m - 1219 -16m", &["1"] as &[&str]),
        ("shut unmapped 9 -1m - 1219 -959999ms", &[]),
        // The time since the last attempt does not count.
        ("shut unmapped 9 -30m - 1219 -40m", &[]),
        ("shut unmapped 9 -30m - 1219 -45m", &["1"]),
        // Quick retries are spent, or there are none.
        ("shut unmapped 4 -1m - 1219 -40m", &[]),
        ("shut unmapped 5 -1m - 1219 -40m", &["1"]),
        ("shut unmapped 1 -1m - drive-in-use -40m", &["1"]),
        // Other states.
        ("shut", &[]),
        ("shut restarted -40m -", &[]),
        ("open doubtful -2d -40m - 53", &[]),
        ("shut mapped -2d -40m -", &[]),
        (WELL, &[]),
    ];
    for (stands, expected) in table {
        check(stands, host(1, stands), expected);
    }
    // A command that found another one running made no attempt.
    check("busy", host(1, "shut unmapped 9 -30m - 1219 -40m").result("map -2m busy"), &[]);
    let at_once = Policy { drain_after: SignedDuration::ZERO, ..policy() };
    let first_failure = host(1, "shut unmapped 1 -1m - 85 -1m");
    assert_eq!(drains(hosts(21..41, WELL).into_iter().chain([first_failure]), &at_once), ["1"]);
}

#[test]
fn no_cause_but_the_hosts_own_drains_without_witnesses() {
    for Row { cause, class, .. } in shared::cause::known() {
        let stands = format!("shut unmapped 9 -1m - {cause} -40m");
        let unseen = hosts(21..41, "open mapped -2d -50m -").into_iter().chain([host(1, &stands)]);
        let seen = hosts(21..41, WELL).into_iter().chain([host(1, &stands)]);
        let (without, with) = match class {
            Class::Host => ("1", "1"),
            Class::Network | Class::Directory => ("1: no-witnesses", "1"),
            Class::Credentials | Class::Configuration | Class::Unknown => {
                ("1: cause-not-the-hosts", "1: cause-not-the-hosts")
            }
        };
        assert_eq!(drains(unseen, &policy()), [without], "{cause}");
        assert_eq!(drains(seen, &policy()), [with], "{cause}");
    }
}

#[test]
fn a_witness_has_a_proof_requested_between_the_first_failure_and_the_last_attempt() {
    let unseen = "open mapped -2d -50m -";
    let with = |witnesses: &[&str], fleet_size: u32| {
        let others = witnesses.iter().enumerate().map(|(i, stands)| host(2 + i as u32, stands));
        let rest = hosts(2 + witnesses.len() as u32..fleet_size + 1, unseen);
        let blocked = host(1, "shut unmapped 9 -5m - port-445 -40m");
        let policy = Policy { breaker_percent: 100, max_drain_percent: 100, ..policy() };
        drains(others.chain(rest).chain([blocked]), &policy).join(" ")
    };
    let (drained, withheld) = ("1", "1: no-witnesses");
    assert_eq!(with(&[WELL, WELL, WELL], 20), drained);
    assert_eq!(with(&[WELL, WELL], 20), withheld);
    let table = [
        ("open mapped -2d -2399999ms -", drained),
        ("open mapped -2d -40m -", withheld),
        ("open mapped -2d -300001ms -", drained),
        // Proven only after the last attempt: the fault may have ended between the two.
        ("open mapped -2d -5m -", withheld),
        ("open mapped -2d -1m -", withheld),
        ("shut mapped -2d -10m -", withheld),
        ("open doubtful -2d -10m - 53", withheld),
    ];
    for (third, expected) in table {
        assert_eq!(with(&[WELL, WELL, third], 20), expected, "{third}");
    }
    // A smaller fleet: all others, and at least two, since one host may lie.
    assert_eq!(with(&[WELL], 2), withheld);
    assert_eq!(with(&[WELL, WELL], 3), drained);
    assert_eq!(with(&[WELL, unseen], 3), withheld);
    let alone = [host(1, "shut unmapped 9 -5m - port-445 -40m")];
    assert_eq!(drains(alone, &policy()), ["1: no-witnesses"]);
    // An instance of another cluster is a witness as well; a disconnected one is not.
    let blocked = || host(1, "shut unmapped 9 -5m - port-445 -40m");
    let elsewhere = hosts(2..5, WELL).into_iter().map(|host| host.cluster("other"));
    let all: Vec<Instance> = elsewhere.chain(hosts(5..20, unseen)).chain([blocked()]).collect();
    assert_eq!(drains(all, &policy()), ["1"]);
    let away = hosts(2..5, WELL).into_iter().map(With::disconnected);
    let all: Vec<Instance> = away.chain(hosts(5..20, unseen)).chain([blocked()]).collect();
    assert_eq!(drains(all, &policy()), ["1: no-witnesses"]);
}

#[test]
fn half_of_a_cluster_and_at_least_one_stay_active_and_mapped() {
    let generous = Policy { breaker_percent: 100, max_drain_percent: 100, ..policy() };
    let with = |well: u32, others: Vec<Instance>| {
        drains(hosts(21..21 + well, WELL).into_iter().chain(others).chain([host(1, BROKEN)]), &generous)
            .join(" ")
    };
    let (drained, withheld) = ("1", "1: half-must-stay");
    assert_eq!(with(0, vec![]), withheld);
    assert_eq!(with(1, vec![]), drained);
    assert_eq!(with(1, vec![host(2, "shut restarted -1m -")]), withheld);
    assert_eq!(with(2, vec![host(2, "shut restarted -1m -")]), drained);
    // Draining, doubtful or shut by hand, they do not count as staying.
    assert_eq!(with(1, vec![host(2, WELL).draining()]), withheld);
    assert_eq!(with(1, vec![host(2, "open doubtful -2d -10m - 53")]), withheld);
    assert_eq!(with(1, vec![host(2, "shut mapped -2d -10m -")]), withheld);
    // A disconnected instance does not count on either side.
    assert_eq!(with(1, vec![host(2, "shut restarted -1m -").disconnected()]), drained);
    assert_eq!(with(0, vec![host(2, WELL).disconnected()]), withheld);
    // Another cluster's does not stay here.
    assert_eq!(with(0, vec![host(2, WELL).cluster("other"), host(3, WELL).cluster("other")]), withheld);
}

#[test]
fn the_budget_counts_every_draining_instance_by_any_actor() {
    let with = |n: u32, draining: &str, count: u32, broken: u32| {
        let drained = hosts(200..200 + count, WELL).into_iter().map(|host| match draining {
            "" => host.draining(),
            attribute => host.draining().drain(attribute),
        });
        let rest = hosts(300..300 + n - count - broken, WELL);
        let broken = (1..=broken).map(|i| host(i, BROKEN));
        let policy = Policy { breaker_percent: 100, ..policy() };
        drains(drained.chain(rest).chain(broken), &policy).join(" ")
    };
    assert_eq!(with(20, "", 0, 2), "1 2");
    assert_eq!(with(19, "", 0, 2), "1 2: budget");
    assert_eq!(with(9, "", 0, 2), "1 2: budget");
    assert_eq!(with(20, "", 1, 2), "1 2: budget");
    assert_eq!(with(20, "", 2, 1), "1: budget");
    assert_eq!(with(20, "done 1219 -90m", 2, 1), "1: budget");
    assert_eq!(with(20, "requested 1219 -90m", 2, 1), "1: budget");
    assert_eq!(with(9, "", 1, 1), "1: budget");
    assert_eq!(with(30, "", 2, 1), "1");
    let percent = |max_drain_percent| Policy { max_drain_percent, ..policy() };
    let table = [
        (0, 10, 1),
        (1, 10, 1),
        (19, 10, 1),
        (20, 10, 2),
        (99, 10, 9),
        (100, 1, 1),
        (7, 100, 7),
        (5_000, 10, 500),
    ];
    for (n, max, expected) in table {
        assert_eq!(drain_budget(n, &percent(max)), expected, "{n} × {max}%");
    }
}

#[test]
fn an_instance_that_ec2_has_stopped_does_not_hold_the_budget() {
    let with = |drained: Instance| {
        drains(hosts(21..31, WELL).into_iter().chain([host(1, BROKEN), drained]), &policy())
    };
    let drained = |stands: &str| host(2, stands).draining().drain("done 1219 -1h");
    assert_eq!(with(drained("shut restarted -1m -").disconnected()), ["1"]);
    assert_eq!(with(drained("shut restarted -1m -")), ["1: budget"], "it is back");
    // An agent that is only disconnected may still run tasks.
    assert_eq!(with(drained(BROKEN).disconnected()), ["1: budget"]);
    assert_eq!(with(host(2, WELL).draining().disconnected()), ["1: budget"]);
}

#[test]
fn the_oldest_failure_is_drained_first_then_by_arn() {
    let since = |n, minutes: u32| host(n, &format!("shut unmapped 9 -1m - 1219 -{minutes}m"));
    let policy = Policy { breaker_percent: 100, ..policy() };
    let order = |instances: Vec<Instance>| {
        let lines = decided(&fleet(hosts(21..47, WELL).into_iter().chain(instances)), &policy);
        of_kind(&lines, &["drain"]).join(" ")
    };
    assert_eq!(
        order(vec![since(1, 40), since(2, 41), since(3, 42), since(4, 39)]),
        "drain 3: 1219 drain 2: 1219 drain 1: 1219"
    );
    assert_eq!(
        order(vec![since(4, 40), since(2, 40), since(3, 40), since(1, 39)]),
        "drain 2: 1219 drain 3: 1219 drain 4: 1219"
    );
}

#[test]
fn clusters_do_not_share_budget_breaker_or_what_must_stay() {
    let here = || hosts(21..31, WELL).into_iter().chain([host(1, BROKEN)]);
    let there =
        [host(2, BROKEN).cluster("other"), host(3, "shut").cluster("other"), host(4, WELL).cluster("other")];
    assert_eq!(drains(here().chain(there), &policy()), ["1", "2: half-must-stay"]);
    let there = || hosts(51..61, WELL).into_iter().chain([host(2, BROKEN)]).map(|h| h.cluster("other"));
    assert_eq!(drains(here().chain(there()), &policy()), ["2", "1"]);
}

#[test]
fn what_another_stack_drained_is_neither_drained_nor_given_back() {
    let others = |host: Instance| host.with(|i| i.record.attributes.drain = Drain::OtherStack);
    let with = |instance: Instance| drains(hosts(21..41, WELL).into_iter().chain([instance]), &policy());
    assert_eq!(with(others(host(1, BROKEN))), ["1: drain-attribute-not-ours"]);
    assert_eq!(with(others(host(1, WELL).draining())), [""; 0]);
    assert_eq!(with(others(host(1, WELL))), [""; 0]);
}
