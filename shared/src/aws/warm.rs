//! Opens a connection to both services during init, where Lambda gives a function the whole CPU: at 128 MB the first TLS
//! handshake takes some 750 ms inside an invocation, and a twentieth of it before.
//!
//! One connection each is enough: the functions call one service one call after the other, and both at once. It must be
//! over before the first invocation is asked for, since what is left running is frozen with the sandbox.

use std::time::Duration;

use aws_config::retry::RetryConfig;

use super::clients::Clients;
use crate::config::Config;
use crate::logs::with_causes;

/// What is not open by then is left to the invocation that needs it.
const LIMIT: Duration = Duration::from_secs(1);

/// Makes one small read of each service, both at once, that the function's role has anyway. What fails is logged and
/// nothing more: the invocation that follows meets it again and deals with it.
///
/// Time-outs are the clients' own, since other ones would mean another pool of connections.
pub async fn warm(clients: &Clients, config: &Config) {
    let ssm = async {
        let once = aws_sdk_ssm::config::Config::builder().retry_config(RetryConfig::disabled());
        let read = clients.ssm().describe_parameters().max_results(1).customize().config_override(once);
        if let Err(error) = read.send().await {
            tracing::info!(service = "ssm", error = with_causes(&error), "not warmed");
        }
    };
    let ecs = async {
        let Some(cluster) = config.clusters.first() else { return };
        let once = aws_sdk_ecs::config::Config::builder().retry_config(RetryConfig::disabled());
        let read = clients.ecs().list_container_instances().cluster(cluster.as_str()).max_results(1);
        if let Err(error) = read.customize().config_override(once).send().await {
            tracing::info!(service = "ecs", error = with_causes(&error), "not warmed");
        }
    };
    if tokio::time::timeout(LIMIT, async { tokio::join!(ssm, ecs) }).await.is_err() {
        tracing::info!(seconds = LIMIT.as_secs(), "not warmed in time");
    }
}
