//! The scale study: a model of many instances that scale out in one wave, from launch to open gates.
//!
//! The handlers that ship run over the local AWS in virtual time: events reach `map-share` through a queue, and
//! `drain-unmapped` runs every minute. The rates of ECS are the documented ones, shared with the customer's tasks; those of
//! Systems Manager are assumed. `make scale` writes `docs/scale.md` and `docs/scale.svg`.
//!
//! | module | what it does |
//! |---|---|
//! | `wave` | launches one wave of instances, and looks when each is ready |
//! | `source` | EventBridge's rules, the queue and Lambda's pollers before `map-share` |
//! | `figures` | what a wave took: waits, calls, throttles, and the promised bound |
//! | `page` | the document and its chart |
//!
//! Deliberately absent: faults, which the simulation has, and processor time, which is not modelled.

mod figures;
mod page;
mod source;
mod steady;
mod wave;

pub use figures::Figures;
pub use page::{assumed, chart, page, row};
pub use steady::{Steadiness, SteadyState};

use std::time::Duration;

use crate::local_aws::in_process::in_virtual_time;

/// The sizes of the waves that `docs/scale.md` shows.
pub const SIZES: [usize; 4] = [10, 100, 1_000, 5_000];

// What the study assumes. Rates are calls a second, of a whole account and region.

/// `ECS_WRITES_PER_SECOND`, of the 40 that ECS documents.
const ECS_WRITES: u32 = 10;
/// `RunTask` calls of the customer, of the same 40.
const CUSTOMER_TASKS: u32 = 10;
/// Descriptions that the customer asks for, of the 20 that ECS documents.
const CUSTOMER_READS: u32 = 5;
/// AWS publishes no rate.
const SEND_COMMANDS: u32 = 5;
/// All other calls of Systems Manager. AWS publishes no rate.
const SSM_READS: u32 = 20;
/// `GetParameters`: 40 by default. It can be raised, and the secrets of ECS tasks share it.
const PARAMETER_READS: u32 = 40;
/// From request to answer.
const ANSWER: Duration = Duration::from_millis(40);
/// How late Systems Manager's listings are.
const LISTING_LAG: Duration = Duration::from_secs(1);
/// From an event to its queue.
const DELIVERY: Duration = Duration::from_millis(500);

/// A wave in a runtime of its own, with paused time.
pub fn study(instances: usize) -> Figures {
    in_virtual_time(wave::wave(instances))
}
