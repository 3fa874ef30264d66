//! One wave into an empty cluster: every instance is launched at once, and all runs until every gate is open.

use std::time::Duration;

use jiff::Timestamp;

use super::figures::{Bound, Figures, calls, let_in, most_writes, opened, sent, sorted};
use super::operation::{Launches, Operation, SEED};
use crate::demo::fleet_setup::CLUSTER;
use crate::fleet::World;
use crate::scenarios::base;

/// Runs a wave of so many instances, while the file server is away for so long at first. Needs a runtime with paused time.
pub(super) async fn wave(instances: usize, outage: Duration) -> Figures {
    let operation = Operation::of(World::new(SEED, base()).cluster(CLUSTER));
    let stack = &operation.stack;
    let back = stack.now() + outage;
    let file_server = async {
        stack.local.aws().world.file_server.goes_down();
        stack.local.wait(outage).await;
        stack.local.aws().world.file_server.comes_back();
    };
    let launches = Launches { each: instances, every: Duration::ZERO, times: 1 };
    let ((), online) = tokio::join!(file_server, operation.launch(launches));
    let logged = operation.logged();
    let runs = operation.runs.take();
    let aws = &*stack.local.aws();
    let opened = opened(aws);
    let since = |from: &dyn Fn(&str, Timestamp) -> Timestamp| {
        let waits = opened.iter().filter_map(|(id, at)| {
            Some(Duration::try_from(at.duration_since(from(id, *online.get(&**id)?))).unwrap_or_default())
        });
        sorted(waits)
    };
    let first_let_in = let_in(aws).min();
    // A run reads the instances once, when it begins. A new one is map-share's for a while.
    let due = |id: &str, online: Timestamp| {
        let registered = aws.container_instance(id).map(|one| one.registered_at);
        let seen = registered.and_then(|at| runs.iter().map(|(began, _)| *began).find(|began| *began >= at));
        let left = registered.map(|at| at + stack.config().policy.first_attempt_wait());
        online.max(first_let_in.max(seen).max(left).unwrap_or(online))
    };
    let open = aws.container_instances(CLUSTER).filter(|one| one.attribute("smb.G") == Some("mapped"));
    let source = operation.source.statistics.take();
    Figures {
        instances,
        outage,
        left_behind: instances - open.count(),
        waits: since(&due),
        since_online: since(&|_, online| online.max(back)),
        opened: sorted(opened.values().map(|at| at.duration_since(aws.world.base).unsigned_abs())),
        failed_maps: sent(aws, "map").filter(|one| one.started.is_some_and(|at| at < back)).count(),
        calls: calls(aws),
        most_writes: most_writes(aws),
        oldest_event: source.oldest,
        messages: source.messages,
        invocations: [source.invocations, runs.into_iter().map(|(_, took)| took).collect()],
        logged,
        bound: Bound::of(instances),
    }
}
