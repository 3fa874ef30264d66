//! Traces, counts and checks every step of a history.

use jiff::Timestamp;
use shared::state::{Drain, Gate};

use super::ground_truth::{Change, GroundTruth, RunId};
use super::invariants::{Checker, LOG_LINES_ARE_PLAIN, NO_CREDENTIAL_LEAVES_THE_HOST, logs, secrets};
use super::sandbox::Answer;
use super::statistics::Statistics;
use super::trace::Trace;
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;
use crate::local_aws::reply::Reply;

pub(super) struct Observer {
    pub(super) checker: Checker,
    pub(super) trace: Trace,
    pub(super) statistics: Statistics,
}

impl Observer {
    pub(super) fn new(ground_truth: GroundTruth, with_timeline: bool) -> Self {
        Observer {
            checker: Checker::new(ground_truth),
            trace: Trace::new(with_timeline),
            statistics: Statistics::default(),
        }
    }

    pub(super) fn after_call(&mut self, aws: &LocalAws, reply: &Reply, run: RunId) {
        let Some(call) = aws.calls().last() else { return };
        self.trace.call(aws.now(), &self.checker.ground_truth.runs[run].name, call, reply);
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

    /// A run has ended.
    pub(super) fn ended(&mut self, run: RunId, answer: &Answer, output: &[u8], now: Timestamp) {
        let (how, text) = match answer {
            Answer::Value(value) => ("ended", value.to_string()),
            Answer::Error(error) => ("failed", error.clone()),
            Answer::Killed => ("was killed", String::new()),
        };
        let run = &mut self.checker.ground_truth.runs[run];
        run.ended = Some(now);
        if matches!(answer, Answer::Value(_)) && run.failed_calls == 0 {
            run.ended_well = Some(now);
        }
        let name = run.name.clone();
        self.trace.note(now, || format!("{name} {how} {text}"));
        self.statistics.written += output.len() as u64;
        let is_leaked = secrets::contains_password(output) || secrets::contains_password(text.as_bytes());
        let result = if is_leaked { Err(format!("{name} printed a password")) } else { Ok(()) };
        self.checker.record(NO_CREDENTIAL_LEAVES_THE_HOST, result, now);
        self.checker.record(LOG_LINES_ARE_PLAIN, logs::are_plain(output), now);
    }
}
