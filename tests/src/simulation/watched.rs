//! Who watches a history: every step is traced, counted and checked.

use jiff::Timestamp;
use shared::state::{Drain, Gate};

use super::ground::{Change, RunId};
use super::invariants::{Checker, NO_CREDENTIAL_LEAVES_THE_HOST, secrets};
use super::sandbox::Answer;
use super::statistics::Statistics;
use super::trace::Trace;
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::local_aws::reply::Reply;

/// What every call tells.
pub(super) struct Watched {
    pub(super) checker: Checker,
    pub(super) trace: Trace,
    pub(super) statistics: Statistics,
}

impl Watched {
    pub(super) fn after_call(&mut self, aws: &LocalAws, reply: &Reply, run: RunId) {
        let Some(call) = aws.calls().last() else { return };
        self.trace.call(aws.now(), &self.checker.ground.runs[run].name, call, reply);
        self.statistics.calls += 1;
        let changes = self.checker.after_call(aws, run);
        self.count(&changes);
    }

    fn count(&mut self, changes: &[Change]) {
        for Change { before, after } in changes {
            let Some(before) = before else { continue };
            match (before.attributes.gate == Gate::Mapped, after.is_open()) {
                (false, true) => self.statistics.gates[0] += 1,
                (true, false) => self.statistics.gates[1] += 1,
                _ => {}
            }
            match (before.status, after.status) {
                (Status::Active, Status::Draining) => self.statistics.drains[0] += 1,
                (Status::Draining, Status::Active)
                    if matches!(after.attributes.drain, Drain::Released { .. }) =>
                {
                    self.statistics.drains[1] += 1;
                }
                _ => {}
            }
        }
    }

    /// A run is over: whether well, and that it told no secret.
    pub(super) fn ended(&mut self, run: RunId, answer: &Answer, output: &[u8], now: Timestamp) {
        let (how, text) = match answer {
            Answer::Given(value) => ("ended", value.to_string()),
            Answer::Failed(error) => ("failed", error.clone()),
            Answer::Gone => ("is gone", String::new()),
        };
        let of = &mut self.checker.ground.runs[run];
        of.ended = Some(now);
        if matches!(answer, Answer::Given(_)) && of.failed_calls == 0 {
            of.ended_well = Some(now);
        }
        let name = of.name.clone();
        self.trace.note(now, || format!("{name} {how} {text}"));
        self.statistics.written += output.len() as u64;
        let is_told = secrets::contains(output) || secrets::contains(text.as_bytes());
        let holds = if is_told { Err(format!("{name} told a password")) } else { Ok(()) };
        self.checker.hold(NO_CREDENTIAL_LEAVES_THE_HOST, holds, now);
    }
}
