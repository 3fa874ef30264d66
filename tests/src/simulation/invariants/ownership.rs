//! Invariant 2: only what we provably drained is given back. What an operator drained, made active or holds is left alone.
//!
//! What an operator did after the run last read the instance does not count.

use std::time::Duration;

use jiff::Timestamp;
use shared::config::Mode;
use shared::state::{Drain, State};

use super::{CheckResult, Step, ensure};
use crate::local_aws::ecs::Status;
use crate::simulation::ground_truth::{Actor, Registration, Run};

/// The drain attribute holds the time of the decision. The call and its retries follow within this time.
const DECISION_TO_DRAIN: Duration = Duration::from_secs(30);

/// Checks every change of a status by a run.
pub(super) fn what_an_operator_did_stays_done(step: &Step<'_>) -> CheckResult {
    for (run, before, after) in step.changes_by_run().filter(|(_, b, a)| b.status != a.status) {
        let read = run.read_at("DescribeContainerInstances") - step.ground_truth.ecs_lag;
        let id = &after.ec2;
        ensure(run.is_reconcile_run, || format!("map-share changed the status of {id}"))?;
        // What was drained before is given back in every mode that acts.
        let mode = step.ground_truth.policy.mode;
        ensure(mode == Mode::Enforce || mode == Mode::Map && after.status == Status::Active, || {
            format!("{id} is drained or given back in another mode")
        })?;
        let is_held = before.held_since.is_some_and(|since| since <= read);
        ensure(!is_held, || format!("{id} is held"))?;
        match after.status {
            Status::Draining => drained(before, read).map_err(|what| format!("{id} was drained: {what}"))?,
            Status::Active => {
                given_back(step, run, before).map_err(|what| format!("{id} was given back: {what}"))?;
            }
            other => return Err(format!("{id} became {other:?}")),
        }
    }
    Ok(())
}

fn drained(before: &Registration, read: Timestamp) -> CheckResult {
    ensure(before.status == Status::Active, || format!("it was {:?}", before.status))?;
    let reactivated = before.reactivated_at.filter(|at| *at <= read && !before.was_edited);
    ensure(reactivated.is_none(), || format!("an operator made it active at {reactivated:?}"))?;
    let is_requested =
        matches!(before.attributes.drain, Drain::Requested { .. }) || before.drain_since > read;
    ensure(is_requested, || format!("its drain attribute is {:?}", before.attributes.drain))
}

fn given_back(step: &Step<'_>, run: &Run, before: &Registration) -> CheckResult {
    ensure(before.status == Status::Draining, || format!("it was {:?}", before.status))?;
    let drained_again = was_drained_again_unnoticed(step, run, before);
    // Whoever writes the attribute says whose drain it is.
    let drained_again = drained_again || before.is_drain_edited;
    let is_our_drain = matches!(before.status_by, Actor::Run(_)) || drained_again;
    ensure(is_our_drain, || "we had not drained it")?;
    ensure(matches!(before.attributes.drain, Drain::Released { .. }), || {
        format!("its drain attribute is {:?}", before.attributes.drain)
    })?;
    let Some(State::Mapped { judged, .. }) = before.state() else {
        return Err(format!("its state is {:?}", before.state()));
    };
    let is_proven =
        before.state_by == Actor::World || step.ground_truth.was_proven_by(step.aws, &before.ec2, *judged);
    ensure(is_proven, || format!("no proof was requested at {judged}"))?;
    let drained = before.status_since;
    ensure(drained_again || *judged > drained - DECISION_TO_DRAIN, || {
        format!("its proof of {judged} is older than its drain of {drained}")
    })
}

/// An operator made it active and drained it again, and no reconcile run could notice that.
fn was_drained_again_unnoticed(step: &Step<'_>, run: &Run, before: &Registration) -> bool {
    let Some(active) = before.reactivated_at else { return false };
    let drained = before.status_since;
    let noticed = |other: &Run| {
        other.is_reconcile_run
            && other.began > active + step.ground_truth.ecs_lag
            && other.ended_well.is_some_and(|end| end < drained)
            && other.name != run.name
    };
    !step.ground_truth.runs.iter().any(noticed)
}
