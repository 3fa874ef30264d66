//! Rules whose effect shows only over time.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use shared::config::Policy;
use shared::ids::InstanceId;

use super::build::{FleetWith, NOW, With, fleet, host, hosts, of_kind, policy};
use super::world::{HANGS, TAKES_NONE, World};
use crate::fleet::{Fleet, Instance};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Looks once a minute; every line that shut a gate.
fn shut_within(world: &mut World, minutes: usize) -> Vec<String> {
    let mut shut = Vec::new();
    for _ in 0..minutes {
        let lines = super::build::lines(&world.look(MINUTE));
        shut.extend(
            of_kind(&lines, &["write"]).iter().filter(|l| l.contains("shut")).map(|l| (*l).to_owned()),
        );
    }
    shut
}

#[test]
fn hours_without_checks_shut_no_gate_when_checks_are_sent_again() {
    for size in [3, 10, 40, 100] {
        for offset in 0..5 {
            let stands = |n| format!("open mapped -9d -{}m -1d", 180 + (n + offset) % 30);
            let mut world = World::new(
                fleet((0..size).map(|n| host(n * 31 + offset, &stands(n)))),
                policy(),
                Box::new(|_, _, _| "mapped"),
            );
            assert_eq!(shut_within(&mut world, 60), [""; 0], "{size} {offset}");
        }
    }
}

#[test]
fn a_file_server_that_is_away_for_ninety_minutes_shuts_no_gate_by_silence_and_drains_nothing() {
    let back = NOW + MINUTE * 90;
    for size in [3, 10, 100] {
        for offset in 0..3 {
            let stands = |n| format!("open mapped -9d -{}m -1d", 1 + (n * 7 + offset) % 30);
            let hosts = (0..size).map(|n| host(n * 31 + offset, &stands(n)));
            let nature = move |_, _, at| if at < back { "port-445 port" } else { "mapped" };
            let mut world = World::new(fleet(hosts), policy(), Box::new(nature));
            let mut shut = shut_within(&mut world, 90);
            assert!(shut.len() > size as usize / 2, "most were judged: {}", shut.len());
            shut.extend(shut_within(&mut world, 10));
            assert!(!shut.iter().any(|line| line.contains("silent")), "{size} {offset}: {shut:?}");
            assert!(world.fleet.instances.values().all(Instance::is_open), "{size} {offset}");
            shut_within(&mut world, 90);
            assert!(world.fleet.instances.values().all(Instance::is_mapped), "{size} {offset}");
            assert!(!world.has_drained, "{size} {offset}");
        }
    }
}

/// The first instances never answer; four others wait behind them. Which of the others were not proven in 15 hours.
fn unproven_others(fleet: Fleet, silent: u32, says: &'static str) -> BTreeSet<InstanceId> {
    let nature = move |n, _, _| if n < silent { says } else { "mapped" };
    // All are due again before the command without an answer is over.
    let policy = Policy { reprobe: MINUTE * 6, ..policy() };
    let mut world = World::new(fleet, policy, Box::new(nature));
    let mut unproven: BTreeSet<InstanceId> = (silent..silent + 4).map(|n| host(n, "shut").id).collect();
    for _ in 0..15 * 60 {
        world.look(MINUTE);
        let is_proven = |id: &InstanceId| {
            world.fleet.instances.values().any(|one| one.id == *id && one.is_mapped() && one.floor() >= NOW)
        };
        unproven.retain(|id| !is_proven(id));
    }
    unproven
}

#[test]
fn any_number_of_instances_without_an_answer_does_not_keep_the_others_from_being_proven() {
    // Two of them hold a check for ten minutes, and then SSM stops it, or it expires. With ten or more, the first one's
    // turn has left SSM's history when all have had theirs.
    let open = ["open mapped -9d -62m -1d", "open mapped -9d -61m -1d"];
    // The command was not delivered or was stopped, so the instance is judged without having had its turn.
    let shut = ["shut unmapped 9 -22m - undelivered -9h"; 2];
    for silent in [2, 4, 5, 9, 10, 15, 30] {
        for says in [HANGS, TAKES_NONE] {
            for [first, others] in [open, ["shut", open[1]], [open[0], shut[1]], shut] {
                let stands = |n| if n < silent { first } else { others };
                let fleet = || fleet((0..silent + 4).map(|n| host(n, stands(n))));
                let unproven = unproven_others(fleet().not_fresh(), silent, says);
                assert!(unproven.is_empty(), "{silent} {says}; {first}, {others}: {unproven:?}");
            }
        }
    }
}

#[test]
fn one_odd_instance_does_not_delay_the_adoption_of_a_fleet_that_was_mapped_by_hand() {
    for odd in [0, 1, 7, 39] {
        let nature = move |n, _, _| if n == odd { "drive-in-use" } else { "mapped" };
        let instances = hosts(0..40, "shut").into_iter().map(|instance| instance.registered("-1h"));
        let mut world = World::new(fleet(instances).not_fresh(), policy(), Box::new(nature));
        shut_within(&mut world, 12);
        let open = world.fleet.instances.values().filter(|instance| instance.is_mapped()).count();
        assert_eq!(open, 39, "the odd one is {odd}");
    }
}
