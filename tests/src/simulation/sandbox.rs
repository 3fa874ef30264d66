//! One warm function: the handler that ships, as a process that can be killed, with a clock of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::config::Config;
use shared::metrics::Metrics;

use super::ground_truth::RunId;
use crate::local_aws::LocalAws;
use crate::local_aws::in_process::{Ended, Local, Moment, Process};
use crate::local_aws::reply::Reply;
use crate::output::Output;
use crate::stack::RUN_TIMEOUT;

/// The two functions that act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    MapShare,
    DrainUnmapped,
}

impl Function {
    pub(super) fn name(self) -> &'static str {
        match self {
            Function::MapShare => "map-share",
            Function::DrainUnmapped => "drain-unmapped",
        }
    }

    /// As in the template.
    pub(super) fn timeout(self) -> Duration {
        match self {
            Function::MapShare => Duration::from_secs(60),
            Function::DrainUnmapped => RUN_TIMEOUT,
        }
    }
}

enum App {
    MapShare(map_share::App),
    DrainUnmapped(drain_unmapped::App),
}

/// Where a run ends early, if it does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Interruption {
    /// At its n-th call, before or after the effect.
    pub(super) killed: Option<(u32, Moment)>,
    /// After this time.
    pub(super) cut_off: Option<Duration>,
}

/// How a run ended.
pub(super) enum Answer {
    Value(Value),
    Error(String),
    /// The sandbox ended before the handler answered.
    Killed,
}

/// A sandbox of Lambda's with one function.
pub(super) struct Sandbox {
    pub(super) function: Function,
    process: Process,
    app: App,
    run: Arc<AtomicUsize>,
}

impl Sandbox {
    /// A cold one. `after_call` gets every call's effect and reply, and the run that made the call.
    pub(super) fn new(
        local: &Local,
        function: Function,
        config: &Config,
        clock_ahead: SignedDuration,
        output: &Output,
        mut after_call: impl FnMut(&mut LocalAws, &Reply, RunId) + Send + 'static,
    ) -> Self {
        let run = Arc::new(AtomicUsize::new(0));
        let current = run.clone();
        let process = Process::new(local, function.name())
            .clock_ahead(clock_ahead)
            .observe(move |aws, reply| after_call(aws, reply, current.load(Ordering::Relaxed)));
        let output = Arc::new(Mutex::new(output.clone()));
        let metrics = Metrics::to_writer(&config.metrics_namespace, &config.stack, output);
        let (config, clients) = (config.clone(), process.clients());
        let app = match function {
            Function::MapShare => App::MapShare(map_share::App::new(config, clients, metrics)),
            Function::DrainUnmapped => App::DrainUnmapped(drain_unmapped::App::new(config, clients, metrics)),
        };
        Sandbox { function, process, app, run }
    }

    /// One invocation. After [`Answer::Killed`] the sandbox must not be used again.
    pub(super) async fn invoke(&self, run: RunId, payload: &Value, interruption: Interruption) -> Answer {
        self.run.store(run, Ordering::Relaxed);
        if let Some((call, moment)) = interruption.killed {
            // Setting it on a clone sets it for this process, too.
            drop(self.process.clone().kill_at(self.process.calls() + call, moment));
        }
        let timeout = self.function.timeout();
        let deadline = Timestamp::from_millisecond((self.process.clock().now() + timeout).as_millisecond());
        let handled = self.handle(payload, deadline.expect("in range"));
        let limited = tokio::time::timeout(interruption.cut_off.unwrap_or(timeout), handled);
        match self.process.run(Box::pin(limited)).await {
            Ended::Done(Ok(answer)) => answer,
            Ended::Done(Err(_)) | Ended::Killed => Answer::Killed,
        }
    }

    async fn handle(&self, payload: &Value, deadline: Timestamp) -> Answer {
        let answer = match &self.app {
            App::MapShare(app) => {
                map_share::handle(app, payload.clone(), deadline).await.map_err(|error| error.to_string())
            }
            App::DrainUnmapped(app) => {
                drain_unmapped::handle(app, payload, deadline).await.map_err(|error| error.to_string())
            }
        };
        answer.map_or_else(Answer::Error, Answer::Value)
    }
}
