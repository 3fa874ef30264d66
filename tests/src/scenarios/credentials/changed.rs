//! Passwords that change in the parameters, in the directory, or in both.

use jiff::Timestamp;

use super::deployment::{CLUSTER, Fleet, NEW, Played, RIGHT, WRONG, empty, mapped};
use crate::fleet::{InstanceId, Letter};

/// Twenty hosts are mapped, the parameter gets a wrong value for an hour, and thirty hosts are launched.
pub(super) async fn parameter_wrong(seed: u64) -> Played {
    let fleet = Fleet::start(mapped(seed, 20));
    fleet.minutes(35 + fleet.random("begin", 30)).await;
    let (before, began) = (fleet.hosts(), fleet.now());
    fleet.write_parameter(WRONG);
    fleet.launch(30);
    let mut open = 20;
    for _ in 0..60 {
        fleet.minutes(1).await;
        open = open.min(before.iter().filter(|id| fleet.record().is_open(id)).count());
    }
    fleet.write_parameter(RIGHT);
    let heal = fleet.until_open(&fleet.hosts()).await;
    let oldest = fleet.record().oldest_since(began).into_iter().max().unwrap_or_default();
    fleet.minutes(180).await;
    fleet.end([
        ("heal", vec![heal]),
        ("oldest", vec![oldest]),
        ("open", vec![i64::try_from(open).expect("it fits")]),
    ])
}

/// The directory changes, and the parameter follows two hours later. Containers use the drive on `in_use` of the 40 hosts.
pub(super) async fn parameter_follows(seed: u64, in_use: usize) -> Played {
    let fleet = Fleet::start(mapped(seed, 40));
    let hosts = fleet.hosts();
    let (live, idle) = hosts.split_at(in_use);
    fleet.manners(|manners| manners.in_use.extend(live.iter().cloned()));
    // As in the model, all proofs are a few minutes old.
    fleet.minutes(1 + fleet.random("begin", 4)).await;
    let began = fleet.now();
    fleet.world(|world| world.change_password_in_directory(NEW));
    fleet.minutes(120).await;
    // As in the model, what a renewal's old credential is refused afterwards is counted apart.
    let (followed, refusals) = (fleet.now(), fleet.refusals());
    fleet.write_parameter(NEW);
    let heal = fleet.until_open(&hosts).await;
    let oldest = fleet.record().oldest_since(began).into_iter().max().unwrap_or_default();
    let all_new = heal + fleet.until(240, |fleet| hold(fleet, idle, NEW)).await;
    fleet.minutes(120).await;
    let bad_after = fleet.refused_since(followed, &hosts);
    let mut played = fleet.end([
        ("heal", vec![heal]),
        ("oldest", vec![oldest]),
        ("all_B", vec![all_new]),
        ("bad_after", vec![bad_after]),
    ]);
    played.refusals.most = refusals.most;
    played
}

/// Whether the saved credentials of these hosts have that password.
fn hold(fleet: &Fleet, hosts: &[InstanceId], password: &str) -> bool {
    let mut holds = true;
    fleet.world(|world| {
        holds = hosts
            .iter()
            .all(|id| matches!(&world.host(id).letter, Letter::Smb(mapping) if mapping.password == password));
    });
    holds
}

/// Directory and parameter change at once, while forty hosts are mapped.
pub(super) async fn both(seed: u64) -> Played {
    let fleet = Fleet::start(mapped(seed, 40));
    // As in the model, some sessions still live.
    fleet.minutes(1 + fleet.random("begin", 4)).await;
    let began = fleet.now();
    fleet.world(|world| world.change_password_in_directory(NEW));
    fleet.write_parameter(NEW);
    let hosts = fleet.hosts();
    let judged_since = |fleet: &Fleet, id: &InstanceId, at: Timestamp| {
        fleet.record().judged(id).is_some_and(|judged| judged > at)
    };
    let looked = fleet.until(240, |fleet| hosts.iter().all(|id| judged_since(fleet, id, began))).await;
    fleet.minutes(180).await;
    let shut = i64::try_from(fleet.record().shut(began, None)).expect("it fits");
    fleet.end([("looked", vec![looked]), ("shut", vec![shut])])
}

/// Ten new hosts and a wrong password, and every host that was refused registers again a few minutes later.
pub(super) async fn registers_again(seed: u64) -> Played {
    let fleet = Fleet::start(empty(seed).windows_instances(CLUSTER, 10));
    fleet.write_parameter(WRONG);
    let mut counted = 0;
    for _ in 0..30 {
        fleet.minutes(3).await;
        let mut aws = fleet.stack().local.aws();
        let refused: Vec<InstanceId> =
            aws.world.account.log_ons[counted..].iter().map(|one| one.instance.clone()).collect();
        counted += refused.len();
        refused.iter().for_each(|id| aws.register_again(id));
    }
    fleet.end([])
}
