//! Whose a drain is: drain attribute × status × hold × what was proven.

use shared::config::{Mode, Policy};
use shared::ecs::Status;

use super::build::{With, decided, fleet, host, hosts, of_kind, policy};

const WELL: &str = "open mapped -2d -10m -";

#[test]
fn what_follows_from_a_drain_attribute() {
    let (proven, before, broken) =
        ("open mapped -40m -10m -", "open mapped -2d -50m -", "shut unmapped 9 -1m - 1219 -40m");
    let doubtful = "open doubtful -2d -10m - 53";
    // (drain attribute, gate and state, active, active and held, draining, draining and held)
    let table = [
        ("", proven, ["", "", "", ""]),
        ("", broken, ["drain 1: 1219", "", "", ""]),
        // Ours: given back once proven after the drain, unless an operator activated it again or holds it.
        ("done 1219 -30m", proven, ["release 1", "release 1", "give back 1", ""]),
        ("done 1219 -10m", proven, ["release 1", "release 1", "", ""]),
        ("done 1219 -601s", proven, ["release 1", "release 1", "give back 1", ""]),
        ("done 1219 -30m", before, ["release 1", "release 1", "", ""]),
        ("done 1219 -30m", "shut mapped -40m -10m -", ["release 1", "release 1", "", ""]),
        ("done 1219 -30m", doubtful, ["release 1", "release 1", "", ""]),
        ("done 1219 -30m", broken, ["release 1", "release 1", "", ""]),
        ("done 1219 -30m", "shut", ["release 1", "release 1", "", ""]),
        // Not proven to be ours: decided anew while active, never given back while draining.
        ("requested 1219 -30m", proven, ["release 1", "release 1", "", ""]),
        ("requested 1219 -30m", before, ["release 1", "release 1", "", ""]),
        ("requested 1219 -30m", broken, ["drain 1: 1219", "", "", ""]),
        ("requested 1219 -30m", "shut", ["", "", "", ""]),
        // Not drained again until it is proven once.
        ("released -30m", proven, ["forget 1", "forget 1", "", ""]),
        ("released -10m", proven, ["", "", "", ""]),
        ("released -30m", before, ["", "", "", ""]),
        ("released -30m", broken, ["", "", "", ""]),
        // Not ours.
        ("maintenance", proven, ["", "", "", ""]),
        ("maintenance", broken, ["", "", "", ""]),
    ];
    for (attribute, stands, expected) in table {
        let mut instance = host(1, stands);
        if !attribute.is_empty() {
            instance = instance.drain(attribute);
        }
        let cases = [
            instance.clone(),
            instance.clone().held(),
            instance.clone().draining(),
            instance.clone().draining().held(),
        ];
        for (case, expected) in cases.into_iter().zip(expected) {
            let (status, hold) = (case.record.status, case.record.attributes.hold);
            let others = hosts(20..40, WELL);
            let lines = decided(&fleet(others.clone().into_iter().chain([case.clone()])), &policy());
            let said = of_kind(&lines, &["drain", "release", "give back", "forget"]).join(" ");
            assert_eq!(said, expected, "{attribute:?}, {stands}, {status:?}, held: {hold}");
            for away in [case.clone().disconnected(), case.status(Status::Other)] {
                let lines = decided(&fleet(others.clone().into_iter().chain([away])), &policy());
                assert_eq!(of_kind(&lines, &["drain", "release", "give back", "forget"]), [""; 0]);
            }
        }
    }
}

#[test]
fn a_proof_judged_in_the_same_look_gives_back() {
    let healed = host(1, "shut unmapped 9 -20m - 1219 -50m")
        .draining()
        .drain("done 1219 -15m")
        .result("map -1m mapped");
    let lines = decided(&fleet([healed.clone(), host(2, WELL)]), &policy());
    assert_eq!(lines, ["write 1: open mapped -1m -1m -", "give back 1"]);
    // Requested before the drain, it does not.
    let lines = decided(&fleet([healed.drain("done 1219 -30s"), host(2, WELL)]), &policy());
    assert_eq!(lines, ["write 1: open mapped -1m -1m -"]);
}

#[test]
fn what_was_drained_is_given_back_in_every_mode_that_acts() {
    for mode in [Mode::Map, Mode::Enforce] {
        let drained = host(1, "open mapped -40m -10m -").draining().drain("done 1219 -30m");
        assert_eq!(decided(&fleet([drained]), &Policy { mode, ..policy() }), ["give back 1"], "{mode:?}");
    }
}
