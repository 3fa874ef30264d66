//! What the function holds while its sandbox lives.

use shared::aws::Clients;
use shared::config::Config;
use shared::metrics::Metrics;
use shared::state::AttributeNames;
use tokio::sync::Mutex;

use crate::memory::Memory;

/// Configuration, AWS, and what one run leaves to the next.
pub struct App {
    /// The environment, parsed.
    pub config: Config,
    /// AWS, and the clock.
    pub clients: Clients,
    /// CloudWatch.
    pub metrics: Metrics,
    /// The names of our attributes.
    pub names: AttributeNames,
    pub(crate) memory: Mutex<Memory>,
}

impl App {
    /// Puts it together, with an empty memory.
    pub fn new(config: Config, clients: Clients, metrics: Metrics) -> Self {
        let names = AttributeNames::of_stack(&config.share, &config.stack);
        App { config, clients, metrics, names, memory: Mutex::default() }
    }
}
