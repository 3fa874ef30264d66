//! One wave: every instance is launched at once, and both functions and the customer do what they do until every gate is
//! open.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Assumptions;
use super::figures::{Figures, Raw};
use super::source::Source;
use crate::demo::cast::CLUSTER;
use crate::fleet::{Agent, Platform, World};
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};
use crate::output::Output;
use crate::scenarios::base;
use crate::stack::{Stack, TICK};

/// What every draw is hashed from.
const SEED: u64 = 10;

/// How often it is looked who has come online.
const LOOK: Duration = Duration::from_millis(500);

/// How long it goes on after the last gate has opened, so that what is late is counted.
const TAIL: Duration = Duration::from_secs(120);

/// Who is not ready by then never will be.
const GIVE_UP: Duration = Duration::from_secs(2 * 3600);

/// Lets a wave of so many instances come in. Needs a runtime with paused time.
pub async fn wave(instances: usize, assumptions: &Assumptions) -> Figures {
    // The SDK's own jitter.
    fastrand::seed(SEED);
    let world = World::new(SEED, base()).cluster(CLUSTER).task_definition(task_definition());
    let writes = assumptions.ecs_writes.to_string();
    let stack = Stack::with(world, &[("ECS_WRITES_PER_SECOND", &writes)]);
    set_up(&mut stack.local.aws(), instances, assumptions);
    let source = Source::new(&stack);
    let mut sweeps = Vec::new();
    let mut online = BTreeMap::new();
    let written: Arc<Mutex<Vec<u8>>> = Arc::default();
    let logged = Output::default();
    let listening = logged.listen();
    tokio::select! {
        biased;
        () = watch(&stack, &source, &mut online) => {}
        never = source.deliver(assumptions.delivery) => match never {},
        // `MaximumConcurrency` of the template: two.
        never = source.poll(&stack, &written) => match never {},
        never = source.poll(&stack, &written) => match never {},
        never = sweep(&stack, &mut sweeps) => match never {},
        never = run_tasks(&stack, assumptions.customer_tasks) => match never {},
    }
    drop(listening);
    let metrics = written.lock().expect("nobody panicked while writing").len() + stack.written();
    let logged = logged.take().len() + metrics;
    let aws = &*stack.local.aws();
    let (online, sweeps, source) = (&online, sweeps.as_slice(), &source);
    Figures::of(Raw { instances, assumptions, aws, online, sweeps, source, logged })
}

fn set_up(aws: &mut LocalAws, instances: usize, assumptions: &Assumptions) {
    let now = aws.now();
    aws.lag.answer = assumptions.answer;
    aws.lag.ssm = assumptions.listing_lag;
    aws.throttles.customer_takes(Bucket::ClusterResourceRead, assumptions.customer_reads, now);
    // As ECS has it, a bucket holds more than it is refilled with in a second; assumed: twice.
    let mut limit = |bucket, rate| aws.throttles.limit(bucket, rate * 2, rate, now);
    limit(Bucket::SendCommand, assumptions.send_commands);
    limit(Bucket::Ssm, assumptions.ssm_reads);
    limit(Bucket::GetParameters, assumptions.parameter_reads);
    for _ in 0..instances {
        aws.launch(Platform::Windows, Some(CLUSTER), |host| host);
    }
}

/// A task that mounts the share, so small that it is not room that tasks wait for.
fn task_definition() -> serde_json::Value {
    json!({
        "family": "app", "cpu": "128", "memory": "256",
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:smb.G == mapped"}],
        "containerDefinitions": [{"name": "web", "image": "web", "mountPoints": [
            {"sourceVolume": "state", "containerPath": "C:\\app-state"},
        ]}],
        "volumes": [{"name": "state", "host": {"sourcePath": "G:\\Directory\\app-state"}}],
    })
}

/// Ends when every gate has been open for [`TAIL`]. `online` becomes when both agents of an instance were there first.
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
                // It came after the last look: the earliest that it can have been.
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

/// A tick a minute, for ever; what waits while a run goes on is swallowed.
async fn sweep(stack: &Stack, took: &mut Vec<Duration>) -> Infallible {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let began = Instant::now();
        stack.tick().await;
        took.push(began.elapsed());
    }
}

/// The customer starts tasks at an even rate, for ever, whether there is an open gate or not.
async fn run_tasks(stack: &Stack, per_second: u32) -> Infallible {
    let caller = Caller::named("customer");
    let body = json!({"cluster": CLUSTER, "taskDefinition": "app"}).to_string();
    let mut turns = interval(Duration::from_secs(1) / per_second.max(1));
    loop {
        turns.tick().await;
        let now = stack.now();
        stack.local.aws().handle(now, &caller, "RunTask", body.as_bytes());
    }
}
