//! One wave: every instance is launched at once, and both functions and the customer run until every gate is open.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::figures::{Bound, Figures, calls, first_let_in, most_writes, opened, sorted};
use super::source::Source;
use super::{
    ANSWER, CUSTOMER_READS, CUSTOMER_TASKS, ECS_WRITES, LISTING_LAG, PARAMETER_READS, SEND_COMMANDS,
    SSM_READS,
};
use crate::demo::fleet_setup::CLUSTER;
use crate::fleet::{Agent, Platform, World, task_definition};
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};
use crate::output::Output;
use crate::scenarios::base;
use crate::stack::{Stack, TICK};

/// Of every random delay.
const SEED: u64 = 10;
/// Between two looks at who is online.
const LOOK: Duration = Duration::from_millis(500);
/// How long it runs after the last gate has opened, so that late calls are counted.
const TAIL: Duration = Duration::from_secs(120);
/// An instance that is not ready by then is left behind.
const GIVE_UP: Duration = Duration::from_secs(2 * 3600);

/// Runs a wave of so many instances. Needs a runtime with paused time.
pub(super) async fn wave(instances: usize) -> Figures {
    // The SDK's own jitter.
    fastrand::seed(SEED);
    let world = World::new(SEED, base()).cluster(CLUSTER).task_definition(small_task());
    let writes = ECS_WRITES.to_string();
    let stack = Stack::with(world, &[("ECS_WRITES_PER_SECOND", &writes)]);
    set_up(&mut stack.local.aws(), instances);
    let source = Source::new(&stack);
    let mut runs = Vec::new();
    let mut online = BTreeMap::new();
    let written: Arc<Mutex<Vec<u8>>> = Arc::default();
    let logged = Output::default();
    let listening = logged.listen();
    tokio::select! {
        biased;
        () = watch(&stack, &source, &mut online) => {}
        never = source.deliver() => match never {},
        // `MaximumConcurrency` of the template: two.
        never = source.poll(&stack, &written) => match never {},
        never = source.poll(&stack, &written) => match never {},
        never = reconcile(&stack, &mut runs) => match never {},
        never = run_tasks(&stack) => match never {},
    }
    drop(listening);
    let metrics = written.lock().expect("nobody panicked while writing").len() + stack.written();
    let aws = &*stack.local.aws();
    let opened = opened(aws);
    let since = |from: &dyn Fn(&str, Timestamp) -> Timestamp| {
        let waits = opened.iter().filter_map(|(id, at)| {
            Some(Duration::try_from(at.duration_since(from(id, *online.get(id)?))).unwrap_or_default())
        });
        sorted(waits)
    };
    let let_in = first_let_in(aws);
    // A run reads the instances once, when it begins. A new one is map-share's for a while.
    let due = |id: &str, online: Timestamp| {
        let registered = aws.container_instance(id).map(|one| one.registered_at);
        let seen = registered.and_then(|at| runs.iter().map(|(began, _)| *began).find(|began| *began >= at));
        let left = registered.map(|at| at + stack.config().policy.first_attempt_wait());
        online.max(let_in.max(seen).max(left).unwrap_or(online))
    };
    let open = aws.container_instances(CLUSTER).filter(|one| one.attribute("smb.G") == Some("mapped"));
    let source = source.statistics.take();
    Figures {
        instances,
        left_behind: instances - open.count(),
        waits: since(&due),
        since_online: since(&|_, online| online),
        opened: sorted(opened.values().map(|at| at.duration_since(aws.world.base).unsigned_abs())),
        calls: calls(aws),
        most_writes: most_writes(aws),
        oldest_event: source.oldest,
        messages: source.messages,
        invocations: [source.invocations, runs.into_iter().map(|(_, took)| took).collect()],
        logged: logged.take().len() + metrics,
        bound: Bound::of(instances),
    }
}

fn set_up(aws: &mut LocalAws, instances: usize) {
    let now = aws.now();
    aws.lag.answer = ANSWER;
    aws.lag.ssm = LISTING_LAG;
    aws.throttles.customer_takes(Bucket::ClusterResourceRead, CUSTOMER_READS, now);
    // Assumed: as in ECS, a bucket holds more than a second's worth, namely twice.
    let mut limit = |bucket, rate| aws.throttles.limit(bucket, rate * 2, rate, now);
    limit(Bucket::SendCommand, SEND_COMMANDS);
    limit(Bucket::Ssm, SSM_READS);
    limit(Bucket::GetParameters, PARAMETER_READS);
    for _ in 0..instances {
        aws.launch(Platform::Windows, Some(CLUSTER), |host| host);
    }
}

/// A task that mounts the share, so small that no task waits for room.
fn small_task() -> Value {
    let mut definition = task_definition("app", true);
    (definition["cpu"], definition["memory"]) = (json!("128"), json!("256"));
    definition
}

/// Ends when every gate has been open for [`TAIL`]. `online` gets the time at which both agents of an instance were online.
async fn watch(stack: &Stack, source: &Source, online: &mut BTreeMap<String, Timestamp>) {
    let mut awaited: Vec<_> = stack.local.aws().world.hosts.keys().cloned().collect();
    let mut shut = awaited.clone();
    let (began, mut before) = (Instant::now(), stack.now());
    while began.elapsed() < GIVE_UP && !(shut.is_empty() && source.is_idle()) {
        sleep(LOOK).await;
        let aws = stack.local.aws();
        let registered = |id: &str| aws.container_instance(id).filter(|instance| instance.agent_connected);
        awaited.retain(|id| {
            let is_there = aws.world.hosts[id].agent == Agent::Online && registered(id).is_some();
            if is_there {
                // At some time since the last look: the earliest one.
                online.insert(id.to_string(), before);
            }
            !is_there
        });
        let is_shut = |id: &str| registered(id).is_none_or(|one| one.attribute("smb.G") != Some("mapped"));
        shut.retain(|id| is_shut(id));
        before = aws.now();
    }
    sleep(TAIL).await;
}

/// A reconcile run a minute, for ever: when each began, and how long it took. One that takes longer swallows the ticks that
/// wait.
async fn reconcile(stack: &Stack, runs: &mut Vec<(Timestamp, Duration)>) -> Infallible {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let (at, began) = (stack.now(), Instant::now());
        stack.tick().await;
        runs.push((at, began.elapsed()));
    }
}

/// The customer starts tasks at an even rate, for ever, even while no gate is open.
async fn run_tasks(stack: &Stack) -> Infallible {
    let caller = Caller::named("customer");
    let body = json!({"cluster": CLUSTER, "taskDefinition": "app"}).to_string();
    let mut turns = interval(Duration::from_secs(1) / CUSTOMER_TASKS);
    loop {
        turns.tick().await;
        let now = stack.now();
        stack.local.aws().handle(now, &caller, "RunTask", body.as_bytes());
    }
}
