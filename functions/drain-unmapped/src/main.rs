//! Wires `drain-unmapped` and runs it.

use std::process::ExitCode;

use drain_unmapped::{App, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::aws::{Clients, deadline_of, sdk_config, warm};
use shared::config::Config;
use shared::logs;
use shared::metrics::Metrics;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logs::init();
    logs::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let config = Config::of_controller_from_env()?;
    let clients = Clients::new(sdk_config().await?);
    warm(&clients, &config).await;
    let metrics = Metrics::to_stdout(&config.metrics_namespace, &config.stack);
    let app = App::new(config, clients, metrics);
    let app = &app;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = deadline_of(&event.context);
        // Boxed, for the compiler gives up on a future this deep.
        Box::pin(handle(app, &event.payload, deadline)).await.inspect_err(|error| logs::failure(error))
    }))
    .await
}
