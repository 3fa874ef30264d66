//! What became of every record: exactly one outcome each, from which the answer, the metrics and the log lines follow.
//!
//! It decides nothing, but for one thing: what was not settled when the time ran out has failed.

use aws_lambda_events::sqs::SqsBatchResponse;
use serde_json::{Value, json};
use shared::ids::{CommandId, InstanceId};
use shared::metrics;

use crate::error::CallError;
use crate::input::Origin;
use crate::outcome::{Disposition, Effect, Kind, Outcome, Reason};

/// Ids that one log line names, to stay far below the 256 KiB that CloudWatch Logs takes.
const IDS_A_LINE: usize = 200;

/// A record's place in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(usize);

#[derive(Debug)]
struct Entry {
    message_id: Option<String>,
    kind: Kind,
    subject: Option<String>,
    outcome: Option<Outcome>,
}

/// One run's records.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    commands: Vec<(CommandId, Vec<InstanceId>)>,
    throttles: u32,
    refused: Option<CallError>,
}

impl Batch {
    pub(crate) fn enter(
        &mut self,
        message_id: Option<String>,
        kind: Kind,
        subject: Option<String>,
    ) -> RecordId {
        self.entries.push(Entry { message_id, kind, subject, outcome: None });
        RecordId(self.entries.len() - 1)
    }

    /// The first outcome stands.
    pub(crate) fn settle(&mut self, id: RecordId, outcome: Outcome) {
        self.entries[id.0].outcome.get_or_insert(outcome);
    }

    pub(crate) fn settle_all(&mut self, ids: impl IntoIterator<Item = RecordId>, outcome: &Outcome) {
        for id in ids {
            self.settle(id, outcome.clone());
        }
    }

    pub(crate) fn outcome(&self, id: RecordId) -> Option<&Outcome> {
        self.entries[id.0].outcome.as_ref()
    }

    /// A command was taken: told at once, for the run may end any moment.
    pub(crate) fn sent(&mut self, command: CommandId, instances: Vec<InstanceId>) {
        tracing::info!(command_id = %command, instance_ids = %join(&instances), "command sent");
        self.commands.push((command, instances));
    }

    /// Notes a failed call: counts a throttle, keeps a refusal for the end. What is returned is the failure's text.
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

    /// The first call that AWS refuses.
    pub(crate) fn into_refused(self) -> Option<CallError> {
        self.refused
    }

    /// Settles what is left: it was cut off. A record that cannot be named cannot be given back to the queue.
    pub(crate) fn close(&mut self, origin: Origin) {
        for entry in &mut self.entries {
            let outcome = entry.outcome.get_or_insert_with(|| Outcome::Failed("the time ran out".to_owned()));
            if origin == Origin::Queue && entry.message_id.is_none() && outcome.class() == Disposition::Failed
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
        for entry in self.entries.iter().filter(|entry| entry.class() == Some(Disposition::Failed)) {
            if let Some(id) = &entry.message_id {
                response.add_failure(id);
            }
        }
        serde_json::to_value(response).expect("a response is plain data")
    }

    fn report(&self) -> Value {
        let of = |classes: &[Disposition]| -> Vec<Value> {
            let entries = self.entries.iter().filter(|e| e.class().is_some_and(|c| classes.contains(&c)));
            entries.map(Entry::report).collect()
        };
        let sent =
            self.commands.iter().map(|(command, ids)| json!({"commandId": command, "instanceIds": ids}));
        let done = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.outcome, Some(Outcome::Did(Effect::GateShut | Effect::Released))));
        json!({
            "sent": sent.collect::<Vec<_>>(),
            "done": done.map(Entry::report).collect::<Vec<_>>(),
            "leftToSweep": of(&[Disposition::LeftToSweep]),
            "skipped": of(&[Disposition::Skipped, Disposition::Foreign, Disposition::Unreadable]),
            "failed": of(&[Disposition::Failed]),
        })
    }

    /// One line a decision, with the ids of those that it concerns. Sent commands have their own line, too.
    pub(crate) fn log(&self) {
        for Decision { kind, outcome, ids } in self.decisions() {
            let (kind, count, ids) = (kind.metric(), ids.len(), ids.join(" "));
            let (result, reason) = (outcome.class().metric(), outcome.to_string());
            match outcome.class() {
                Disposition::Failed | Disposition::Unreadable => {
                    tracing::warn!(kind, outcome = result, reason, count, ids, "events settled");
                }
                _ => tracing::info!(kind, outcome = result, reason, count, ids, "events settled"),
            }
        }
    }

    fn decisions(&self) -> Vec<Decision<'_>> {
        let mut decisions: Vec<Decision> = Vec::new();
        for entry in &self.entries {
            let Some(outcome) = &entry.outcome else { continue };
            let id = entry.subject.as_deref().or(entry.message_id.as_deref()).unwrap_or("unknown");
            let same = |decision: &&mut Decision| {
                decision.kind == entry.kind && decision.outcome == outcome && decision.ids.len() < IDS_A_LINE
            };
            match decisions.iter_mut().rfind(same) {
                Some(decision) => decision.ids.push(id),
                None => decisions.push(Decision { kind: entry.kind, outcome, ids: vec![id] }),
            }
        }
        decisions
    }

    /// Every count, zeros included, so that an alarm tells "none" from "not running".
    pub(crate) fn metrics(&self) -> Vec<metrics::Value> {
        let count = |of: &dyn Fn(&Entry) -> bool| self.entries.iter().filter(|e| of(e)).count() as f64;
        let targets: usize = self.commands.iter().map(|(_, instances)| instances.len()).sum();
        let is_brake = |e: &Entry| matches!(e.outcome, Some(Outcome::Not(reason)) if reason.is_brake());
        let classes = Disposition::ALL.map(|class| (class.metric(), count(&|e| e.class() == Some(class))));
        let kinds = Kind::ALL.map(|kind| (kind.metric(), count(&|e| e.kind == kind)));
        let calls = [
            ("Commands", self.commands.len() as f64),
            ("Targets", targets as f64),
            ("BrakeWithheld", count(&is_brake)),
            ("Throttles", f64::from(self.throttles)),
        ];
        classes.into_iter().chain(kinds).chain(calls).collect()
    }
}

/// Records of one kind that ended alike.
#[derive(Debug, PartialEq)]
struct Decision<'a> {
    kind: Kind,
    outcome: &'a Outcome,
    ids: Vec<&'a str>,
}

impl Entry {
    fn class(&self) -> Option<Disposition> {
        self.outcome.as_ref().map(Outcome::class)
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
            let entry = batch.enter(Some(format!("m{n}")), *kind, subject.map(str::to_owned));
            batch.settle(entry, (*outcome).clone());
        }
        batch
    }

    #[test]
    fn every_decision_is_one_line_with_the_ids_that_it_concerns() {
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
    fn what_was_not_settled_comes_again_and_the_first_outcome_stands() {
        let mut batch = Batch::default();
        let open = batch.enter(Some("m0".to_owned()), Kind::ContainerInstance, None);
        let settled = batch.enter(Some("m1".to_owned()), Kind::ContainerInstance, None);
        batch.settle(settled, Outcome::Did(Effect::Sent));
        batch.settle(settled, Outcome::Failed("too late to say so".to_owned()));
        batch.close(Origin::Queue);
        assert_eq!(batch.outcome(open), Some(&Outcome::Failed("the time ran out".to_owned())));
        assert_eq!(batch.answer(Origin::Queue), json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
    }
}
