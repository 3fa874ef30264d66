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
/// A batch of the stack's own queue acts and answers an empty `batchItemFailures`: however many ticks wait, they ask for one
/// run. That queue has one message group, so that one run acts at a time; a batch of any other source is refused.
///
/// # Errors
/// See [`Error`].
pub async fn handle(app: &App, payload: &Value, deadline: Timestamp) -> Result<Value, Error> {
    // The SDK would retry a throttled call past the end of the invocation; cut off here, the error is still ours to report.
    let left = Duration::try_from(deadline.duration_since(app.clients.now()) - CUT_OFF).unwrap_or_default();
    tokio::time::timeout(left, answer(app, payload, deadline)).await.unwrap_or(Err(Error::TimeUp))
}

/// A batch with at least one record, all of them of this queue.
fn is_batch_of(queue: Option<&str>, payload: &Value) -> bool {
    let is_of_queue = |record: &Value| {
        record["eventSource"].as_str() == Some("aws:sqs")
            && queue.is_some()
            && record["eventSourceARN"].as_str() == queue
    };
    let records = payload["Records"].as_array();
    records.is_some_and(|records| !records.is_empty() && records.iter().all(is_of_queue))
}

async fn answer(app: &App, payload: &Value, deadline: Timestamp) -> Result<Value, Error> {
    let asks = |what: &str| payload.get(what).and_then(Value::as_bool) == Some(true);
    if is_batch_of(app.config.queue.as_deref(), payload) {
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

#[cfg(test)]
mod batch_tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_batch_of_the_stacks_own_queue_starts_a_run() {
        let queue = "arn:aws:sqs:eu-west-1:111122223333:smb-g-reconcile.fifo";
        let own = json!({"body": "anything", "eventSource": "aws:sqs", "eventSourceARN": queue});
        let other = json!({"eventSource": "aws:sqs", "eventSourceARN": format!("{queue}2")});
        let table = [
            (json!({"Records": [own]}), true),
            (json!({"Records": [own, own]}), true),
            (json!({"Records": []}), false),
            (json!({"Records": [{"body": "{}"}]}), false),
            (json!({"Records": [other]}), false),
            (json!({"Records": [own, other]}), false),
            (json!({"Records": [{"eventSource": "aws:sns", "eventSourceARN": queue}]}), false),
            (json!({"Records": [null]}), false),
            (json!({"Records": {}}), false),
            (json!({}), false),
            (json!(null), false),
        ];
        for (payload, expected) in table {
            assert_eq!(is_batch_of(Some(queue), &payload), expected, "{payload}");
            assert!(!is_batch_of(None, &payload), "{payload}");
        }
        assert!(!is_batch_of(None, &json!({"Records": [{"eventSource": "aws:sqs"}]})));
    }
}
