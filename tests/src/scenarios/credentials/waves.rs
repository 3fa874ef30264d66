//! Waves of new or restarted hosts.

use std::time::Duration;

use tokio::time::sleep;

use super::deployment::{Fleet, NEW, Played, mapped};
use super::measures::percentile;
use crate::fleet::{Agent, InstanceId, Power};
use crate::local_aws::LocalAws;

/// New hosts that start at once in a fleet of twenty, whose password was last accepted ten hours ago. The first may hang.
pub(super) async fn ordinary(seed: u64, hosts: usize, hangs: bool) -> Played {
    let fleet = Fleet::start(mapped(seed, 20));
    fleet.minutes(40).await;
    sleep(Duration::from_secs(fleet.random("begin", 600))).await;
    fleet.manners(|manners| manners.next_map_hangs = hangs);
    let wave = fleet.launch(hosts);
    // The one that hangs opens last, if at all, and is not counted.
    let counted = hosts - usize::from(hangs);
    let waits = |fleet: &Fleet| -> Vec<i64> {
        let record = fleet.record();
        let mut waits: Vec<i64> = wave.iter().filter_map(|id| record.wait(id)).collect();
        waits.sort_unstable();
        waits.truncate(counted);
        waits
    };
    fleet.until(120, |fleet| waits(fleet).len() == counted).await;
    let [first, med, last] = [0, 50, 100].map(|percent| vec![percentile(waits(&fleet), percent)]);
    fleet.minutes(60).await;
    fleet.end([("first", first), ("med", med), ("last", last)])
}

/// What is known of the old password when the directory changes unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing new: the mapped hosts are idle.
    Idle,
    /// Containers use the drive on all mapped hosts.
    Live,
    /// A new host was let in less than two minutes before the wave.
    Warm,
}

/// The same wave after the directory changed unnoticed, and an hour of it.
pub(super) async fn directory_changed(seed: u64, hosts: usize, known: Known) -> Played {
    let fleet = Fleet::start(mapped(seed, 20));
    fleet.minutes(40).await;
    sleep(Duration::from_secs(fleet.random("begin", 600))).await;
    match known {
        Known::Idle => {}
        Known::Live => fleet.manners(|manners| manners.in_use.extend(fleet.hosts())),
        Known::Warm => {
            let first = fleet.launch(1);
            fleet.until_open(&first).await;
        }
    }
    // Sessions that are to stay alive have to be alive.
    if known == Known::Live {
        fleet.minutes(40).await;
    }
    fleet.world(|world| world.change_password_in_directory(NEW));
    let began = fleet.now();
    let wave = fleet.launch(hosts);
    fleet.minutes(60).await;
    let bad = fleet.refused_since(began, &wave);
    fleet.end([("bad_of_wave", vec![bad])])
}

/// A new host every 25 minutes for six hours, after the directory changed. Containers use the drive on the twenty others.
pub(super) async fn one_at_a_time(seed: u64) -> Played {
    let fleet = Fleet::start(mapped(seed, 20));
    fleet.manners(|manners| manners.in_use.extend(fleet.hosts()));
    fleet.minutes(40 + fleet.random("begin", 25)).await;
    fleet.world(|world| world.change_password_in_directory(NEW));
    for _ in 0..14 {
        fleet.launch(1);
        fleet.minutes(25).await;
    }
    fleet.end([])
}

/// Fifty of sixty hosts are stopped and started at once. In the night the directory may have changed.
pub(super) async fn restarted(seed: u64, directory_changes: bool) -> Played {
    let fleet = Fleet::start(mapped(seed, 60));
    fleet.minutes(40 + fleet.random("begin", 30)).await;
    if directory_changes {
        fleet.world(|world| world.change_password_in_directory(NEW));
    }
    let hosts = fleet.hosts();
    let restarted = &hosts[..50];
    each(&fleet, restarted, LocalAws::stop);
    let is_stopped = |fleet: &Fleet| {
        restarted.iter().all(|id| fleet.stack().local.aws().world.host(id).power == Power::Stopped)
    };
    fleet.until(10, is_stopped).await;
    each(&fleet, restarted, LocalAws::start);
    fleet.until(10, |fleet| restarted.iter().all(|id| is_ready(fleet, id))).await;
    if directory_changes {
        fleet.minutes(240).await;
        return fleet.end([]);
    }
    let all_back = fleet.until_open(restarted).await;
    fleet.minutes(60).await;
    fleet.end([("all_back", vec![all_back])])
}

fn each(fleet: &Fleet, hosts: &[InstanceId], act: impl Fn(&mut LocalAws, &str)) {
    let mut aws = fleet.stack().local.aws();
    hosts.iter().for_each(|id| act(&mut aws, id));
}

/// Whether both agents are online.
fn is_ready(fleet: &Fleet, id: &InstanceId) -> bool {
    let aws = fleet.stack().local.aws();
    let is_connected = aws.container_instance(id).is_some_and(|instance| instance.agent_connected);
    is_connected && aws.world.hosts[id].agent == Agent::Online
}
