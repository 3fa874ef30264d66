//! One sandbox: a function's process and the Runtime API that belongs to it alone.
//!
//! Every process gets its own listener, as every Lambda sandbox does: an old process cannot take the work of the
//! one that replaced it. Dropping a sandbox closes the listener and kills the process.
//!
//! It deliberately gives no second chance: a sandbox that crashed, timed out or failed to start is done for, and
//! [`super::function`] starts another.

use super::protocol::{self, Call, ErrorBody, Work};
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

/// Where a line was printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: logs and metrics.
    Out,
    /// Standard error: panics.
    Err,
}

/// One line that a function printed, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was printed.
    pub stream: Stream,
    /// Without its line break; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// The lines of all sandboxes of a function, shared with whoever watches.
pub type Lines = Arc<Mutex<Vec<Line>>>;

/// How an invocation in a sandbox ended.
#[derive(Debug)]
pub enum Ended {
    /// The handler answered, or failed by itself; the sandbox is warm.
    Answered(Result<Bytes, ErrorBody>),
    /// The process ended while it had the work.
    Crashed(ExitStatus),
    /// The process ended before it took the work, though it had been ready before: it died idle.
    DiedIdle,
    /// The process ended, or said `init/error`, before it was ready for its first work.
    FailedToStart(Option<ErrorBody>, Option<ExitStatus>),
    /// Killed: no answer within the function's time-out, or not ready within the limit for init.
    TimedOut,
}

/// A running process with its Runtime API.
pub struct Sandbox {
    child: Child,
    shared: Arc<Shared>,
    /// Ends with the pipes: when both are done, everything that was printed has been read.
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
    place: Mutex<Place>,
    /// Work was offered.
    offered: Notify,
    /// The runtime asked for work for the first time, said `init/error`, or took the work.
    progress: Notify,
}

#[derive(Default)]
struct Place {
    ready: bool,
    init_error: Option<ErrorBody>,
    offer: Option<Work>,
    outstanding: Option<(String, oneshot::Sender<Result<Bytes, ErrorBody>>)>,
}

impl Shared {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("no holder of this lock can panic")
    }
}

impl Sandbox {
    /// Opens the Runtime API on a free port of 127.0.0.1 and starts `program` with exactly `environment` and
    /// `AWS_LAMBDA_RUNTIME_API`.
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

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process's id, until it has ended.
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the runtime asks for its first work. `None`: it is ready.
    pub async fn initialize(&mut self, limit: Duration) -> Option<Ended> {
        let shared = self.shared.clone();
        let ready = async {
            loop {
                let progress = shared.progress.notified();
                {
                    let place = shared.place();
                    if place.ready || place.init_error.is_some() {
                        return place.init_error.clone();
                    }
                }
                progress.await;
            }
        };
        let ended = tokio::select! {
            biased;
            said = ready => said.map(|body| Ended::FailedToStart(Some(body), None)),
            status = self.child.wait() => Some(Ended::FailedToStart(None, status.ok())),
            () = tokio::time::sleep(limit) => Some(Ended::TimedOut),
        };
        if ended.is_some() {
            self.kill().await;
        }
        ended
    }

    /// Hands `work` to the runtime and waits for what becomes of it, at most for `limit`.
    pub async fn invoke(&mut self, work: Work, limit: Duration) -> Ended {
        let (sender, answer) = oneshot::channel();
        {
            let mut place = self.shared.place();
            place.outstanding = Some((work.request_id.clone(), sender));
            place.offer = Some(work);
        }
        self.shared.offered.notify_one();
        let ended = tokio::select! {
            biased;
            Ok(answer) = answer => return Ended::Answered(answer),
            status = self.child.wait() => match status {
                _ if self.shared.place().offer.is_some() => Ended::DiedIdle,
                Ok(status) => Ended::Crashed(status),
                Err(_) => Ended::TimedOut,
            },
            () = tokio::time::sleep(limit) => Ended::TimedOut,
        };
        self.kill().await;
        ended
    }

    /// Ends the process, and waits until all it printed has been read.
    pub async fn kill(&mut self) {
        // Fails only for a process that is gone already.
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
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, shared.clone()));
            // A runtime that goes away in the middle of a request is no error of ours.
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
    let call = Call::parse(request.method(), request.uri().path());
    if call == Call::Next {
        return Ok(next(&shared).await.into_response());
    }
    let body = request.into_body().collect().await?.to_bytes();
    Ok(match call {
        Call::Response(id) => complete(&shared, &id, Ok(body)),
        Call::Error(id) => complete(&shared, &id, Err(parse_error(&body))),
        Call::InitError => {
            shared.place().init_error = Some(parse_error(&body));
            shared.progress.notify_waiters();
            protocol::accepted()
        }
        Call::Next | Call::Unknown => {
            protocol::refused(StatusCode::NOT_FOUND, "NotFound", "no such call in the Runtime API")
        }
    })
}

async fn next(shared: &Shared) -> Work {
    shared.place().ready = true;
    shared.progress.notify_waiters();
    loop {
        if let Some(work) = shared.place().offer.take() {
            return work;
        }
        shared.offered.notified().await;
    }
}

fn complete(shared: &Shared, id: &str, answer: Result<Bytes, ErrorBody>) -> http::Response<Full<Bytes>> {
    let mut place = shared.place();
    match place.outstanding.take() {
        Some((outstanding, sender)) if outstanding == id => {
            // The receiver is gone only when the invocation was given up, and this sandbox with it.
            let _ = sender.send(answer);
            protocol::accepted()
        }
        other => {
            place.outstanding = other;
            protocol::refused(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                &format!("no invocation {id} is outstanding"),
            )
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
    fn an_answer_for_another_request_id_is_refused_and_the_right_one_still_taken() {
        let shared = Shared::default();
        let (sender, mut answer) = oneshot::channel();
        shared.place().outstanding = Some(("a-1".to_owned(), sender));
        assert_eq!(complete(&shared, "b-2", Ok(Bytes::new())).status(), StatusCode::BAD_REQUEST);
        assert!(answer.try_recv().is_err());
        assert_eq!(complete(&shared, "a-1", Ok(Bytes::from("1"))).status(), StatusCode::ACCEPTED);
        assert_eq!(answer.try_recv().unwrap().unwrap(), "1");
        assert_eq!(
            complete(&shared, "a-1", Ok(Bytes::new())).status(),
            StatusCode::BAD_REQUEST,
            "answered once"
        );
    }
}
