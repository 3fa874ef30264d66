//! Invariant 6: in a row of refused log-ons (gaps below 31 minutes) ours are at most `REFUSAL_BUDGET`. Excepted are one where
//! a parameter was changed after the others and the host presents an old credential first, one where somebody else mapped the
//! letter since the script said that nothing is mapped or before it ever ran, what an overlapping sender's command has at work at a time, and those
//! of a wave that was sent while the parameters' password was fresh, as far as its run had read their dates.
//!
//! While it is not fresh, one instance at a time tries it, and no instance that was refused it while others were.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::refusals::{ROW_GAP, Refusal, Refusals, is_map};
use super::sends::{action_and_targets, history_read_at, in_flight};
use super::{CLOCK_SKEW, CheckResult, Step, TWO_CLOCK_SKEWS, ensure};
use crate::fleet::Presented;
use crate::simulation::causes::is_refused_logon;
use crate::simulation::ground_truth::{Run, RunId, TrueResult, millis, true_result};

#[derive(Default)]
pub(super) struct Budget {
    /// Every command, by its id.
    sent: BTreeMap<String, Sent>,
    /// How many refusals were checked.
    checked: usize,
    /// When each run last sent a check.
    last_check: BTreeMap<RunId, Timestamp>,
}

/// What was true when a command was sent.
struct Sent {
    at: Timestamp,
    run: RunId,
    /// Its run knew what had happened until then.
    read: Timestamp,
    /// It is a `map`, and the parameters' password was fresh.
    is_of_wave: bool,
    /// When a parameter had last changed.
    changed: Option<Timestamp>,
    /// How many targets it has at work at a time.
    at_once: usize,
}

impl Budget {
    pub(super) fn check(&mut self, step: &Step<'_>, refusals: &Refusals) -> CheckResult {
        let checked = std::mem::replace(&mut self.checked, refusals.all.len());
        for index in checked..refusals.all.len() {
            self.is_within_budget(step, refusals, index)?;
        }
        let Some((call, run)) = step.effect_of("SendCommand") else { return Ok(()) };
        let is_fresh = refusals.is_fresh(step, run, history_read_at(step));
        let body = call.request();
        let (is_map, targets) = action_and_targets(&body);
        self.record(step, is_map && is_fresh);
        if is_map {
            check_map(step, run, refusals, &targets, is_fresh)
        } else {
            self.one_check_at_a_time(step)
        }
    }

    fn record(&mut self, step: &Step<'_>, is_of_wave: bool) {
        let Some((command, (_, run))) = step.aws.commands().next_back().zip(step.call) else { return };
        let changed = step.aws.world.parameters.existing().map(|one| millis(one.modified)).max();
        let read = history_read_at(step);
        let at_once = command.concurrency.min(command.invocations().len());
        let sent = Sent { at: command.requested(), run, read, is_of_wave, changed, at_once };
        self.sent.insert(command.id.to_string(), sent);
    }

    /// The row up to a refusal is no longer than it may be.
    fn is_within_budget(&self, step: &Step<'_>, refusals: &Refusals, index: usize) -> CheckResult {
        let refusal = &refusals.all[index];
        let Some(sent) = self.sent.get(&refusal.command).filter(|sent| !sent.is_of_wave) else {
            return Ok(());
        };
        // Of a wave only what the run could know counts, and of what SSM gave up nothing.
        let now = step.aws.now() + SignedDuration::from_millis(1);
        let counts = |one: &&Refusal| {
            let other = self.sent.get(&one.command);
            let is_known = other.is_some_and(|other| !other.is_of_wave || one.at < sent.read);
            let is_last = one.at == refusal.at && one.command == refusal.command;
            is_known && (is_last || one.is_reported(step, now))
        };
        let row: Vec<&Refusal> = refusals.row_to(index).filter(counts).collect();
        let of = step.ground_truth.policy.refusal_budget as usize;
        let is_second = is_second_of_a_run(refusal, &row)
            && (is_corrected(sent, refusal, &row) || was_mapped_since(step, sent, refusal));
        let may = of + usize::from(is_second) + self.overlaps(&row);
        ensure(row.len() <= may, || {
            let each = row.iter().rev().map(|one| {
                let presented = if one.presented == Presented::Kept { "kept" } else { "parameters" };
                format!("{} {:.0} {presented}", one.instance, one.at)
            });
            let each: Vec<String> = each.collect();
            format!("{} log-ons refused in a row, {may} may be: {}", row.len(), each.join(", "))
        })
    }

    /// How many hosts log on at a time by those commands of a row that were sent while their run could not know of another
    /// one of it.
    fn overlaps(&self, row: &[&Refusal]) -> usize {
        let commands: BTreeSet<&str> = row.iter().map(|one| &*one.command).collect();
        let sent: Vec<&Sent> = commands.into_iter().filter_map(|id| self.sent.get(id)).collect();
        let overlaps = |one: &&&Sent| {
            sent.iter().any(|other| other.run != one.run && other.at >= one.read && other.at <= one.at)
        };
        sent.iter().filter(overlaps).map(|one| one.at_once).sum()
    }

    /// One command at a time checks. A run knows of its own check even before it is listed.
    fn one_check_at_a_time(&mut self, step: &Step<'_>) -> CheckResult {
        let Some((_, run)) = step.call else { return Ok(()) };
        let before = self.last_check.insert(run, step.aws.now());
        let own = step.aws.commands().rev().find(|command| before == Some(command.requested()));
        ensure(own.is_none_or(|own| own.invocations().iter().all(|one| one.finished().is_some())), || {
            let name = &step.ground_truth.runs[run].name;
            format!("{name} sent a check while its own of {before:?} is in flight")
        })?;
        // The new check itself was requested after the run read, and so does not count.
        let others = in_flight(step.aws, history_read_at(step)).filter(|command| !is_map(command)).count();
        ensure(others == 0, || format!("a check was sent while {others} others are in flight"))
    }
}

/// The run was refused with the parameters' password after it was with an old credential.
fn is_second_of_a_run(refusal: &Refusal, row: &[&Refusal]) -> bool {
    let is_first = |one: &&Refusal| one.command == refusal.command && one.instance == refusal.instance;
    refusal.presented == Presented::Parameters
        && row.iter().filter(|one| is_first(one)).any(|one| one.presented == Presented::Kept)
}

/// A parameter was changed after the refusals of all other commands.
fn is_corrected(sent: &Sent, refusal: &Refusal, row: &[&Refusal]) -> bool {
    let last = row.iter().filter(|one| one.command != refusal.command).map(|one| one.at).max();
    last.is_some_and(|last| sent.changed.is_some_and(|changed| changed > last))
}

/// The last result line that the run could know, of those that tell, says that nothing is mapped there; or no command was
/// ever sent there before.
fn was_mapped_since(step: &Step<'_>, sent: &Sent, refusal: &Refusal) -> bool {
    let known = step.ground_truth.history(step.aws, &refusal.instance).filter(|(_, invocation)| {
        !invocation.is_lie && invocation.finished().is_some_and(|at| at < sent.read)
    });
    let now = step.aws.now();
    let mut told = known.filter_map(|(command, one)| match true_result(command, one, now) {
        TrueResult::Mapped { .. } => Some(true),
        TrueResult::Failed { cause, .. } if cause == "not-mapped" => Some(false),
        TrueResult::Failed { cause, step, .. } if step == "create" => {
            (is_map(command) && is_refused_logon(&cause)).then_some(false)
        }
        TrueResult::Failed { step, refused, .. } => {
            (step == "read" || step == "proof" || refused > 0).then_some(true)
        }
        TrueResult::OtherShare | TrueResult::NoResult | TrueResult::Lost | TrueResult::Pending => None,
    });
    let is_first = || {
        let history = step.ground_truth.history(step.aws, &refusal.instance);
        history.filter(|(command, _)| *command.id != *refusal.command).count() == 0
    };
    told.next().map_or_else(is_first, |is_mapped| !is_mapped)
}

/// The script said how it went.
fn is_word(result: &TrueResult) -> bool {
    match result {
        TrueResult::Mapped { .. } => true,
        TrueResult::Failed { cause, .. } => cause != "busy",
        TrueResult::OtherShare | TrueResult::NoResult | TrueResult::Lost | TrueResult::Pending => false,
    }
}

/// A `map` was sent.
fn check_map(
    step: &Step<'_>,
    run: &Run,
    refusals: &Refusals,
    targets: &[&str],
    is_fresh: bool,
) -> CheckResult {
    let (parameters, now) = (&step.aws.world.parameters, step.aws.now());
    // Without both parameters there is no password to present, and their absence is itself a change.
    let changed = parameters.existing().map(|one| millis(one.modified)).max();
    let known = changed.filter(|at| *at <= run.read_at("DescribeParameters") - TWO_CLOCK_SKEWS);
    let Some(changed) = known.filter(|_| parameters.existing().count() == 2) else { return Ok(()) };
    if run.is_by_hand && targets.len() == 1 {
        return Ok(());
    }
    let read = history_read_at(step);
    let refused = targets.iter().find(|id| is_refused_host(step, run, refusals, id, changed));
    if let Some(id) = refused {
        let last = refusals.last_reported(step, read).map(|one| one.at);
        ensure(last.is_none_or(|last| now.duration_since(last) >= ROW_GAP), || {
            format!("{id} was refused the password and presented it again after the refusal of {last:?}")
        })?;
    }
    if is_fresh {
        return Ok(());
    }
    let count = targets.len();
    ensure(count == 1, || format!("a password that is not fresh was presented by {count} at once"))?;
    ensure(run.is_reconcile_run, || format!("{} presented a password that is not fresh", run.name))?;
    let overlap = step.ground_truth.policy.canary_overlap() - CLOCK_SKEW;
    let mut others =
        in_flight(step.aws, read).filter(|one| is_map(one) && now.duration_since(one.requested()) < overlap);
    let other = others.next().map(|one| one.requested());
    ensure(other.is_none(), || format!("a canary was sent beside the `map` of {other:?}"))
}

/// The last result line that the run could know says that the host was refused the parameters' password of now.
fn is_refused_host(step: &Step<'_>, run: &Run, refusals: &Refusals, id: &str, changed: Timestamp) -> bool {
    let now = step.aws.now();
    let mut history = step.ground_truth.history(step.aws, id);
    let Some((command, invocation)) = history.find(|(command, one)| is_word(&true_result(command, one, now)))
    else {
        return false;
    };
    let requested = millis(command.requested());
    let oldest = run.read_at("ListCommands") - step.ground_truth.policy.history_window() + TWO_CLOCK_SKEWS;
    let is_known = invocation.finished().is_some_and(|at| at < history_read_at(step));
    is_known
        && requested > changed.max(oldest)
        && refusals.all.iter().rev().any(|one| {
            *one.command == *command.id && *one.instance == *id && one.presented == Presented::Parameters
        })
}
