//! Carries a plan out, in the order of its phases.
//!
//! Before every write the instance is read again. A decision that rests on an older reading is dropped, and the next look
//! decides anew. Nothing here decides.

mod commands;
mod drains;
mod gates;

use crate::decide::Plan;
use crate::fleet::Fleet;
use crate::run::Run;

/// Carries a plan out until the run's time is up. What is left is decided anew by the next look.
pub async fn carry_out(run: &mut Run<'_>, fleet: &mut Fleet, plan: &Plan) {
    // Commands go before gates are opened, so that hosts work meanwhile: of thousands, that takes a minute.
    gates::write(run, fleet, &plan.shut_or_kept).await;
    commands::send(run, fleet, plan).await;
    gates::write(run, fleet, &plan.opened).await;
    drains::carry_out(run, fleet, plan).await;
}
