//! The deployed `drain-unmapped` in virtual time, with the handler that ships.
//!
//! A tick is due every minute, and one reconcile run at a time handles all waiting ticks. There is no queue: the deployed
//! FIFO queue only ensures this order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use drain_unmapped::App;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::config::Config;
use shared::metrics::Metrics;
use shared::state::{AttributeNames, InstanceAttributes};

use crate::fleet::{REMOTE, World};
use crate::local_aws::ecs::instances::{ContainerInstance, Status};
use crate::local_aws::in_process::{Ended, Local, Moment, Process};
use crate::local_aws::{LocalAws, ecs::cluster_arn};

/// The function's timeout.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(55);

/// The interval of the schedule.
pub const TICK: Duration = Duration::from_secs(60);

/// The queue of the samples in `events/`, whose messages start a run.
pub const QUEUE_ARN: &str = "arn:aws:sqs:eu-west-1:111122223333:smb-g-reconcile.fifo";

/// A batch of one message of that queue.
pub fn tick() -> Value {
    tick_with("{}")
}

/// The same with this body.
pub fn tick_with(body: &str) -> Value {
    let record =
        json!({"messageId": "tick", "body": body, "eventSource": "aws:sqs", "eventSourceARN": QUEUE_ARN});
    json!({ "Records": [record] })
}

/// The configuration for these clusters, with some variables set.
///
/// # Panics
/// A variable is not valid.
pub fn config_of(clusters: &[impl AsRef<str>], variable: impl Fn(&str) -> Option<String>) -> Config {
    let arns: Vec<String> = clusters.iter().map(|name| cluster_arn(name.as_ref())).collect();
    let read = Config::read_of_controller(|name| {
        variable(name).or_else(|| match name {
            "CLUSTERS" => Some(arns.join(",")),
            "STACK" => Some("smb-g".to_owned()),
            "REMOTE_PATH" => Some(REMOTE.to_owned()),
            "DOCUMENT_NAME" => Some("ecs-smb-mapper-G".to_owned()),
            "QUEUE_ARN" => Some(QUEUE_ARN.to_owned()),
            _ => None,
        })
    });
    read.expect("a test's configuration is valid")
}

/// One stack over one local AWS.
pub struct Stack {
    /// The world and its clock.
    pub local: Local,
    config: Config,
    /// The metrics that were written.
    written: Arc<Mutex<Vec<u8>>>,
    app: App,
    began: Timestamp,
}

impl Stack {
    /// A stack with the default configuration for the world's clusters. It needs a runtime with paused time.
    pub fn new(world: World) -> Self {
        Self::with(world, &[])
    }

    /// A stack with some variables set.
    pub fn with(world: World, variables: &[(&str, &str)]) -> Self {
        let config = config_of(&world.clusters, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        let local = Local::new(LocalAws::new(world));
        let began = local.clock().now();
        let written = Arc::default();
        let app = app(&Process::new(&local, "drain-unmapped"), &config, &written);
        Stack { local, config, written, app, began }
    }

    fn cold(&self, process: &Process) -> App {
        app(process, &self.config, &self.written)
    }

    /// Deploys another configuration, which causes a cold start.
    pub fn deploy(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.app = self.cold(&Process::new(&self.local, "drain-unmapped"));
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.local.clock().now()
    }

    fn deadline(&self) -> Timestamp {
        self.now() + RUN_TIMEOUT
    }

    /// One tick: one run of the warm function, with Lambda's timeout.
    pub async fn tick(&self) {
        self.run(&self.app).await;
        drop(self.local.aws());
    }

    /// Two concurrent runs, as after a tick that was delivered twice: one warm and one cold.
    pub async fn two_ticks_at_once(&self) {
        let other = self.cold(&Process::new(&self.local, "drain-unmapped"));
        tokio::join!(self.run(&self.app), self.run(&other));
        drop(self.local.aws());
    }

    async fn run(&self, app: &App) {
        let tick = tick();
        let run = drain_unmapped::handle(app, &tick, self.deadline());
        // The next tick retries what an error left undone.
        let _ = tokio::time::timeout(RUN_TIMEOUT, Box::pin(run)).await;
    }

    /// One cold run that is killed at its n-th call. `false` where it made fewer calls.
    pub async fn tick_killed_at(&self, call: u32, moment: Moment) -> bool {
        let process = Process::new(&self.local, "drain-unmapped").kill_at(call, moment);
        let app = self.cold(&process);
        let tick = tick();
        let run = drain_unmapped::handle(&app, &tick, self.deadline());
        matches!(process.run(Box::pin(run)).await, Ended::Killed)
    }

    /// Lets that many minutes pass, with a tick every minute.
    pub async fn minutes(&self, minutes: u64) {
        self.until(self.now() + Duration::from_secs(60 * minutes)).await;
    }

    /// Lets time pass until then, with a tick every minute.
    pub async fn until(&self, end: Timestamp) {
        let tick = TICK.as_millis();
        let wait_for = |time: Timestamp| {
            self.local.wait(Duration::try_from(time.duration_since(self.now())).unwrap_or_default())
        };
        loop {
            let behind = self.now().duration_since(self.began).unsigned_abs().as_millis() % tick;
            let wait = u64::try_from((tick - behind) % tick).expect("it is at most a tick");
            let next = self.now() + Duration::from_millis(wait);
            if next >= end {
                return wait_for(end).await;
            }
            wait_for(next).await;
            self.tick().await;
            if self.now() == next {
                // Without this, a run that took no time would tick again at the same time.
                self.local.wait(Duration::from_millis(1)).await;
            }
        }
    }

    /// A request by hand.
    pub async fn ask(&self, payload: Value) -> Result<Value, drain_unmapped::Error> {
        Box::pin(drain_unmapped::handle(&self.app, &payload, self.deadline())).await
    }

    /// The attributes of an instance.
    pub fn attributes(&self, id: &str) -> InstanceAttributes {
        self.look(id, |instance| {
            let attributes = instance.attributes.iter().map(|(name, value)| (&**name, value.as_deref()));
            InstanceAttributes::read(&AttributeNames::new(self.config.share.drive), self.now(), attributes)
        })
    }

    /// The status of an instance.
    pub fn status(&self, id: &str) -> Status {
        self.look(id, |instance| instance.status)
    }

    fn look<T>(&self, id: &str, read: impl FnOnce(&ContainerInstance) -> T) -> T {
        let aws = self.local.aws();
        read(aws.container_instance(id).unwrap_or_else(|| panic!("{id} is registered")))
    }

    /// The ids of a cluster's registered instances.
    pub fn instances(&self, cluster: &str) -> Vec<String> {
        self.local
            .aws()
            .container_instances(cluster)
            .map(|instance| instance.ec2_instance_id.to_string())
            .collect()
    }

    /// The number of bytes of metrics written.
    pub fn written(&self) -> usize {
        self.written.lock().expect("no writer panicked").len()
    }

    /// The metrics of each run with the dimension `{Stack}` alone.
    fn metric_lines(&self) -> Vec<Value> {
        let written = self.written.lock().expect("no writer panicked");
        let text = String::from_utf8_lossy(&written);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("Cluster").is_none()).collect()
    }

    /// The metrics of the last run with the dimension `{Stack}` alone.
    pub fn metrics(&self) -> Value {
        self.metric_lines().pop().unwrap_or_default()
    }

    /// The values of one such metric, each with its time.
    pub fn metric_history(&self, name: &str) -> Vec<(Timestamp, f64)> {
        let value = |line: Value| {
            let at = Timestamp::from_millisecond(line["_aws"]["Timestamp"].as_i64()?).ok()?;
            Some((at, line.get(name)?.as_f64()?))
        };
        self.metric_lines().into_iter().filter_map(value).collect()
    }
}

fn app(process: &Process, config: &Config, written: &Arc<Mutex<Vec<u8>>>) -> App {
    let metrics = Metrics::to_writer(&config.metrics_namespace, &config.stack, written.clone());
    App::new(config.clone(), process.clients(), metrics)
}
