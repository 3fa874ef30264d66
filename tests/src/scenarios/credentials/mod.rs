//! The scenarios in which the budget of refused log-ons was worked out, over both functions that ship.
//!
//! A model in Python came first: it compared rules. Here its tables are measured again with the real handlers over the
//! local AWS in virtual time. The hosts' pace is the local AWS's, not the model's, so delays compare roughly.
//!
//! | module | what it does |
//! |---|---|
//! | `table` | the scenarios by name, with what the model measured |
//! | `first`, `changed`, `alone`, `waves`, `outages` | one function a scenario |
//! | `deployment`, `hosts` | both functions and the modelled hosts, which the scenarios change |
//! | `record`, `measures`, `lines` | what is seen of a history, and the figures that follow from it |
//! | `page` | the table, beside the model's |

mod alone;
mod changed;
mod deployment;
mod first;
mod hosts;
mod lines;
mod measures;
mod outages;
mod page;
mod record;
mod table;
mod waves;

pub use deployment::{Delay, Played};
pub use measures::Refusals;
pub use page::{Measured, page, row};
pub use table::{Model, SCENARIOS, Scenario};

use tokio::task::LocalSet;

/// Plays a scenario with one seed, in a runtime of its own with paused time.
///
/// # Panics
/// If the product or the local AWS does.
pub fn play(scenario: &Scenario, seed: u64) -> Played {
    // The SDK's own jitter.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), (scenario.history)(seed))
}
