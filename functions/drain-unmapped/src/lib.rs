//! The AWS Lambda function `drain-unmapped`: the controller that proves, repairs, rations and gives back.
//!
//! Every minute: the fleet is read (`read.rs`), a pure function decides (`decide.rs`, and below it `judge.rs`, `due.rs`,
//! `sends.rs`, `drain.rs`), and the actions are carried out (`act.rs`, `act/`). What is in flight is read from SSM's own history
//! and what was proven from the instances' attributes, so the function may die after any call.

pub mod act;
pub mod decide;
pub mod drain;
pub mod fleet;
pub mod read;
pub mod reconcile;
pub mod release;
pub mod remedy;
pub mod report;
pub mod schedule;
pub mod sends;
pub mod statistics;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::aws::Clients;
use shared::config::{Config, Mode};
use shared::metrics::Metrics;
use shared::ssm::SsmError;
use shared::state::AttributeNames;
use tokio::sync::Mutex;

use crate::read::Memory;

/// What the function holds while its sandbox lives.
pub struct App {
    /// The environment.
    pub config: Config,
    /// AWS.
    pub clients: Clients,
    /// CloudWatch.
    pub metrics: Metrics,
    /// The names of our attributes.
    pub names: AttributeNames,
    memory: Mutex<Memory>,
}

impl App {
    /// Puts it together.
    pub fn new(config: Config, clients: Clients, metrics: Metrics) -> Self {
        let names = AttributeNames::new(config.share.drive);
        App { config, clients, metrics, names, memory: Mutex::default() }
    }
}

/// A run that could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a tick from the queue nor something that a person may ask.
    #[error(
        "not a request: expected an SQS event (the schedule's queue), {{\"report\": true}}, or, in MODE=report, \
         {{\"release\": true}}"
    )]
    NotARequest,
    /// `release` undoes what the product did, so nothing must be doing it at the same time.
    #[error("release is refused while MODE is {0:?}: deploy with MODE=report first")]
    ReleaseNeedsReportMode(Mode),
    /// A cluster that is not watched.
    #[error("cluster {0:?} is not watched by this stack")]
    NotWatched(String),
    /// SSM's history could not be read, so nothing may be sent or judged.
    #[error("the run was given up")]
    Ssm(#[from] SsmError),
    /// No watched cluster could be read.
    #[error("no watched cluster could be read")]
    NoCluster,
    /// Calls and their retries took all the time there was. Whatever was done stays done; the next run goes on.
    #[error("the run was cut off when its time was up")]
    TimeUp,
}

impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match &error {
            Error::NotARequest => "NotARequest",
            Error::ReleaseNeedsReportMode(_) => "ReleaseNeedsReportMode",
            Error::NotWatched(_) => "NotWatched",
            Error::Ssm(_) => "Ssm",
            Error::NoCluster => "NoCluster",
            Error::TimeUp => "TimeUp",
        };
        lambda_runtime::Diagnostic {
            error_type: error_type.to_owned(),
            error_message: shared::logs::with_causes(&error),
        }
    }
}

/// Answers one invocation, which ends at `deadline`.
///
/// An SQS event acts and answers an empty `batchItemFailures`: however many ticks waited, they ask for one run.
pub async fn handle(app: &App, payload: &Value, deadline: Timestamp) -> Result<Value, Error> {
    // The SDK would retry a throttled call past the end of the invocation; cut off here, the error is still ours to tell.
    let left = Duration::try_from(deadline.duration_since(app.clients.now()) - CUT_OFF).unwrap_or_default();
    tokio::time::timeout(left, answer(app, payload, deadline)).await.unwrap_or(Err(Error::TimeUp))
}

/// Kept back for telling that the time was up.
const CUT_OFF: SignedDuration = SignedDuration::from_secs(1);

async fn answer(app: &App, payload: &Value, deadline: Timestamp) -> Result<Value, Error> {
    let asks = |what: &str| payload.get(what).and_then(Value::as_bool) == Some(true);
    if payload.get("Records").is_some_and(Value::is_array) {
        let mut memory = app.memory.lock().await;
        reconcile::run(app, &mut memory, deadline).await?;
        return Ok(serde_json::json!({ "batchItemFailures": [] }));
    }
    if asks("report") {
        let mut memory = app.memory.lock().await;
        return report::report(app, &mut memory, payload.get("cluster").and_then(Value::as_str)).await;
    }
    if asks("release") {
        if app.config.policy.mode != Mode::Report {
            return Err(Error::ReleaseNeedsReportMode(app.config.policy.mode));
        }
        return release::release(app, deadline).await;
    }
    Err(Error::NotARequest)
}
