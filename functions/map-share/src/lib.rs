//! The AWS Lambda function `map-share`: instance events in, as few mapping commands as possible out.
//!
//! | module | what it does |
//! |---|---|
//! | `input` | what was invoked: an SQS batch, one bare event, or a call by hand; every record on its own |
//! | `events` | one small parser an event kind, and the table of them |
//! | `plan` | decides, purely: what events ask for, what live instances allow, what the brake lets through |
//! | `gates` | carries out what an event alone can tell: a restart shuts the gate, an ending host's drain is released |
//! | `commands` | carries out the rest: what is in flight, live state, agents, the brake, and the sends |
//! | `evidence` | reads what the brake weighs |
//! | `batch`, `outcome` | what became of every record: answer, metrics, log lines |
//!
//! Events are hints and may be lost, doubled, late or reordered, so everything is decided against live state, and every
//! record ends handled, rightly ignored, left to the sweep of `drain-unmapped`, or back in the queue.
//!
//! Deliberately absent: verdicts, retries and draining, which are `drain-unmapped`'s; and any memory between two runs.

mod batch;
mod commands;
mod error;
mod events;
mod evidence;
mod gates;
mod input;
mod outcome;
mod plan;

pub use error::{CallError, Error};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::aws::Clients;
use shared::config::{Config, Mode};
use shared::metrics::Metrics;
use shared::state::AttributeNames;

use crate::batch::Batch;
use crate::input::Origin;
use crate::plan::Work;

/// Kept from the time that is left, to settle and to answer.
const MARGIN: SignedDuration = SignedDuration::from_secs(1);

/// What the function holds between invocations: nothing that it learned from one.
pub struct App {
    /// The environment, parsed.
    pub config: Config,
    /// AWS, and the clock.
    pub clients: Clients,
    /// Where counts go.
    pub metrics: Metrics,
}

impl App {
    /// Puts it together.
    pub fn new(config: Config, clients: Clients, metrics: Metrics) -> Self {
        App { config, clients, metrics }
    }

    /// The names of our attributes.
    pub(crate) fn names(&self) -> AttributeNames {
        AttributeNames::new(self.config.share.drive)
    }

    /// Whether this run may write and send. In `MODE=report` only a call by hand does.
    pub(crate) fn may_act(&self, origin: Origin) -> bool {
        origin == Origin::Hand || self.config.policy.mode != Mode::Report
    }
}

/// Handles one invocation within the time until `deadline`. The answer is a partial batch response to SQS, and a report
/// otherwise.
pub async fn handle(app: &App, payload: Value, deadline: Timestamp) -> Result<Value, Error> {
    let now = app.clients.now();
    let mut batch = Batch::default();
    let (origin, events) = input::read(payload, &mut batch);
    let work = plan::sort(events, &app.config.clusters, &app.names(), &mut batch);
    let left = deadline.duration_since(now).checked_sub(MARGIN).unwrap_or_default();
    let left = left.max(SignedDuration::ZERO).unsigned_abs();
    // What is cut off here was not settled, so it goes back to the queue; a command that was just being sent is found
    // by the next look at SSM's history. A time-out polls once even where no time is left, so that is asked first.
    let in_time = work.is_empty()
        || !left.is_zero()
            && tokio::time::timeout(left, carry_out(app, work, origin, &mut batch)).await.is_ok();
    if !in_time {
        tracing::warn!(seconds = left.as_secs_f64(), "the time ran out");
    }
    batch.close(origin);
    batch.log();
    app.metrics.emit(app.clients.now(), None, &batch.metrics());
    let answer = batch.answer(origin);
    match batch.into_refused() {
        Some(refused) => Err(Error::Refused(refused)),
        None => Ok(answer),
    }
}

/// A restart comes first: until its gate is shut, tasks may land on a host whose drive is not back.
async fn carry_out(app: &App, work: Work, origin: Origin, batch: &mut Batch) {
    let found = gates::find_named_by_id(app, &work, batch).await;
    gates::write(app, &work, &found, origin, batch).await;
    commands::send(app, work, &found, origin, batch).await;
}
