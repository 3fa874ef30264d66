//! Wires `map-share` and runs it.

use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use map_share::{App, handle};
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
    let config = Config::from_env()?;
    let clients = Clients::new(sdk_config().await?);
    warm(&clients, &config).await;
    let metrics = Metrics::to_stdout(&config.metrics_namespace, &config.stack);
    let app = &App::new(config, clients, metrics);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = deadline_of(&event.context);
        // Boxed, since the compiler cannot handle a future this deep.
        Box::pin(handle(app, event.payload, deadline)).await
    }))
    .await
}
