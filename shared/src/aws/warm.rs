//! Opens a connection to both services during init, where Lambda gives a function a whole CPU. At 128 MB the first TLS
//! handshake takes some 750 ms inside an invocation, and a twentieth of that during init.
//!
//! One connection to each is enough, since a function makes one call at a time to each service. It must end before the
//! first invocation is asked for: what is still running then is frozen with the sandbox.

use std::time::Duration;

use aws_config::retry::RetryConfig;

use super::clients::Clients;
use crate::config::Config;
use crate::logs::with_causes;

/// A connection that is not open by then is opened by the invocation that needs it.
const LIMIT: Duration = Duration::from_secs(1);

/// Makes one small read of each service, both at once, for which the function has the permission anyway. An error is only
/// logged: the invocation that follows meets it again and handles it.
///
/// The time-outs are the clients' own; others would open another connection pool.
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
