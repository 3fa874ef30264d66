//! Disturbances about refused log-ons. They have a generator of their own, so that all other draws stay as they were.

use std::time::Duration;

use super::plan::{Conditions, FAULT_PERIOD};
use super::world_event::{Disturbance, DisturbanceKind, Fate, HostNumber, Trouble, WorldEvent};
use crate::fleet::Lie;

/// The number of the first host of these waves: no other host has as high a one.
const FIRST_HOST: HostNumber = 0x200;

/// The budget, how often a log-on counts, and a threshold that mostly is above what the budget allows.
pub(super) fn lock_out(rng: &mut fastrand::Rng, conditions: &mut Conditions) -> u32 {
    let budget = [3, 3, 3, 4][rng.usize(0..4)];
    conditions.multiplier = rng.u32(1..=3);
    let is_as_recommended = rng.u8(..) < 220;
    conditions.lock_out = conditions
        .lock_out
        .map(|threshold| if is_as_recommended { 3 * budget as usize + 1 + threshold / 4 } else { threshold });
    budget
}

/// What happens about refusals, in a fleet of so many hosts.
pub(super) fn disturbances(rng: &mut fastrand::Rng, hosts: u64) -> Vec<Disturbance> {
    let mut disturbances = Vec::new();
    for kind in DisturbanceKind::OF_REFUSALS {
        let most = match kind {
            DisturbanceKind::Refused => 8,
            DisturbanceKind::Alone => 3,
            _ => 2,
        };
        if !rng.bool() {
            continue;
        }
        for _ in 0..rng.usize(1..=most) {
            let first = FIRST_HOST + 0x10 * disturbances.len() as u64;
            let events = match kind {
                DisturbanceKind::Refused => refused(rng),
                DisturbanceKind::Alone => alone(rng, hosts),
                _ => late_wave(rng, first),
            };
            disturbances.push(Disturbance { kind, events });
        }
    }
    disturbances
}

fn seconds(rng: &mut fastrand::Rng, least: u64, most: u64) -> Duration {
    Duration::from_secs(rng.u64(least..=most))
}

/// The next host that is refused registers again, ends, or is stopped and started, soon after.
fn refused(rng: &mut fastrand::Rng) -> Vec<(Duration, WorldEvent)> {
    let at = seconds(rng, 0, FAULT_PERIOD.as_secs() - 60);
    let after = if rng.bool() { seconds(rng, 0, 60) } else { seconds(rng, 0, 600) };
    let fate = match rng.u8(0..4) {
        0 | 1 => Fate::RegistersAgain,
        2 => Fate::Ends,
        _ => Fate::StopsFor(seconds(rng, 60, 900)),
    };
    vec![(at, WorldEvent::NextRefused { fate, after })]
}

/// One host alone is refused every log-on, or does not say what is true; mostly for good.
fn alone(rng: &mut fastrand::Rng, hosts: u64) -> Vec<(Duration, WorldEvent)> {
    let host = rng.u64(1..=hosts + 2);
    let trouble = match rng.u8(0..8) {
        0 => Trouble::Lies(Lie::Mapped),
        1 => Trouble::Lies(Lie::Refused),
        2 | 3 => Trouble::IsRefused(1326),
        4 | 5 => Trouble::IsRefused(1385),
        _ => Trouble::IsRefused(1329),
    };
    let at = seconds(rng, 0, FAULT_PERIOD.as_secs() / 2);
    let end = at + seconds(rng, 600, 6000);
    let mut events = vec![(at, WorldEvent::TroubleBegins(host, trouble))];
    if rng.u8(0..4) == 0 {
        events.push((end, WorldEvent::TroubleEnds(host)));
    }
    events
}

/// Several hosts long after the last that was let in.
fn late_wave(rng: &mut fastrand::Rng, first: HostNumber) -> Vec<(Duration, WorldEvent)> {
    let at = seconds(rng, 7200, FAULT_PERIOD.as_secs() - 900);
    let mut events = Vec::new();
    for host in first..first + rng.u64(3..=8) {
        let at = at + Duration::from_millis(rng.u64(0..20_000));
        let agent_late_by = seconds(rng, 0, 90);
        events.push((at, WorldEvent::Launch { host, agent_late_by, problem: None, letter: None }));
        if rng.u8(0..8) == 0 {
            events.push((at, WorldEvent::TroubleBegins(host, Trouble::IsRefused(1385))));
        }
    }
    events
}
