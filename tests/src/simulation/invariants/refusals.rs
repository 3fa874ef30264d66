//! The log-ons of our commands that the directory refused, whatever the product recorded of them.
//!
//! A log-on of a run that itself ended `mapped` is not among them: an old credential was refused, then the host was let in.

use jiff::{SignedDuration, Timestamp};

use super::{CLOCK_SKEW, Step};
use crate::fleet::{InstanceId, LogOn, Presented};
use crate::local_aws::ssm::{Command, Invocation};
use crate::simulation::causes::{is_refused_logon, may_be_refused_logon};
use crate::simulation::ground_truth::{DEADLINE, Registration, Run, TrueResult, millis, true_result};

/// Refusals that are less than this apart are one row. A function's clock may be ahead when it waits for 31 minutes.
pub(super) const ROW_GAP: SignedDuration = SignedDuration::from_secs(31 * 60 - CLOCK_SKEW.as_secs());

/// So long a row lasts after its last refusal, with a clock that is behind.
const REPORTED_FOR: SignedDuration = SignedDuration::from_secs(31 * 60 + CLOCK_SKEW.as_secs());

/// Codes of log-ons that no domain controller decided.
const UNDECIDED: [u32; 2] = [1311, 1355];

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) at: Timestamp,
    pub(super) instance: InstanceId,
    pub(super) presented: Presented,
    /// The id of the command that made the host log on.
    pub(super) command: String,
}

impl Refusal {
    /// SSM had reported it by then. A script that goes on after SSM gave it up is never reported.
    pub(super) fn is_reported(&self, step: &Step<'_>, read: Timestamp) -> bool {
        let finished = self.made_by(step).and_then(|(_, invocation)| invocation.finished());
        finished.is_some_and(|at| self.at <= at && at < read)
    }

    /// The command that made the host log on, and its invocation there.
    fn made_by<'a>(&self, step: &Step<'a>) -> Option<(&'a Command, &'a Invocation)> {
        let mut history = step.ground_truth.history(step.aws, &self.instance);
        history.find(|(command, _)| *command.id == *self.command)
    }
}

/// All of them, oldest first.
#[derive(Default)]
pub(super) struct Refusals {
    pub(super) all: Vec<Refusal>,
    /// How many log-ons were looked at.
    seen: usize,
}

impl Refusals {
    /// Takes what was refused since the last step.
    pub(super) fn update(&mut self, step: &Step<'_>) {
        let log_ons = &step.aws.world.account.log_ons;
        for log_on in &log_ons[self.seen..] {
            let is_refused = log_on.result.is_err_and(|code| !UNDECIDED.contains(&code));
            let Some((command, invocation)) = is_refused.then(|| made_by(step, log_on)).flatten() else {
                continue;
            };
            if matches!(true_result(command, invocation, step.aws.now()), TrueResult::Mapped { .. }) {
                continue;
            }
            self.all.push(Refusal {
                at: log_on.at,
                instance: log_on.instance.clone(),
                presented: log_on.presented,
                command: command.id.to_string(),
            });
        }
        self.seen = log_ons.len();
    }

    /// The refusals of the row that goes back from then, newest first.
    pub(super) fn row(&self, from: Timestamp) -> impl Iterator<Item = &Refusal> {
        let count = self.all.partition_point(|one| one.at <= from);
        row_of(&self.all[..count], from)
    }

    /// The row up to and with the one at that index, newest first.
    pub(super) fn row_to(&self, index: usize) -> impl Iterator<Item = &Refusal> {
        row_of(&self.all[..=index], self.all[index].at)
    }

    /// How many there are in the row at a moment.
    pub(super) fn spent(&self, at: Timestamp) -> usize {
        self.row(at).count()
    }

    /// The most that a run may count in the row of now: what was refused, and what was not, which may join two rows.
    pub(super) fn may_be_spent(&self, step: &Step<'_>) -> usize {
        let now = step.aws.now();
        let oldest = now - step.ground_truth.policy.history_window();
        let unfounded = self.unfounded_since(step, oldest - DEADLINE);
        match unfounded {
            0 => self.spent(now).max(row_length(&self.reported(step, oldest, |_, _| true), now)),
            _ => self.all.iter().rev().take_while(|refusal| refusal.at > oldest).count() + unfounded,
        }
    }

    /// How many of the row of then a run could know then: by a result line that is true, or a `map` without one.
    pub(super) fn known_to_be_spent(&self, step: &Step<'_>, read: Timestamp) -> usize {
        let window = step.ground_truth.policy.history_window();
        let mut reported = self.reported(step, read - window, |command, one| {
            let is_failure = || matches!(true_result(command, one, read), TrueResult::Failed { .. });
            let is_tried = matches!(&*one.details, "Success" | "Failed" | "ExecutionTimedOut" | "TimedOut");
            one.finished().is_some() && !one.is_lie && (is_map(command) && is_tried || is_failure())
        });
        reported.retain(|at| *at < read);
        row_length(&reported, read)
    }

    /// When the row was over, if as many as the budget may have been spent in it.
    pub(super) fn budget_returns(&self, step: &Step<'_>) -> Timestamp {
        let oldest = step.aws.now() - step.ground_truth.policy.history_window();
        let reported = self.reported(step, oldest, |_, _| true);
        let Some(last) = reported.last() else { return Timestamp::MIN };
        let spent = row_length(&reported, *last).max(self.may_be_spent(step));
        let is_spent = spent >= step.ground_truth.policy.refusal_budget as usize;
        if is_spent { *last + ROW_GAP } else { Timestamp::MIN }
    }

    /// When SSM reported the refusals since then, in order. A script whose output is held is reported long after it logged on.
    fn reported(
        &self,
        step: &Step<'_>,
        oldest: Timestamp,
        counts: impl Fn(&Command, &Invocation) -> bool,
    ) -> Vec<Timestamp> {
        let end = |one: &Refusal| {
            let (command, made) = one.made_by(step)?;
            counts(command, made).then(|| made.finished().map_or(one.at, |end| end.max(one.at)))
        };
        let recent = self.all.iter().rev().take_while(|one| one.at > oldest);
        let mut reported: Vec<Timestamp> = recent.filter_map(end).collect();
        reported.sort();
        reported
    }

    /// A run may count something in the row of now.
    pub(super) fn is_any_reported(&self, step: &Step<'_>) -> bool {
        self.spent(step.aws.now()) > 0 || self.unfounded(step) > 0
    }

    /// What a run may count in the row of now though no log-on was refused: false reports of one, and each `map` without a
    /// result.
    fn unfounded(&self, step: &Step<'_>) -> usize {
        self.unfounded_since(step, step.aws.now() - REPORTED_FOR - DEADLINE)
    }

    /// The same of the commands since then.
    fn unfounded_since(&self, step: &Step<'_>, oldest: Timestamp) -> usize {
        let now = step.aws.now();
        let recent = step.aws.commands().rev().take_while(|command| command.requested() > oldest);
        let invocations =
            recent.flat_map(|command| command.invocations().iter().map(move |one| (command, one)));
        let is_refused = |command: &Command, one: &Invocation| {
            let mut known = self.all.iter().rev().take_while(|refusal| refusal.at > oldest);
            known.any(|refusal| *refusal.command == *command.id && refusal.instance == one.instance)
        };
        let count = |(command, one): (&Command, &Invocation)| match true_result(command, one, now) {
            TrueResult::Failed { cause, step, refused } if one.is_lie || !is_refused(command, one) => {
                let is_creation = is_map(command) && step == "create";
                let least = is_refused_logon(&cause) || is_creation && may_be_refused_logon(&cause);
                let least = usize::from(least);
                let of_lie = if one.is_lie { refused.min(3) as usize } else { 0 };
                least.max(of_lie)
            }
            TrueResult::NoResult | TrueResult::Lost => usize::from(is_map(command)),
            TrueResult::Failed { .. }
            | TrueResult::Mapped { .. }
            | TrueResult::OtherShare
            | TrueResult::Pending => 0,
        };
        invocations.map(count).sum()
    }

    /// The last one that SSM had reported by then. A script whose output is held is reported long after it logged on, and one
    /// that goes on after SSM gave it up is never reported.
    pub(super) fn last_reported(&self, step: &Step<'_>, read: Timestamp) -> Option<&Refusal> {
        let is_reported = |one: &&Refusal| one.is_reported(step, read);
        self.all.iter().rev().filter(|one| one.at < read).find(is_reported)
    }

    /// Some host was let in with the parameters' password so recently that a run may present it to everyone: after the
    /// parameters changed, and by a command requested after the last refusal that the run could know.
    pub(super) fn is_fresh(&self, step: &Step<'_>, run: &Run, read: Timestamp) -> bool {
        let world = &step.aws.world;
        let password = world.parameters.password();
        let changed = world.parameters.existing().map(|one| millis(one.modified)).max();
        let refused = self.last_reported(step, read).map(|one| one.at);
        let oldest = run.read_at("ListCommands") - step.ground_truth.policy.freshness() - CLOCK_SKEW;
        // A parameter may have changed since the run read its date.
        let is_unread = changed.is_some_and(|at| at > run.read_at("DescribeParameters"));
        let counts = |command: &Command| {
            let requested = millis(command.requested());
            let is_later = is_unread || changed.is_some_and(|changed| requested > changed);
            is_later && refused.is_none_or(|at| requested > at)
        };
        let log_ons = world.account.log_ons.iter().rev().take_while(|one| one.at >= oldest);
        let is_of_parameters =
            |one: &LogOn| one.password == password || is_unread && one.presented == Presented::Parameters;
        let mut let_in = log_ons.filter(|one| one.result.is_ok() && is_of_parameters(one));
        let_in.any(|one| made_by(step, one).is_some_and(|(command, _)| counts(command)))
            || is_said_to_be_let_in(step, oldest, counts)
    }
}

/// How many of these, in order, are in the row that goes back from then.
fn row_length(reported: &[Timestamp], from: Timestamp) -> usize {
    let mut is_near = is_near(from);
    reported.iter().rev().take_while(|at| is_near(**at)).count()
}

/// From the last one back to a gap.
fn row_of(refusals: &[Refusal], from: Timestamp) -> impl Iterator<Item = &Refusal> {
    let mut is_near = is_near(from);
    refusals.iter().rev().take_while(move |one| is_near(one.at))
}

/// Whether the next one back from then is in the same row.
fn is_near(from: Timestamp) -> impl FnMut(Timestamp) -> bool {
    let mut next = from;
    move |at| std::mem::replace(&mut next, at).duration_since(at) < ROW_GAP
}

/// A host that lies is believed: its `map`, or its check that opens the gate. So is whoever writes its attributes: they say
/// when it logged on. Each is documented.
fn is_said_to_be_let_in(step: &Step<'_>, oldest: Timestamp, counts: impl Fn(&Command) -> bool) -> bool {
    let commands = step.aws.commands().rev().take_while(|one| one.requested() > oldest - DEADLINE);
    let mut said = commands
        .filter(|command| counts(command))
        .flat_map(|command| command.invocations().iter().map(move |one| (command, one)));
    said.any(|(command, invocation)| {
        let is_edited = step.ground_truth.edited.contains(&invocation.instance);
        let result = || true_result(command, invocation, step.aws.now());
        let registrations = || {
            let all = step.ground_truth.registrations.values();
            all.filter(|one| one.ec2 == invocation.instance)
        };
        let opens = || {
            let is_opened = |one: &Registration| one.mapped_since() == Some(millis(command.requested()));
            registrations().any(|one| is_opened(one) || !one.is_open())
        };
        invocation.finished().is_some_and(|at| at >= oldest)
            && match result() {
                TrueResult::Mapped { .. } if is_edited => true,
                TrueResult::Mapped { changed } => invocation.is_lie && (changed || opens()),
                _ => false,
            }
    })
}

/// The command that made a host log on, and its invocation there. The script logs on when it ends; SSM may have given it up
/// before.
fn made_by<'a>(step: &Step<'a>, log_on: &LogOn) -> Option<(&'a Command, &'a Invocation)> {
    let history = || step.ground_truth.history(step.aws, &log_on.instance);
    let ended = history().find(|(_, one)| one.finished() == Some(log_on.at));
    ended.or_else(|| history().find(|(_, one)| one.started.is_some_and(|at| at <= log_on.at)))
}

pub(super) fn is_map(command: &Command) -> bool {
    command.parameter("Action") == Some("map")
}
