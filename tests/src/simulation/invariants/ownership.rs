//! Invariant 2: only what we provably drained is given back; what an operator drained, re-activated or holds is left alone.
//!
//! What an operator did since the run's last reading of the instance is not held against it.

use shared::config::Mode;
use shared::state::{Drain, State};

use super::{Holds, Step, must};
use crate::local_aws::ecs::Status;
use crate::simulation::ground::{Actor, Registration, Run};

/// Every change of a status that a run makes.
pub(super) fn what_an_operator_did_stays_done(step: &Step<'_>) -> Holds {
    for (run, before, after) in step.ours().filter(|(_, before, after)| before.status != after.status) {
        let read = run.read_at("DescribeContainerInstances") - step.ground.ecs_lag;
        let of = &after.ec2;
        must(run.is_sweep, || format!("map-share changed the status of {of}"))?;
        must(step.ground.policy.mode == Mode::Enforce, || {
            format!("{of} is drained or given back in another mode")
        })?;
        let held = before.held_since.is_some_and(|since| since <= read);
        must(!held, || format!("{of} is held"))?;
        match after.status {
            Status::Draining => drained(before, read).map_err(|what| format!("{of} was drained: {what}"))?,
            Status::Active => {
                given_back(step, run, before).map_err(|what| format!("{of} was given back: {what}"))?;
            }
            other => return Err(format!("{of} became {other:?}")),
        }
    }
    Ok(())
}

fn drained(before: &Registration, read: jiff::Timestamp) -> Holds {
    must(before.status == Status::Active, || format!("it was {:?}", before.status))?;
    let reactivated = before.reactivated_at.filter(|at| *at <= read && !before.was_edited);
    must(reactivated.is_none(), || format!("an operator re-activated it at {reactivated:?}"))?;
    let announced = matches!(before.attributes.drain, Drain::Requested { .. }) || before.drain_since > read;
    must(announced, || format!("its drain attribute is {:?}", before.attributes.drain))
}

fn given_back(step: &Step<'_>, run: &Run, before: &Registration) -> Holds {
    must(before.status == Status::Draining, || format!("it was {:?}", before.status))?;
    let by_us = matches!(before.status_by, Actor::Run(_)) || re_drained_unseen(step, run, before);
    must(by_us, || "we had not drained it".to_owned())?;
    must(matches!(before.attributes.drain, Drain::Released { .. }), || {
        format!("its drain attribute is {:?}", before.attributes.drain)
    })?;
    let Some(State::Mapped { judged, .. }) = before.state() else {
        return Err(format!("its state is {:?}", before.state()));
    };
    let proven = step.ground.was_mapped_by(step.aws, &before.ec2, *judged);
    must(proven, || format!("no proof was requested at {judged}"))?;
    let drained = before.status_since;
    must(re_drained_unseen(step, run, before) || *judged > drained - DRAINED_BY_THEN, || {
        format!("its proof of {judged} is older than its drain of {drained}")
    })
}

/// The drain attribute names the moment at which it was decided; the call and its repetitions follow.
const DRAINED_BY_THEN: std::time::Duration = std::time::Duration::from_secs(30);

/// An operator made it active and drained it again, and no sweep came through between: nobody can know.
fn re_drained_unseen(step: &Step<'_>, run: &Run, before: &Registration) -> bool {
    let Some(active) = before.reactivated_at else { return false };
    let drained = before.status_since;
    let came_through = |other: &Run| {
        other.is_sweep
            && other.began > active + step.ground.ecs_lag
            && other.ended_well.is_some_and(|end| end < drained)
            && other.name != run.name
    };
    !step.ground.runs.iter().any(came_through)
}
