//! Invariant 1, its one exception: a gate that nobody has vouched for in two periods is shut, but never while SSM is
//! unwell, while checks are withheld, or for a host that was heard since.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use shared::state::State;

use super::passwords::open_failures;
use super::{Holds, Step, must};
use crate::local_aws::LocalAws;
use crate::simulation::ground::{Ground, RunId, Said};

/// Whether each run could at some moment have believed that SSM is well and that checks may be sent.
#[derive(Default)]
pub struct Leeway {
    could_shut: BTreeMap<RunId, bool>,
}

const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

impl Leeway {
    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        let Some((_, id)) = step.call.filter(|(_, run)| step.ground.runs[*run].is_sweep) else {
            return Ok(());
        };
        for (_, before, after) in
            step.ours().filter(|(_, before, after)| before.is_open() && !after.is_open())
        {
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
            let age = step.aws.now().duration_since(*judged);
            must(age > period * 2 - CLOCKS, || format!("{of} was shut as silent, judged {age:#} ago"))?;
            let could = self.could_shut.get(&id).copied().unwrap_or_default();
            must(could, || format!("{of} was shut as silent while SSM is unwell or checks are withheld"))?;
        }
        self.could_shut.retain(|run, _| run + 8 > id);
        let may = !is_unwell(step.aws, step.ground)
            && open_failures(step.aws, step.ground, step.ground.runs[id].began) < 2;
        *self.could_shut.entry(id).or_default() |= may;
        Ok(())
    }
}

/// Whether too many open gates are overdue, counting every word that is there to be judged.
pub(super) fn is_unwell(aws: &LocalAws, ground: &Ground) -> bool {
    let policy = &ground.policy;
    let Some(period) = policy.verify_every else { return false };
    let late = period + period.min(policy.base * 20);
    let (mut open, mut overdue) = (0_usize, 0_usize);
    for one in ground.registrations.values().filter(|one| one.counts()) {
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
