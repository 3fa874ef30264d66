//! The AWS Lambda function `drain-unmapped`: the controller that proves mappings, repairs them, drains and gives back.
//!
//! Every minute a reconcile run reads AWS, decides and acts. The folders follow the data:
//!
//! | module | what it does |
//! |---|---|
//! | `fleet` | the fleet as one value: what ECS and SSM say at one moment |
//! | `observe` | reads AWS into a `Fleet` |
//! | `decide` | pure: from a `Fleet` to a `Plan` in phases |
//! | `act` | carries a plan out, phase by phase |
//! | `report` | the fleet as JSON, as metrics and as one sentence |
//! | `reconcile` | one run: observe, decide, act, and again while an instance is about to become ready |
//! | `uninstall` | gives back what is ours and removes our attributes |
//!
//! What is in flight is read from SSM's own history and what was proven from the instances' attributes, so the function
//! may die after any call.

#![cfg_attr(not(test), warn(clippy::too_many_lines, clippy::fn_params_excessive_bools))]

pub mod act;
pub mod app;
pub mod decide;
pub mod error;
pub mod fleet;
pub mod memory;
pub mod observe;
pub mod reconcile;
pub mod report;
pub mod run;
pub mod statistics;
#[cfg(test)]
mod tests;
pub mod uninstall;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::config::Mode;

pub use app::App;
pub use error::Error;

/// The AWS API operations that the function calls. Its role allows these and no other of ECS and SSM.
pub const OPERATIONS: &[&str] = &[
    "ecs:DeleteAttributes",
    "ecs:DescribeContainerInstances",
    "ecs:ListContainerInstances",
    "ecs:PutAttributes",
    "ecs:UpdateContainerInstancesState",
    "ssm:DescribeInstanceInformation",
    "ssm:DescribeParameters",
    "ssm:ListCommandInvocations",
    "ssm:ListCommands",
    "ssm:SendCommand",
];

/// Kept back to report that the time was up.
const CUT_OFF: SignedDuration = SignedDuration::from_secs(1);

/// Answers one invocation, which ends at `deadline`.
///
/// An SQS event acts and answers an empty `batchItemFailures`: however many ticks wait, they ask for one run.
///
/// # Errors
/// See [`Error`].
pub async fn handle(app: &App, payload: &Value, deadline: Timestamp) -> Result<Value, Error> {
    // The SDK would retry a throttled call past the end of the invocation; cut off here, the error is still ours to report.
    let left = Duration::try_from(deadline.duration_since(app.clients.now()) - CUT_OFF).unwrap_or_default();
    tokio::time::timeout(left, answer(app, payload, deadline)).await.unwrap_or(Err(Error::TimeUp))
}

async fn answer(app: &App, payload: &Value, deadline: Timestamp) -> Result<Value, Error> {
    let asks = |what: &str| payload.get(what).and_then(Value::as_bool) == Some(true);
    if payload.get("Records").is_some_and(Value::is_array) {
        let mut memory = app.memory.lock().await;
        reconcile::run(app, &mut memory, deadline).await?;
        return Ok(serde_json::json!({ "batchItemFailures": [] }));
    }
    if asks("report") {
        let mut memory = app.memory.lock().await;
        return reconcile::report(app, &mut memory, payload.get("cluster").and_then(Value::as_str)).await;
    }
    if asks("release") {
        if app.config.policy.mode != Mode::Report {
            return Err(Error::ReleaseNeedsReportMode(app.config.policy.mode));
        }
        return uninstall::uninstall(app, deadline).await;
    }
    Err(Error::NotARequest)
}
