//! Invariant 6: an unproven or refused password is presented by one instance at a time, a refused one once in two
//! reprobes; kept credentials log on two at a time, by one command of a run, and not while two instances' fail. The
//! parameters' password alone never locks the account.
//!
//! What is unproven is asked of the world: nobody's command that was requested after both parameters' dates has ended
//! with a mapping made anew, and no recorded log-on is that young.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use shared::cause::{Cause, Class};
use shared::state::State;

use super::sends::{in_flight, listed_until, order};
use super::{Holds, Step, must, newest_logon};
use crate::fleet::{LogOn, Presented};
use crate::local_aws::LocalAws;
use crate::simulation::ground::{DEADLINE, Ground, Registration, Run, RunId, Said, millis, said};

/// SSM's history is read so far back.
const WINDOW: SignedDuration = SignedDuration::from_mins(45);

/// From a refusal to its being read: the script ends, and the next look comes.
const A_LOOK: SignedDuration = SignedDuration::from_mins(1);

const CLOCKS: SignedDuration = SignedDuration::from_secs(8);

/// When runs last overlapped, how many of them, and how many lock-outs were looked at; and when each run last sent a check.
#[derive(Default)]
pub struct Watch {
    overlapped_at: Option<Timestamp>,
    beside: usize,
    lock_outs: usize,
    checked: BTreeMap<RunId, Timestamp>,
}

impl Watch {
    pub(super) fn check(&mut self, step: &Step<'_>) -> Holds {
        self.nobody_is_locked_out(step)?;
        let now = step.aws.now();
        if self.overlapped_at.is_some_and(|at| now.duration_since(at) >= DEADLINE * 2) {
            (self.overlapped_at, self.beside) = (None, 0);
        }
        if let Some(run) = step.run().filter(|run| run.beside > 0) {
            (self.overlapped_at, self.beside) = (Some(now), self.beside.max(run.beside));
        }
        let Some((call, run)) = step.effect_of("SendCommand") else { return self.checks_at_work(step.aws) };
        let body = call.request();
        let (is_map, targets) = order(&body);
        if is_map {
            map_is_sent(step, run, targets.len())
        } else {
            self.own_check_is_over(step)?;
            check_is_sent(step, run)?;
            self.checks_at_work(step.aws)
        }
    }

    /// Log-ons with the parameters' password alone never lock the account: but for those that were on their way when it
    /// was first refused, and where `REPROBE_MINUTES` is too short for the directory's window.
    fn nobody_is_locked_out(&mut self, step: &Step<'_>) -> Holds {
        let account = &step.aws.world.account;
        let Some(policy) = account.lock_out else { return Ok(()) };
        for places in account.locked_by.iter().skip(self.lock_outs) {
            let log_ons: Vec<&LogOn> = places.iter().map(|place| &account.log_ons[*place]).collect();
            if log_ons.iter().any(|one| one.presented == Presented::Kept) {
                continue;
            }
            let known = log_ons[0].at + step.ground.ssm_lag + A_LOOK;
            let is_later = |one: &&LogOn| map_of(step, one).is_none_or(|map| map > known);
            let later: Vec<&LogOn> = log_ons.into_iter().filter(is_later).collect();
            let passwords: BTreeSet<&str> = later.iter().map(|one| &*one.password).collect();
            let tries = 1 + policy.window.as_secs() / (step.ground.policy.reprobe * 2).as_secs() as u64;
            must(later.len() as u64 <= passwords.len() as u64 * tries, || {
                let whom: Vec<_> =
                    later.iter().map(|one| format!("{} at {}", one.instance, one.at)).collect();
                format!("the parameters' password locked the account: {}", whom.join(", "))
            })?;
        }
        self.lock_outs = account.locked_by.len();
        Ok(())
    }

    /// A run knows of its own check, listed or not: SSM rations the targets of one command only.
    fn own_check_is_over(&mut self, step: &Step<'_>) -> Holds {
        let Some((_, run)) = step.call else { return Ok(()) };
        let before = self.checked.insert(run, step.aws.now());
        let own = step.aws.commands().rev().find(|command| before == Some(command.requested()));
        must(own.is_none_or(|own| own.invocations().iter().all(|one| one.finished().is_some())), || {
            format!("{} sent a check while its own of {before:?} is at work", step.ground.runs[run].name)
        })
    }

    /// Two at a time, and two more for every other sender at the same time.
    fn checks_at_work(&self, aws: &LocalAws) -> Holds {
        let now = aws.now();
        let recent = aws.commands().rev().take_while(|one| now.duration_since(one.requested()) < DEADLINE);
        let checks = recent.filter(|command| command.parameter("Action") == Some("check"));
        let targets = checks.flat_map(|command| command.invocations());
        let at_work =
            targets.filter(|one| one.started.is_some() && one.finished.is_none() && !one.stopped).count();
        must(at_work <= 2 + 2 * self.beside, || {
            format!("{at_work} kept credentials are made to log on at a time")
        })
    }
}

fn map_is_sent(step: &Step<'_>, run: &Run, targets: usize) -> Holds {
    let now = step.aws.now();
    let parameters = &step.aws.world.parameters;
    if parameters.existing().count() < 2 {
        // There is no password to present, and that one is gone is a change.
        return Ok(());
    }
    let Some(changed) = parameters.existing().map(|one| millis(one.modified)).max() else { return Ok(()) };
    if changed > run.read_at("DescribeParameters") - CLOCKS {
        return Ok(());
    }
    if run.is_by_hand && targets == 1 && !is_refused(step, run, changed) {
        return Ok(());
    }
    let renewed =
        |(command, invocation)| matches!(said(command, invocation, now), Said::Mapped { changed: true });
    let since = step.aws.commands().rev().take_while(|command| millis(command.requested()) > changed);
    let was_let_in = since.flat_map(|c| c.invocations().iter().map(move |i| (c, i))).any(renewed);
    let is_proven = was_let_in || newest_logon(step.aws, step.ground).is_some_and(|logon| logon > changed);
    let refused = is_refused(step, run, changed);
    if is_proven && !refused {
        return Ok(());
    }
    must(targets == 1, || format!("an unproven password was presented by {targets} at once"))?;
    let others =
        in_flight(step.aws, listed_until(step)).filter(|command| command.parameter("Action") == Some("map"));
    let others = others.count();
    must(others == 0, || "an unproven password was presented while another `map` is at work".to_owned())?;
    if refused {
        let last = last_presented(step);
        let pause = step.ground.policy.reprobe * 2 - CLOCKS;
        let too_soon = last.is_some_and(|last| last > changed && now.duration_since(last) < pause);
        must(!too_soon, || format!("a refused password was presented again after the try of {last:?}"))?;
    }
    Ok(())
}

/// When the `map` was requested by which the parameters' password was last presented, as far as the run can know. A slow
/// host presents it minutes later, and pauses are counted from the request.
fn last_presented(step: &Step<'_>) -> Option<Timestamp> {
    let until = listed_until(step);
    let log_ons = step.aws.world.account.log_ons.iter().rev();
    let mut presented = log_ons.filter(|one| one.presented == Presented::Parameters && one.at < until);
    presented.find_map(|log_on| map_of(step, log_on))
}

/// When the `map` was requested that made a host log on.
fn map_of(step: &Step<'_>, log_on: &LogOn) -> Option<Timestamp> {
    let mut history = step.ground.history(step.aws, &log_on.instance).map(|(command, _)| command);
    let map = history.find(|one| one.requested() < log_on.at && one.parameter("Action") == Some("map"))?;
    Some(map.requested())
}

/// Some instance is on record, since before the run began, as refused where it created the mapping, and nobody logged on
/// since it began to fail, or since the password changed.
fn is_refused(step: &Step<'_>, run: &Run, changed: Timestamp) -> bool {
    let logon = newest_logon(step.aws, step.ground);
    failing(step.aws, step.ground, run.began).any(|(one, failing_since, judged)| {
        let speaks = logon.is_none_or(|logon| failing_since > logon || logon <= changed);
        // What has left the window is forgotten: the password is unproven then.
        speaks
            && judged > changed.max(run.read_at("ListCommands") - WINDOW + CLOCKS)
            && step.ground.history(step.aws, &one.ec2).any(|(command, invocation)| {
                millis(command.requested()) == judged
                    && command.parameter("Action") == Some("map")
                    && matches!(said(command, invocation, step.aws.now()), Said::Failed { step, .. } if step == "create")
            })
    })
}

fn check_is_sent(step: &Step<'_>, run: &Run) -> Holds {
    let failures = open_failures(step.aws, step.ground, run.began);
    must(failures < 2, || format!("a check was sent while the credentials of {failures} instances fail"))?;
    let others = in_flight(step.aws, listed_until(step))
        .filter(|command| command.parameter("Action") == Some("check"));
    // This one is not among them: it was requested after the look.
    let others = others.count();
    must(others == 0, || format!("a check was sent while {others} others are at work"))
}

/// Instances whose credentials fail, on record since before a run began, and nobody has logged on since.
pub(super) fn open_failures(aws: &LocalAws, ground: &Ground, began: Timestamp) -> usize {
    let logon = newest_logon(aws, ground);
    failing(aws, ground, began).filter(|(_, since, _)| logon.is_none_or(|logon| *since > logon)).count()
}

/// A newer command to it is over, and that was no credential failure.
fn speaks_of_something_else(aws: &LocalAws, ground: &Ground, one: &Registration, judged: Timestamp) -> bool {
    let newer = ground.history(aws, &one.ec2).take_while(|(command, _)| millis(command.requested()) > judged);
    let mut said = newer.map(|(command, invocation)| said(command, invocation, aws.now()));
    match said.find(|word| *word != Said::Waiting) {
        Some(Said::Failed { cause, .. }) => Cause::new(&cause).class() != Class::Credentials,
        word => word.is_some(),
    }
}

/// Instances on record with a credential cause: since when they fail, and when they were judged.
fn failing<'g>(
    aws: &'g LocalAws,
    ground: &'g Ground,
    began: Timestamp,
) -> impl Iterator<Item = (&'g Registration, Timestamp, Timestamp)> {
    let read = began - ground.ecs_lag;
    let stands =
        move |one: &&Registration| one.counts() && one.connected_since < read && one.state_since < read;
    ground.registrations.values().filter(stands).filter_map(move |one| match one.state() {
        Some(State::Unmapped { cause, judged, failing_since, .. })
            if cause.class() == Class::Credentials
                && !speaks_of_something_else(aws, ground, one, *judged) =>
        {
            Some((one, *failing_since, *judged))
        }
        _ => None,
    })
}
