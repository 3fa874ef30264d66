//! A function: its settings and at most one warm sandbox. Invocations run one after the other, in order.
//!
//! As in Lambda, a sandbox is reused until it crashes, times out, or its invocation is abandoned (the future dropped).
//! The next invocation then starts another.

use super::protocol::{ErrorBody, NextInvocation};
use super::sandbox::{Line, Lines, Sandbox, SandboxEnd};
use crate::local_aws::{ACCOUNT, REGION};
use aws_smithy_async::time::SharedTimeSource;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Lambda's limit for the init phase.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// The settings of a function.
#[derive(Debug, Clone)]
pub struct FunctionSettings {
    /// For example `map-share`.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// The function's own variables. They override Lambda's; no other variable is passed on.
    pub environment: BTreeMap<String, String>,
    /// The timeout of an invocation.
    pub timeout: Duration,
}

/// The outcome of one invocation.
#[derive(Debug)]
pub struct InvocationOutcome {
    /// The request id.
    pub request_id: String,
    /// Whether a process was started for it.
    pub cold_start: bool,
    /// From the start of the process, or from the request to a warm one, to the response.
    pub took: Duration,
    /// The handler's response, or the failure.
    pub outcome: Result<Value, InvocationFailure>,
}

/// Why an invocation has no response. `printed` is the output since the invocation began.
#[derive(Debug, thiserror::Error)]
pub enum InvocationFailure {
    /// The program cannot be started.
    #[error("cannot start {program}: {source}")]
    NotStarted {
        /// The binary.
        program: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The process ended, or called `init/error`, before it asked for an invocation.
    #[error("failed to start: {}{}{}", error_text(.error), status_text(.status), last_line(.printed))]
    Init {
        /// The body of `init/error`, if it was called.
        error: Option<ErrorBody>,
        /// The exit status, if the process ended.
        status: Option<ExitStatus>,
        /// The output.
        printed: Vec<Line>,
    },
    /// The handler returned an error.
    #[error("{}: {}", .0.error_type, .0.error_message)]
    Handler(ErrorBody),
    /// The handler's response is not JSON.
    #[error("the response is not JSON: {0}")]
    Answer(serde_json::Error),
    /// The process ended during the invocation.
    #[error("runtime exited: {status}{}", last_line(.printed))]
    Crashed {
        /// The exit status.
        status: ExitStatus,
        /// The output.
        printed: Vec<Line>,
    },
    /// The process was killed at the timeout.
    #[error("task timed out after {:.2} seconds{}", .after.as_secs_f64(), last_line(.printed))]
    TimedOut {
        /// The function's timeout, or the limit of the init phase.
        after: Duration,
        /// The output.
        printed: Vec<Line>,
    },
}

fn error_text(error: &Option<ErrorBody>) -> String {
    error.as_ref().map_or_else(String::new, |error| format!("{}: {}", error.error_type, error.error_message))
}

fn status_text(status: &Option<ExitStatus>) -> String {
    status.map_or_else(String::new, |status| status.to_string())
}

fn last_line(printed: &[Line]) -> String {
    printed.last().map_or_else(String::new, |line| format!("; printed last: {}", line.text))
}

/// A function that can be invoked. Dropping it kills its process.
pub struct Function {
    settings: FunctionSettings,
    clock: SharedTimeSource,
    lines: Lines,
    count: AtomicU64,
    /// Locked during an invocation, so that others wait in order.
    sandbox: Mutex<Option<Sandbox>>,
}

impl Function {
    /// A function without a process; the first invocation starts one. `clock` is used for deadlines.
    pub fn new(settings: FunctionSettings, clock: SharedTimeSource) -> Self {
        Self { settings, clock, lines: Lines::default(), count: AtomicU64::new(0), sandbox: Mutex::new(None) }
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The output of its processes from line `from` on. The last lines of a running process may be missing; after
    /// [`Self::stop`] none is.
    pub fn lines(&self, from: usize) -> Vec<Line> {
        let lines = self.lines.lock().expect("no holder of this lock can panic");
        lines.get(from..).unwrap_or_default().to_vec()
    }

    /// Invokes the function and waits for the response. Dropping the future kills the process.
    pub async fn invoke(&self, payload: &Value) -> InvocationOutcome {
        let mut warm = self.sandbox.lock().await;
        let request_id =
            format!("00000000-0000-4000-8000-{:012x}", self.count.fetch_add(1, Ordering::Relaxed) + 1);
        let first_line = self.line_count();
        let begun = Instant::now();
        let mut cold_start = false;
        let outcome = loop {
            let mut sandbox = match warm.take_if(Sandbox::is_alive) {
                Some(sandbox) => sandbox,
                None => {
                    cold_start = true;
                    match self.start_sandbox(first_line, INIT_LIMIT).await {
                        Ok(sandbox) => sandbox,
                        Err(failure) => break Err(failure),
                    }
                }
            };
            let end = sandbox.invoke(self.next(&request_id, payload), self.settings.timeout).await;
            match end {
                SandboxEnd::Answered(answer) => {
                    *warm = Some(sandbox);
                    break match answer {
                        Ok(bytes) => serde_json::from_slice(&bytes).map_err(InvocationFailure::Answer),
                        Err(error) => Err(InvocationFailure::Handler(error)),
                    };
                }
                SandboxEnd::DiedIdle => continue,
                other => break Err(self.failure(other, self.settings.timeout, first_line)),
            }
        };
        InvocationOutcome { request_id, cold_start, took: begun.elapsed(), outcome }
    }

    /// Runs the init phase, unless a warm process exists, and returns its duration. The limit is the function's timeout,
    /// because a process whose instructions are counted is slow.
    ///
    /// # Errors
    /// `NotStarted`, `Init` or `TimedOut`.
    pub async fn initialize(&self) -> Result<Duration, InvocationFailure> {
        let mut warm = self.sandbox.lock().await;
        let begun = Instant::now();
        if !warm.as_mut().is_some_and(Sandbox::is_alive) {
            *warm = Some(self.start_sandbox(self.line_count(), self.settings.timeout).await?);
        }
        Ok(begun.elapsed())
    }

    /// The process id, if there is a process.
    pub async fn process_id(&self) -> Option<u32> {
        self.sandbox.lock().await.as_ref().and_then(Sandbox::process_id)
    }

    /// Kills the process, if there is one, and returns all lines that the function printed.
    pub async fn stop(&self) -> Vec<Line> {
        if let Some(mut sandbox) = self.sandbox.lock().await.take() {
            sandbox.kill().await;
        }
        self.lines(0)
    }

    async fn start_sandbox(&self, first_line: usize, limit: Duration) -> Result<Sandbox, InvocationFailure> {
        let program = &self.settings.program;
        let mut sandbox = Sandbox::start(program, &self.environment(), &self.lines)
            .await
            .map_err(|source| InvocationFailure::NotStarted { program: program.clone(), source })?;
        match sandbox.initialize(limit).await {
            None => Ok(sandbox),
            Some(ended) => Err(self.failure(ended, limit, first_line)),
        }
    }

    fn failure(&self, ended: SandboxEnd, limit: Duration, first_line: usize) -> InvocationFailure {
        let printed = self.lines(first_line);
        match ended {
            SandboxEnd::FailedToStart(error, status) => InvocationFailure::Init { error, status, printed },
            SandboxEnd::Crashed(status) => InvocationFailure::Crashed { status, printed },
            SandboxEnd::Answered(Err(error)) => InvocationFailure::Handler(error),
            SandboxEnd::TimedOut | SandboxEnd::DiedIdle | SandboxEnd::Answered(Ok(_)) => {
                InvocationFailure::TimedOut { after: limit, printed }
            }
        }
    }

    fn next(&self, request_id: &str, payload: &Value) -> NextInvocation {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        NextInvocation {
            request_id: request_id.to_owned(),
            function_arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.settings.name),
            deadline_ms: (now + self.settings.timeout).as_millis(),
            payload: payload.to_string().into(),
        }
    }

    fn line_count(&self) -> usize {
        self.lines.lock().expect("no holder of this lock can panic").len()
    }

    /// Lambda's variables (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), overridden by the
    /// function's own. The credentials are dummies.
    fn environment(&self) -> BTreeMap<String, String> {
        let name = &self.settings.name;
        let lambda = [
            ("_HANDLER", "bootstrap".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ];
        let mut all: BTreeMap<String, String> = lambda.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        all.extend(self.settings.environment.clone());
        all
    }
}

/// The machine's clock.
pub fn wall_clock() -> SharedTimeSource {
    SharedTimeSource::new(aws_smithy_async::time::SystemTimeSource::new())
}
