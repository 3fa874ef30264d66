//! An AWS endpoint as clients see it: TLS with HTTP/1.1, one address per service, idle connections closed when a test
//! says so, and counts of what was opened.
//!
//! Each endpoint has a new certificate, signed by an authority that clients trust only through `AWS_CA_BUNDLE`.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::{Lost, Server};

/// Two addresses, because a client keeps its connections by address.
const SERVICES: [(&str, Ipv4Addr); 2] =
    [("SSM", Ipv4Addr::new(127, 0, 0, 1)), ("ECS", Ipv4Addr::new(127, 0, 0, 2))];

/// The counts of both services together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// TCP connections.
    pub connections: usize,
    /// Completed TLS handshakes.
    pub handshakes: usize,
    /// HTTP requests.
    pub requests: usize,
}

#[derive(Default)]
struct Counters {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    requests: AtomicUsize,
    open: AtomicUsize,
}

/// How the connections that are open now end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    KeepOpen,
    /// Closed after that much idle time, and the client notices.
    WhenIdle(Duration),
    /// Closed when used again: the client did not notice, as after a sandbox was frozen.
    OnNextUse,
}

/// Both services of a local AWS behind TLS, until it is dropped.
pub struct Endpoint {
    urls: BTreeMap<String, String>,
    authority: NamedTempFile,
    counters: Arc<Counters>,
    /// The latest change, with its number.
    closing: watch::Sender<(u64, Closing)>,
    _listeners: tokio::task::JoinSet<()>,
}

impl Endpoint {
    /// Serves the services of that server.
    ///
    /// # Errors
    /// No port can be listened on, or the certificate cannot be written.
    ///
    /// # Panics
    /// The certificate cannot be made; this depends on nothing outside.
    pub async fn start(server: &Server) -> std::io::Result<Self> {
        let (acceptor, authority) = certify();
        let mut file = NamedTempFile::new()?;
        file.write_all(authority.as_bytes())?;
        let (sender, closing) = watch::channel((0, Closing::KeepOpen));
        let counters = Arc::<Counters>::default();
        let mut urls = BTreeMap::new();
        let mut listeners = tokio::task::JoinSet::new();
        for (service, address) in SERVICES {
            let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(address), 0)).await?;
            urls.insert(format!("AWS_ENDPOINT_URL_{service}"), format!("https://{}", listener.local_addr()?));
            let acceptor = acceptor.clone();
            let connection =
                Connection { server: server.clone(), counters: counters.clone(), closing: closing.clone() };
            listeners.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connection.counters.connections.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(connection.clone().serve(acceptor.clone(), stream));
                }
            });
        }
        Ok(Endpoint { urls, authority: file, counters, closing: sender, _listeners: listeners })
    }

    /// The variables that make a function use this endpoint: one URL per service, and the authority to trust.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut variables = self.urls.clone();
        variables.insert("AWS_CA_BUNDLE".to_owned(), self.authority.path().display().to_string());
        variables
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let Counters { connections, handshakes, requests, .. } = &*self.counters;
        Counts { connections: read(connections), handshakes: read(handshakes), requests: read(requests) }
    }

    /// Closes every open connection after that much idle time, and waits until all are closed.
    pub async fn close_idle(&self, idle: Duration) {
        self.change(Closing::WhenIdle(idle));
        while self.counters.open.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Every connection that is open now is found closed when it is used again.
    pub fn forget_all(&self) {
        self.change(Closing::OnNextUse);
    }

    fn change(&self, closing: Closing) {
        self.closing.send_modify(|(count, last)| (*count, *last) = (*count + 1, closing));
    }
}

/// An acceptor for both addresses, and the certificate of its authority in PEM.
fn certify() -> (TlsAcceptor, String) {
    let key = || KeyPair::generate().expect("ring makes keys");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // With the name of the certificate itself, OpenSSL would take that certificate for self-signed.
    params.distinguished_name.push(DnType::CommonName, "authority of the local AWS");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("the authority signs itself");
    let mut params = CertificateParams::default();
    params.subject_alt_names = SERVICES.map(|(_, address)| SanType::IpAddress(IpAddr::V4(address))).to_vec();
    let own = key();
    let certificate = params.signed_by(&own, &authority).expect("the authority signs");
    let secret = PrivateKeyDer::Pkcs8(own.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .expect("the key is the certificate's");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}

#[derive(Clone)]
struct Connection {
    server: Server,
    counters: Arc<Counters>,
    closing: watch::Receiver<(u64, Closing)>,
}

impl Connection {
    async fn serve(mut self, acceptor: TlsAcceptor, stream: TcpStream) {
        // A change applies to the connections that were open when it was made.
        let opened = self.closing.borrow_and_update().0;
        let Ok(stream) = acceptor.accept(stream).await else { return };
        self.counters.handshakes.fetch_add(1, Ordering::Relaxed);
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        let (used, mut last_used) = watch::channel(());
        let service = service_fn(|request| {
            let this = self.clone();
            used.send_replace(());
            let used = &used;
            async move {
                let (count, closing) = *this.closing.borrow();
                if count > opened && closing == Closing::OnNextUse {
                    return Err(Lost);
                }
                this.counters.requests.fetch_add(1, Ordering::Relaxed);
                let answer = this.server.answer(request).await;
                used.send_replace(());
                answer
            }
        });
        let mut changes = self.closing.clone();
        let closed = async {
            let is_meant = |(count, closing): &(u64, Closing)| {
                *count > opened && matches!(closing, Closing::WhenIdle(_))
            };
            // An error means that the endpoint was dropped.
            let Ok(Closing::WhenIdle(idle)) = changes.wait_for(is_meant).await.map(|change| change.1) else {
                return std::future::pending().await;
            };
            while let Ok(Ok(())) = tokio::time::timeout(idle, last_used.changed()).await {}
        };
        let http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut http = pin!(http);
        // An error here is a peer that disconnected, or a response that is to be lost.
        tokio::select! {
            biased;
            _ = http.as_mut() => {}
            () = closed => {
                http.as_mut().graceful_shutdown();
                let _ = http.await;
            }
        }
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}
