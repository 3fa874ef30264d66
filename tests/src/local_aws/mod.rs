//! A local AWS: the part of SSM and ECS that the functions use, with the documented limits, errors, pages, rates and
//! delays, over a [`World`] of modelled hosts.
//!
//! [`LocalAws`] is a synchronous core without socket, clock or async runtime. Every call passes `now`; timers that
//! expired since the last call fire first, in order. Two thin layers make the core reachable: [`in_process`] is an HTTP
//! client for the real SDK under paused tokio time; [`server`] is a TCP server in wall time for real binaries, boto3 and
//! the AWS CLI. [`endpoint`] adds TLS to the server.
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
//! local.wait(Duration::from_secs(30)).await; // tokio time and the world both advance
//! local.aws().world.host("i-0f1ee700000000001").lose_mapping();
//! assert_eq!(local.aws().calls()[0].operation, "ListContainerInstances");
//! # Ok(()) }
//! ```
//!
//! It deliberately checks no signature and no permission, and writes nothing to disk.

/// The table of a service's operations: name, rate limit, handler.
macro_rules! operations {
    ($prefix:literal; $($name:literal, $bucket:ident, $handler:path;)*) => {
        pub(crate) const OPERATIONS: &[crate::local_aws::Operation] = &[$(crate::local_aws::Operation {
            target: concat!($prefix, ".", $name),
            bucket: crate::local_aws::throttles::Bucket::$bucket,
            handler: $handler,
        }),*];
    };
}

mod advance;
pub mod control;
pub mod ecs;
pub mod endpoint;
pub mod events;
pub mod faults;
pub mod in_process;
pub mod lifecycle;
pub mod log_keys;
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

/// The one AWS account of all tests.
pub const ACCOUNT: &str = "111122223333";
/// The one AWS Region of all tests.
pub const REGION: &str = "eu-west-1";

/// The caller of an operation: the name of a function, `customer`, `boto3`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller(pub Arc<str>);

impl Caller {
    /// A caller of that name.
    pub fn named(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

/// One entry of the log of calls.
#[derive(Debug, Clone)]
pub struct Call {
    /// When the request arrived.
    pub at: Timestamp,
    /// Who called.
    pub caller: Caller,
    /// The operation without its prefix: `SendCommand`.
    pub operation: String,
    /// The request body.
    pub body: Vec<u8>,
    /// Whether the call took effect. Refused and undelivered calls do not.
    pub effect: bool,
    /// The HTTP status of the response.
    pub status: u16,
    /// The error code of an error response.
    pub error: Option<&'static str>,
    /// The injected fault.
    pub fault: Option<Fault>,
}

impl Call {
    /// The request body as JSON; `null` where it is not JSON.
    pub fn request(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// The synchronous core. See the module's documentation.
pub struct LocalAws {
    /// The hosts and what they depend on. Tests read and change it.
    pub world: World,
    /// The injected faults.
    pub faults: Faults,
    /// The rate limits of the account.
    pub throttles: Throttles,
    /// How late and how slow responses are.
    pub lag: Lag,
    /// Whether events are queued. A long simulation that reads no events turns it off.
    pub keep_events: bool,
    /// `StatusDetails` with spaces ("Delivery Timed Out"), as some AWS pages print it; filters take it without.
    pub spaced_details: bool,
    /// A `PutAttributes` refused for a missing target has put the attributes before that target. AWS documents neither.
    pub partial_puts: bool,
    /// A page holds no more results than this. AWS may return fewer than `MaxResults`, with a token for the rest.
    pub most_a_page: usize,
    pub(crate) ssm: ssm::Ssm,
    pub(crate) ecs: ecs::Ecs,
    now: Timestamp,
    timers: BTreeMap<(Timestamp, u64), Timer>,
    next: u64,
    rng: fastrand::Rng,
    events: VecDeque<Value>,
    calls: Vec<Call>,
}

/// How late and how slow responses are.
#[derive(Debug, Clone)]
pub struct Lag {
    /// From request to response.
    pub answer: Duration,
    /// SSM's listings show commands, invocations and results with this delay.
    pub ssm: Duration,
    /// ECS's listings and descriptions show changes with this delay.
    pub ecs: Duration,
}

impl Default for Lag {
    fn default() -> Self {
        Self { answer: Duration::from_millis(40), ssm: Duration::ZERO, ecs: Duration::ZERO }
    }
}

type Handler = fn(&mut LocalAws, &[u8]) -> Outcome;

/// One operation of a service.
pub(crate) struct Operation {
    /// The value of the header `X-Amz-Target`.
    pub(crate) target: &'static str,
    bucket: Bucket,
    handler: Handler,
}

impl LocalAws {
    /// A local AWS over a world, at the world's base time.
    pub fn new(world: World) -> Self {
        let now = world.base;
        let mut aws = Self {
            faults: Faults::default(),
            throttles: Throttles::new(now),
            lag: Lag::default(),
            keep_events: true,
            spaced_details: false,
            partial_puts: false,
            most_a_page: usize::MAX,
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
        aws.register_world();
        aws
    }

    /// The time of the last call or [`advance`](Self::advance).
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// One call. `operation` is the value of `X-Amz-Target`, with or without its prefix.
    pub fn handle(&mut self, now: Timestamp, caller: &Caller, operation: &str, body: &[u8]) -> Reply {
        self.advance(now);
        let name = operation.rsplit('.').next().unwrap_or(operation);
        let fault = self.faults.next(caller, name, now);
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

    /// Clears the log of calls.
    pub fn forget_calls(&mut self) {
        self.calls.clear();
    }

    /// The `X-Amz-Target` of every known operation.
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

/// A 5xx error with the code that the service's model gives it.
fn server_error(operation: &str, status: u16) -> ApiError {
    let of_ecs = ecs::OPERATIONS.iter().any(|known| known.target.ends_with(operation));
    let code = match status {
        503 => "ServiceUnavailable",
        // Not the service's own: what stands before it answers so.
        408 => "RequestTimeout",
        502 => "BadGateway",
        504 => "GatewayTimeout",
        _ if of_ecs => "ServerException",
        _ => "InternalServerError",
    };
    ApiError { status, ..ApiError::internal(code) }
}
