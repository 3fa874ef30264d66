//! An HTTP client for the real SDK, under paused tokio time.
//!
//! A call takes effect in the core at once. The client then waits for the response's delay in tokio time, and returns
//! the response or an error. [`VirtualClock`] is the matching wall clock: tokio time counted from the world's base.
//!
//! A [`Process`] is one run of one function. A test can kill it before or after the effect of its n-th call
//! ([`Process::kill_at`], [`Process::run`]), observe each call ([`Process::observe`]), and set its clock ahead
//! ([`Process::clock_ahead`]).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::{SignedDuration, Timestamp};
use shared::aws::Clients;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::reply::{Broken, Reply};
use super::{Caller, LocalAws, REGION};

/// A core that the processes of one test share, and its clock.
#[derive(Clone)]
pub struct Local {
    core: Arc<Mutex<LocalAws>>,
    clock: VirtualClock,
}

/// A wall clock that follows tokio's time, so that a paused runtime advances both.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    base: Timestamp,
    began: Instant,
}

impl VirtualClock {
    /// The time that the clock shows.
    pub fn now(&self) -> Timestamp {
        self.base + self.began.elapsed()
    }

    /// The same clock, set ahead.
    pub fn ahead(&self, by: SignedDuration) -> Self {
        Self { base: self.base + by, began: self.began }
    }
}

impl TimeSource for VirtualClock {
    fn now(&self) -> SystemTime {
        let since = VirtualClock::now(self).duration_since(Timestamp::UNIX_EPOCH);
        SystemTime::UNIX_EPOCH + since.unsigned_abs()
    }
}

impl Local {
    /// Shares a core. The clock starts at the core's time and follows the runtime of the caller.
    pub fn new(core: LocalAws) -> Self {
        super::log_keys::watch();
        let clock = VirtualClock { base: core.now(), began: Instant::now() };
        Self { core: Arc::new(Mutex::new(core)), clock }
    }

    /// The core, advanced to now, to read and to change. Do not hold it across an `await`.
    pub fn aws(&self) -> MutexGuard<'_, LocalAws> {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.advance(self.clock.now());
        core
    }

    /// The clock.
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// Lets that much time pass, in the world too.
    pub async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
        drop(self.aws());
    }
}

/// Runs a future to its end, in a runtime of its own with paused time.
///
/// # Panics
/// The runtime cannot be made; this depends on nothing outside.
pub fn in_virtual_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

/// Whether a process is killed before or after the effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call does not happen.
    Before,
    /// The call happens, but its response is never read.
    After,
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// It returned.
    Done(T),
    /// It was killed.
    Killed,
}

type Observer = Box<dyn FnMut(&mut LocalAws, &Reply) + Send>;

/// One run of one function: a caller with its own retry budget.
#[derive(Clone)]
pub struct Process {
    inner: Arc<Inner>,
}

struct Inner {
    local: Local,
    caller: Caller,
    state: Mutex<ProcessState>,
    killed: Notify,
}

#[derive(Default)]
struct ProcessState {
    calls: u32,
    kill: Option<(u32, Moment)>,
    ahead: SignedDuration,
    observer: Option<Observer>,
}

impl Process {
    /// A process with that caller name.
    pub fn new(local: &Local, name: &str) -> Self {
        let inner = Inner {
            local: local.clone(),
            caller: Caller::named(name),
            state: Mutex::default(),
            killed: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Kills the process at its n-th call, counted from 1, retries included.
    pub fn kill_at(self, call: u32, moment: Moment) -> Self {
        self.state().kill = Some((call, moment));
        self
    }

    /// Sets the process's clock ahead of AWS's. Call it before making clients.
    pub fn clock_ahead(self, by: SignedDuration) -> Self {
        self.state().ahead = by;
        self
    }

    /// The process's clock.
    pub fn clock(&self) -> VirtualClock {
        self.inner.local.clock.ahead(self.state().ahead)
    }

    /// Runs `observer` after the effect of each call, which is the last of [`LocalAws::calls`]. It may change the world.
    pub fn observe(self, observer: impl FnMut(&mut LocalAws, &Reply) + Send + 'static) -> Self {
        self.state().observer = Some(Box::new(observer));
        self
    }

    /// The number of calls made.
    pub fn calls(&self) -> u32 {
        self.state().calls
    }

    /// Runs a function's future to its end, or drops it when the process is killed.
    pub async fn run<T>(&self, function: impl Future<Output = T>) -> Ended<T> {
        tokio::select! {
            biased;
            () = self.inner.killed.notified() => Ended::Killed,
            result = function => Ended::Done(result),
        }
    }

    /// The SDK configuration: static credentials, the virtual clock, tokio's sleep, and the retries and timeouts that
    /// ship. For clients other than [`Self::clients`], also set [`Self::retry_partition`].
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("AKIDLOCAL", "local", None, None, "local");
        SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .time_source(SharedTimeSource::new(self.clock()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(shared::aws::retry_config())
            .timeout_config(shared::aws::timeout_config())
            .http_client(self.clone())
            .build()
    }

    /// A retry budget of its own: the SDK's static budgets would leak from one simulated process into the next.
    pub fn retry_partition(&self) -> RetryPartition {
        let name = self.inner.caller.0.to_string();
        RetryPartition::custom(name).token_bucket(Default::default()).build()
    }

    /// The clients of a function in this process.
    pub fn clients(&self) -> Clients {
        Clients::with_retry_partition(self.sdk_config(), self.retry_partition())
    }

    /// An SSM client of this process.
    pub fn ssm(&self) -> aws_sdk_ssm::Client {
        self.clients().ssm().clone()
    }

    /// An ECS client of this process.
    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        self.clients().ecs().clone()
    }

    fn state(&self) -> MutexGuard<'_, ProcessState> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and returns when the process is killed at it.
    fn count_call(&self) -> Option<Moment> {
        let mut state = self.state();
        state.calls += 1;
        let calls = state.calls;
        state.kill.filter(|(at, _)| *at == calls).map(|(_, moment)| moment)
    }

    fn carry_out(&self, operation: &str, body: &[u8]) -> Reply {
        let local = &self.inner.local;
        let mut core = local.core.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = core.handle(local.clock.now(), &self.inner.caller, operation, body);
        if let Some(observer) = &mut self.state().observer {
            observer(&mut core, &reply);
        }
        reply
    }

    async fn answer(
        self,
        request: HttpRequest,
        read_timeout: Option<Duration>,
    ) -> Result<HttpResponse, ConnectorError> {
        let killed = self.count_call();
        if killed == Some(Moment::Before) {
            return self.die().await;
        }
        let operation = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let reply = self.carry_out(operation, body);
        if killed == Some(Moment::After) {
            return self.die().await;
        }
        if let Some(timeout) = read_timeout.filter(|timeout| *timeout < reply.delay) {
            tokio::time::sleep(timeout).await;
            return Err(ConnectorError::timeout("no answer within the read timeout".into()));
        }
        tokio::time::sleep(reply.delay).await;
        match reply.fault {
            Some(Broken::NotReached) => Err(ConnectorError::io("connection refused".into())),
            Some(Broken::AnswerLost) => Err(ConnectorError::io("connection reset before an answer".into())),
            None => Ok(response(reply)),
        }
    }

    async fn die(&self) -> Result<HttpResponse, ConnectorError> {
        self.inner.killed.notify_one();
        std::future::pending().await
    }
}

fn response(reply: Reply) -> HttpResponse {
    let status = StatusCode::try_from(reply.status).expect("the core answers with valid statuses");
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value);
    }
    response
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Process").field(&self.inner.caller).finish()
    }
}

#[derive(Debug)]
struct Connector {
    process: Process,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.process.clone().answer(request, self.read_timeout))
    }
}

impl HttpClient for Process {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { process: self.clone(), read_timeout: settings.read_timeout() })
    }
}
