//! An ordinary scale-out: new instances in a cluster whose gates are open and whose password is known to be right.

use std::time::Duration;

use jiff::Timestamp;

use super::figures::{Bound, let_in, opened, percentile, sorted};
use super::operation::{Launches, Operation};
use super::steady::{SteadyState, world};
use crate::demo::fleet_setup::CLUSTER;
use crate::stack::{TICK, config_of};

/// New instances for a running fleet of 500 that is checked meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct ScaleOut {
    /// How many at once.
    pub each: usize,
    /// From one group to the next.
    pub every: Duration,
    /// How many groups.
    pub times: u32,
}

/// What the new instances waited. Lists of times begin with the shortest.
#[derive(Debug)]
pub struct ScaledOut {
    /// What was launched.
    pub scale_out: ScaleOut,
    pub(super) left_behind: usize,
    /// From the later of "agent online" and "registered" to the open gate, for instances of which another one was let in within
    /// the minute before, and for all others.
    pub(super) waits: [Vec<Duration>; 2],
}

/// A fleet that is checked: no gate but the new ones is to be opened.
const FLEET: SteadyState =
    SteadyState { instances: 500, budget: 3, check: Duration::from_secs(12), hours: 0 };

impl ScaleOut {
    /// Runs in a runtime of its own, with paused time.
    pub fn study(self) -> ScaledOut {
        crate::local_aws::in_process::in_virtual_time(run(self))
    }
}

impl ScaledOut {
    /// Promised of the 99th percentile of each of the two lists: the script and two looks; and where a canary goes first, the
    /// minute until the next run, which a quiet fleet's run leaves, the script twice, and three looks of a run that works.
    pub(super) fn promised() -> [Duration; 2] {
        let Bound { script, look, idle, .. } = Bound::of(FLEET.instances);
        let interval = config_of(&[CLUSTER], |_| None).policy.look_interval().unsigned_abs();
        [script + look * 2, TICK + script * 2 + (interval + look - idle) * 3]
    }

    /// The shortest wait that there can be: the script alone.
    pub(super) fn at_least() -> Duration {
        Bound::of(FLEET.instances).script
    }

    /// The promises that do not hold.
    pub fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if self.left_behind > 0 {
            broken.push(format!("{} instances are left behind", self.left_behind));
        }
        for (waits, promised) in self.waits.iter().zip(Self::promised()) {
            let p99 = percentile(waits, 99);
            if p99 > promised {
                broken.push(format!("p99 is {p99:.1?}, promised are {promised:.1?}"));
            }
        }
        broken
    }
}

async fn run(scale_out: ScaleOut) -> ScaledOut {
    let ScaleOut { each, every, times } = scale_out;
    let operation = Operation::of(world(FLEET));
    let online = operation.launch(Launches { each, every, times }).await;
    let aws = &*operation.stack.local.aws();
    let opened = opened(aws);
    let mut let_in: Vec<Timestamp> = let_in(aws).collect();
    let_in.sort_unstable();
    let freshness = operation.stack.config().policy.freshness();
    let mut waits = [Vec::new(), Vec::new()];
    for (id, online) in &online {
        let (Some(opened), Some(instance)) = (opened.get(&**id), aws.container_instance(id)) else {
            continue;
        };
        let ready = instance.registered_at.max(*online);
        let last = let_in[..let_in.partition_point(|at| *at <= ready)].last();
        let is_fresh = last.is_some_and(|at| ready.duration_since(*at) <= freshness);
        waits[usize::from(!is_fresh)].push(opened.duration_since(ready).unsigned_abs());
    }
    let open = aws.container_instances(CLUSTER).filter(|one| one.attribute("smb.G") == Some("mapped"));
    let all = FLEET.instances + each * times as usize;
    ScaledOut {
        scale_out,
        left_behind: all - open.count(),
        waits: waits.map(|of_one| sorted(of_one.into_iter())),
    }
}
