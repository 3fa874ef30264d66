//! Open gates without a recent proof: when they are shut, and when SSM is unwell instead.

use shared::config::Policy;

use super::build::{NOW, With, decided, fleet, host, hosts, lines, of_kind, policy};
use crate::decide::decide;
use crate::fleet::{AgentState, Instance};

const WELL: &str = "open mapped -9d -1m -";

/// The gates shut as silent among twenty open ones that are well.
fn check(name: &str, instance: Instance, expected: &str) {
    let lines = decided(&fleet(hosts(21..41, WELL).into_iter().chain([instance])), &policy());
    assert_eq!(of_kind(&lines, &["write"]).join(" "), expected, "{name}");
}

#[test]
fn a_gate_without_a_proof_for_two_periods_is_shut() {
    let silent = |stands: &str| host(1, stands).offline();
    let shut = "write 1: shut unmapped 1 -61m -90m silent 0m";
    check("two periods", silent("open mapped -9d -60m -90m"), "");
    check(
        "and a moment",
        silent("open mapped -9d -3600001ms -90m"),
        "write 1: shut unmapped 1 -3600001ms -90m silent 0m",
    );
    check("mapped", silent("open mapped -9d -61m -90m"), shut);
    check("doubtful", silent("open doubtful -9d -61m -90m 53"), shut);
    check("held and draining", silent("open mapped -9d -61m -90m").held().draining(), shut);
    check("shut already", silent("shut mapped -9d -61m -"), "");
    check("disconnected", silent("open mapped -9d -61m -90m").disconnected(), "");

    let late = || host(1, "open mapped -9d -61m -90m");
    check("asked, no result", late().result("check -1m no timeout"), shut);
    check("asked, undelivered", late().result("check -1m no undelivered"), shut);
    check("asked, and its agent offline", late().result("check -1m no undelivered").offline(), shut);
    check("waits for its turn", late(), "");
    check("its agent was not asked", late().with(|i| i.agent = AgentState::Unasked), "");
    check("is being asked", late().result("check -12m wait"), "");
    check("judged in this look", late().result("check -1m mapped"), "write 1: open mapped -12960m -1m -90m");
    let quick = Policy { verify_every: Some(jiff::SignedDuration::from_mins(1)), ..policy() };
    let slow = host(1, "open mapped -9d -61m -").offline().result("check -3m mapped");
    let lines = decided(&fleet(hosts(21..41, WELL).into_iter().chain([slow])), &quick);
    assert_eq!(of_kind(&lines, &["write"]), ["write 1: open mapped -12960m -3m -"], "one write a look");
    let off = Policy { verify_every: None, ..policy() };
    assert_eq!(decided(&fleet([silent("open mapped -9d -9d -")]), &off), [""; 0]);
}

#[test]
fn a_target_that_ssm_stopped_because_another_failed_is_not_silent() {
    let late = || host(1, "open mapped -9d -61m -90m").result("check -1m no undelivered");
    let with = |sibling: &str| {
        let sibling = host(2, "shut unmapped 1 -1m - 1219 -1m").result(sibling);
        let lines = decided(&fleet(hosts(21..41, WELL).into_iter().chain([late(), sibling])), &policy());
        of_kind(&lines, &["write 1:"]).len()
    };
    assert_eq!(with("check -1m 1219"), 0);
    assert_eq!(with("check -1m no timeout"), 0);
    assert_eq!(with("check -1m mapped"), 1);
    assert_eq!(with("check -1m no undelivered"), 1);
    assert_eq!(with("check -2m 1219"), 1, "another command");
}

#[test]
fn ssm_is_unwell_while_too_many_open_gates_are_overdue() {
    // Overdue is a period and 20 × base: 40 minutes.
    let asked = |n: u32, stands: &str| -> Vec<Instance> {
        hosts(100..100 + n, stands).into_iter().map(|host| host.result("check -1m no timeout")).collect()
    };
    let overdue = |n: u32| asked(n, "open mapped -9d -2400001ms -");
    let with = |well: u32, others: Vec<Instance>| {
        decide(&fleet(hosts(0..well, WELL).into_iter().chain(others)), &policy(), NOW).is_ssm_unwell
    };
    assert!(!with(8, overdue(2)) && with(7, overdue(3)), "more than 20 % of ten");
    assert!(!with(8, overdue(3)) && with(7, overdue(4)), "rounded up: 2.2 of eleven are 3");
    assert!(with(2, overdue(2)) && with(3, overdue(2)), "or half");
    assert!(!with(1, overdue(1)) && !with(0, overdue(1)) && !with(0, vec![]), "one is never SSM's fault");
    assert!(!with(7, asked(3, "open mapped -9d -40m -")), "40 minutes are not over 40 minutes");
    assert!(!with(7, hosts(100..103, "open mapped -9d -9h -")), "who waits for the turn was not asked");
    assert!(with(7, hosts(100..103, "open mapped -9d -9h -").into_iter().map(With::offline).collect()));
    assert!(
        !with(7, overdue(3).into_iter().map(With::disconnected).collect()),
        "a disconnected instance does not count"
    );
    assert!(!with(7, asked(3, "shut mapped -9d -90m -")), "shut gates do not count");
    assert!(with(7, asked(3, "open doubtful -9d -90m - 53")), "doubtful gates are open");
    // A short period: overdue no later than silent, which is two periods.
    let short = Policy { verify_every: Some(jiff::SignedDuration::from_mins(5)), ..policy() };
    let silent = hosts(100..103, "open mapped -9d -11m -").into_iter().map(With::offline);
    let plan = decide(&fleet(hosts(0..7, WELL).into_iter().chain(silent)), &short, NOW);
    assert!(plan.is_ssm_unwell && of_kind(&lines(&plan), &["write"]).is_empty());
    let off = Policy { verify_every: None, ..policy() };
    assert!(!decide(&fleet(overdue(9)), &off, NOW).is_ssm_unwell, "no instance is checked");
}

#[test]
fn ssm_is_unwell_when_nobody_answers_two_checks_in_a_row() {
    let with = |instances: Vec<Instance>| {
        decide(&fleet(hosts(0..90, WELL).into_iter().chain(instances)), &policy(), NOW).is_ssm_unwell
    };
    let asked =
        |n, results: [&str; 2]| host(n, "open mapped -9d -35m -").result(results[0]).result(results[1]);
    let silent = ["check -28m no undelivered", "check -14m no lost"];
    assert!(with(vec![asked(101, silent), asked(102, silent)]));
    assert!(!with(vec![asked(101, silent)]), "one instance is never SSM's fault");
    assert!(!with(vec![asked(101, silent), asked(102, ["check -28m no lost", "check -14m mapped"])]));
    assert!(!with(vec![asked(101, silent), asked(102, ["check -28m ?", "check -14m no lost"])]));
    assert!(!with(
        hosts(101..103, "open mapped -9d -35m -").into_iter().map(|h| h.result(silent[1])).collect()
    ));
}

#[test]
fn a_silent_instance_of_a_tiny_fleet_is_shut() {
    let silent = |n| host(n, "open mapped -9d -61m -").offline();
    let shut = |fleet: &crate::fleet::Fleet| of_kind(&decided(fleet, &policy()), &["write"]).len();
    assert_eq!(shut(&fleet([silent(1)])), 1);
    assert_eq!(shut(&fleet([silent(1), host(2, WELL)])), 1);
    assert_eq!(shut(&fleet([silent(1), silent(2)])), 0, "both: SSM is unwell");
}

#[test]
fn no_gate_is_shut_as_silent_while_ssm_is_unwell_or_the_budget_is_spent() {
    let silent = |n: u32| hosts(100..100 + n, "open mapped -9d -61m -").into_iter().map(With::offline);
    let shut =
        |fleet: &crate::fleet::Fleet| of_kind(&lines(&decide(fleet, &policy(), NOW)), &["write"]).len();
    assert_eq!(shut(&fleet(hosts(0..8, WELL).into_iter().chain(silent(2)))), 2);
    assert_eq!(shut(&fleet(hosts(0..7, WELL).into_iter().chain(silent(3)))), 0);
    // Whatever becomes of the commands in flight, no check could be sent.
    let refused = |n: u32| host(n, "shut unmapped 1 -1m - 1326 -1m").result("map -1m 1326").offline();
    let with =
        |refused: Vec<Instance>| fleet(hosts(10..30, WELL).into_iter().chain(silent(2)).chain(refused));
    assert_eq!(shut(&with(vec![refused(1)])), 2);
    assert_eq!(shut(&with((1..4).map(refused).collect())), 0);
}
