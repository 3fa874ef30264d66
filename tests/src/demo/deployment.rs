//! The local AWS over TCP, the three function binaries in the local Lambda, and the queues between them, connected as the
//! template connects them.
//!
//! Only times are shortened: the hosts' delays, the functions' waits (through their environment), the batching window, the
//! schedule's period and the time-out of a reconcile run.

use super::fleet_setup::CLUSTER;
use crate::event_rules;
use crate::fleet::REMOTE;
use crate::local_aws::LocalAws;
use crate::local_aws::server::Server;
use crate::runtime_api::function::wall_clock;
use crate::runtime_api::{
    BatchSettings, DeliveredBatch, EventSource, Function, FunctionSettings, Queue, QueueKind,
};
use crate::stack::QUEUE_ARN;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

/// Instead of a minute.
const SCHEDULE: Duration = Duration::from_secs(1);
/// Instead of five seconds. The ECS agents of hosts that are launched together register within it.
const WINDOW: Duration = Duration::from_millis(750);
/// Instead of 50 seconds.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(8);

/// The functions, by the names of their binaries.
pub const NAMES: [&str; 3] = ["map-share", "drain-unmapped", "validate-task-definition"];

/// The functions' waits that depend on the options.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// `RETRY_BASE_SECONDS`, instead of 30. A reconcile run leaves a new instance to `map-share` for twice this long, so it
    /// must be more than the batching window and the handling of a batch.
    pub base: Duration,
    /// `VERIFY_EVERY_MINUTES`.
    pub verify_every: Duration,
}

/// Everything that runs.
pub(super) struct Deployment {
    pub(super) server: Server,
    /// The queues of `map-share` and `drain-unmapped`, each with its function.
    pub(super) sources: [Arc<EventSource>; 2],
    /// The three functions, in the order of [`NAMES`].
    pub(super) functions: [Arc<Function>; 3],
    batches: [UnboundedReceiver<DeliveredBatch>; 2],
    /// Event sources and schedule. They end when this is dropped.
    running: JoinSet<()>,
}

impl Deployment {
    /// Serves `aws` and starts the functions of the directory `binaries`. The schedule does not run yet.
    ///
    /// # Errors
    /// When a binary is missing, or no port can be listened on.
    pub(super) async fn open(aws: LocalAws, binaries: &Path, waits: Waits) -> std::io::Result<Self> {
        for name in NAMES {
            let path = binaries.join(name);
            if !path.is_file() {
                let hint =
                    format!("{} is not there: run `cargo build` first, or `make demo`", path.display());
                return Err(std::io::Error::new(std::io::ErrorKind::NotFound, hint));
            }
        }
        let server = Server::start(aws, "127.0.0.1:0").await?;
        let minute = Duration::from_secs(60);
        let timeouts = [minute, RECONCILE_TIMEOUT, minute];
        let functions = [0, 1, 2].map(|n| {
            let settings = FunctionSettings {
                name: NAMES[n].to_owned(),
                program: binaries.join(NAMES[n]),
                environment: environment(NAMES[n], &server.url(), waits),
                timeout: timeouts[n],
            };
            Arc::new(Function::new(settings, wall_clock()))
        });
        let queue = |name, kind| Queue::new(name, kind, Duration::from_secs(30), 5);
        let sources = [
            Arc::new(EventSource::new(
                queue("instance-events", QueueKind::Standard),
                functions[0].clone(),
                BatchSettings { batch_size: 500, window: WINDOW },
            )),
            Arc::new(EventSource::new(
                queue("smb-g-reconcile.fifo", QueueKind::Fifo),
                functions[1].clone(),
                BatchSettings { batch_size: 10, window: Duration::ZERO },
            )),
        ];
        let mut running = JoinSet::new();
        let batches = sources.each_ref().map(|source| {
            let (sender, batches) = mpsc::unbounded_channel();
            let source = source.clone();
            running.spawn(async move { source.run(sender).await });
            batches
        });
        Ok(Self { server, sources, functions, batches, running })
    }

    /// Starts the schedule of `drain-unmapped`.
    pub(super) fn start_schedule(&mut self) {
        let source = self.sources[1].clone();
        self.running.spawn(async move {
            let mut interval = tokio::time::interval(SCHEDULE);
            for tick in 0_u64.. {
                interval.tick().await;
                // Two ticks with the same body would be one message of the FIFO queue.
                let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "id": tick, "detail": {}});
                source.send("reconcile", &event.to_string());
            }
        });
    }

    /// Sends the events that AWS emitted since the last call to `map-share`, as far as the template's rules match them.
    pub(super) fn deliver_events(&self) {
        let events = self.server.aws().drain_events();
        for event in events.iter().filter(|event| event_rules::matches(event, CLUSTER)) {
            self.sources[0].send("", &event.to_string());
        }
    }

    /// The batches of both queues that were settled since the last call, each with its function's name.
    pub(super) fn settled_batches(&mut self) -> Vec<(&'static str, DeliveredBatch)> {
        let received = NAMES.into_iter().zip(&mut self.batches);
        received
            .flat_map(|(name, batches)| std::iter::from_fn(move || Some((name, batches.try_recv().ok()?))))
            .collect()
    }

    /// Ends the schedule, the queues and the functions. Afterwards all that the functions printed can be read.
    pub(super) async fn close(&mut self) {
        self.running.shutdown().await;
        for function in &self.functions {
            function.stop().await;
        }
    }
}

/// The variables that the template sets, with shorter times. The local AWS tells callers apart by the access key id.
pub fn environment(name: &str, url: &str, waits: Waits) -> BTreeMap<String, String> {
    let verify_minutes = (waits.verify_every.as_secs_f64() / 60.0).to_string();
    let base = waits.base.as_secs_f64().to_string();
    [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", name),
        ("CLUSTERS", CLUSTER),
        ("STACK", "demo"),
        ("DRIVE_LETTER", "G"),
        ("REMOTE_PATH", REMOTE),
        ("DOCUMENT_NAME", "ecs-smb-mapper-G"),
        ("QUEUE_ARN", QUEUE_ARN),
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
