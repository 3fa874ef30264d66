//! The HTTP client, and whom it trusts.
//!
//! Deliberately absent: the file system's root certificates, but for China. Reading some 300 of them is the slowest thing
//! that a cold start can do.

use std::time::Duration;

use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// Amazon Trust Services' roots, which sign every public AWS endpoint outside China.
/// Source: <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../roots/amazon-trust-services.pem");

/// Below the 20 s after which some AWS endpoints close an idle connection: a closed one costs a failed attempt.
const POOL_IDLE: Duration = Duration::from_secs(15);

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

/// One client, that is, one pool of connections, for both services. `bundle` is the value of `AWS_CA_BUNDLE`, AWS's own
/// variable for company proxies.
pub(super) fn http_client(region: &str, bundle: Option<String>) -> Result<SharedHttpClient, TrustError> {
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
