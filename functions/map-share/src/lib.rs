//! The AWS Lambda function `map-share`: instance events in, as few mapping commands as possible out.
//!
//! | module | what it does | may use |
//! |---|---|---|
//! | this one | one invocation from its payload to its answer | all below |
//! | `input` | the payload: an SQS batch, one bare event, or a call by hand; every record on its own | `events`, `batch` |
//! | `commands` | sends to the instances that live state, the agents and the budget of refused log-ons allow | `lookup`, `budget`, `plan` |
//! | `budget` | reads what the budget is counted from | `plan` |
//! | `gates` | writes what an event alone can tell: a restart, the end of an instance | `lookup`, `plan` |
//! | `lookup` | finds the registrations of instances that are known by their EC2 id alone | `plan` |
//! | `plan` | decides, without I/O: what events ask for, what live instances allow | `events`, `batch` |
//! | `app` | what the function holds between invocations, and during one | `batch` |
//! | `events` | one small parser an event kind, and the table of them | `outcome` |
//! | `batch` | the outcome of every record: answer, metrics, log lines | `metrics`, `origin`, `outcome` |
//! | `metrics` | the table of metrics | `outcome` |
//! | `outcome`, `origin`, `error` | what becomes of a record, who invoked, what can fail | |
//!
//! Events are hints and may be lost, doubled, late or out of order, so everything is decided against live state. Every
//! record ends handled, skipped, left to the reconcile run of `drain-unmapped`, or back in the queue.
//!
//! Deliberately absent: verdicts, retries and draining, which are `drain-unmapped`'s; and a memory that it depends on.

#![cfg_attr(not(test), warn(clippy::too_many_lines, clippy::fn_params_excessive_bools))]

mod app;
mod batch;
mod budget;
mod commands;
mod error;
mod events;
mod gates;
mod input;
mod lookup;
pub mod metrics;
mod origin;
mod outcome;
mod plan;

pub use app::App;
pub use error::{CallError, Error};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::app::Run;
use crate::batch::Batch;
use crate::plan::Work;

/// The AWS API operations that the function calls. Its role allows these and no other of ECS and SSM.
pub const OPERATIONS: &[&str] = &[
    "ecs:DescribeContainerInstances",
    "ecs:ListContainerInstances",
    "ecs:PutAttributes",
    "ssm:DescribeInstanceInformation",
    "ssm:DescribeParameters",
    "ssm:ListCommandInvocations",
    "ssm:ListCommands",
    "ssm:SendCommand",
];

/// Kept from the time that is left, to settle and to answer.
const MARGIN: SignedDuration = SignedDuration::from_secs(1);

/// Handles one invocation within the time until `deadline`. The answer is a partial batch response to SQS, and a report
/// to everybody else.
pub async fn handle(app: &App, payload: Value, deadline: Timestamp) -> Result<Value, Error> {
    let now = app.clients.now();
    let mut batch = Batch::default();
    let (origin, events) = input::read(payload, &mut batch)?;
    let work = plan::sort(events, &app.config.clusters, &app.names(), now, &mut batch);
    let mut run = Run { app, origin, batch };
    let left = deadline.duration_since(now).checked_sub(MARGIN).unwrap_or_default();
    let left = left.max(SignedDuration::ZERO).unsigned_abs();
    // What is cut off here was not settled, so it goes back to the queue; a command that was just being sent is found in
    // SSM's history later. A time-out polls once even where no time is left, so that is asked first.
    let in_time = work.is_empty()
        || !left.is_zero() && tokio::time::timeout(left, carry_out(&mut run, work)).await.is_ok();
    if !in_time {
        tracing::warn!(seconds = left.as_secs_f64(), "the time ran out");
    }
    let mut batch = run.batch;
    batch.close(origin);
    batch.log();
    app.metrics.emit(app.clients.now(), None, &batch.metrics());
    let answer = batch.answer(origin);
    match batch.into_refused() {
        Some(refused) => Err(Error::Refused(refused)),
        None => Ok(answer),
    }
}

/// A restart comes first: until its gate is shut, tasks may be placed on an instance whose drive is not back.
async fn carry_out(run: &mut Run<'_>, work: Work) {
    let found = lookup::find_named_by_id(run, &work).await;
    gates::write(run, &work, &found).await;
    commands::send(run, work, &found).await;
}
