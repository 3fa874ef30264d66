//! Why nothing is sent now that could be refused, and when something will be.

use jiff::Timestamp;
use serde::Serialize;
use shared::budget::Refusal;
use shared::history::Action;
use shared::invocation::Step;
use shared::time;

use crate::decide::Plan;

/// The budget of refused log-ons, for a person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// An instance was let in with the parameters' password a moment ago: all that are due are sent to.
    pub fresh: bool,
    /// When an instance was let in last, if nobody was refused since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub let_in_at: Option<String>,
    /// That instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub let_in_by: Option<String>,
    /// Refused log-ons in the row.
    pub spent: u32,
    /// `REFUSAL_BUDGET`.
    pub of: u32,
    /// The refused log-ons, oldest first.
    pub row: Vec<RowEntry>,
    /// What commands in flight may yet add.
    pub possible: u32,
    /// Instances that are due for a `map` and wait.
    pub maps_waiting: usize,
    /// Instances that are due for a `check` and wait.
    pub checks_waiting: usize,
    /// Instances that were refused the password with which others are let in.
    pub hosts_refused_alone: Vec<String>,
    /// When something is sent next; absent where nothing waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
    /// What that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_what: Option<String>,
    /// The same in one sentence; absent where nothing waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A refused log-on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowEntry {
    /// When its script ended.
    pub at: String,
    /// The instance.
    pub instance: String,
    /// `map` or `check`.
    pub action: Action,
    /// The script's step; `null` where it reported nothing.
    pub step: Option<Step>,
    /// Its cause.
    pub cause: String,
    /// How many log-ons it was.
    pub refused: u32,
    /// It was the password that the parameters hold now.
    pub with_current_password: bool,
}

pub(crate) fn credentials(plan: &Plan, now: Timestamp) -> Credentials {
    let (budget, waiting) = (&plan.budget, &plan.waiting);
    let next = next(plan, now);
    Credentials {
        fresh: budget.is_fresh,
        let_in_at: budget.let_in.as_ref().map(|one| time::format(one.at)),
        let_in_by: budget.let_in.as_ref().map(|one| one.instance.to_string()),
        spent: budget.spent(),
        of: budget.of,
        row: budget.row.iter().map(row_entry).collect(),
        possible: budget.possible,
        maps_waiting: waiting.maps.len(),
        checks_waiting: waiting.checks.len(),
        hosts_refused_alone: budget.refused_instances.iter().map(ToString::to_string).collect(),
        next_try: next.as_ref().map(|(at, _)| time::format(*at)),
        next_what: next.map(|(_, what)| what),
        why: why(plan, now),
    }
}

fn row_entry(refusal: &Refusal) -> RowEntry {
    RowEntry {
        at: time::format(refusal.at),
        instance: refusal.instance.to_string(),
        action: refusal.action,
        step: refusal.step,
        cause: refusal.cause.to_string(),
        refused: refusal.weight,
        with_current_password: refusal.is_of_current_password,
    }
}

/// When something is sent next to one of those that wait, and what.
fn next(plan: &Plan, now: Timestamp) -> Option<(Timestamp, String)> {
    let (budget, waiting) = (&plan.budget, &plan.waiting);
    let after_row = budget.row_ends().unwrap_or(now).max(now);
    let next_canary = waiting.maps.iter().find(|id| budget.allows_canary_after_commands(id));
    let canary = next_canary.map(|id| (now, format!("canary {id}")));
    let canary = canary.or_else(|| waiting.maps.first().map(|id| (after_row, format!("canary {id}"))));
    let checks = (!waiting.checks.is_empty()).then(|| (after_row, "checks".to_owned()));
    let refused = waiting.refused.first().map(|id| (after_row, format!("retry of {id}")));
    canary.or(checks).or(refused)
}

/// One sentence, where something waits: what was refused, how many wait, and until when.
pub(super) fn why(plan: &Plan, now: Timestamp) -> Option<String> {
    let budget = &plan.budget;
    if budget.is_unreadable {
        let what = if plan.fleet.is_partial {
            "a cluster, or a part of the history,"
        } else {
            "the parameters' dates"
        };
        return Some(format!("{what} could not be read, so nothing is sent"));
    }
    let (next_at, what) = next(plan, now)?;
    let waiting = match plan.waiting.count() {
        1 => "1 host waits".to_owned(),
        n => format!("{n} hosts wait"),
    };
    let spent = match budget.spent() {
        0 => "no instance was let in within the last minute, so one tries the password for all".to_owned(),
        _ => budget.describe(),
    };
    let next_try = if next_at <= now {
        format!("next try ({what}) as soon as the commands in flight end")
    } else {
        format!("next try ({what}) {next_at:.0}, or at once when a parameter changes")
    };
    Some(format!("{spent}; {waiting}; {next_try}"))
}
