//! The HTTP client, and the root certificates that it trusts.
//!
//! Deliberately absent: the file system's root certificates, except in China. To read some 300 of them would be the slowest
//! part of a cold start.

use std::time::Duration;

use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Amazon Trust Services' roots, which sign every public AWS endpoint outside China.
/// Source: <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../roots/amazon-trust-services.pem");

/// Some AWS endpoints close an idle connection after 20 s, and a closed one costs a failed attempt.
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
    /// It holds something else, or a certificate that is broken.
    #[error(
        "environment variable AWS_CA_BUNDLE is {path:?}, all that is in it must be valid PEM certificates"
    )]
    BadCertificate {
        /// Its value.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The TLS library rejected the certificates.
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
            match roots_of(&pem) {
                Ok(roots) if roots.is_empty() => return Err(TrustError::NoCertificate { path }),
                Ok(_) => TrustStore::empty().with_pem_certificate(pem),
                Err(source) => return Err(TrustError::BadCertificate { path, source }),
            }
        }
        // Other authorities sign the endpoints in China: trust what the system trusts.
        None if region.starts_with("cn-") => TrustStore::default(),
        None => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let tls = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| TrustError::Tls(error.into()))?;
    let client = aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(POOL_IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https();
    Ok(SharedHttpClient::new(BuiltWhenUsed(client)))
}

/// Reads the root certificates now, since the SDK's HTTP client panics at its first connection where one cannot be read.
fn roots_of(pem: &[u8]) -> Result<RootCertStore, Box<dyn std::error::Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// An HTTP client that reads its root certificates once, when it first connects. The SDK's own reads them for each API
/// client.
#[derive(Debug)]
struct BuiltWhenUsed(SharedHttpClient);

impl HttpClient for BuiltWhenUsed {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
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
    fn a_broken_certificate_is_an_error_and_no_panic() {
        let whole = String::from_utf8(AMAZON_ROOTS.to_vec()).unwrap();
        for (part, instead) in [("MII", "MIJ"), ("-----END CERTIFICATE-----", ""), ("\nMII", "\n!II")] {
            let broken = whole.replacen(part, instead, 1);
            assert!(roots_of(broken.as_bytes()).is_err(), "{part:?} -> {instead:?}");
        }
    }

    #[test]
    fn the_built_in_roots_are_accepted_by_the_tls_library() {
        http_client("eu-west-1", None).unwrap();
        assert_eq!(roots_of(AMAZON_ROOTS).unwrap().len(), 5);
    }
}
