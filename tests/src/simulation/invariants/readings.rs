//! Invariants 1 and 3: what a look decided is carried out only on what stands as it was read, so each instance is read again
//! after the decision; and the draining instances are counted again before one more drains.

use jiff::Timestamp;
use serde_json::Value;

use super::{CheckResult, Step, ensure, is_write};
use crate::local_aws::ecs::short_id;
use crate::simulation::ground_truth::Run;

/// The history is the last thing that a look reads before it decides.
fn decided_after(run: &Run) -> Timestamp {
    run.read_at("ListCommands")
}

pub(super) fn is_read_again_before_it_is_written_to(step: &Step<'_>) -> CheckResult {
    let Some((call, run)) = write_of_a_reconcile_run(step) else { return Ok(()) };
    let targets = call["attributes"].as_array().into_iter().flatten().map(|one| &one["targetId"]);
    let instances = call["containerInstances"].as_array().into_iter().flatten();
    for arn in targets.chain(instances).filter_map(Value::as_str) {
        let described = run.described.get(short_id(arn));
        ensure(described.is_some_and(|at| *at > decided_after(run)), || {
            let decided = decided_after(run);
            format!("{} wrote to {arn}, read at {described:?}, after a decision of {decided}", run.name)
        })?;
    }
    Ok(())
}

pub(super) fn draining_are_counted_before_a_drain(step: &Step<'_>) -> CheckResult {
    let Some((call, run)) = write_of_a_reconcile_run(step) else { return Ok(()) };
    let is_counted = run.counted_draining.is_some_and(|at| at > decided_after(run));
    ensure(call["status"] != "DRAINING" || is_counted, || format!("{} did not count them", run.name))
}

fn write_of_a_reconcile_run<'s>(step: &Step<'s>) -> Option<(Value, &'s Run)> {
    let (call, run) = step.call?;
    let run = &step.ground_truth.runs[run];
    let is_meant = call.effect && is_write(&call.operation) && run.is_reconcile_run && !run.is_by_hand;
    is_meant.then(|| (call.request(), run))
}
