//! A TCP server: HTTP/1.1 in wall time, for real binaries, boto3 and the AWS CLI, through `AWS_ENDPOINT_URL`.
//!
//! The caller's name is the access key id of the request's signature, so several processes are told apart by their
//! keys. Signatures are not checked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};

use super::control::{self, ControlResponse};
use super::{Caller, LocalAws};

/// A core that is served over TCP, and its clock.
#[derive(Clone)]
pub struct Server {
    core: Arc<Mutex<LocalAws>>,
    time: SharedTimeSource,
    /// By how many milliseconds the world's time is ahead of the wall clock.
    ahead: Arc<AtomicU64>,
    address: SocketAddr,
}

/// How often the world advances without a call, so that events are emitted in time.
const TICK: Duration = Duration::from_millis(50);

impl Server {
    /// The wall-clock time, as the base of a world that begins now.
    pub fn wall_clock() -> Timestamp {
        now_of(&SharedTimeSource::new(SystemTimeSource::new()))
    }

    /// Serves a core on an address (`127.0.0.1:0` for any free port) until the runtime ends.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(core: LocalAws, address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let time = SharedTimeSource::new(SystemTimeSource::new());
        let address = listener.local_addr()?;
        let server = Self { core: Arc::new(Mutex::new(core)), time, ahead: Arc::default(), address };
        tokio::spawn(server.clone().accept(listener));
        tokio::spawn(server.clone().tick());
        Ok(server)
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The core, advanced to now, to read and to change. Do not hold it across an `await`.
    pub fn aws(&self) -> MutexGuard<'_, LocalAws> {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.advance(self.now());
        core
    }

    /// The world's time: the wall clock, moved ahead by [`Self::move_ahead`].
    pub fn now(&self) -> Timestamp {
        now_of(&self.time) + Duration::from_millis(self.ahead.load(Ordering::Relaxed))
    }

    /// Moves the world's time ahead at once. The callers' own clocks do not follow.
    pub fn move_ahead(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        self.ahead.fetch_add(millis, Ordering::Relaxed);
        drop(self.aws());
    }

    fn control(&self, method: &str, path: &str, query: &str, body: &[u8]) -> ControlResponse {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Advance {
            seconds: f64,
        }
        if (method, path.trim_matches('/')) != ("POST", "advance") {
            return control::control(&mut self.aws(), method, path.trim_start_matches('/'), query, body);
        }
        let time = control::parse::<Advance>(body).and_then(|asked| control::duration(asked.seconds));
        match time {
            Ok(time) => {
                self.move_ahead(time);
                (200, serde_json::json!({"now": format!("{:.3}", self.now())}))
            }
            Err(error) => (400, serde_json::json!({ "error": error })),
        }
    }

    async fn tick(self) {
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            drop(self.aws());
        }
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve(stream));
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        let service = service_fn(|request| self.answer(request));
        // An error here is a peer that disconnected, or a response that is to be lost.
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    /// `Err` closes the connection without a response.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
        if let Some(path) = parts.uri.path().strip_prefix("/_control") {
            let query = parts.uri.query().unwrap_or_default();
            return json_response(self.control(parts.method.as_str(), path, query, &body));
        }
        let operation = header(&parts.headers, "x-amz-target").to_owned();
        let caller = caller(&parts.headers);
        let reply = {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            core.handle(self.now(), &caller, &operation, &body)
        };
        tokio::time::sleep(reply.delay).await;
        if reply.fault.is_some() {
            return Err(Lost);
        }
        let mut response = Response::builder().status(reply.status);
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(Bytes::from(reply.body))).map_err(|_| Lost)
    }
}

fn json_response((status, body): ControlResponse) -> Result<Response<Full<Bytes>>, Lost> {
    let mut body = body.to_string();
    body.push('\n');
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Full::new(Bytes::from(body))).map_err(|_| Lost)
}

/// The response does not arrive.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without a response")]
pub(super) struct Lost;

fn now_of(time: &SharedTimeSource) -> Timestamp {
    Timestamp::try_from(time.now()).expect("this century")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The access key id in `Credential=AKID/20260301/eu-west-1/ssm/aws4_request`.
fn caller(headers: &HeaderMap) -> Caller {
    let credential = header(headers, "authorization").split("Credential=").nth(1).unwrap_or_default();
    let name = credential.split('/').next().filter(|name| !name.is_empty());
    Caller::named(name.unwrap_or("anonymous"))
}
