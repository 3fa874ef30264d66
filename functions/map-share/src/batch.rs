//! What became of every record: exactly one outcome each, from which the answer, the metrics and the log lines follow.
//!
//! It decides one thing only: a record without an outcome when the time ran out has failed.

use std::collections::BTreeMap;

use aws_lambda_events::sqs::SqsBatchResponse;
use serde_json::{Value, json};
use shared::ids::{CommandId, InstanceId};
use shared::text;

use crate::error::CallError;
use crate::metrics;
use crate::origin::Origin;
use crate::outcome::{Disposition, Effect, Kind, Outcome, Reason};

/// Ids that one log line names, so that it stays far below the 256 KiB that CloudWatch Logs takes.
const IDS_A_LINE: usize = 200;

/// Their characters: room for the ids of instances and of messages.
const CHARACTERS_A_LINE: usize = 40 * IDS_A_LINE;

/// A record's place in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(usize);

#[derive(Debug)]
struct Record {
    message_id: Option<String>,
    kind: Kind,
    subject: Option<String>,
    outcome: Option<Outcome>,
}

/// One run's records.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    records: Vec<Record>,
    commands: Vec<(CommandId, Vec<InstanceId>)>,
    throttles: usize,
    refused: Option<CallError>,
}

impl Batch {
    /// Adds a record.
    pub(crate) fn add(
        &mut self,
        message_id: Option<String>,
        kind: Kind,
        subject: Option<String>,
    ) -> RecordId {
        self.records.push(Record { message_id, kind, subject, outcome: None });
        RecordId(self.records.len() - 1)
    }

    /// Sets a record's outcome, unless it has one.
    pub(crate) fn settle(&mut self, id: RecordId, outcome: Outcome) {
        self.records[id.0].outcome.get_or_insert(outcome);
    }

    pub(crate) fn settle_all(&mut self, ids: impl IntoIterator<Item = RecordId>, outcome: &Outcome) {
        for id in ids {
            self.settle(id, outcome.clone());
        }
    }

    pub(crate) fn outcome(&self, id: RecordId) -> Option<&Outcome> {
        self.records[id.0].outcome.as_ref()
    }

    /// Notes a command that SSM accepted. It is logged at once, since the run may be cut off.
    pub(crate) fn sent(&mut self, command: CommandId, instances: Vec<InstanceId>) {
        tracing::info!(command_id = %command, instance_ids = %join(&instances), "command sent");
        self.commands.push((command, instances));
    }

    /// Counts a throttled call, keeps the first rejected one for the end, and returns the error's text.
    pub(crate) fn failed(&mut self, error: impl Into<CallError>) -> String {
        let error = error.into();
        let why = error.to_string();
        if error.is_throttle() {
            self.throttles += 1;
        }
        if error.is_refusal() {
            tracing::error!(error = why, "AWS refuses a call");
            self.refused.get_or_insert(error);
        } else {
            tracing::warn!(error = why, "a call failed");
        }
        why
    }

    /// The first call that AWS rejected.
    pub(crate) fn into_refused(self) -> Option<CallError> {
        self.refused
    }

    /// Settles the records that the time was too short for. One without a message id cannot return to the queue.
    pub(crate) fn close(&mut self, origin: Origin) {
        for record in &mut self.records {
            let outcome =
                record.outcome.get_or_insert_with(|| Outcome::Failed("the time ran out".to_owned()));
            if origin == Origin::Queue
                && record.message_id.is_none()
                && outcome.disposition() == Disposition::Failed
            {
                *outcome = Outcome::Not(Reason::NoMessageId);
            }
        }
    }

    /// The partial batch response to SQS, a report to everybody else.
    pub(crate) fn answer(&self, origin: Origin) -> Value {
        match origin {
            Origin::Queue => self.batch_response(),
            Origin::Rule | Origin::Hand => self.report(),
        }
    }

    fn batch_response(&self) -> Value {
        let mut response = SqsBatchResponse::default();
        for record in self.records.iter().filter(|record| record.disposition() == Some(Disposition::Failed)) {
            if let Some(id) = &record.message_id {
                response.add_failure(id);
            }
        }
        serde_json::to_value(response).expect("a response is plain data")
    }

    fn report(&self) -> Value {
        let reports = |records: &dyn Fn(&Record) -> bool| -> Vec<Value> {
            self.records.iter().filter(|record| records(record)).map(Record::report).collect()
        };
        let of = |dispositions: &[Disposition]| {
            reports(&|record| record.disposition().is_some_and(|one| dispositions.contains(&one)))
        };
        let is_written = |record: &Record| {
            matches!(record.outcome, Some(Outcome::Did(Effect::GateShut | Effect::Released)))
        };
        let sent =
            self.commands.iter().map(|(command, ids)| json!({"commandId": command, "instanceIds": ids}));
        json!({
            "sent": sent.collect::<Vec<_>>(),
            "done": reports(&is_written),
            "leftToReconcile": of(&[Disposition::LeftToReconcile]),
            "skipped": of(&[Disposition::Skipped, Disposition::Foreign, Disposition::Unreadable]),
            "failed": of(&[Disposition::Failed]),
        })
    }

    /// One line for all records of one kind and outcome, with their ids.
    pub(crate) fn log(&self) {
        for Decision { kind, outcome, ids } in self.decisions() {
            let disposition = outcome.disposition();
            let (count, ids, reason) =
                (ids.len(), text::clean(&ids.join(" "), CHARACTERS_A_LINE), outcome.to_string());
            let (kind, result) = (metrics::of_kind(kind).name, metrics::of_disposition(disposition).name);
            match disposition {
                Disposition::Failed | Disposition::Unreadable => {
                    tracing::warn!(kind, outcome = result, reason, count, ids, "events settled");
                }
                _ => tracing::info!(kind, outcome = result, reason, count, ids, "events settled"),
            }
        }
    }

    fn decisions(&self) -> Vec<Decision<'_>> {
        let mut decisions: Vec<Decision> = Vec::new();
        // Where the last line of each kind and outcome is.
        let mut last: BTreeMap<(Kind, &Outcome), usize> = BTreeMap::new();
        for Record { message_id, kind, subject, outcome } in &self.records {
            let Some(outcome) = outcome else { continue };
            let id = subject.as_deref().or(message_id.as_deref()).unwrap_or("unknown");
            let end = decisions.len();
            let place = last.entry((*kind, outcome)).or_insert(end);
            if decisions.get(*place).is_none_or(|decision| decision.ids.len() == IDS_A_LINE) {
                *place = end;
                decisions.push(Decision { kind: *kind, outcome, ids: Vec::new() });
            }
            decisions[*place].ids.push(id);
        }
        decisions
    }

    /// Every metric, zeros included, so that an alarm tells "none" from "not running".
    pub(crate) fn metrics(&self) -> Vec<shared::metrics::Value> {
        let count = |of: &dyn Fn(&Record) -> bool| self.records.iter().filter(|record| of(record)).count();
        let is_withheld = |record: &Record| record.outcome.as_ref().is_some_and(Outcome::is_withheld);
        let dispositions = Disposition::ALL.map(|disposition| {
            (metrics::of_disposition(disposition), count(&|record| record.disposition() == Some(disposition)))
        });
        let kinds = Kind::ALL.map(|kind| (metrics::of_kind(kind), count(&|record| record.kind == kind)));
        let sent = [
            (metrics::COMMANDS, self.commands.len()),
            (metrics::TARGETS, self.commands.iter().map(|(_, instances)| instances.len()).sum()),
            (metrics::BUDGET_WITHHELD, count(&is_withheld)),
            (metrics::THROTTLES, self.throttles),
        ];
        let counts = dispositions.into_iter().chain(kinds).chain(sent);
        counts.map(|(metric, count)| (metric, count as f64)).collect()
    }
}

/// Records of one kind and outcome.
#[derive(Debug, PartialEq)]
struct Decision<'a> {
    kind: Kind,
    outcome: &'a Outcome,
    ids: Vec<&'a str>,
}

impl Record {
    fn disposition(&self) -> Option<Disposition> {
        self.outcome.as_ref().map(Outcome::disposition)
    }

    fn report(&self) -> Value {
        let reason = self.outcome.as_ref().map(Outcome::to_string);
        json!({"instanceId": self.subject, "reason": reason})
    }
}

fn join(ids: &[InstanceId]) -> String {
    ids.iter().map(InstanceId::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(outcomes: &[(Kind, Option<&str>, &Outcome)]) -> Batch {
        let mut batch = Batch::default();
        for (n, (kind, subject, outcome)) in outcomes.iter().enumerate() {
            let record = batch.add(Some(format!("m{n}")), *kind, subject.map(str::to_owned));
            batch.settle(record, (*outcome).clone());
        }
        batch
    }

    #[test]
    fn every_metric_of_the_table_is_emitted_once_in_every_run() {
        let emitted: Vec<_> = Batch::default().metrics().into_iter().map(|(metric, _)| metric).collect();
        assert_eq!(emitted, metrics::ALL);
    }

    #[test]
    fn every_decision_is_one_line_with_its_ids() {
        let (mapped, sent) = (Outcome::Not(Reason::Mapped), Outcome::Did(Effect::Sent));
        let poison = Outcome::Unreadable("the body is not JSON".to_owned());
        let batch = batch(&[
            (Kind::ContainerInstance, Some("i-1"), &mapped),
            (Kind::ContainerInstance, Some("i-2"), &sent),
            (Kind::Other, None, &poison),
            (Kind::ContainerInstance, Some("i-3"), &mapped),
            (Kind::ByHand, Some("i-4"), &mapped),
        ]);
        let expected = [
            (Kind::ContainerInstance, &mapped, vec!["i-1", "i-3"]),
            (Kind::ContainerInstance, &sent, vec!["i-2"]),
            (Kind::Other, &poison, vec!["m2"]),
            (Kind::ByHand, &mapped, vec!["i-4"]),
        ];
        let expected = expected.map(|(kind, outcome, ids)| Decision { kind, outcome, ids });
        assert_eq!(batch.decisions(), expected);
    }

    #[test]
    fn a_line_names_no_more_ids_than_a_log_takes() {
        let mapped = Outcome::Not(Reason::Mapped);
        let many = vec![(Kind::ContainerInstance, Some("i-0123456789abcdef0"), &mapped); IDS_A_LINE * 2 + 1];
        let batch = batch(&many);
        let lines: Vec<usize> = batch.decisions().iter().map(|decision| decision.ids.len()).collect();
        assert_eq!(lines, [IDS_A_LINE, IDS_A_LINE, 1]);
    }

    #[test]
    fn a_hundred_thousand_outcomes_are_as_many_lines() {
        // If each were compared with all before it, this would take minutes.
        let outcomes: Vec<Outcome> = (0..100_000).map(|n| Outcome::Unreadable(n.to_string())).collect();
        let mut batch = Batch::default();
        for outcome in &outcomes {
            let record = batch.add(None, Kind::ByHand, None);
            batch.settle(record, outcome.clone());
        }
        assert_eq!(batch.decisions().len(), outcomes.len());
    }

    #[test]
    fn an_unsettled_record_comes_again_and_the_first_outcome_counts() {
        let mut batch = Batch::default();
        let open = batch.add(Some("m0".to_owned()), Kind::ContainerInstance, None);
        let settled = batch.add(Some("m1".to_owned()), Kind::ContainerInstance, None);
        batch.settle(settled, Outcome::Did(Effect::Sent));
        batch.settle(settled, Outcome::Failed("too late to say so".to_owned()));
        batch.close(Origin::Queue);
        assert_eq!(batch.outcome(open), Some(&Outcome::Failed("the time ran out".to_owned())));
        assert_eq!(batch.answer(Origin::Queue), json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
    }
}
