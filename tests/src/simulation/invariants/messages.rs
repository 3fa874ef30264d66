//! Invariant 9: a message is deleted from the queue only when its instance was handled, left to the reconcile run, or is none of
//! ours; and one comes back only because a call failed.
//!
//! A restart that was acknowledged is on record; the end of a host whose drain is ours is, too. Everything else is left to
//! the sweep, and whether it is looked after is what convergence says.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::config::Mode;
use shared::state::Drain;

use super::{Holds, must};
use crate::simulation::ground::{Ground, Registration, RunId};

const CLOCKS: SignedDuration = SignedDuration::from_secs(8);

/// What an EC2 or Auto Scaling event says of whom, and when.
struct Hint<'e> {
    id: &'e str,
    at: Timestamp,
    is_restart: bool,
    is_ending: bool,
}

fn hint(event: &Value) -> Option<Hint<'_>> {
    let kind = event["detail-type"].as_str()?;
    let detail = &event["detail"];
    let id = detail["instance-id"].as_str().or_else(|| detail["EC2InstanceId"].as_str())?;
    let at = event["time"].as_str()?.parse().ok()?;
    let state = detail["state"].as_str().unwrap_or_default();
    let is_restart =
        kind.starts_with("EC2 Instance State") && ["stopping", "stopped", "running"].contains(&state);
    let is_ending = kind.starts_with("EC2 Spot") || kind.starts_with("EC2 Instance-terminate");
    Some(Hint { id, at, is_restart, is_ending })
}

/// A run answered: what it acknowledged and what it gave back, as events.
pub fn are_deleted_only_when_done_with(
    ground: &Ground,
    run: RunId,
    acknowledged: &[Value],
    returned: &[Value],
) -> Holds {
    let run = &ground.runs[run];
    must(returned.is_empty() || run.failed_calls > 0, || {
        "a message came back though no call failed".to_owned()
    })?;
    if ground.policy.mode == Mode::Report {
        return Ok(());
    }
    let comes_again = |id: &str| returned.iter().filter_map(hint).any(|other| other.id == id);
    let read = run.began - ground.ecs_lag;
    for hint in acknowledged.iter().filter_map(hint).filter(|hint| !comes_again(hint.id)) {
        let known = |one: &&Registration| {
            one.is_ours && &*one.ec2 == hint.id && one.registered_at < read && !one.was_edited
        };
        for one in ground.registrations.values().filter(known) {
            // A function whose clock is behind may take it for older than the registration.
            if hint.is_restart && hint.at > one.registered_at + CLOCKS {
                // Another batch with an older restart may have been written over it since; EC2's next event mends that.
                let on_record = one.newest_judged.is_some_and(|newest| newest >= hint.at - CLOCKS);
                must(on_record, || {
                    format!("the restart of {} at {} was acknowledged, not recorded", hint.id, hint.at)
                })?;
            }
            let ours = matches!(one.attributes.drain, Drain::Done { .. }) && one.drain_since < read;
            must(!(hint.is_ending && ours), || {
                format!("the end of {} was acknowledged, not recorded", hint.id)
            })?;
        }
    }
    Ok(())
}
