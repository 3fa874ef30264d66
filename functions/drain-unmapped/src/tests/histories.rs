//! Rules whose point shows only in time.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use shared::brake::Parameters;
use shared::config::Policy;
use shared::ids::InstanceId;

use super::build::{FleetWith, NOW, fleet, host, hosts, of_kind, policy};
use super::world::{HANGS, TAKES_NONE, World};
use crate::fleet::Fleet;

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
fn a_file_server_that_was_away_for_ninety_minutes_shuts_no_gate_by_silence_and_drains_nobody() {
    let back = NOW + MINUTE * 90;
    for size in [3, 10, 100] {
        for offset in 0..3 {
            let stands = |n| format!("open mapped -9d -{}m -1d", 1 + (n * 7 + offset) % 30);
            let hosts = (0..size).map(|n| host(n * 31 + offset, &stands(n)));
            let nature = move |_, _, at| if at < back { "53" } else { "mapped" };
            let mut world = World::new(fleet(hosts), policy(), Box::new(nature));
            let mut shut = shut_within(&mut world, 90);
            assert!(shut.len() > size as usize / 2, "most were heard: {}", shut.len());
            shut.extend(shut_within(&mut world, 10));
            assert!(!shut.iter().any(|line| line.contains("silent")), "{size} {offset}: {shut:?}");
            assert!(world.fleet.instances.values().all(|i| i.is_mapped()), "{size} {offset}");
            shut_within(&mut world, 90);
            assert!(!world.has_drained, "{size} {offset}");
        }
    }
}

/// Hosts that say nothing, the first ones, and four others behind them: those of the others that were not heard in 15 h.
fn unheard(fleet: Fleet, silent: u32, says: &'static str) -> BTreeSet<InstanceId> {
    let nature = move |n, _, _| if n < silent { says } else { "mapped" };
    // All are due again before the command is over that nobody answers.
    let policy = Policy { reprobe: MINUTE * 6, ..policy() };
    let mut world = World::new(fleet, policy, Box::new(nature));
    let mut unheard: BTreeSet<InstanceId> = (silent..silent + 4).map(|n| host(n, "shut").id).collect();
    for _ in 0..15 * 60 {
        world.look(MINUTE);
        let heard = |id: &InstanceId| {
            world.fleet.instances.values().any(|one| one.id == *id && one.is_mapped() && one.floor() >= NOW)
        };
        unheard.retain(|id| !heard(id));
    }
    unheard
}

#[test]
fn hosts_that_say_nothing_do_not_keep_the_others_from_being_heard_however_many_they_are() {
    // Two of them hold a check for ten minutes, and then SSM stops it, or it expires. With ten or more, SSM's history no
    // longer tells of the first one's turn when all have had theirs.
    let open = ["open mapped -9d -62m -1d", "open mapped -9d -61m -1d"];
    // Not reached, or stopped with its siblings, and so judged without having had a turn.
    let shut = ["shut unmapped 9 -22m - undelivered -9h"; 2];
    for silent in [2, 4, 5, 9, 10, 15, 30] {
        for says in [HANGS, TAKES_NONE] {
            for [first, others] in [open, ["shut", open[1]], [open[0], shut[1]], shut] {
                let stands = |n| if n < silent { first } else { others };
                let fleet = || fleet((0..silent + 4).map(|n| host(n, stands(n))));
                // Only looked at, since the parameters cannot be read; or led by a canary.
                let unread = fleet().having(|fleet| fleet.parameters = Parameters::Unread);
                for fleet in [unread, fleet().unproven()] {
                    let unheard = unheard(fleet, silent, says);
                    assert!(unheard.is_empty(), "{silent} say {says}; {first}, {others}: {unheard:?}");
                }
            }
        }
    }
}

#[test]
fn one_odd_host_does_not_hold_up_the_adoption_of_a_fleet_that_was_mapped_by_hand() {
    for odd in [0, 1, 7, 39] {
        let nature = move |n, _, _| if n == odd { "drive-in-use" } else { "mapped" };
        let mut world = World::new(fleet(hosts(0..40, "shut")).unproven(), policy(), Box::new(nature));
        shut_within(&mut world, 8);
        let open = world.fleet.instances.values().filter(|instance| instance.is_mapped()).count();
        assert_eq!(open, 39, "the odd one is {odd}");
    }
}
