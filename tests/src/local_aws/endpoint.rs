//! A public AWS endpoint as its clients see it: TLS with HTTP/1.1 alone, one address a service, connections closed when
//! they have been idle, but no sooner than a test says so; and all that is opened, counted.
//!
//! The certificate is made anew each time, and signed by an authority that only `AWS_CA_BUNDLE` makes known.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
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

/// The services' addresses: two, since a client keeps its connections by address.
const SERVICES: [(&str, Ipv4Addr); 2] =
    [("SSM", Ipv4Addr::new(127, 0, 0, 1)), ("ECS", Ipv4Addr::new(127, 0, 0, 2))];

/// What was opened and asked, of both services together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// TCP connections.
    pub connections: usize,
    /// TLS handshakes that were carried through.
    pub handshakes: usize,
    /// Requests.
    pub requests: usize,
}

#[derive(Default)]
struct Counters {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    requests: AtomicUsize,
    open: AtomicUsize,
}

/// What becomes of the connections that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Keep,
    /// Closed once they have been idle for so long, and the client is told.
    Close(Duration),
    /// Closed when it is used again: the client had no word of it, as after a sandbox was frozen.
    Forget,
}

/// Both services of a local AWS behind TLS, until it is dropped.
pub struct Endpoint {
    urls: BTreeMap<String, String>,
    authority: NamedTempFile,
    counters: Arc<Counters>,
    orders: watch::Sender<(u64, Order)>,
    _listeners: tokio::task::JoinSet<()>,
}

impl Endpoint {
    /// Serves that world.
    ///
    /// # Errors
    /// Where no port can be listened on, or the certificate cannot be written.
    ///
    /// # Panics
    /// Where the certificate cannot be made, which depends on nothing outside.
    pub async fn start(server: &Server) -> std::io::Result<Self> {
        let (acceptor, authority) = certify();
        let mut file = NamedTempFile::new()?;
        file.write_all(authority.as_bytes())?;
        let (orders, order) = watch::channel((0, Order::Keep));
        let counters = Arc::<Counters>::default();
        let mut urls = BTreeMap::new();
        let mut listeners = tokio::task::JoinSet::new();
        for (service, address) in SERVICES {
            let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(address), 0)).await?;
            urls.insert(format!("AWS_ENDPOINT_URL_{service}"), format!("https://{}", listener.local_addr()?));
            let (server, acceptor, counters, order) =
                (server.clone(), acceptor.clone(), counters.clone(), order.clone());
            listeners.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    counters.connections.fetch_add(1, Ordering::Relaxed);
                    let connection = Connection {
                        server: server.clone(),
                        counters: counters.clone(),
                        order: order.clone(),
                    };
                    tokio::spawn(connection.serve(acceptor.clone(), stream));
                }
            });
        }
        Ok(Endpoint { urls, authority: file, counters, orders, _listeners: listeners })
    }

    /// The variables that lead a function here: one URL a service, and whom to trust.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut variables = self.urls.clone();
        variables.insert("AWS_CA_BUNDLE".to_owned(), self.authority_path().display().to_string());
        variables
    }

    /// The authority's certificate, in PEM.
    pub fn authority_path(&self) -> &Path {
        self.authority.path()
    }

    /// What was opened and asked so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let Counters { connections, handshakes, requests, .. } = &*self.counters;
        Counts { connections: read(connections), handshakes: read(handshakes), requests: read(requests) }
    }

    /// Closes every connection that is open once it has been idle for so long, and waits until all are closed.
    pub async fn close_idle(&self, idle: Duration) {
        self.order(Order::Close(idle));
        while self.counters.open.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// From now on, whoever uses one of the connections that are open finds it closed.
    pub fn forget_all(&self) {
        self.order(Order::Forget);
    }

    fn order(&self, order: Order) {
        self.orders.send_modify(|(count, last)| (*count, *last) = (*count + 1, order));
    }
}

/// An acceptor for both addresses, and the PEM of the authority that vouches for it.
fn certify() -> (TlsAcceptor, String) {
    let key = || KeyPair::generate().expect("a key is made");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Another name than the certificate's, or OpenSSL takes that for one that vouches for itself.
    params.distinguished_name.push(DnType::CommonName, "authority of the local AWS");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority is made");
    let mut params = CertificateParams::default();
    params.subject_alt_names = SERVICES.map(|(_, address)| SanType::IpAddress(IpAddr::V4(address))).to_vec();
    let own = key();
    let certificate = params.signed_by(&own, &authority).expect("a certificate is signed");
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
    order: watch::Receiver<(u64, Order)>,
}

impl Connection {
    async fn serve(mut self, acceptor: TlsAcceptor, stream: TcpStream) {
        // Orders are for connections that were open when they were given.
        let opened = self.order.borrow_and_update().0;
        let Ok(stream) = acceptor.accept(stream).await else { return };
        self.counters.handshakes.fetch_add(1, Ordering::Relaxed);
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        let (used, mut last_used) = watch::channel(());
        let service = service_fn(|request| {
            let this = self.clone();
            used.send_replace(());
            let used = &used;
            async move {
                let (count, order) = *this.order.borrow();
                if count > opened && order == Order::Forget {
                    return Err(Lost);
                }
                this.counters.requests.fetch_add(1, Ordering::Relaxed);
                let answer = this.server.answer(request).await;
                used.send_replace(());
                answer
            }
        });
        let mut order = self.order.clone();
        let closing = async {
            let is_close =
                |(count, order): &(u64, Order)| *count > opened && matches!(order, Order::Close(_));
            // Without an endpoint nobody gives orders.
            let Ok(Order::Close(idle)) = order.wait_for(is_close).await.map(|given| given.1) else {
                return std::future::pending().await;
            };
            while let Ok(Ok(())) = tokio::time::timeout(idle, last_used.changed()).await {}
        };
        let http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut http = pin!(http);
        // An error here is a peer that went away, or an answer that was to be lost.
        tokio::select! {
            biased;
            _ = http.as_mut() => {}
            () = closing => {
                http.as_mut().graceful_shutdown();
                let _ = http.await;
            }
        }
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}
