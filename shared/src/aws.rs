//! AWS clients as a Lambda function wants them: made once, where one is used at all, sharing one HTTP client.
//!
//! Deliberately absent: the SDK's default chains. They look for credentials and certificates in places that a function
//! does not have; see `environment.rs` and `tls.rs` for what is looked at instead.

mod clients;
mod environment;
pub(crate) mod error;
mod tls;
mod warm;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use jiff::Timestamp;

use environment::Environment;

pub use clients::Clients;
pub use error::AwsError;
pub use tls::TrustError;
pub use warm::warm;

/// One attempt's limits. A read of a hundred instances answers within a second; five mean that something is wrong.
const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts a call gets where trying again is harmless. Bounded further by the time that the caller has left.
const ATTEMPTS: u32 = 5;

/// When the invocation ends, as Lambda says it.
pub fn deadline_of(context: &lambda_runtime::Context) -> Timestamp {
    let now = SharedTimeSource::default().now();
    deadline(context.deadline, Timestamp::try_from(now).unwrap_or(Timestamp::MAX))
}

/// Lambda gives the moment, in milliseconds since 1970; `cargo lambda watch` the milliseconds that are left. No moment of
/// an invocation lies before 2001, and no invocation lasts thirty years.
fn deadline(millis: u64, now: Timestamp) -> Timestamp {
    const YEAR_2001: u64 = 1_000_000_000_000;
    let since = if millis < YEAR_2001 { now } else { Timestamp::UNIX_EPOCH };
    since.checked_add(Duration::from_millis(millis)).unwrap_or(Timestamp::MAX)
}

/// The configuration of a deployed function: credentials and region from the environment, as Lambda sets them, or from
/// a profile for local runs; `AWS_ENDPOINT_URL` and its kin are honoured; adaptive retry, since the account's rates are
/// shared with the customer.
pub async fn sdk_config() -> Result<SdkConfig, TrustError> {
    let environment = Environment::read().await;
    let region = environment.region();
    let name = region.as_ref().map_or("", |region| region.as_ref());
    let http = tls::http_client(name, environment.variable("AWS_CA_BUNDLE"))?;
    let mut config = SdkConfig::builder();
    config
        .set_use_fips(environment.switch("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"))
        .set_use_dual_stack(environment.switch("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"));
    Ok(config
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(environment.credentials()))
        .service_config(environment)
        .retry_config(retry_config())
        .timeout_config(timeout_config())
        .build())
}

/// How calls are retried where trying again is harmless.
pub fn retry_config() -> RetryConfig {
    RetryConfig::adaptive().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_secs(5))
}

/// One attempt's limits.
pub fn timeout_config() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_moment_or_the_time_that_is_left() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(deadline(1_772_366_450_000, now), now + Duration::from_secs(50));
        assert_eq!(deadline(600_000, now), now + Duration::from_secs(600));
        assert_eq!(deadline(u64::MAX, now), Timestamp::MAX);
    }
}
