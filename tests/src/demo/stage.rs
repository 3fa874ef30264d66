//! The machinery behind the demo: the local AWS over TCP, the three function binaries in the local Lambda, and what
//! stands between them, as the template would deploy it.
//!
//! Shortened, and nothing else changed: delays of hosts, the functions' waits (through their environment), the batching
//! window, the schedule's period and the sweep's time-out.

use super::cast::CLUSTER;
use crate::local_aws::LocalAws;
use crate::local_aws::server::Server;
use crate::runtime_api::function::wall_clock;
use crate::runtime_api::{
    BatchSettings, DeliveredBatch, EventSource, Function, FunctionSettings, Queue, QueueKind,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

/// Instead of a minute.
const SCHEDULE: Duration = Duration::from_secs(1);
/// Instead of five seconds. Long enough for the ECS agents of hosts that were launched together.
const WINDOW: Duration = Duration::from_millis(750);
/// Instead of 50 seconds: how long a sweep may keep looking.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(8);

/// The functions' waits that depend on what is played.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// `RETRY_BASE_SECONDS`, instead of 30. Twice this, the sweep leaves a new instance to `map-share`, so it must be more
    /// than the batching window and what a batch takes, here as there.
    pub base: Duration,
    /// `VERIFY_EVERY_MINUTES`, in any unit.
    pub verify_every: Duration,
}

/// Everything that runs.
pub struct Stage {
    /// The local AWS.
    pub server: Server,
    /// EventBridge's queue to `map-share`.
    pub map_share: Arc<EventSource>,
    /// The schedule's queue to `drain-unmapped`.
    pub drain_unmapped: Arc<EventSource>,
    /// The three functions, in the order of [`NAMES`].
    pub functions: [Arc<Function>; 3],
    map_share_batches: UnboundedReceiver<DeliveredBatch>,
    drain_unmapped_batches: UnboundedReceiver<DeliveredBatch>,
    /// Event sources and schedule; dropped, they end.
    running: JoinSet<()>,
}

/// The functions, and the files that cargo builds.
pub const NAMES: [&str; 3] = ["map-share", "drain-unmapped", "validate-task-definition"];

impl Stage {
    /// Serves `aws` and stands the functions of `binaries` up before it. The schedule does not tick yet.
    ///
    /// # Errors
    /// When a binary is not there, or no port can be listened on.
    pub async fn open(aws: LocalAws, binaries: &Path, waits: Waits) -> std::io::Result<Self> {
        for name in NAMES {
            let path = binaries.join(name);
            if !path.is_file() {
                let hint =
                    format!("{} is not there: run `cargo build` first, or `make demo`", path.display());
                return Err(std::io::Error::new(std::io::ErrorKind::NotFound, hint));
            }
        }
        let server = Server::start(aws, "127.0.0.1:0").await?;
        let url = server.url();
        let function = |name: &str, timeout: Duration| {
            let settings = FunctionSettings {
                name: name.to_owned(),
                program: binaries.join(name),
                environment: environment(name, &url, waits),
                timeout,
            };
            Arc::new(Function::new(settings, wall_clock()))
        };
        let minute = Duration::from_secs(60);
        let functions =
            [function(NAMES[0], minute), function(NAMES[1], SWEEP_TIMEOUT), function(NAMES[2], minute)];
        let visibility = Duration::from_secs(30);
        let map_share = Arc::new(EventSource::new(
            Queue::new("instance-events", QueueKind::Standard, visibility, 5),
            functions[0].clone(),
            BatchSettings { batch_size: 500, window: WINDOW },
        ));
        let drain_unmapped = Arc::new(EventSource::new(
            Queue::new("sweep.fifo", QueueKind::Fifo, visibility, 5),
            functions[1].clone(),
            BatchSettings { batch_size: 10, window: Duration::ZERO },
        ));
        let mut running = JoinSet::new();
        let (sender, map_share_batches) = mpsc::unbounded_channel();
        let source = map_share.clone();
        running.spawn(async move { source.run(sender).await });
        let (sender, drain_unmapped_batches) = mpsc::unbounded_channel();
        let source = drain_unmapped.clone();
        running.spawn(async move { source.run(sender).await });
        Ok(Self {
            server,
            map_share,
            drain_unmapped,
            functions,
            map_share_batches,
            drain_unmapped_batches,
            running,
        })
    }

    /// From now on the schedule sends a tick to the sweep's queue every so often.
    pub fn start_schedule(&mut self) {
        let source = self.drain_unmapped.clone();
        self.running.spawn(async move {
            let mut interval = tokio::time::interval(SCHEDULE);
            for tick in 0_u64.. {
                interval.tick().await;
                // Of the shape of a scheduled event; each differs, as their times do.
                let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "id": tick, "detail": {}});
                source.send("sweep", &event.to_string());
            }
        });
    }

    /// Takes what AWS emitted since the last call; what the template's rules let through goes to `map-share`.
    pub fn deliver_events(&self) -> Vec<Value> {
        let events = self.server.aws().drain_events();
        for event in events.iter().filter(|event| rule_lets_through(event)) {
            self.map_share.send("", &event.to_string());
        }
        events
    }

    /// Batches of `map-share` that were settled since the last call.
    pub fn map_share_batches(&mut self) -> Vec<DeliveredBatch> {
        std::iter::from_fn(|| self.map_share_batches.try_recv().ok()).collect()
    }

    /// Sweeps that ended since the last call.
    pub fn sweeps(&mut self) -> Vec<DeliveredBatch> {
        std::iter::from_fn(|| self.drain_unmapped_batches.try_recv().ok()).collect()
    }

    /// Ends the schedule, the queues and the functions; then all that the functions printed can be read.
    pub async fn close(&mut self) {
        self.running.shutdown().await;
        for function in &self.functions {
            function.stop().await;
        }
    }
}

/// As the rules of `template.yaml` match: an ECS container instance that is active, connected and runs Windows, in the
/// watched cluster; EC2 instances that run, stop or have stopped, whichever; Spot warnings; terminations.
pub(crate) fn rule_lets_through(event: &Value) -> bool {
    let detail = &event["detail"];
    match event["detail-type"].as_str() {
        Some("ECS Container Instance State Change") => {
            let attributes = detail["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
            let windows = |one: &Value| one["name"] == "ecs.os-type" && one["value"] == "windows";
            let watched =
                detail["clusterArn"].as_str().is_some_and(|arn| arn.ends_with(&format!("/{CLUSTER}")));
            watched
                && detail["status"] == "ACTIVE"
                && detail["agentConnected"] == true
                && attributes.iter().any(windows)
        }
        Some("EC2 Instance State-change Notification") => {
            matches!(detail["state"].as_str(), Some("running" | "stopping" | "stopped"))
        }
        Some("EC2 Spot Instance Interruption Warning" | "EC2 Instance-terminate Lifecycle Action") => true,
        _ => false,
    }
}

/// What the template sets, shortened. The key id is how the local AWS tells callers apart.
pub fn environment(name: &str, url: &str, waits: Waits) -> BTreeMap<String, String> {
    let verify_minutes = (waits.verify_every.as_secs_f64() / 60.0).to_string();
    let base = waits.base.as_secs_f64().to_string();
    [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", name),
        ("CLUSTERS", CLUSTER),
        ("STACK", "demo"),
        ("DRIVE_LETTER", "G"),
        ("REMOTE_PATH", r"\\fs1.corp.example.com\share"),
        ("DOCUMENT_NAME", "ecs-smb-mapper-G"),
        ("MODE", "enforce"),
        ("RETRY_BASE_SECONDS", base.as_str()),
        ("MAX_ATTEMPTS", "3"),
        ("REPROBE_MINUTES", "0.2"),
        ("VERIFY_EVERY_MINUTES", verify_minutes.as_str()),
        ("DRAIN_AFTER_MINUTES", "0.04"),
        ("ECS_WRITES_PER_SECOND", "40"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_templates_rules_match_reaches_map_share() {
        let ecs = |cluster: &str, status: &str, connected: bool, os: &str| {
            json!({"detail-type": "ECS Container Instance State Change", "detail": {
                "clusterArn": format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{cluster}"),
                "status": status, "agentConnected": connected,
                "attributes": [{"name": "ecs.capability.task-eni"}, {"name": "ecs.os-type", "value": os}],
            }})
        };
        let ec2 = |state: &str| json!({"detail-type": "EC2 Instance State-change Notification", "detail": {"state": state}});
        let table = [
            (ecs(CLUSTER, "ACTIVE", true, "windows"), true),
            (ecs(CLUSTER, "ACTIVE", true, "linux"), false),
            (ecs(CLUSTER, "DRAINING", true, "windows"), false),
            (ecs(CLUSTER, "ACTIVE", false, "windows"), false),
            (ecs("other", "ACTIVE", true, "windows"), false),
            (ec2("running"), true),
            (ec2("pending"), false),
            (json!({"detail-type": "EC2 Spot Instance Interruption Warning", "detail": {}}), true),
            (json!({"detail-type": "EC2 Command Status-change Notification", "detail": {}}), false),
        ];
        for (event, passes) in table {
            assert_eq!(rule_lets_through(&event), passes, "{event}");
        }
    }
}
