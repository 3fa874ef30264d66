//! Invariant 9: a message is deleted from the queue only when its instance was handled, left to the reconcile run, or is
//! not ours. A message returns to the queue only because a call failed.
//!
//! A restart must be recorded when it is acknowledged, and so must the end of a host that we drained. Everything else is
//! left to the reconcile run, and convergence checks it.

use jiff::Timestamp;
use serde_json::Value;
use shared::config::Mode;
use shared::state::Drain;

use super::{CheckResult, TWO_CLOCK_SKEWS, ensure};
use crate::simulation::ground_truth::{GroundTruth, Registration, RunId};

/// What an event of EC2 or Auto Scaling says.
struct InstanceEvent<'e> {
    id: &'e str,
    at: Timestamp,
    is_restart: bool,
    is_termination: bool,
}

fn instance_event(event: &Value) -> Option<InstanceEvent<'_>> {
    let kind = event["detail-type"].as_str()?;
    let detail = &event["detail"];
    let id = detail["instance-id"].as_str().or_else(|| detail["EC2InstanceId"].as_str())?;
    let at = event["time"].as_str()?.parse().ok()?;
    let state = detail["state"].as_str().unwrap_or_default();
    let is_restart =
        kind.starts_with("EC2 Instance State") && ["stopping", "stopped", "running"].contains(&state);
    let is_termination = kind.starts_with("EC2 Spot") || kind.starts_with("EC2 Instance-terminate");
    Some(InstanceEvent { id, at, is_restart, is_termination })
}

/// Checks what a run deleted and what it returned to the queue.
pub(in crate::simulation) fn are_deleted_once_handled(
    ground_truth: &GroundTruth,
    run: RunId,
    deleted: &[Value],
    returned: &[Value],
) -> CheckResult {
    let run = &ground_truth.runs[run];
    ensure(
        returned.is_empty() || run.failed_calls > 0,
        || "a message returned to the queue though no call failed",
    )?;
    if ground_truth.policy.mode == Mode::Report {
        return Ok(());
    }
    let comes_again = |id: &str| returned.iter().filter_map(instance_event).any(|other| other.id == id);
    let read = run.began - ground_truth.ecs_lag;
    for event in deleted.iter().filter_map(instance_event).filter(|event| !comes_again(event.id)) {
        let known = |one: &&Registration| {
            one.is_ours && &*one.ec2 == event.id && one.registered_at < read && !one.was_edited
        };
        for one in ground_truth.registrations.values().filter(known) {
            // A function whose clock is late may take the event for older than the registration. No event is sent in advance.
            let is_possible = event.at > one.registered_at + TWO_CLOCK_SKEWS && event.at <= run.began;
            if event.is_restart && is_possible {
                // Another batch may since have recorded an older restart. EC2's next event corrects that.
                let is_recorded =
                    one.newest_judged.is_some_and(|newest| newest >= event.at - TWO_CLOCK_SKEWS);
                ensure(is_recorded, || {
                    format!("the restart of {} at {} was acknowledged, not recorded", event.id, event.at)
                })?;
            }
            let is_our_drain = matches!(one.attributes.drain, Drain::Done { .. }) && one.drain_since < read;
            ensure(!(event.is_termination && is_our_drain && is_possible), || {
                format!("the end of {} was acknowledged, not recorded", event.id)
            })?;
        }
    }
    Ok(())
}
