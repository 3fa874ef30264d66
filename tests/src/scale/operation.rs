//! Both functions as the template deploys them, and the customer, over one local AWS.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::source::Source;
use super::{
    ANSWER, CUSTOMER_READS, CUSTOMER_TASKS, ECS_WRITES, LISTING_LAG, PARAMETER_READS, SEND_COMMANDS,
    SSM_READS,
};
use crate::demo::fleet_setup::CLUSTER;
use crate::fleet::{Agent, InstanceId, Platform, World, task_definition};
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};
use crate::output::Output;
use crate::stack::{Stack, TICK};

/// Of every random delay.
pub(super) const SEED: u64 = 10;
/// Between two looks at who is online.
const LOOK: Duration = Duration::from_millis(500);
/// How long it runs after the last gate has opened, so that late calls are counted.
const TAIL: Duration = Duration::from_secs(120);
/// An instance that is not ready so long after the last launch is left behind.
const GIVE_UP: Duration = Duration::from_secs(2 * 3600);

/// The functions, what starts them, and what they did.
pub(super) struct Operation {
    pub(super) stack: Stack,
    pub(super) source: Source,
    /// When each reconcile run began, and how long it took.
    pub(super) runs: RefCell<Vec<(Timestamp, Duration)>>,
    /// The metrics of `map-share`.
    written: Arc<Mutex<Vec<u8>>>,
    logged: Output,
}

/// Instances that are launched in groups.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launches {
    /// How many at once.
    pub(super) each: usize,
    pub(super) every: Duration,
    pub(super) times: u32,
}

impl Operation {
    /// Over this world. Needs a runtime with paused time.
    pub(super) fn of(world: World) -> Self {
        // The SDK's own jitter.
        fastrand::seed(SEED);
        let world = world.task_definition(small_task());
        let stack = Stack::with(world, &[("ECS_WRITES_PER_SECOND", &ECS_WRITES.to_string())]);
        limit_rates(&mut stack.local.aws());
        let source = Source::new(&stack);
        Operation {
            stack,
            source,
            runs: RefCell::default(),
            written: Arc::default(),
            logged: Output::default(),
        }
    }

    /// Runs both functions and the customer until all that is launched is ready. The answer has the first time at which both
    /// agents of each instance were online.
    pub(super) async fn launch(&self, launches: Launches) -> BTreeMap<InstanceId, Timestamp> {
        let listening = self.logged.listen();
        let online = tokio::select! {
            biased;
            online = self.watch(launches) => online,
            never = self.source.deliver() => match never {},
            // `MaximumConcurrency` of the template: two.
            never = self.source.poll(&self.stack, &self.written) => match never {},
            never = self.source.poll(&self.stack, &self.written) => match never {},
            never = self.reconcile() => match never {},
            never = self.run_tasks() => match never {},
        };
        drop(listening);
        online
    }

    /// Bytes that the functions logged, including metrics.
    pub(super) fn logged(&self) -> usize {
        let of_map_share = self.written.lock().expect("nobody panicked while writing").len();
        self.logged.take().len() + of_map_share + self.stack.written()
    }

    /// Launches, and ends when every gate has been open for [`TAIL`].
    async fn watch(&self, launches: Launches) -> BTreeMap<InstanceId, Timestamp> {
        let Launches { each, every, times } = launches;
        let (mut awaited, mut shut, mut online) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (began, mut before, mut launched) = (Instant::now(), self.stack.now(), 0);
        loop {
            if launched < times && began.elapsed() >= every * launched {
                launched += 1;
                let mut aws = self.stack.local.aws();
                let new: Vec<InstanceId> =
                    (0..each).map(|_| aws.launch(Platform::Windows, Some(CLUSTER), |host| host)).collect();
                awaited.extend(new.iter().cloned());
                shut.extend(new);
            }
            sleep(LOOK).await;
            let aws = self.stack.local.aws();
            let registered =
                |id: &InstanceId| aws.container_instance(id).filter(|instance| instance.agent_connected);
            awaited.retain(|id: &InstanceId| {
                let is_there = aws.world.hosts[id].agent == Agent::Online && registered(id).is_some();
                if is_there {
                    // At some time since the last look: the earliest one.
                    online.insert(id.clone(), before);
                }
                !is_there
            });
            shut.retain(|id| registered(id).is_none_or(|one| one.attribute("smb.G") != Some("mapped")));
            before = aws.now();
            let is_done = launched == times && shut.is_empty() && self.source.is_idle();
            if is_done || began.elapsed() > every * times + GIVE_UP {
                break;
            }
        }
        sleep(TAIL).await;
        online
    }

    /// A reconcile run a minute, for ever. One that takes longer swallows the ticks that wait.
    async fn reconcile(&self) -> Infallible {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let (at, began) = (self.stack.now(), Instant::now());
            self.stack.tick().await;
            self.runs.borrow_mut().push((at, began.elapsed()));
        }
    }

    /// The customer starts tasks at an even rate, for ever, even while no gate is open.
    async fn run_tasks(&self) -> Infallible {
        let caller = Caller::named("customer");
        let body = json!({"cluster": CLUSTER, "taskDefinition": "app"}).to_string();
        let mut turns = interval(Duration::from_secs(1) / CUSTOMER_TASKS);
        loop {
            turns.tick().await;
            let now = self.stack.now();
            self.stack.local.aws().handle(now, &caller, "RunTask", body.as_bytes());
        }
    }
}

fn limit_rates(aws: &mut LocalAws) {
    let now = aws.now();
    aws.lag.answer = ANSWER;
    aws.lag.ssm = LISTING_LAG;
    aws.throttles.customer_takes(Bucket::ClusterResourceRead, CUSTOMER_READS, now);
    // Assumed: as in ECS, a bucket holds more than a second's worth, namely twice.
    let mut limit = |bucket, rate| aws.throttles.limit(bucket, rate * 2, rate, now);
    limit(Bucket::SendCommand, SEND_COMMANDS);
    limit(Bucket::Ssm, SSM_READS);
    limit(Bucket::GetParameters, PARAMETER_READS);
}

/// A task that mounts the share, so small that no task waits for room.
fn small_task() -> Value {
    let mut definition = task_definition("app", true);
    (definition["cpu"], definition["memory"]) = (json!("128"), json!("256"));
    definition
}
