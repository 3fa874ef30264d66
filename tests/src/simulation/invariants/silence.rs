//! Invariant 1, its one exception: a gate that nobody has vouched for in two periods is shut, but never while SSM is
//! unwell, while checks are withheld, or for a host that was heard since.

use jiff::{SignedDuration, Timestamp};
use shared::state::State;

use super::passwords::open_failures;
use super::{Holds, Step, must};
use crate::local_aws::LocalAws;
use crate::simulation::ground::{Ground, Registration, Run, Said};

/// Until when a run could have believed that SSM is well and that checks may be sent.
#[derive(Default)]
pub struct Leeway {
    is_well: bool,
    was_well_at: Option<Timestamp>,
}

const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

impl Leeway {
    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        let now = step.aws.now();
        // What was so after the last step was so until this one.
        if self.is_well {
            self.was_well_at = Some(now);
        }
        let is_shut_by_sweep = |(run, before, after): &(&Run, &Registration, &Registration)| {
            run.is_sweep && before.is_open() && !after.is_open()
        };
        for (run, before, after) in step.ours().filter(is_shut_by_sweep) {
            let Some(State::Unmapped { cause, judged, .. }) = after.state() else { continue };
            let is_silence =
                before.state().is_some_and(|state| state.judged() == *judged && Some(state) != after.state());
            if !is_silence {
                continue;
            }
            let of = &after.ec2;
            must(cause.as_str() == "silent", || format!("{of} was shut for {cause} that nobody said"))?;
            let Some(period) = step.ground.policy.verify_every else {
                return Err(format!("{of} was shut as silent though checks are off"));
            };
            let age = now.duration_since(*judged);
            must(age > period * 2 - CLOCKS, || format!("{of} was shut as silent, judged {age:#} ago"))?;
            let read = run.began - step.ground.ecs_lag;
            let could = self.was_well_at.is_some_and(|at| at >= read) || is_well(step, read);
            must(could, || format!("{of} was shut as silent while SSM is unwell or checks are withheld"))?;
        }
        self.is_well = is_well(step, now);
        if self.is_well {
            self.was_well_at = Some(now);
        }
        Ok(())
    }
}

/// To whom read the fleet then, SSM is well and checks may be sent.
pub(super) fn is_well(step: &Step<'_>, read: Timestamp) -> bool {
    !is_unwell(step.aws, step.ground, read) && open_failures(step.aws, step.ground, read) < 2
}

/// Whether too many open gates are overdue, counting every word that is there to be judged, but not who came back later.
fn is_unwell(aws: &LocalAws, ground: &Ground, read: Timestamp) -> bool {
    let policy = &ground.policy;
    let Some(period) = policy.verify_every else { return false };
    let late = period + period.min(policy.base * 20);
    let (mut open, mut overdue) = (0_usize, 0_usize);
    for one in ground.registrations.values().filter(|one| one.counts() && one.connected_since <= read) {
        let newest = ground.unjudged(aws, one);
        // One that is about to be opened on its word counts already.
        if !one.is_open() && !matches!(newest, Some((_, Said::Mapped { .. }))) {
            continue;
        }
        open += 1;
        let recorded = one.state().map_or(one.registered_at, State::judged);
        let heard = newest.map_or(recorded, |(at, _)| at);
        overdue += usize::from(aws.now().duration_since(heard) > late);
    }
    overdue > 0 && (overdue > (open * policy.breaker_percent as usize).div_ceil(100) || overdue * 2 >= open)
}
