//! AWS clients for a Lambda function: each made once, when it is first used, over one HTTP client.
//!
//! Deliberately absent: the SDK's default chains. They look for credentials and certificates in places that a function
//! does not have; `environment.rs` and `tls.rs` replace them.

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

/// The limits of one attempt. A read of a hundred instances is answered within a second.
const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts of a call that may be retried. The time that the caller has left limits them further.
const ATTEMPTS: u32 = 5;

/// When the invocation ends.
pub fn deadline_of(context: &lambda_runtime::Context) -> Timestamp {
    let now = SharedTimeSource::default().now();
    deadline(context.deadline, Timestamp::try_from(now).unwrap_or(Timestamp::MAX))
}

/// Lambda gives the time of the end, in milliseconds since 1970; `cargo lambda watch` gives the milliseconds that are left.
/// A number too small for a time after 2001 is such a rest.
fn deadline(millis: u64, now: Timestamp) -> Timestamp {
    const YEAR_2001: u64 = 1_000_000_000_000;
    let since = if millis < YEAR_2001 { now } else { Timestamp::UNIX_EPOCH };
    since.checked_add(Duration::from_millis(millis)).unwrap_or(Timestamp::MAX)
}

/// The configuration of a deployed function: credentials and region from the environment, as Lambda sets them, or from
/// a profile for local runs; endpoints of `AWS_ENDPOINT_URL` and the like; adaptive retry, since the account's call rates
/// are shared with the customer.
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

/// How calls are retried that may be.
pub fn retry_config() -> RetryConfig {
    RetryConfig::adaptive().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_secs(5))
}

/// The time limits of one attempt.
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
