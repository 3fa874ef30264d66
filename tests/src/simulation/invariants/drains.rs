//! Invariants 3 and 4: a drain rests on the host's own words from its first failure to its last try, and stays within
//! budget, breaker and the half that must stay.
//!
//! A run decides on what it read when it began and on the words that it has judged since. So the rules about the fleet
//! must have held at some moment since then, with every word counted that was there to be judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::cause::{Cause, Class};
use shared::state::{Drain, State, StateAttribute};

use super::{Holds, Step, must};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::simulation::ground::{Actor, Ground, Registration, RunId, Said, millis, said};

/// A function's clock may be so far off.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

/// A drain begins with words of the script's, ends with one, and nothing but failures lies between.
pub(super) fn rests_on_the_hosts_own_words(step: &Step<'_>) -> Holds {
    for (run, before, after) in step.ours().filter(|(_, before, after)| drains(before, after)) {
        let read = run.read_at("DescribeContainerInstances") - step.ground.ecs_lag;
        if before.state_since > read {
            continue;
        }
        let holds = own_words(step, before, run.began - step.ground.ecs_lag);
        holds.map_err(|what| format!("{} was drained: {what}; {:?}", after.ec2, before.state()))?;
    }
    Ok(())
}

fn drains(before: &Registration, after: &Registration) -> bool {
    before.status != Status::Draining && after.status == Status::Draining
}

fn own_words(step: &Step<'_>, one: &Registration, read: Timestamp) -> Holds {
    let policy = &step.ground.policy;
    let Some(State::Unmapped { attempts, judged, cause, failing_since, .. }) = one.state() else {
        return Err("it is not unmapped".to_owned());
    };
    let class = cause.class();
    must(judged.duration_since(*failing_since) >= policy.drain_after, || {
        "it has not failed for long enough".into()
    })?;
    must(*attempts > quick_retries(cause, policy.max_attempts), || "its quick tries are not spent".into())?;
    let history = step.ground.history(step.aws, &one.ec2).map(|(command, invocation)| {
        (millis(command.requested()), said(command, invocation, step.aws.now()))
    });
    let while_failing = history.filter(|(at, _)| at >= failing_since && at <= judged);
    let words: Vec<(Timestamp, Said)> = while_failing.collect();
    let is_failure =
        |word: &Said| matches!(word, Said::Failed { cause, .. } if Cause::new(cause).class() == class);
    let last = words.first().filter(|(at, _)| at == judged);
    must(last.is_some_and(|(_, word)| is_failure(word)), || format!("its last try said {last:?}"))?;
    let first = words.last().filter(|(at, _)| at == failing_since);
    must(first.is_some_and(|(_, word)| is_failure(word)), || format!("its first failure said {first:?}"))?;
    must(!words.iter().any(|(_, word)| matches!(word, Said::Mapped { .. })), || {
        "it was mapped meanwhile".into()
    })?;
    match class {
        Class::Host => Ok(()),
        Class::Network | Class::Directory => {
            let others = step.ground.registrations.values();
            let others = others.filter(|other| other.ec2 != one.ec2 && was_known(other, read));
            let needed = others.clone().count().min(3);
            let proven = others.filter(|other| was_proven(step, other, *failing_since, *judged)).count();
            must(needed > 0 && proven >= needed, || format!("{proven} of {needed} witnesses"))
        }
        Class::Credentials | Class::Configuration | Class::Unknown => {
            Err(format!("{cause} is not the host's"))
        }
    }
}

/// It counted when a run read the fleet: of who was away then, or came after, the run knows nothing; who has left since
/// still counts for it.
fn was_known(one: &Registration, read: Timestamp) -> bool {
    let was_connected = one.is_connected == (one.connected_since <= read);
    one.is_ours
        && was_connected
        && one.registered_at <= read
        && matches!(one.status, Status::Active | Status::Draining)
}

/// It counts, and surely did when the run read the fleet.
fn is_known(one: &Registration, read: Timestamp) -> bool {
    one.counts() && (one.registered_at <= read || one.is_mapped())
}

/// It counts, though it may have come after.
fn is_here(one: &Registration, _: Timestamp) -> bool {
    one.counts()
}

fn was_proven(step: &Step<'_>, other: &Registration, after: Timestamp, before: Timestamp) -> bool {
    step.ground.history(step.aws, &other.ec2).any(|(command, invocation)| {
        let at = millis(command.requested());
        at > after && at < before && matches!(said(command, invocation, step.aws.now()), Said::Mapped { .. })
    })
}

/// From the table of causes: none where a try soon after is no use.
fn quick_retries(cause: &Cause, most: u32) -> u32 {
    if matches!(cause.as_str(), "85" | "1202" | "drive-in-use") { 0 } else { most }
}

/// What a run could at best have believed of a cluster since it began.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    counted: usize,
    half_stays: bool,
    breaker_shut: bool,
}

/// What each run could at best have believed.
#[derive(Default)]
pub struct Leeway {
    best: BTreeMap<(RunId, Arc<str>), Best>,
}

impl Leeway {
    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        let Some((_, run)) = step.call.filter(|(_, run)| step.ground.runs[*run].is_sweep) else {
            return Ok(());
        };
        // A drain is judged by what was true before it.
        for change in step.changes {
            let Some(before) = &change.before else { continue };
            if drains(before, &change.after) && change.after.status_by == Actor::Run(run) {
                self.is_within(step, run, before).map_err(|what| format!("{}: {what}", before.ec2))?;
            }
        }
        self.look(step, run);
        Ok(())
    }

    fn look(&mut self, step: &Step<'_>, run: RunId) {
        self.best.retain(|(other, _), _| other + 8 > run);
        let listed = step.ground.runs[run].read_at("ListContainerInstances") - step.ground.ecs_lag;
        for cluster in &step.ground.watched {
            let best = self.best.entry((run, Arc::from(*cluster))).or_default();
            // Late listings may show the fleet as it was, as it is, or anything between.
            for view in [was_known as View, is_known, is_here] {
                let seen = look(step.aws, step.ground, cluster, view, best.counted, listed);
                best.counted = best.counted.max(seen.counted);
                best.half_stays |= seen.half_stays;
                best.breaker_shut |= seen.breaker_shut;
            }
        }
    }

    fn is_within(&self, step: &Step<'_>, run: RunId, one: &Registration) -> Holds {
        let key = (run, one.cluster.clone());
        let best = self.best.get(&key).copied().unwrap_or_default();
        must(best.half_stays, || "less than half stays".to_owned())?;
        must(best.breaker_shut, || "the breaker is open".to_owned())?;
        let policy = &step.ground.policy;
        let budget = (best.counted * policy.max_drain_percent as usize / 100).max(1);
        let run = &step.ground.runs[run];
        let counted_at = run.counted_draining.unwrap_or(run.began) - step.ground.ecs_lag;
        let draining = |other: &&Registration| {
            other.status == Status::Draining && other.status_since <= counted_at && other.id != one.id
        };
        let draining = step.ground.counted(&one.cluster).filter(draining).count();
        let most = budget + run.beside;
        must(draining < most, || {
            format!("{draining} of {} were draining, the budget is {budget}", best.counted)
        })
    }
}

/// The class of a failure, and since when it lasts.
type Failing = (Class, Timestamp);

/// What an end means for a host without a state; `busy` is no attempt.
fn failed_with(word: &Said) -> Option<Class> {
    match word {
        Said::Failed { cause, .. } if cause == "busy" => None,
        Said::Failed { cause, .. } => Some(Cause::new(cause).class()),
        Said::Nothing | Said::Lost => Some(Class::Unknown),
        Said::Mapped { .. } | Said::Waiting => None,
    }
}

/// Three or more that began to fail within the hour, and at least half of those that did, share a class that is not the
/// host's. Who leaves the hour may end a herd or make one, so both its ends are asked.
fn is_herd(failing: &[Failing], now: Timestamp) -> bool {
    let hour = SignedDuration::from_hours(1);
    [hour - CLOCKS, hour + CLOCKS].into_iter().all(|hour| {
        let recent = || failing.iter().filter(|(_, since)| now.duration_since(*since) <= hour);
        Class::ALL.into_iter().filter(|class| *class != Class::Host).any(|class| {
            let alike = recent().filter(|(other, _)| *other == class).count();
            alike >= 3 && alike * 2 >= recent().count()
        })
    })
}

/// Whether a registration counts for a run that read the fleet then.
type View = fn(&Registration, Timestamp) -> bool;

fn look(aws: &LocalAws, ground: &Ground, cluster: &str, view: View, least: usize, listed: Timestamp) -> Best {
    let policy = &ground.policy;
    let now = aws.now();
    let (mut n, mut staying, mut mapped, mut in_trouble, mut unknown) = (0, 0, 0, 0, 0);
    let (mut failing, mut unwritten): (Vec<Failing>, Vec<Failing>) = (Vec::new(), Vec::new());
    for one in ground.registrations.values().filter(|one| *one.cluster == *cluster && view(one, listed)) {
        n += 1;
        let mut words = ground.unjudged_words(aws, one);
        let heard = words.any(|(_, word)| matches!(word, Said::Mapped { .. }));
        let is_mapped = heard || one.is_mapped() || one.mapped_until.is_some_and(|until| until > listed);
        // What became of it since is seen by nobody but who reads it again before a write.
        let is_active = one.status == Status::Active || one.status_since > listed;
        mapped += usize::from(is_mapped);
        staying += usize::from(is_mapped && is_active);
        let drained_by_us = !is_active && matches!(one.attributes.drain, Drain::Done { .. });
        let unmapped = match one.state() {
            Some(State::Unmapped { cause, failing_since, .. }) if !heard => {
                Some((cause.class(), *failing_since))
            }
            _ => None,
        };
        in_trouble += usize::from(drained_by_us || unmapped.is_some());
        failing.extend(unmapped);
        if !heard && one.attributes.state == StateAttribute::Absent {
            let failure =
                ground.unjudged_words(aws, one).find_map(|(at, word)| Some((failed_with(&word)?, at)));
            unknown += usize::from(failure.is_none());
            unwritten.extend(failure);
        }
    }
    let half_stays = staying > 0 && staying * 2 >= n;
    // Who has deregistered since still counts for the run.
    let n = n.max(least);
    let is_shared = |in_trouble: usize, failing: &[Failing]| {
        in_trouble > (n * policy.breaker_percent as usize).div_ceil(100) || is_herd(failing, now)
    };
    // Failures that are not written yet it knows of or, where they are listed late, does not.
    let heard_all = [failing.as_slice(), &unwritten].concat();
    let shared = is_shared(in_trouble, &failing) && is_shared(in_trouble + unwritten.len(), &heard_all);
    Best { counted: n, half_stays, breaker_shut: mapped > 0 && !shared && unknown * 5 <= n }
}
