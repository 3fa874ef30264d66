//! A function: its settings and at most one warm sandbox. Invocations wait their turn, first come, first served.
//!
//! A sandbox is reused until it crashes, times out, or an invocation is given up (its future dropped), and replaced
//! at the next invocation, as Lambda does.

use super::protocol::{ErrorBody, Work};
use super::sandbox::{Ended, Line, Lines, Sandbox};
use aws_smithy_async::time::SharedTimeSource;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Lambda's own limit for the init phase.
pub const INIT_LIMIT: Duration = Duration::from_secs(10);

/// The account that every made-up ARN of the local world names.
pub const ACCOUNT: &str = "111122223333";
/// The region that every made-up ARN of the local world names.
pub const REGION: &str = "eu-west-1";

/// What the template says about a function.
#[derive(Debug, Clone)]
pub struct FunctionSettings {
    /// E.g. `map-share`.
    pub name: String,
    /// The binary, as cargo built it.
    pub program: PathBuf,
    /// The function's own variables. Nothing is inherited; Lambda's variables are added, and yours win.
    pub environment: BTreeMap<String, String>,
    /// After so long an invocation is over and its sandbox killed.
    pub timeout: Duration,
}

/// What became of one invocation.
#[derive(Debug)]
pub struct Invocation {
    /// As the function saw it.
    pub request_id: String,
    /// Whether a process was started for it.
    pub cold_start: bool,
    /// From the start of the process, or the handing over to a warm one, to the answer.
    pub took: Duration,
    /// The handler's answer, or why there is none.
    pub outcome: Result<Value, Failure>,
}

/// Why an invocation has no answer. `printed` is what the process printed since the invocation began.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The program cannot be started at all.
    #[error("cannot start {program}: {source}")]
    NotStarted {
        /// The binary.
        program: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The process ended, or reported `init/error`, before it asked for work.
    #[error("failed to start: {}{}{}", said(.error), ended(.status), printed_last(.printed))]
    Init {
        /// The body of `init/error`, if it was called.
        error: Option<ErrorBody>,
        /// If the process ended.
        status: Option<ExitStatus>,
        /// Its output.
        printed: Vec<Line>,
    },
    /// The handler answered with an error.
    #[error("{}: {}", .0.error_type, .0.error_message)]
    Handler(ErrorBody),
    /// The handler's answer is no JSON.
    #[error("the answer is no JSON: {0}")]
    Answer(serde_json::Error),
    /// The process ended in the middle of the invocation.
    #[error("runtime exited: {status}{}", printed_last(.printed))]
    Crashed {
        /// How.
        status: ExitStatus,
        /// Its output.
        printed: Vec<Line>,
    },
    /// The process was killed at the time-out.
    #[error("task timed out after {:.2} seconds{}", .after.as_secs_f64(), printed_last(.printed))]
    TimedOut {
        /// The function's time-out, or the limit for init.
        after: Duration,
        /// Its output.
        printed: Vec<Line>,
    },
}

fn said(error: &Option<ErrorBody>) -> String {
    error.as_ref().map_or_else(String::new, |error| format!("{}: {}", error.error_type, error.error_message))
}

fn ended(status: &Option<ExitStatus>) -> String {
    status.map_or_else(String::new, |status| status.to_string())
}

fn printed_last(printed: &[Line]) -> String {
    printed.last().map_or_else(String::new, |line| format!("; printed last: {}", line.text))
}

/// A function that can be invoked. Dropped, it kills its process.
pub struct Function {
    settings: FunctionSettings,
    clock: SharedTimeSource,
    lines: Lines,
    count: AtomicU64,
    /// Held for as long as an invocation runs, so that others wait in order.
    sandbox: Mutex<Option<Sandbox>>,
}

impl Function {
    /// A function without a process yet: the first invocation starts it. `clock` tells the deadlines.
    pub fn new(settings: FunctionSettings, clock: SharedTimeSource) -> Self {
        Self { settings, clock, lines: Lines::default(), count: AtomicU64::new(0), sandbox: Mutex::new(None) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.settings.name)
    }

    /// All that its processes printed, from line `from` on. What a running process printed last may not have been
    /// read yet; after [`Self::stop`] nothing is missing.
    pub fn lines(&self, from: usize) -> Vec<Line> {
        let lines = self.lines.lock().expect("no holder of this lock can panic");
        lines.get(from..).unwrap_or_default().to_vec()
    }

    /// Invokes the function and waits for the answer. Dropping the future kills the process.
    pub async fn invoke(&self, payload: &Value) -> Invocation {
        let mut place = self.sandbox.lock().await;
        let request_id =
            format!("00000000-0000-4000-8000-{:012x}", self.count.fetch_add(1, Ordering::Relaxed) + 1);
        let first_line = self.line_count();
        let begun = Instant::now();
        let mut cold_start = false;
        let outcome = loop {
            let mut sandbox = match place.take_if(Sandbox::is_alive) {
                Some(warm) => warm,
                None => {
                    cold_start = true;
                    match self.start_sandbox(first_line, INIT_LIMIT).await {
                        Ok(sandbox) => sandbox,
                        Err(failure) => break Err(failure),
                    }
                }
            };
            let ended = sandbox.invoke(self.work(&request_id, payload), self.settings.timeout).await;
            match ended {
                Ended::Answered(answer) => {
                    *place = Some(sandbox);
                    break match answer {
                        Ok(bytes) => serde_json::from_slice(&bytes).map_err(Failure::Answer),
                        Err(error) => Err(Failure::Handler(error)),
                    };
                }
                Ended::DiedIdle => continue,
                other => break Err(self.failure(other, self.settings.timeout, first_line)),
            }
        };
        Invocation { request_id, cold_start, took: begun.elapsed(), outcome }
    }

    /// Starts a process, unless a warm one is there, and waits until it asks for work: the init phase. How long it took.
    /// Waits for as long as an invocation may take, since whoever counts instructions slows it down.
    ///
    /// # Errors
    /// [`Failure::NotStarted`], [`Failure::Init`] or [`Failure::TimedOut`].
    pub async fn initialize(&self) -> Result<Duration, Failure> {
        let mut place = self.sandbox.lock().await;
        let begun = Instant::now();
        if !place.as_mut().is_some_and(Sandbox::is_alive) {
            *place = Some(self.start_sandbox(self.line_count(), self.settings.timeout).await?);
        }
        Ok(begun.elapsed())
    }

    /// The process's id, while there is one.
    pub async fn process_id(&self) -> Option<u32> {
        self.sandbox.lock().await.as_ref().and_then(Sandbox::process_id)
    }

    /// Kills the process, if there is one, and returns every line that the function ever printed.
    pub async fn stop(&self) -> Vec<Line> {
        if let Some(mut sandbox) = self.sandbox.lock().await.take() {
            sandbox.kill().await;
        }
        self.lines(0)
    }

    async fn start_sandbox(&self, first_line: usize, limit: Duration) -> Result<Sandbox, Failure> {
        let program = &self.settings.program;
        let mut sandbox = Sandbox::start(program, &self.environment(), &self.lines)
            .await
            .map_err(|source| Failure::NotStarted { program: program.clone(), source })?;
        match sandbox.initialize(limit).await {
            None => Ok(sandbox),
            Some(ended) => Err(self.failure(ended, limit, first_line)),
        }
    }

    fn failure(&self, ended: Ended, limit: Duration, first_line: usize) -> Failure {
        let printed = self.lines(first_line);
        match ended {
            Ended::FailedToStart(error, status) => Failure::Init { error, status, printed },
            Ended::Crashed(status) => Failure::Crashed { status, printed },
            Ended::Answered(Err(error)) => Failure::Handler(error),
            Ended::TimedOut | Ended::DiedIdle | Ended::Answered(Ok(_)) => {
                Failure::TimedOut { after: limit, printed }
            }
        }
    }

    fn work(&self, request_id: &str, payload: &Value) -> Work {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Work {
            request_id: request_id.to_owned(),
            function_arn: self.arn(),
            deadline_ms: (now + self.settings.timeout).as_millis(),
            payload: payload.to_string().into(),
        }
    }

    fn line_count(&self) -> usize {
        self.lines.lock().expect("no holder of this lock can panic").len()
    }

    /// What Lambda sets (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>), then the
    /// function's own. Credentials are there, as on AWS, and worth nothing.
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

/// A clock that a function and its test can share: the machine's.
pub fn wall_clock() -> SharedTimeSource {
    SharedTimeSource::new(aws_smithy_async::time::SystemTimeSource::new())
}
