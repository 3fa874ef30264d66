//! Faults that are no matter of passwords, and fleets in steady state: what the budget delays there.

use std::time::Duration;

use shared::cause::Cause;

use super::deployment::{Fleet, Played, mapped};
use super::measures::percentile;
use crate::fleet::{InstanceId, Scripted};

/// The file server is away for so many minutes.
pub(super) async fn server_away(seed: u64, minutes: u64, hosts: usize) -> Played {
    let fleet = Fleet::start(mapped(seed, hosts));
    fleet.minutes(60 + fleet.random("begin", 30)).await;
    let began = fleet.now();
    fleet.world(|world| world.file_server.goes_down());
    fleet.minutes(minutes).await;
    fleet.world(|world| world.file_server.comes_back());
    let heal = fleet.until_open(&fleet.hosts()).await;
    let shut = i64::try_from(fleet.record().shut(began, None)).expect("it fits");
    fleet.minutes(120).await;
    let drains = i64::try_from(fleet.record().drained.len()).expect("it fits");
    fleet.end([("shut", vec![shut]), ("heal", vec![heal]), ("drains", vec![drains])])
}

/// The scripts of ten hosts print nothing for an hour.
pub(super) async fn silent_script(seed: u64) -> Played {
    let fleet = Fleet::start(mapped(seed, 10));
    fleet.minutes(60 + fleet.random("begin", 30)).await;
    let (hosts, began) = (fleet.hosts(), fleet.now());
    let says = |answer: Option<Scripted>| {
        fleet.world(|world| world.hosts.values_mut().for_each(|host| host.always.clone_from(&answer)));
    };
    says(Some(Scripted::success("")));
    fleet.minutes(60).await;
    says(None);
    let ended = fleet.now();
    let is_proven = |fleet: &Fleet, id: &InstanceId| {
        let record = fleet.record();
        record.is_open(id) && record.judged(id).is_some_and(|judged| judged > ended)
    };
    let heal = fleet.until(240, |fleet| hosts.iter().all(|id| is_proven(fleet, id))).await;
    let oldest = fleet.record().oldest_since(began).into_iter().max().unwrap_or_default();
    fleet.minutes(120).await;
    fleet.end([("heal", vec![heal]), ("oldest", vec![oldest])])
}

/// Port 445 is blocked for ten of 110 hosts, for three hours.
pub(super) async fn blocked(seed: u64) -> Played {
    let fleet = Fleet::start(mapped(seed, 110));
    fleet.minutes(60 + fleet.random("begin", 30)).await;
    let (hosts, began) = (fleet.hosts(), fleet.now());
    let block = |blocks: bool| {
        fleet.world(|world| hosts[..10].iter().for_each(|id| world.host(id).port_445_blocked = blocks));
    };
    block(true);
    fleet.minutes(180).await;
    block(false);
    let heal = fleet.until_open(&hosts).await;
    let mut drained: Vec<i64> =
        fleet.record().drained.values().map(|at| at.duration_since(began).as_secs() / 60).collect();
    drained.sort_unstable();
    fleet.minutes(60).await;
    fleet.end([("heal", vec![heal]), ("drained_at_min", drained)])
}

/// A fleet in steady state for eight hours, where a check takes so many seconds and some hosts are refused alone.
pub(super) async fn steady(seed: u64, hosts: usize, check: u64, alone: usize) -> Played {
    let fleet = Fleet::start(mapped(seed, hosts).with(|world| {
        world.pace.check = Duration::from_secs(check);
    }));
    let refused: Vec<InstanceId> = fleet.hosts().into_iter().take(alone).collect();
    fleet.manners(|manners| manners.refused.extend(refused));
    fleet.minutes(180).await;
    let settled = fleet.now();
    fleet.minutes(300).await;
    let ages = fleet.record().oldest_since(settled);
    let [max, med] = [100, 50].map(|percent| vec![percentile(ages.clone(), percent) / 60]);
    let silent = i64::try_from(fleet.record().shut(settled, Some(Cause::SILENT))).expect("it fits");
    let unwell = fleet.stack().metric_history("SsmUnwell");
    let unwell = unwell.into_iter().filter(|(at, value)| *at >= settled && *value > 0.0).count();
    fleet.end([
        ("oldest_max_min", max),
        ("oldest_med", med),
        ("silent", vec![silent]),
        ("unwell", vec![i64::try_from(unwell).expect("it fits")]),
    ])
}
