//! What the function holds between invocations, and what it holds during one.

use jiff::Timestamp;
use shared::aws::Clients;
use shared::config::{Config, Mode};
use shared::invocation_cache::InvocationCache;
use shared::metrics::Metrics;
use shared::state::AttributeNames;
use tokio::sync::Mutex;

use crate::batch::Batch;
use crate::origin::Origin;

/// What the function holds between invocations.
pub struct App {
    /// The environment, parsed.
    pub config: Config,
    /// AWS, and the clock.
    pub clients: Clients,
    /// Where counts go.
    pub metrics: Metrics,
    /// What SSM listed before. It can be lost.
    pub(crate) invocations: Mutex<InvocationCache>,
}

impl App {
    /// Puts it together.
    pub fn new(config: Config, clients: Clients, metrics: Metrics) -> Self {
        App { config, clients, metrics, invocations: Mutex::default() }
    }

    /// The names of our attributes.
    pub(crate) fn names(&self) -> AttributeNames {
        AttributeNames::of_stack(&self.config.share, &self.config.stack)
    }
}

/// One invocation.
pub(crate) struct Run<'a> {
    pub(crate) app: &'a App,
    pub(crate) origin: Origin,
    pub(crate) batch: Batch,
}

impl Run<'_> {
    pub(crate) fn now(&self) -> Timestamp {
        self.app.clients.now()
    }

    /// Whether this run may write and send. In `MODE=report` only a call by hand may.
    pub(crate) fn may_act(&self) -> bool {
        self.origin == Origin::Hand || self.app.config.policy.mode != Mode::Report
    }
}
