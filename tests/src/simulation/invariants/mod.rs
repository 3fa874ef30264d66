//! What must hold after every step, one file for each invariant or rule, decided from the ground truth alone.
//!
//! A run may not know the present state: it read before a change, or its listing was late. Then a check asks what was
//! true when the run read, and says which reading it means.

mod budget;
pub(super) mod convergence;
mod drains;
mod drive_letters;
mod gates;
mod lies;
pub(super) mod logs;
pub(super) mod messages;
mod ownership;
mod placement;
mod reactions;
mod readings;
mod refusals;
pub(super) mod secrets;
mod sends;
mod silence;
mod verdicts;
mod waiting;
mod witnesses;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ground_truth::{Actor, Change, GroundTruth, Registration, Run, RunId};
use crate::local_aws::ecs::short_id;
use crate::local_aws::{Call, LocalAws};

/// `Err` says what was found instead.
type CheckResult = Result<(), String>;

fn ensure<T: Into<String>>(holds: bool, otherwise: impl FnOnce() -> T) -> CheckResult {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

/// The clocks of two parties differ by less than this.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The same, where both clocks belong to functions.
const TWO_CLOCK_SKEWS: SignedDuration = SignedDuration::from_secs(8);

/// One step: the effect of a call, or a change of the world.
struct Step<'a> {
    /// After the step.
    aws: &'a LocalAws,
    /// Its registrations are as after the step.
    ground_truth: &'a GroundTruth,
    /// The call of a function, if it is one.
    call: Option<(&'a Call, RunId)>,
    changes: &'a [Change],
}

impl<'a> Step<'a> {
    /// The run that made the call.
    fn run(&self) -> Option<&'a Run> {
        self.call.map(|(_, run)| &self.ground_truth.runs[run])
    }

    /// The call, if it is of that operation and took effect.
    fn effect_of(&self, operation: &str) -> Option<(&'a Call, &'a Run)> {
        let (call, run) = self.call?;
        (call.effect && call.operation == operation).then(|| (call, &self.ground_truth.runs[run]))
    }

    /// The registrations that a function changed, before and after, and the run that did it.
    fn changes_by_run(&self) -> impl Iterator<Item = (&'a Run, &'a Registration, &'a Registration)> {
        let run = self.run().filter(|_| self.call.is_some_and(|(call, _)| is_write(&call.operation)));
        let changes = self.changes.iter().filter_map(|change| Some((change.before.as_ref()?, &change.after)));
        changes.filter_map(move |(before, after)| Some((run?, before, after)))
    }
}

/// Whether an operation changes registrations.
pub(super) fn is_write(operation: &str) -> bool {
    matches!(operation, "PutAttributes" | "DeleteAttributes" | "UpdateContainerInstancesState")
}

type Check = fn(&Step<'_>) -> CheckResult;

/// The checks that remember nothing between steps. A name begins with the number of the invariant in
/// docs/architecture.md, Invariants.
const CHECKS: [(&str, Check); 13] = [
    ("1 a gate opens only on a proof", gates::opens_only_on_a_proof),
    ("1 an instance is read again before it is written to", readings::is_read_again_before_it_is_written_to),
    ("3 draining instances are counted again before a drain", readings::draining_are_counted_before_a_drain),
    ("1 a restart shuts the gate", gates::a_restart_shuts_it),
    ("1 nothing is recorded for the future", lies::nothing_is_recorded_for_the_future),
    ("5 who may only look changes nothing", lies::who_may_only_look_changes_nothing),
    ("4 a recorded state matches its command's result", verdicts::a_recorded_state_matches_its_result),
    ("2 what an operator did stays done", ownership::what_an_operator_did_stays_done),
    ("4 a drain rests on the script's own results", drains::rests_on_the_scripts_own_results),
    (
        "5 commands go only to Windows instances of watched clusters",
        sends::goes_only_to_watched_windows_instances,
    ),
    ("5 no instance has two commands in flight", sends::no_instance_has_two_commands_in_flight),
    ("5 an instance has pauses between commands", sends::pauses_between_commands),
    (NO_CREDENTIAL_LEAVES_THE_HOST, secrets::no_call_contains_a_password),
];

const DRAINS_STAY_WITHIN_BOUNDS: &str = "3 drains stay within budget, breaker and half";
const SILENCE_SHUTS_WHILE_SSM_IS_HEALTHY: &str = "1 silence shuts a gate only while SSM is healthy";
const SENDS_ARE_REPEATED_AFTER_THROTTLING: &str = "6 a send is repeated only after throttling";
const REFUSALS_STAY_WITHIN_THE_BUDGET: &str = "6 refused log-ons stay within the budget";
const OTHERS_DELAY_NO_HOST_FOR_LONG: &str = "6 others' failures delay no host for long";
const SCRIPTS_REMOVE_NO_OTHER_MAPPING: &str = "10 scripts remove no other mapping";
const TASKS_ARE_PLACED_ON_FRESH_PROOFS: &str = "1 tasks are placed on fresh proofs";
const RESULTS_ARE_RECORDED_SOON: &str = "7 what the script said is recorded by the second run";
/// Checked for calls, and for logs, metrics and answers when a run ends.
pub const NO_CREDENTIAL_LEAVES_THE_HOST: &str = "8 no credential leaves the host";
/// Checked for the logs when a run ends.
pub const LOG_LINES_ARE_PLAIN: &str = "8 nobody writes into the logs";
/// Checked when a run answers its queue.
pub const MESSAGES_ARE_DELETED_ONCE_HANDLED: &str = "9 a message is deleted only once handled";
/// Checked when the faults have stopped.
pub const EVERYTHING_CONVERGES: &str = "7 the fleet converges";

/// The names of all checks, as docs/architecture.md lists them.
pub fn names() -> impl Iterator<Item = &'static str> {
    let others = [
        DRAINS_STAY_WITHIN_BOUNDS,
        SILENCE_SHUTS_WHILE_SSM_IS_HEALTHY,
        SENDS_ARE_REPEATED_AFTER_THROTTLING,
        REFUSALS_STAY_WITHIN_THE_BUDGET,
        OTHERS_DELAY_NO_HOST_FOR_LONG,
        SCRIPTS_REMOVE_NO_OTHER_MAPPING,
        TASKS_ARE_PLACED_ON_FRESH_PROOFS,
        RESULTS_ARE_RECORDED_SOON,
        LOG_LINES_ARE_PLAIN,
        MESSAGES_ARE_DELETED_ONCE_HANDLED,
        EVERYTHING_CONVERGES,
    ];
    CHECKS.into_iter().map(|(name, _)| name).chain(others)
}

/// Checks every step.
pub(super) struct Checker {
    pub(super) ground_truth: GroundTruth,
    memory: Memory,
    /// The first broken invariant.
    pub(super) violation: Option<Violation>,
}

/// What checks remember between steps.
#[derive(Default)]
struct Memory {
    drains: drains::Bounds,
    silence: silence::SsmHealth,
    sends: sends::Requests,
    refusals: refusals::Refusals,
    budget: budget::Budget,
    waiting: waiting::Waiting,
    drive_letters: drive_letters::Letters,
    placement: placement::Placements,
    reactions: reactions::Reactions,
}

impl Memory {
    fn check(&mut self, step: &Step<'_>) -> Result<(), (&'static str, String)> {
        self.refusals.update(step);
        for (name, check) in CHECKS {
            check(step).map_err(|what| (name, what))?;
        }
        let named = |name: &'static str| move |what: String| (name, what);
        self.drains.check(step).map_err(named(DRAINS_STAY_WITHIN_BOUNDS))?;
        self.silence.check(step, &self.refusals).map_err(named(SILENCE_SHUTS_WHILE_SSM_IS_HEALTHY))?;
        self.sends.check(step).map_err(named(SENDS_ARE_REPEATED_AFTER_THROTTLING))?;
        self.budget.check(step, &self.refusals).map_err(named(REFUSALS_STAY_WITHIN_THE_BUDGET))?;
        self.waiting.check(step, &self.refusals).map_err(named(OTHERS_DELAY_NO_HOST_FOR_LONG))?;
        self.drive_letters.check(step).map_err(named(SCRIPTS_REMOVE_NO_OTHER_MAPPING))?;
        self.reactions.check(step).map_err(named(RESULTS_ARE_RECORDED_SOON))?;
        self.placement.check(step, &self.refusals).map_err(named(TASKS_ARE_PLACED_ON_FRESH_PROOFS))
    }
}

impl Checker {
    pub(super) fn new(ground_truth: GroundTruth) -> Self {
        Checker { ground_truth, memory: Memory::default(), violation: None }
    }

    /// The last call in the log has taken effect. The answer is what it changed.
    pub(super) fn after_call(&mut self, aws: &LocalAws, run: RunId) -> Vec<Change> {
        let Some(call) = aws.calls().last() else { return Vec::new() };
        record_reading(&mut self.ground_truth.runs[run], call, aws.now());
        let actor = if call.effect && is_write(&call.operation) { Actor::Run(run) } else { Actor::World };
        self.after(aws, Some((call, run)), actor)
    }

    /// Time has passed.
    pub(super) fn after_world(&mut self, aws: &LocalAws) {
        self.after(aws, None, Actor::World);
    }

    /// The world has changed, by no function's doing.
    pub(super) fn world_changed(&mut self, aws: &LocalAws) {
        self.memory.drive_letters.accept(aws);
        self.after_world(aws);
    }

    fn after(&mut self, aws: &LocalAws, call: Option<(&Call, RunId)>, actor: Actor) -> Vec<Change> {
        let changes = self.ground_truth.update(aws, actor);
        let step = Step { aws, ground_truth: &self.ground_truth, call, changes: &changes };
        if let Err((invariant, what)) = self.memory.check(&step) {
            self.record(invariant, Err(what), aws.now());
        }
        changes
    }

    /// Records a violation, if there is one and it is the first.
    pub(super) fn record(&mut self, invariant: &'static str, result: CheckResult, at: Timestamp) {
        if let (None, Err(what)) = (&self.violation, result) {
            self.violation = Some(Violation { invariant, what, at });
        }
    }

    /// How many tasks with the share were placed, and how long an open gate had no drive at most.
    pub(super) fn placements(&self) -> (u64, SignedDuration) {
        let placement = &self.memory.placement;
        (placement.placed as u64, placement.longest_exposure)
    }
}

fn record_reading(run: &mut Run, call: &Call, now: Timestamp) {
    if call.status != 200 || call.fault.is_some() {
        run.failed_calls += 1;
    }
    if !call.effect {
        return;
    }
    let request = call.request();
    if call.operation == "ListContainerInstances" && request["status"] == "DRAINING" {
        run.counted_draining = Some(now);
        return;
    }
    if call.operation == "DescribeContainerInstances" {
        let named = request["containerInstances"].as_array().into_iter().flatten().filter_map(Value::as_str);
        run.described.extend(named.map(|arn| (Arc::from(short_id(arn)), now)));
    }
    // A listing is as old as its first page.
    if request["NextToken"].is_null() && request["nextToken"].is_null() {
        run.read.insert(call.operation.clone(), now);
    }
}
