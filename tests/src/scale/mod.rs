//! The scale study: a model of many instances that scale out, fail together, and are checked for hours.
//!
//! The handlers that ship run over the local AWS in virtual time: events reach `map-share` through a queue, and
//! `drain-unmapped` runs every minute. The rates of ECS are the documented ones, shared with the customer's tasks; those of
//! Systems Manager are assumed. `make scale` writes `docs/scale.md` and `docs/scale.svg`.
//!
//! | module | what it does |
//! |---|---|
//! | `wave` | launches one wave of instances into an empty cluster, also while the file server is away |
//! | `scale_out` | launches instances into a running fleet |
//! | `steady` | checks a fleet whose gates are open |
//! | `operation` | both functions and the customer, and a look at who is ready |
//! | `source` | EventBridge's rules, the queue and Lambda's pollers before `map-share` |
//! | `figures` | what a wave took: waits, calls, throttles, and the promised bound |
//! | `page` | the document and its chart |
//!
//! Deliberately absent: other faults, which the simulation has, and processor time, which is not modelled.

mod figures;
mod operation;
mod page;
mod scale_out;
mod source;
mod steady;
mod wave;

pub use figures::Figures;
pub use page::{Study, assumed, chart, failing_row, page, row, scaled_out_row, steady_row};
pub use scale_out::{ScaleOut, ScaledOut};
pub use steady::{Steadiness, SteadyState};

use std::time::Duration;

use crate::local_aws::in_process::in_virtual_time;

/// The sizes of the waves that `docs/scale.md` shows.
pub const SIZES: [usize; 4] = [10, 100, 1_000, 5_000];

/// The new instances for a running fleet that it shows: how many at once, and how often.
pub const SCALE_OUTS: [ScaleOut; 4] = [
    ScaleOut { each: 1, every: Duration::from_secs(50), times: 120 },
    ScaleOut { each: 1, every: Duration::from_secs(430), times: 50 },
    ScaleOut { each: 10, every: Duration::from_secs(430), times: 20 },
    ScaleOut { each: 100, every: Duration::from_secs(430), times: 5 },
];

/// The fleets that it checks.
pub fn steady_states() -> Vec<SteadyState> {
    let state = |instances, budget, seconds| SteadyState {
        instances,
        budget,
        check: Duration::from_secs(seconds),
        hours: 6,
    };
    let mut states = vec![state(250, 3, 12), state(500, 3, 12), state(500, 4, 12)];
    for instances in [300, 1_000, 5_000] {
        states.extend([5, 12, 20].map(|seconds| state(instances, 3, seconds)));
    }
    states.sort_by_key(|state| (state.instances, state.check, state.budget));
    states
}

/// How long the file server is away in a wave that fails.
const OUTAGE: Duration = Duration::from_secs(3600);

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
    in_virtual_time(wave::wave(instances, Duration::ZERO))
}

/// The same, while the file server is away for the first hour.
pub fn study_of_failures(instances: usize) -> Figures {
    in_virtual_time(wave::wave(instances, OUTAGE))
}
