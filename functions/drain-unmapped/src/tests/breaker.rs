//! When a fault looks shared, so that nothing is drained.

use shared::config::Policy;

use super::build::{NOW, With, fleet, host, hosts, policy};
use crate::decide::decide;
use crate::fleet::Instance;

const WELL: &str = "open mapped -2d -10m -";

/// The rule that opens the breaker, or nothing.
fn check(name: &str, instances: Vec<Instance>, expected: &str) {
    // Only the breaker can withhold the drain of the last one.
    let generous = Policy { max_drain_percent: 100, ..policy() };
    let n = instances.len() as u32;
    let broken = host(n + 500, "shut unmapped 9 -1m - 1219 -2d");
    let plan = decide(&fleet(instances.into_iter().chain([broken.clone()])), &generous, NOW);
    let breaker = plan.breakers.values().map(|rule| rule.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(breaker, expected, "{name}");
    let withheld = plan.withheld.get(&broken.record.arn).map(|rule| rule.to_string()).unwrap_or_default();
    if expected == "breaker-nothing-mapped" {
        assert_eq!(withheld, "half-must-stay", "{name}");
    } else {
        assert_eq!(withheld, expected, "{name}");
    }
}

/// Some that are well, and others; `check` adds one that is broken.
fn with(well: u32, others: impl IntoIterator<Item = Instance>) -> Vec<Instance> {
    hosts(0..well, WELL).into_iter().chain(others).collect()
}

#[test]
fn it_opens_when_too_many_are_unmapped_or_drained_by_us() {
    let unmapped = |range| hosts(range, "shut unmapped 1 -5m - 1219 -5m");
    let drained = |n| host(n, "shut restarted -1m -").draining().drain("done 1219 -1h");
    check("2 of 10", with(8, unmapped(100..101)), "");
    check("3 of 10", with(7, unmapped(100..102)), "breaker-too-many");
    // 20 % of 11 are 2.2, rounded up.
    check("3 of 11", with(8, unmapped(100..102)), "");
    check("4 of 11", with(7, unmapped(100..103)), "breaker-too-many");
    check("1 of 2", with(1, []), "");
    check("drained by us", with(7, [drained(100), drained(101)]), "breaker-too-many");
    check(
        "drained by us and unmapped count once",
        with(8, [host(100, "shut unmapped 1 -5m - 1219 -5m").draining().drain("done 1219 -1h")]),
        "",
    );
    let by_others = [
        drained(100).drain("requested 1219 -1h"),
        drained(101).with(|i| i.record.attributes.drain = shared::state::Drain::Absent),
    ];
    check("drained by others", with(7, by_others), "");
    check(
        "given back by us",
        with(7, [drained(100).status(shared::ecs::Status::Active), drained(101).drain("released -1m")]),
        "",
    );
    check("disconnected", with(8, unmapped(100..104).into_iter().map(With::disconnected)), "");
    check(
        "in another cluster",
        with(
            8,
            unmapped(100..101)
                .into_iter()
                .chain(hosts(200..209, WELL).into_iter().map(|h| h.cluster("other"))),
        ),
        "",
    );
}

#[test]
fn it_opens_when_a_herd_shares_a_class_that_is_not_the_hosts() {
    let failing = |n, cause: &str, since: &str| host(n, &format!("shut unmapped 1 -1m - {cause} {since}"));
    let herd = |causes: &[(&str, &str)]| {
        with(40, causes.iter().enumerate().map(|(i, (cause, since))| failing(100 + i as u32, cause, since)))
    };
    for cause in ["53", "1355", "1326", "2", "lost", "undelivered", "4711"] {
        let three = [(cause, "-5m"); 3];
        check(cause, herd(&three), "breaker-herd");
        check(cause, herd(&three[..2]), "");
    }
    check("of the host's class", herd(&[("1219", "-5m"); 3]), "");
    check("of two classes", herd(&[("53", "-5m"), ("53", "-5m"), ("1355", "-5m")]), "");
    check("within the hour", herd(&[("53", "-60m"), ("64", "-5m"), ("dns", "-5m")]), "breaker-herd");
    check("one before the hour", herd(&[("53", "-3600001ms"), ("53", "-5m"), ("53", "-5m")]), "");
    let half = [
        ("53", "-5m"),
        ("53", "-5m"),
        ("53", "-5m"),
        ("1219", "-5m"),
        ("1219", "-5m"),
        ("1219", "-5m"),
        ("1219", "-5m"),
    ];
    check("half of the recent", herd(&half[..6]), "breaker-herd");
    check("less than half", herd(&half), "");
}

#[test]
fn it_opens_when_nothing_is_mapped_or_too_little_is_known() {
    check("nothing mapped", vec![], "breaker-nothing-mapped");
    check("only doubtful", hosts(0..9, "open doubtful -2d -10m - 53"), "breaker-nothing-mapped");
    check("only shut by hand", hosts(0..9, "shut mapped -2d -10m -"), "breaker-nothing-mapped");
    check("draining but mapped", with(2, [host(100, WELL).draining()]), "");
    check("2 of 10 unknown", with(7, hosts(100..102, "shut")), "");
    check("3 of 10 unknown", with(6, hosts(100..103, "shut")), "breaker-unknown");
    check("restarted is not unknown", with(6, hosts(100..103, "shut restarted -1m -")), "");
    check("disconnected", with(6, hosts(100..103, "shut").into_iter().map(With::disconnected)), "");
}
