//! Proofs of another share: gates shut at once, and nothing that is in flight opens them in the same look.

use shared::state::StateAttribute;

use super::build::{With, decided, fleet, host, hosts, of_kind, policy};
use crate::fleet::Instance;

const WELL: &str = "open mapped -9d -1m -";

/// What stands on the instance is of another share.
fn of_other_share(instance: Instance) -> Instance {
    instance.with(|i| {
        let state = i.record.attributes.state.state().unwrap().clone();
        i.record.attributes.state = StateAttribute::OtherShare(state);
    })
}

fn about_first(instance: Instance) -> Vec<String> {
    let lines = decided(&fleet(hosts(21..41, WELL).into_iter().chain([instance])), &policy());
    of_kind(&lines, &["write 1:", "check 1 ", "map 1 "]).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_proof_of_another_share_shuts_the_gate_and_is_followed_by_a_check() {
    let shut = "write 1: shut unmapped 1 -10m -20m other-share 0m";
    let check = "check 1 (2/0)";
    for stands in ["open mapped -9d -10m -20m", "open doubtful -9d -10m -20m 53", "shut mapped -9d -10m -20m"]
    {
        assert_eq!(about_first(of_other_share(host(1, stands))), [shut, check], "{stands}");
    }
    let stands = "open mapped -9d -10m -20m";
    for result in ["check -1m mapped", "map -1m changed", "check -11m mapped"] {
        let lines = about_first(of_other_share(host(1, stands)).result(result));
        assert_eq!(lines[0], shut, "{result}: the next look judges it");
        assert!(!lines.iter().any(|line| line.contains("open")), "{lines:?}");
    }
    assert_eq!(about_first(of_other_share(host(1, stands)).disconnected()), [""; 0]);
}

#[test]
fn after_that_only_a_later_proof_opens_the_gate() {
    let shut = |result: &str| about_first(host(1, "shut unmapped 1 -10m - other-share -5m").result(result));
    assert_eq!(shut("check -10m mapped"), ["check 1 (1/0)"]);
    assert_eq!(shut("check -1m mapped"), ["write 1: open mapped -1m -1m -"]);
    assert_eq!(shut("check -1m mapped-elsewhere"), ["write 1: shut unmapped 2 -1m - mapped-elsewhere -5m"]);
}

#[test]
fn an_instance_that_proves_another_share_again_is_asked_with_the_usual_waits() {
    let asked = |attempts: u32, judged: &str| {
        about_first(host(1, &format!("shut unmapped {attempts} {judged} - other-share -40m")))
    };
    let check = ["check 1 (1/0)"];
    assert_eq!(asked(1, "-1s"), check);
    assert_eq!(asked(2, "-59s"), [""; 0]);
    assert_eq!(asked(2, "-66s"), check);
    assert_eq!(asked(5, "-14m"), [""; 0]);
    assert_eq!(asked(5, "-17m"), check);
}
