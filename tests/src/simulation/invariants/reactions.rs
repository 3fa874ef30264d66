//! Invariant 7, while faults go on: what the script said is recorded by the second reconcile run that begins after SSM shows it
//! and ends without a failed call. With `verdicts`, which says what follows from a result, this bounds the time from a failure
//! to a shut gate and from a proof to an open one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use shared::config::Mode;
use shared::state::State;

use super::{CLOCK_SKEW, CheckResult, Step, ensure};
use crate::fleet::InstanceId;
use crate::simulation::ground_truth::{DEADLINE, Registration, Run, TrueResult, true_result};

/// The simulation looks this often.
const PERIOD: SignedDuration = SignedDuration::from_secs(20);

/// The first run may have read before a change. The second has no excuse.
const RUNS: usize = 2;

#[derive(Default)]
pub(super) struct Reactions {
    looked_at: Option<Timestamp>,
}

/// A result that is to be recorded.
struct Unrecorded {
    result: TrueResult,
    requested: Timestamp,
    finished: Timestamp,
}

impl Reactions {
    /// Looks three times a minute.
    pub(super) fn check(&mut self, step: &Step<'_>) -> CheckResult {
        let (ground_truth, now) = (step.ground_truth, step.aws.now());
        let is_soon = self.looked_at.is_some_and(|at| now.duration_since(at) < PERIOD);
        if step.call.is_some() || is_soon || ground_truth.policy.mode == Mode::Report {
            return Ok(());
        }
        self.looked_at = Some(now);
        let mut of_instance: BTreeMap<&InstanceId, usize> = BTreeMap::new();
        for one in ground_truth.registrations.values() {
            *of_instance.entry(&one.ec2).or_default() += 1;
        }
        // Which of several registrations counts is another question.
        let counted =
            ground_truth.registrations.values().filter(|one| one.counts() && of_instance[&one.ec2] == 1);
        for one in counted {
            let Some(unrecorded) = unrecorded(step, one) else { continue };
            let from = unrecorded.finished.max(one.state_since).max(one.gate_since).max(one.connected_since);
            let from = from + ground_truth.ssm_lag + ground_truth.ecs_lag + CLOCK_SKEW;
            let is_good = |run: &&Run| run.is_reconcile_run && run.began > from && run.ended_well.is_some();
            let runs = ground_truth.runs.iter().rev().take(40).filter(is_good).count();
            ensure(runs < RUNS, || {
                let Unrecorded { result, requested, .. } = unrecorded;
                let (id, attributes) = (&one.ec2, &one.attributes);
                format!("{runs} runs did not record {result:?} of {requested:.3} on {id}; {attributes:?}")
            })?;
        }
        Ok(())
    }
}

/// The newest result of the script that its state does not have yet. `busy` is none.
fn unrecorded(step: &Step<'_>, one: &Registration) -> Option<Unrecorded> {
    let recorded = one.state().map_or(one.registered_at, State::judged).max(one.registered_at);
    // An operator may have written an old time. A run reads SSM's history no further back than it needs.
    let oldest = step.aws.now() - step.ground_truth.policy.history_window() + DEADLINE;
    let since = oldest.max(recorded + CLOCK_SKEW);
    let mut newer =
        step.ground_truth.history(step.aws, &one.ec2).take_while(|(command, _)| command.requested() > since);
    newer.find_map(|(command, invocation)| {
        let finished = invocation.finished()?;
        let result = true_result(command, invocation, step.aws.now());
        let counts = match &result {
            TrueResult::Mapped { .. } => true,
            TrueResult::Failed { cause, .. } => cause != "busy",
            TrueResult::OtherShare | TrueResult::NoResult | TrueResult::Lost | TrueResult::Pending => false,
        };
        counts.then_some(Unrecorded { result, requested: command.requested(), finished })
    })
}
