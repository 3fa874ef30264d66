//! Wires `validate-task-definition` and runs it.

use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::aws::{Clients, deadline_of, sdk_config};
use shared::config::ValidatorConfig;
use shared::logs;
use shared::metrics::Metrics;
use validate_task_definition::Validator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logs::init();
    logs::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let config = ValidatorConfig::from_env()?;
    // No connection is opened here, because CloudTrail's events are checked without one.
    let clients = Clients::new(sdk_config().await?);
    let metrics = Metrics::to_stdout(&config.metrics_namespace, &config.stack);
    let validator = &Validator::new(&config, clients, metrics);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = deadline_of(&event.context);
        // The compiler cannot handle a future this deep without the box.
        let answer = Box::pin(validator.handle(&event.payload, deadline)).await;
        answer
            .inspect_err(|error| logs::failure(error))
            .map_err(|error| Error::from(logs::with_causes(&error)))
    }))
    .await
}
