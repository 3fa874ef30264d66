//! A local AWS: as much of SSM and ECS as keeping a share mapped takes, with the documented limits, errors, pages,
//! rates and delays, over a [`World`] of modelled hosts.
//!
//! [`LocalAws`] is a synchronous core that knows no socket, no clock and no async runtime: every call is told `now`, and
//! whatever fell due since the last call happens first, in order. Two thin shells stand over it: [`in_process`], an HTTP
//! client for the real SDK under paused tokio time, and [`server`], over TCP in wall time, for real binaries, boto3 and
//! the AWS CLI. [`endpoint`] puts TLS before the latter.
//!
//! ```
//! # use std::time::Duration;
//! # use tests::fleet::World;
//! # use tests::local_aws::{LocalAws, in_process::{Local, Process}};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let base = "2026-03-01T12:00:00Z".parse()?;
//! let world = World::new(7, base)
//!     .cluster("apps")
//!     .windows_instances("apps", 3)
//!     .windows_instance("apps", |host| host.disk_on_letter());
//! let local = Local::new(LocalAws::new(world)); // in a runtime with `start_paused = true`
//! let process = Process::new(&local, "drain-unmapped");
//! let clients = process.clients(); // real SDK clients; `process.sdk_config()` is what they are made of
//! let listed = clients.ecs().list_container_instances().cluster("apps").send().await?;
//! assert_eq!(listed.container_instance_arns().len(), 4);
//! local.wait(Duration::from_secs(30)).await; // tokio time and the world go on
//! local.aws().world.host("i-0f1ee700000000001").lose_mapping();
//! assert_eq!(local.aws().calls()[0].operation, "ListContainerInstances");
//! # Ok(()) }
//! ```
//!
//! It deliberately checks no signature and no permission, and stores nothing.

mod advance;
pub mod control;
pub mod ecs;
pub mod endpoint;
pub mod events;
pub mod faults;
pub mod in_process;
pub mod lifecycle;
mod page;
pub mod reply;
pub mod server;
pub mod ssm;
pub mod throttles;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::fleet::World;
use advance::Timer;
use faults::{Fault, Faults};
use reply::{ApiError, Broken, Outcome, Reply};
use throttles::{Bucket, Throttles};

/// The account that everything lives in.
pub const ACCOUNT: &str = "111122223333";
/// The region that everything lives in.
pub const REGION: &str = "eu-west-1";

/// Who makes a call: the name of a function, `customer`, `boto3`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller(pub Arc<str>);

impl Caller {
    /// A caller of that name.
    pub fn named(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

/// One line of the log of calls.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it arrived.
    pub at: Timestamp,
    /// Who made it.
    pub caller: Caller,
    /// Without prefix: `SendCommand`.
    pub operation: String,
    /// What was asked.
    pub body: Vec<u8>,
    /// Whether it took effect: refused and undelivered ones did not.
    pub effect: bool,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The error code, where the answer was one.
    pub error: Option<&'static str>,
    /// How it was made to fail.
    pub fault: Option<Fault>,
}

impl Call {
    /// What was asked, as JSON; `null` where it was none.
    pub fn request(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// The core. See the module's documentation.
pub struct LocalAws {
    /// The hosts and what they depend on: for tests to look at and to change.
    pub world: World,
    /// Faults on demand.
    pub faults: Faults,
    /// The account's rates.
    pub throttles: Throttles,
    /// How late and how slow answers are.
    pub lag: Lag,
    /// Off: no event is kept (a long simulation that looks at none).
    pub keep_events: bool,
    /// `StatusDetails` as documents print it ("Delivery Timed Out") instead of as filters take it.
    pub spaced_details: bool,
    /// A `PutAttributes` that is refused for a missing target has put what stood before it: AWS documents neither.
    pub partial_puts: bool,
    pub(crate) ssm: ssm::Ssm,
    pub(crate) ecs: ecs::Ecs,
    now: Timestamp,
    timers: BTreeMap<(Timestamp, u64), Timer>,
    next: u64,
    rng: fastrand::Rng,
    events: VecDeque<Value>,
    calls: Vec<Call>,
}

/// How late and how slow answers are.
#[derive(Debug, Clone)]
pub struct Lag {
    /// From request to answer.
    pub answer: Duration,
    /// SSM's listings show a command, an invocation or its outcome this much later than it happened.
    pub ssm: Duration,
    /// ECS's listings and descriptions show a change this much later than it happened.
    pub ecs: Duration,
}

impl Default for Lag {
    fn default() -> Self {
        Self { answer: Duration::from_millis(40), ssm: Duration::ZERO, ecs: Duration::ZERO }
    }
}

type Handler = fn(&mut LocalAws, &[u8]) -> Outcome;

/// One operation: the target header, the bucket it takes from, and what carries it out.
pub(crate) struct Operation {
    pub(crate) target: &'static str,
    bucket: Bucket,
    handler: Handler,
}

impl LocalAws {
    /// AWS over a world, at the world's base time.
    pub fn new(world: World) -> Self {
        let now = world.base;
        let mut aws = Self {
            faults: Faults::default(),
            throttles: Throttles::new(now),
            lag: Lag::default(),
            keep_events: true,
            spaced_details: false,
            partial_puts: false,
            ssm: ssm::Ssm::default(),
            ecs: ecs::Ecs::default(),
            now,
            timers: BTreeMap::new(),
            next: 0,
            rng: fastrand::Rng::with_seed(world.seed),
            events: VecDeque::new(),
            calls: Vec::new(),
            world,
        };
        aws.found();
        aws
    }

    /// The time of the last call or [`advance`](Self::advance).
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// One call. `operation` is what stands in `X-Amz-Target`; its prefix may be left out.
    pub fn handle(&mut self, now: Timestamp, caller: &Caller, operation: &str, body: &[u8]) -> Reply {
        self.advance(now);
        let name = operation.rsplit('.').next().unwrap_or(operation);
        let fault = self.faults.strike(caller, name, now);
        let (outcome, effect) = match &fault {
            Some(Fault::Throttle) => (Err(ApiError::throttled()), false),
            Some(Fault::ErrorBefore(status)) => (Err(server_error(name, *status)), false),
            Some(Fault::Denied) => {
                let message = format!("User: {} is not authorized to perform: {name}", caller.0);
                (Err(ApiError::new("AccessDeniedException", message)), false)
            }
            Some(Fault::InvalidInstance) => (Err(ssm::send::invalid_instance()), false),
            Some(Fault::NotReached) => (Ok(Vec::new()), false),
            _ => self.carry_out(operation, body),
        };
        let outcome = match fault {
            Some(Fault::ErrorAfter(status)) => Err(server_error(name, status)),
            _ => outcome,
        };
        let error = outcome.as_ref().err().map(|error| error.code);
        let request_id = self.uuid();
        let mut reply = Reply::from_outcome(outcome, request_id, self.lag.answer);
        match &fault {
            Some(Fault::NotReached) => reply.fault = Some(Broken::NotReached),
            Some(Fault::AnswerLost) => reply.fault = Some(Broken::AnswerLost),
            Some(Fault::Late(by)) => reply.delay += *by,
            _ => {}
        }
        self.calls.push(Call {
            at: self.now,
            caller: caller.clone(),
            operation: name.to_owned(),
            body: body.to_vec(),
            effect,
            status: reply.status,
            error,
            fault,
        });
        reply
    }

    fn carry_out(&mut self, operation: &str, body: &[u8]) -> (Outcome, bool) {
        let matches = |known: &&Operation| {
            known.target == operation || known.target.rsplit('.').next() == Some(operation)
        };
        let Some(known) = ssm::OPERATIONS.iter().chain(ecs::OPERATIONS).find(matches) else {
            return (Err(ApiError::new("UnknownOperationException", operation)), false);
        };
        if !self.throttles.take(known.bucket, self.now) {
            return (Err(ApiError::throttled()), false);
        }
        let outcome = (known.handler)(self, body);
        let effect = outcome.is_ok();
        (outcome, effect)
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Forgets the log of calls, so that a test looks at what comes next.
    pub fn forget_calls(&mut self) {
        self.calls.clear();
    }

    /// The targets of all operations that it knows, as in `X-Amz-Target`.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        ssm::OPERATIONS.iter().chain(ecs::OPERATIONS).map(|known| known.target)
    }

    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.rng.u64(..), self.rng.u64(..));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 48 & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff
        )
    }

    pub(crate) fn hex32(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.u64(..), self.rng.u64(..))
    }
}

/// The service's own error, as each of the two models it.
fn server_error(operation: &str, status: u16) -> ApiError {
    let of_ecs = ecs::OPERATIONS.iter().any(|known| known.target.ends_with(operation));
    let code = match status {
        503 => "ServiceUnavailable",
        _ if of_ecs => "ServerException",
        _ => "InternalServerError",
    };
    ApiError { status, ..ApiError::internal(code) }
}
