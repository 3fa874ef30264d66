//! Wires `map-share` and runs it.

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use map_share::App;
use shared::aws::{self, Clients};
use shared::config::Config;
use shared::logs;
use shared::metrics::Metrics;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let app = start().await.inspect_err(|error| tracing::error!(%error, "cannot start"))?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let deadline = Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX);
        map_share::handle(&app, event.payload, deadline).await.map_err(Error::from)
    }))
    .await
}

async fn start() -> Result<App, Error> {
    let config = Config::from_env()?;
    let clients = Clients::new(&aws::sdk_config().await?);
    let metrics = Metrics::to_stdout(&config.metrics_namespace, &config.stack);
    Ok(App { config, clients, metrics })
}
