//! Invariant 1: a gate opens only on a proof of our drive and share, requested after the registration and after the
//! restart that stands on the instance when it is read just before; and a restart shuts it.

use shared::state::State;

use super::{Holds, Step, must};

/// A gate that was shut is open: only a sweep does that, and only on a proof.
pub(super) fn opens_only_on_a_proof(step: &Step<'_>) -> Holds {
    for (run, before, after) in step.ours().filter(|(_, before, after)| !before.is_open() && after.is_open())
    {
        let of = &after.ec2;
        must(run.is_sweep, || format!("map-share opened the gate of {of}"))?;
        let Some(State::Mapped { judged, .. }) = after.state() else {
            return Err(format!("{of} is open with the state {:?}", after.state()));
        };
        must(*judged > after.registered_at, || format!("{of} is open on a proof from before it registered"))?;
        must(step.ground.was_mapped_by(step.aws, of, *judged), || {
            format!("{of} is open on the command of {judged}, which does not say so")
        })?;
        // A restart that was written after the reading is mended by EC2's next event.
        let was_read = before.state_since <= run.read_at("DescribeContainerInstances") - step.ground.ecs_lag;
        if let (Some(State::Restarted { at, .. }), true) = (before.state(), was_read) {
            must(judged > at, || format!("{of} is open on a proof of {judged}, and was restarted at {at}"))?;
        }
    }
    Ok(())
}

/// What records a restart shuts the gate in the same call, keeps what is known of the log-on, and voids no later proof.
pub(super) fn a_restart_shuts_it(step: &Step<'_>) -> Holds {
    for (run, before, after) in step.ours() {
        let Some(State::Restarted { at, logon }) = after.state() else { continue };
        if before.state() == after.state() {
            continue;
        }
        let of = &after.ec2;
        must(!run.is_sweep, || format!("a sweep recorded a restart of {of}"))?;
        must(!after.is_open(), || format!("{of} was restarted at {at}, and its gate is open"))?;
        must(*at > after.registered_at, || format!("{of} registered after its restart at {at}"))?;
        // It reads one cluster after the other and then writes: another batch may have written meanwhile.
        let was_read = before.state_since <= run.began - step.ground.ecs_lag;
        if let (Some(known), true) = (before.state(), was_read) {
            must(*at > known.judged(), || format!("a restart at {at} voids the later {known:?} of {of}"))?;
            must(*logon == known.logon(), || format!("the log-on of {of} was forgotten: {known:?}"))?;
        }
    }
    Ok(())
}
