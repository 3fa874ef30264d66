//! The deployed stack in virtual time: the schedule's queue in front of the very handler that ships.
//!
//! A tick falls due every minute; one sweep runs at a time and swallows what waits, as the FIFO queue makes it. There
//! is no queue here: what a queue adds is order, and order is what this keeps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use drain_unmapped::App;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::config::Config;
use shared::metrics::Metrics;
use shared::state::{AttributeNames, InstanceAttributes};

use crate::fleet::World;
use crate::local_aws::ecs::instances::{ContainerInstance, Status};
use crate::local_aws::in_process::{Ended, Local, Moment, Process};
use crate::local_aws::{LocalAws, ecs::cluster_arn};

/// What Lambda gives a sweep.
pub const SWEEP_TIMEOUT: Duration = Duration::from_secs(50);

/// How often the schedule ticks.
pub const TICK: Duration = Duration::from_secs(60);

/// The configuration that is deployed for these clusters, with some variables set.
///
/// # Panics
/// Where a variable is not valid.
pub fn config_of(clusters: &[impl AsRef<str>], variable: impl Fn(&str) -> Option<String>) -> Config {
    let arns: Vec<String> = clusters.iter().map(|name| cluster_arn(name.as_ref())).collect();
    let read = Config::read(|name| {
        variable(name).or_else(|| match name {
            "CLUSTERS" => Some(arns.join(",")),
            "STACK" => Some("smb-g".to_owned()),
            "REMOTE_PATH" => Some(r"\\fs1.corp.example.com\share".to_owned()),
            "DOCUMENT_NAME" => Some("ecs-smb-mapper-G".to_owned()),
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
    written: Arc<Mutex<Vec<u8>>>,
    sweep: App,
    began: Timestamp,
}

impl Stack {
    /// A stack with the default configuration for the world's clusters. Needs a runtime with paused time.
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
        let sweep = Self::app(&local, &config, &written);
        Stack { local, config, written, sweep, began }
    }

    fn app(local: &Local, config: &Config, written: &Arc<Mutex<Vec<u8>>>) -> App {
        let metrics = Metrics::to_writer(&config.metrics_namespace, &config.stack, written.clone());
        App::new(config.clone(), Process::new(local, "drain-unmapped").clients(), metrics)
    }

    /// Another configuration from now on, as a deployment gives: a cold start.
    pub fn deploy(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.sweep = Self::app(&self.local, &self.config, &self.written);
    }

    /// What the functions of this stack are configured with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.local.clock().now()
    }

    fn deadline(&self) -> Timestamp {
        self.now() + SignedDuration::try_from(SWEEP_TIMEOUT).expect("it fits")
    }

    /// One tick: one run of the warm function, cut off where Lambda would.
    pub async fn tick(&self) {
        self.run(&self.sweep).await;
        drop(self.local.aws());
    }

    /// Two runs at once, as where a tick was delivered twice: the warm function's, and a cold one's that knows nothing
    /// of it.
    pub async fn two_ticks_at_once(&self) {
        let other = Self::app(&self.local, &self.config, &self.written);
        tokio::join!(self.run(&self.sweep), self.run(&other));
        drop(self.local.aws());
    }

    async fn run(&self, app: &App) {
        let tick = json!({ "Records": [{ "messageId": "tick", "body": "{}" }] });
        let run = drain_unmapped::handle(app, &tick, self.deadline());
        // An error is what a throttled or failed call leaves; the next tick is the retry.
        let _ = tokio::time::timeout(SWEEP_TIMEOUT, Box::pin(run)).await;
    }

    /// One run of a cold function that is killed at its n-th call; whether it was.
    pub async fn tick_killed_at(&self, call: u32, moment: Moment) -> bool {
        let process = Process::new(&self.local, "drain-unmapped").kill_at(call, moment);
        let metrics =
            Metrics::to_writer(&self.config.metrics_namespace, &self.config.stack, self.written.clone());
        let app = App::new(self.config.clone(), process.clients(), metrics);
        let tick = json!({ "Records": [] });
        let run = drain_unmapped::handle(&app, &tick, self.deadline());
        matches!(process.run(Box::pin(run)).await, Ended::Killed)
    }

    /// Lets time go by with a tick a minute, for so many minutes from now.
    pub async fn minutes(&self, minutes: u64) {
        self.until(self.now() + SignedDuration::from_mins(i64::try_from(minutes).expect("it fits"))).await;
    }

    /// Lets time go by with a tick a minute until then.
    pub async fn until(&self, end: Timestamp) {
        loop {
            let since = self.now().duration_since(self.began);
            let tick = SignedDuration::try_from(TICK).expect("it fits");
            let behind = since.as_millis() % tick.as_millis();
            let wait = if behind == 0 { 0 } else { tick.as_millis() - behind };
            let next = self.now() + SignedDuration::from_millis(i64::try_from(wait).expect("it fits"));
            if next >= end {
                let rest = end.duration_since(self.now());
                self.local.wait(Duration::try_from(rest).unwrap_or_default()).await;
                return;
            }
            self.local.wait(Duration::try_from(next.duration_since(self.now())).unwrap_or_default()).await;
            self.tick().await;
            if self.now() == next {
                // A run that took no time at all must not tick again in the same instant.
                self.local.wait(Duration::from_millis(1)).await;
            }
        }
    }

    /// Asks the function by hand.
    pub async fn ask(&self, payload: Value) -> Result<Value, drain_unmapped::Error> {
        Box::pin(drain_unmapped::handle(&self.sweep, &payload, self.deadline())).await
    }

    /// What stands on an instance, read without a call.
    pub fn attributes(&self, id: &str) -> InstanceAttributes {
        self.look(id, |instance| {
            let names = AttributeNames::new(self.config.share.drive);
            InstanceAttributes::read(
                &names,
                instance.attributes.iter().map(|(name, value)| (&**name, value.as_deref())),
            )
        })
    }

    /// ECS's status of an instance.
    pub fn status(&self, id: &str) -> Status {
        self.look(id, |instance| instance.status)
    }

    fn look<T>(&self, id: &str, read: impl FnOnce(&ContainerInstance) -> T) -> T {
        let aws = self.local.aws();
        let instance = aws.container_instance(id).unwrap_or_else(|| panic!("{id} is registered"));
        read(instance)
    }

    /// The ids of a cluster's registered instances.
    pub fn instances(&self, cluster: &str) -> Vec<String> {
        self.local
            .aws()
            .container_instances(cluster)
            .map(|instance| instance.ec2_instance_id.to_string())
            .collect()
    }

    /// How many bytes of metrics were written.
    pub fn written(&self) -> usize {
        self.written.lock().expect("nobody panicked while writing").len()
    }

    /// The metrics of the last run on `{Stack}`.
    pub fn metrics(&self) -> Value {
        let written = self.written.lock().expect("nobody panicked while writing");
        let text = String::from_utf8_lossy(&written);
        let mut lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line.get("Cluster").is_none()).unwrap_or_default()
    }

    /// Every run's value of one metric on `{Stack}`, with its time.
    pub fn metric_history(&self, name: &str) -> Vec<(Timestamp, f64)> {
        let written = self.written.lock().expect("nobody panicked while writing");
        let text = String::from_utf8_lossy(&written);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line.get("Cluster").is_none())
            .filter_map(|line| {
                let at = Timestamp::from_millisecond(line["_aws"]["Timestamp"].as_i64()?).ok()?;
                Some((at, line.get(name)?.as_f64()?))
            })
            .collect()
    }
}
