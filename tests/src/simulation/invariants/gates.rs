//! Invariant 1: a gate opens only on a proof of our drive and share, requested after the registration and after the
//! recorded restart; and a restart shuts it.

use shared::state::State;

use super::{CheckResult, Step, ensure};

/// Only a reconcile run opens a gate, and only on a proof.
pub(super) fn opens_only_on_a_proof(step: &Step<'_>) -> CheckResult {
    let opened = step.changes_by_run().filter(|(_, before, after)| !before.is_open() && after.is_open());
    for (run, before, after) in opened {
        let id = &after.ec2;
        ensure(run.is_reconcile_run, || format!("map-share opened the gate of {id}"))?;
        let Some(State::Mapped { judged, .. }) = after.state() else {
            return Err(format!("{id} is open with the state {:?}", after.state()));
        };
        ensure(*judged > after.registered_at, || {
            format!("{id} is open on a proof from before it registered")
        })?;
        ensure(step.ground_truth.was_proven_by(step.aws, id, *judged), || {
            format!("{id} is open on the command of {judged}, which did not prove it")
        })?;
        // A restart that was recorded after the run read is corrected by EC2's next event.
        let read = run.read_at("DescribeContainerInstances") - step.ground_truth.ecs_lag;
        if let Some(State::Restarted { at, .. }) = before.state().filter(|_| before.state_since <= read) {
            ensure(judged > at, || {
                format!("{id} is open on a proof of {judged}, and was restarted at {at}")
            })?;
        }
    }
    Ok(())
}

/// Recording a restart shuts the gate in the same call, keeps the log-on, and discards no later proof.
pub(super) fn a_restart_shuts_it(step: &Step<'_>) -> CheckResult {
    for (run, before, after) in step.changes_by_run() {
        let Some(State::Restarted { at, logon }) = after.state() else { continue };
        if before.state() == after.state() {
            continue;
        }
        let id = &after.ec2;
        ensure(!run.is_reconcile_run, || format!("a reconcile run recorded a restart of {id}"))?;
        ensure(!after.is_open(), || format!("{id} was restarted at {at}, and its gate is open"))?;
        ensure(*at > after.registered_at, || format!("{id} registered after its restart at {at}"))?;
        // The run reads all clusters before it writes. Another batch may have written meanwhile.
        let read = run.began - step.ground_truth.ecs_lag;
        if let Some(known) = before.state().filter(|_| before.state_since <= read) {
            ensure(*at > known.judged(), || {
                format!("a restart at {at} discards the later {known:?} of {id}")
            })?;
            ensure(*logon == known.logon(), || format!("the log-on of {id} was lost: {known:?}"))?;
        }
    }
    Ok(())
}
