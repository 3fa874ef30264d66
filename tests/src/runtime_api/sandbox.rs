//! One sandbox: a function's process and its own Runtime API.
//!
//! Every process has its own listener, as in Lambda: an old process cannot take the invocation of its successor.
//! Dropping a sandbox closes the listener and kills the process.
//!
//! A sandbox that crashed, timed out or failed to start is not used again; [`super::function`] starts another.

use super::protocol::{self, ErrorBody, NextInvocation, RuntimeCall};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// The stream of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: logs and metrics.
    Out,
    /// Standard error: panics.
    Err,
}

/// One line that a function printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The stream.
    pub stream: Stream,
    /// Without the line break; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// The lines of all sandboxes of a function, in the order of arrival.
pub type Lines = Arc<Mutex<Vec<Line>>>;

/// How an invocation in a sandbox ended.
#[derive(Debug)]
pub enum SandboxEnd {
    /// The handler returned a response or an error; the sandbox stays warm.
    Answered(Result<Bytes, ErrorBody>),
    /// The process ended during the invocation.
    Crashed(ExitStatus),
    /// The process ended before it took the invocation, after it had been ready.
    DiedIdle,
    /// The process ended, or called `init/error`, before it was ready.
    FailedToStart(Option<ErrorBody>, Option<ExitStatus>),
    /// Killed: no response within the function's timeout, or not ready within the limit of the init phase.
    TimedOut,
}

/// A running process with its Runtime API.
pub struct Sandbox {
    child: Child,
    shared: Arc<Shared>,
    /// Both end with their pipes: then all output has been read.
    readers: JoinSet<()>,
    _server: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<SandboxState>,
    /// An invocation is offered.
    offered: Notify,
    /// The runtime became ready or called `init/error`.
    progress: Notify,
}

#[derive(Default)]
struct SandboxState {
    ready: bool,
    init_error: Option<ErrorBody>,
    offer: Option<NextInvocation>,
    outstanding: Option<(String, oneshot::Sender<Result<Bytes, ErrorBody>>)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, SandboxState> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

impl Sandbox {
    /// Opens the Runtime API on a free port of 127.0.0.1 and starts `program`, with only `environment` and
    /// `AWS_LAMBDA_RUNTIME_API` as its variables.
    pub async fn start(
        program: &Path,
        environment: &BTreeMap<String, String>,
        lines: &Lines,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let server = AbortOnDrop(tokio::spawn(serve(listener, shared.clone())));
        let mut child = Command::new(program)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut readers = JoinSet::new();
        let out = child.stdout.take().expect("standard output was piped");
        let err = child.stderr.take().expect("standard error was piped");
        readers.spawn(read_lines(out, Stream::Out, lines.clone()));
        readers.spawn(read_lines(err, Stream::Err, lines.clone()));
        Ok(Self { child, shared, readers, _server: server })
    }

    /// Whether the process is running.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process id, until the process ends.
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the runtime asks for its first invocation. `None` means that it is ready.
    pub async fn initialize(&mut self, limit: Duration) -> Option<SandboxEnd> {
        let shared = self.shared.clone();
        let ready = async {
            loop {
                let progress = shared.progress.notified();
                {
                    let state = shared.state();
                    if state.ready || state.init_error.is_some() {
                        return state.init_error.clone();
                    }
                }
                progress.await;
            }
        };
        let ended = tokio::select! {
            biased;
            error = ready => error.map(|body| SandboxEnd::FailedToStart(Some(body), None)),
            status = self.child.wait() => Some(SandboxEnd::FailedToStart(None, status.ok())),
            () = tokio::time::sleep(limit) => Some(SandboxEnd::TimedOut),
        };
        if ended.is_some() {
            self.kill().await;
        }
        ended
    }

    /// Passes an invocation to the runtime and waits for its end, at most for `limit`.
    pub async fn invoke(&mut self, next: NextInvocation, limit: Duration) -> SandboxEnd {
        let (sender, answer) = oneshot::channel();
        {
            let mut state = self.shared.state();
            state.outstanding = Some((next.request_id.clone(), sender));
            state.offer = Some(next);
        }
        self.shared.offered.notify_one();
        let ended = tokio::select! {
            biased;
            Ok(answer) = answer => return SandboxEnd::Answered(answer),
            status = self.child.wait() => match status {
                _ if self.shared.state().offer.is_some() => SandboxEnd::DiedIdle,
                Ok(status) => SandboxEnd::Crashed(status),
                Err(_) => SandboxEnd::TimedOut,
            },
            () = tokio::time::sleep(limit) => SandboxEnd::TimedOut,
        };
        self.kill().await;
        ended
    }

    /// Kills the process, and waits until all its output has been read.
    pub async fn kill(&mut self) {
        // This fails only for a process that has ended already.
        let _ = self.child.kill().await;
        while self.readers.join_next().await.is_some() {}
    }
}

async fn read_lines(pipe: impl AsyncRead + Unpin, stream: Stream, lines: Lines) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while pipe.read_until(b'\n', &mut bytes).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
        lines.lock().expect("no holder of this lock can panic").push(Line { stream, text });
        bytes.clear();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, shared.clone()));
            // An error here is a runtime that ended during a request.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let call = RuntimeCall::parse(request.method(), request.uri().path());
    if call == RuntimeCall::Next {
        return Ok(next(&shared).await.into_response());
    }
    let body = request.into_body().collect().await?.to_bytes();
    Ok(match call {
        RuntimeCall::Response(id) => complete(&shared, &id, Ok(body)),
        RuntimeCall::Error(id) => complete(&shared, &id, Err(parse_error(&body))),
        RuntimeCall::InitError => {
            shared.state().init_error = Some(parse_error(&body));
            shared.progress.notify_waiters();
            protocol::accepted()
        }
        RuntimeCall::Next | RuntimeCall::Unknown => {
            protocol::refused(StatusCode::NOT_FOUND, "NotFound", "no such call in the Runtime API")
        }
    })
}

async fn next(shared: &Shared) -> NextInvocation {
    shared.state().ready = true;
    shared.progress.notify_waiters();
    loop {
        if let Some(next) = shared.state().offer.take() {
            return next;
        }
        shared.offered.notified().await;
    }
}

fn complete(shared: &Shared, id: &str, answer: Result<Bytes, ErrorBody>) -> http::Response<Full<Bytes>> {
    let mut state = shared.state();
    match state.outstanding.take() {
        Some((outstanding, sender)) if outstanding == id => {
            // The receiver is gone only if the invocation was abandoned, and this sandbox with it.
            let _ = sender.send(answer);
            protocol::accepted()
        }
        other => {
            state.outstanding = other;
            let message = format!("no invocation {id} is outstanding");
            protocol::refused(StatusCode::BAD_REQUEST, "InvalidRequestID", &message)
        }
    }
}

fn parse_error(body: &[u8]) -> ErrorBody {
    serde_json::from_slice(body).unwrap_or_else(|_| ErrorBody {
        error_type: "Unhandled".to_owned(),
        error_message: String::from_utf8_lossy(body).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_response_with_the_outstanding_request_id_is_accepted() {
        let shared = Shared::default();
        let (sender, mut answer) = oneshot::channel();
        shared.state().outstanding = Some(("a-1".to_owned(), sender));
        let status = |id: &str, body: &'static str| complete(&shared, id, Ok(Bytes::from(body))).status();
        assert_eq!(status("b-2", ""), StatusCode::BAD_REQUEST);
        assert!(answer.try_recv().is_err());
        assert_eq!(status("a-1", "1"), StatusCode::ACCEPTED);
        assert_eq!(answer.try_recv().unwrap().unwrap(), "1");
        assert_eq!(status("a-1", ""), StatusCode::BAD_REQUEST, "the response was given");
    }
}
