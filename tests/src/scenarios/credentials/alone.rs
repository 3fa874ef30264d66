//! Hosts that are refused alone, or say so, and what the others wait for.

use super::deployment::{Fleet, Played, mapped};
use super::measures::percentile;
use crate::fleet::{InstanceId, Scripted};

/// A drive is lost on a healthy host six times, an hour after the last was noticed. `alone` of the forty hosts are refused.
pub(super) async fn lost_drive(seed: u64, alone: usize) -> Played {
    let fleet = Fleet::start(mapped(seed, 40));
    let hosts = fleet.hosts();
    let (refused, healthy) = hosts.split_at(alone);
    fleet.minutes(fleet.random("begin", 30)).await;
    fleet.manners(|manners| manners.refused.extend(refused.iter().cloned()));
    let (mut noticed, mut oldest) = (Vec::new(), Vec::new());
    for hour in 0..6 {
        fleet.minutes(60).await;
        let place = fleet.random(&format!("drive {hour}"), healthy.len() as u64) as usize;
        let (id, lost) = (&healthy[place], fleet.now());
        fleet.world(|world| world.host(id).lose_mapping());
        let is_noticed = |fleet: &Fleet| fleet.record().judged(id).is_some_and(|judged| judged > lost);
        noticed.push(fleet.until(180, is_noticed).await / 60);
        oldest.push(fleet.record().oldest.last().map_or(0, |(_, age)| age / 60));
    }
    let open = refused.iter().filter(|id| fleet.record().is_open(id)).count();
    let failed_open = i64::try_from(open).expect("it fits");
    fleet.end([("noticed_min", noticed), ("oldest_min", oldest), ("failed_open", vec![failed_open])])
}

/// What is wrong with the hosts that stand beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// Every log-on of theirs is refused.
    Refused,
    /// They say that they were refused, and made no log-on.
    Lying,
}

/// For four hours a new host every ten minutes, in a fleet of twenty, beside so many hosts that are refused or lie.
pub(super) async fn new_hosts(seed: u64, beside: Beside, count: usize) -> Played {
    let fleet = Fleet::start(mapped(seed, 20));
    fleet.minutes(fleet.random("begin", 30)).await;
    let odd = fleet.launch(count);
    match beside {
        Beside::Refused => fleet.manners(|manners| manners.refused.extend(odd)),
        Beside::Lying => fleet.world(|world| odd.iter().for_each(|id| world.host(id).always = Some(lie()))),
    }
    let mut new: Vec<InstanceId> = Vec::new();
    for _ in 0..24 {
        fleet.minutes(10).await;
        new.extend(fleet.launch(1));
    }
    fleet.until_open(&new).await;
    let waits: Vec<i64> = new.iter().filter_map(|id| fleet.record().wait(id)).collect();
    let n = i64::try_from(waits.len()).expect("it fits");
    let [med, p90, max] = [50, 90, 100].map(|percent| vec![percentile(waits.clone(), percent)]);
    fleet.end([("n", vec![n]), ("med", med), ("p90", p90), ("max", max)])
}

fn lie() -> Scripted {
    let line = r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"create","refused":1,"message":""}"#;
    Scripted::new("Failed", 78, line)
}
