//! The scale study: a model of many instances that scale out in one wave, from launch to open gates.
//!
//! The handlers that ship run over the local AWS in virtual time, both sides of them: events through a queue to
//! `map-share`, a tick a minute to `drain-unmapped`. The rates of ECS are the documented ones, and the customer's own tasks
//! draw on them; those of Systems Manager are assumed, and parameters of the study ([`Assumptions`]). `make scale` writes
//! `docs/scale.md` and `docs/scale.svg`.
//!
//! | module | what it does |
//! |---|---|
//! | `wave` | lets one wave of instances come in, and looks when each is ready |
//! | `source` | EventBridge's rules, the queue and Lambda's pollers before `map-share` |
//! | `figures` | what a wave took: waits, calls, throttles, and the bound that is promised |
//! | `cost` | list prices and the arithmetic |
//! | `page`, `chart` | the document |
//!
//! Deliberately absent: faults, which are the simulation's, and the processor's time, which is not modelled.

mod chart;
mod cost;
mod figures;
mod page;
mod source;
mod wave;

pub use chart::chart;
pub use figures::Figures;
pub use page::{assumed, page, row};
pub use wave::wave;

use std::time::Duration;

/// The sizes of the waves that `docs/scale.md` shows.
pub const SIZES: [usize; 4] = [10, 100, 1_000, 5_000];

/// What the study assumes. Rates are calls a second, of a whole account and region.
#[derive(Debug, Clone)]
pub struct Assumptions {
    /// `ECS_WRITES_PER_SECOND`, of the 40 that ECS documents.
    pub ecs_writes: u32,
    /// `RunTask` calls that the customer makes, of the same 40.
    pub customer_tasks: u32,
    /// Descriptions that the customer asks for, of the 20 that ECS documents.
    pub customer_reads: u32,
    /// `SendCommand`. AWS publishes no rate.
    pub send_commands: u32,
    /// Each other call of Systems Manager's. AWS publishes no rate.
    pub ssm_reads: u32,
    /// `GetParameters`: 40 by default, which can be raised, and which the secrets of ECS tasks share.
    pub parameter_reads: u32,
    /// From request to answer.
    pub answer: Duration,
    /// Systems Manager's listings show what happened this much later.
    pub listing_lag: Duration,
    /// From an event to its queue.
    pub delivery: Duration,
}

impl Default for Assumptions {
    fn default() -> Self {
        Assumptions {
            ecs_writes: 10,
            customer_tasks: 10,
            customer_reads: 5,
            send_commands: 5,
            ssm_reads: 20,
            parameter_reads: 40,
            answer: Duration::from_millis(40),
            listing_lag: Duration::from_secs(1),
            delivery: Duration::from_millis(500),
        }
    }
}

/// A wave in a runtime of its own, with paused time.
pub fn study(instances: usize, assumptions: &Assumptions) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(wave(instances, assumptions))
}
