//! AWS clients as a Lambda function wants them: made once at init, sharing one HTTP client.
//!
//! Deliberately absent: the SDK's default chains. They look for credentials and certificates in places that a function
//! does not have, and reading some 300 root certificates from the file system is the slowest thing a cold start can do.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;

use crate::time;

/// Amazon Trust Services' roots, which sign every public AWS endpoint outside China.
/// Source: <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon-trust-services.pem");

/// Below the 20 s after which some AWS endpoints close an idle connection: a closed one costs a failed attempt.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// One attempt's limits. A read of a hundred instances answers within a second; five mean that something is wrong.
const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts a call gets where trying again is harmless. Bounded further by the time that the caller has left.
const ATTEMPTS: u32 = 5;

/// The clients, and the clock that they and we read.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Systems Manager.
    pub ssm: aws_sdk_ssm::Client,
    /// Elastic Container Service.
    pub ecs: aws_sdk_ecs::Client,
    time: SharedTimeSource,
}

impl Clients {
    /// Clients over a configuration: the real one of [`sdk_config`], or a test's.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            ssm: aws_sdk_ssm::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            time: config.time_source().unwrap_or_default(),
        }
    }

    /// The same with a retry budget of its own instead of the SDK's process-wide one, for whoever runs many functions
    /// in one process.
    pub fn with_retry_partition(config: &SdkConfig, partition: RetryPartition) -> Self {
        let ssm = aws_sdk_ssm::config::Builder::from(config).retry_partition(partition.clone());
        let ecs = aws_sdk_ecs::config::Builder::from(config).retry_partition(partition);
        Clients {
            ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
            ecs: aws_sdk_ecs::Client::from_conf(ecs.build()),
            time: config.time_source().unwrap_or_default(),
        }
    }

    /// The time, from the SDK's own clock, so that a test moves both at once.
    pub fn now(&self) -> Timestamp {
        Timestamp::try_from(self.time.now()).map(time::whole_millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

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

/// The function's trust store cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// `AWS_CA_BUNDLE` names a file that cannot be read.
    #[error(
        "environment variable AWS_CA_BUNDLE is {path:?}, it must name a readable file of PEM certificates"
    )]
    Unreadable {
        /// Its value.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It can be read but holds no certificate.
    #[error("environment variable AWS_CA_BUNDLE is {path:?}, which holds no PEM certificate")]
    NoCertificate {
        /// Its value.
        path: String,
    },
    /// The TLS library refused the certificates.
    #[error("the TLS trust store cannot be built")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The configuration of a deployed function: credentials and region from the environment, as Lambda sets them, or from
/// a profile for local runs; `AWS_ENDPOINT_URL` and its kin are honoured; adaptive retry, since the account's rates are
/// shared with the customer.
pub async fn sdk_config() -> Result<SdkConfig, TrustError> {
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().build());
    let region = region.region().await;
    let http = http_client(region.as_ref().map_or("", |region| region.as_ref()), ca_bundle())?;
    // The profile's provider wants a client at once, though it calls nothing before the environment has failed.
    let with_client = ProviderConfig::without_region().with_http_client(http.clone());
    let profile = ProfileFileCredentialsProvider::builder().configure(&with_client).build();
    let credentials =
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("Profile", profile);
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(region)
        .credentials_provider(credentials)
        .retry_config(retry_config())
        .timeout_config(timeout_config());
    Ok(config.load().await)
}

/// How calls are retried where trying again is harmless.
pub fn retry_config() -> RetryConfig {
    RetryConfig::adaptive().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_secs(5))
}

/// One attempt's limits.
pub fn timeout_config() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build()
}

#[allow(clippy::disallowed_methods, reason = "AWS's own variable for company proxies; nothing of ours")]
fn ca_bundle() -> Option<String> {
    std::env::var("AWS_CA_BUNDLE").ok().filter(|path| !path.is_empty())
}

fn http_client(region: &str, bundle: Option<String>) -> Result<SharedHttpClient, TrustError> {
    let trust = match bundle {
        Some(path) => {
            let pem = std::fs::read(&path)
                .map_err(|source| TrustError::Unreadable { path: path.clone(), source })?;
            if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
                return Err(TrustError::NoCertificate { path });
            }
            TrustStore::empty().with_pem_certificate(pem)
        }
        // China's endpoints are operated by others and signed by other authorities: trust what the system trusts.
        None if region.starts_with("cn-") => TrustStore::default(),
        None => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let tls = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| TrustError::Tls(error.into()))?;
    Ok(aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(POOL_IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https())
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

    #[test]
    fn a_bundle_without_certificates_is_named() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").to_owned();
        let error = http_client("eu-west-1", Some(path.clone())).unwrap_err();
        assert!(error.to_string().contains(&path) && error.to_string().contains("no PEM certificate"));
        let error = http_client("eu-west-1", Some("/nowhere.pem".to_owned())).unwrap_err();
        assert!(error.to_string().contains("/nowhere.pem"));
    }

    #[test]
    fn the_built_in_roots_are_accepted_by_the_tls_library() {
        http_client("eu-west-1", None).unwrap();
        assert_eq!(String::from_utf8_lossy(AMAZON_ROOTS).matches("BEGIN CERTIFICATE").count(), 5);
    }
}
