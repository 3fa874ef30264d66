//! First deployments: a wrong password in the parameters, and hosts that are mapped by hand.

use std::time::Duration;

use super::deployment::{CLUSTER, Fleet, Played, REMOTE, RIGHT, USER, WRONG, empty};
use crate::fleet::World;
use crate::scenarios::base;

/// A fleet without attributes, registered an hour ago.
fn unknown(seed: u64, hosts: usize) -> World {
    empty(seed).windows_instances(CLUSTER, hosts)
}

fn with_wrong_parameter(world: World) -> World {
    let yesterday = base() - Duration::from_secs(86_400);
    world.with(|world| world.write_password_parameter(WRONG, yesterday))
}

/// Fifty hosts and a wrong password for four hours, then the right one. `delay` is what the tools take longer.
pub(super) async fn wrong_password(seed: u64, delay: Duration) -> Played {
    let world = with_wrong_parameter(unknown(seed, 50));
    let fleet = Fleet::start(world.with(|world| {
        world.hosts.values_mut().for_each(|host| host.script_delay = delay);
    }));
    fleet.minutes(240 + fleet.random("fix", 4)).await;
    fleet.write_parameter(RIGHT);
    let heal = fleet.until_open(&fleet.hosts()).await;
    fleet.end([("heal", vec![heal])])
}

/// The same, with a correction every four minutes, of which the fifth is right.
pub(super) async fn fifth_correction(seed: u64) -> Played {
    let fleet = Fleet::start(with_wrong_parameter(unknown(seed, 50)));
    for password in ["wrong 2", "wrong 3", "wrong 4", "wrong 5", RIGHT] {
        fleet.minutes(4).await;
        fleet.write_parameter(password);
    }
    let heal = fleet.until_open(&fleet.hosts()).await;
    fleet.minutes(240).await;
    fleet.end([("heal", vec![heal])])
}

/// How the hosts of an adopted fleet were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    MappedByHand,
    /// Mapped by hand, while the parameters hold a wrong password.
    ParameterWrong,
    NotMapped,
}

/// Forty hosts without attributes.
pub(super) async fn adopted(seed: u64, before: Before) -> Played {
    let world = (0..40).fold(empty(seed), |world, _| {
        world.windows_instance(CLUSTER, |host| match before {
            Before::NotMapped => host,
            _ => host.mapped_by_hand(REMOTE, USER, RIGHT),
        })
    });
    let world = if before == Before::ParameterWrong { with_wrong_parameter(world) } else { world };
    let fleet = Fleet::start(world);
    let open = fleet.until_open(&fleet.hosts()).await;
    let (maps, checks) = (fleet.sent("map").1, fleet.sent("check").0);
    fleet.minutes(240).await;
    match before {
        Before::MappedByHand => {
            fleet.end([("adopted", vec![open]), ("maps", vec![maps]), ("checks", vec![checks])])
        }
        Before::ParameterWrong => fleet.end([("adopted", vec![open])]),
        Before::NotMapped => fleet.end([("mapped", vec![open])]),
    }
}
