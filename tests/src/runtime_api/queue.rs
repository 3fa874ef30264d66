//! The parts of Amazon SQS that a Lambda event source needs, as a value without clock.
//!
//! It has standard and FIFO queues (one message group in flight at a time, content-based deduplication), visibility
//! timeouts, receive counts and dead letters. Time is a [`Duration`] since a start that the caller chooses.
//!
//! Deliberately absent: retention, delays, message attributes, long polling, the limits of messages in flight, MD5 sums.
//! A standard queue here keeps its order, which SQS does not promise.

use crate::local_aws::{ACCOUNT, REGION};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The interval of content-based deduplication: SQS drops a message whose body it accepted within it.
const DEDUPLICATION: Duration = Duration::from_secs(300);

/// The kind of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// Any number of messages in flight.
    Standard,
    /// In order; while a message is in flight, no other of its group is received.
    Fifo,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Unique in this process, in the form of a UUID.
    pub id: String,
    /// The body.
    pub body: String,
    /// The message group in a FIFO queue; empty otherwise.
    pub group: String,
    /// The receive count.
    pub receives: u32,
    sent: Duration,
    /// In flight until then.
    hidden_until: Option<Duration>,
}

/// A queue. A received message is hidden until it is deleted or its visibility timeout ends.
#[derive(Debug)]
pub struct Queue {
    name: String,
    kind: QueueKind,
    visibility: Duration,
    max_receives: u32,
    messages: Vec<Message>,
    dead: Vec<Message>,
    /// Accepted bodies, with the time of acceptance.
    seen: BTreeMap<String, Duration>,
    sent: u64,
}

impl Queue {
    /// An empty queue. After `max_receives` a message becomes a dead letter.
    pub fn new(name: &str, kind: QueueKind, visibility: Duration, max_receives: u32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            visibility,
            max_receives,
            messages: Vec::new(),
            dead: Vec::new(),
            seen: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Sends a message; a standard queue ignores `group`. `false` for a duplicate, which is dropped.
    pub fn send(&mut self, now: Duration, group: &str, body: &str) -> bool {
        if self.kind == QueueKind::Fifo {
            let before = self.seen.insert(body.to_owned(), now);
            if let Some(before) = before
                && now.saturating_sub(before) < DEDUPLICATION
            {
                // The interval runs from the message that was accepted, not from its duplicates.
                self.seen.insert(body.to_owned(), before);
                return false;
            }
        }
        self.sent += 1;
        self.messages.push(Message {
            id: format!("00000000-0000-4000-9000-{:012x}", self.sent),
            body: body.to_owned(),
            group: if self.kind == QueueKind::Fifo { group.to_owned() } else { String::new() },
            receives: 0,
            sent: now,
            hidden_until: None,
        });
        true
    }

    /// Receives at most `limit` visible messages, oldest first, and hides them.
    pub fn receive(&mut self, now: Duration, limit: usize) -> Vec<Message> {
        self.move_dead_letters(now);
        let in_flight = self.messages.iter().filter(|m| self.kind == QueueKind::Fifo && !m.is_visible(now));
        let busy: Vec<String> = in_flight.map(|m| m.group.clone()).collect();
        let until = now + self.visibility;
        let given = self.messages.iter_mut().filter(|m| m.is_visible(now) && !busy.contains(&m.group));
        let receive = |message: &mut Message| {
            message.receives += 1;
            message.hidden_until = Some(until);
            message.clone()
        };
        given.take(limit).map(receive).collect()
    }

    /// Deletes a message, in flight or not. Unknown ids are ignored, as SQS does.
    pub fn delete(&mut self, id: &str) {
        self.messages.retain(|message| message.id != id);
    }

    /// When the next message is visible; `None` in an empty queue.
    pub fn next_visible(&self) -> Option<Duration> {
        self.messages.iter().map(|message| message.hidden_until.unwrap_or_default()).min()
    }

    /// The number of visible messages.
    pub fn visible(&self, now: Duration) -> usize {
        self.messages.iter().filter(|message| message.is_visible(now)).count()
    }

    /// Whether no message is left, in flight or not.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages that were received too often.
    pub fn dead_letters(&self) -> &[Message] {
        &self.dead
    }

    /// Lambda's event for a batch.
    pub fn event(&self, batch: &[Message]) -> Value {
        json!({ "Records": batch.iter().map(|message| self.record(message)).collect::<Vec<_>>() })
    }

    fn record(&self, message: &Message) -> Value {
        let mut attributes = json!({
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent.as_millis().to_string(),
            "SenderId": "AIDALOCAL",
        });
        if self.kind == QueueKind::Fifo {
            attributes["MessageGroupId"] = json!(message.group);
        }
        json!({
            "messageId": message.id,
            "receiptHandle": format!("{}-{}", message.id, message.receives),
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.name),
            "awsRegion": REGION,
        })
    }

    fn move_dead_letters(&mut self, now: Duration) {
        let max = self.max_receives;
        let (dead, alive) =
            self.messages.drain(..).partition(|message| message.is_visible(now) && message.receives >= max);
        self.messages = alive;
        self.dead.extend::<Vec<_>>(dead);
    }
}

impl Message {
    fn is_visible(&self, now: Duration) -> bool {
        self.hidden_until.is_none_or(|until| until <= now)
    }
}

/// The messages of a batch to delete, by the function's response; `None` where the function failed.
///
/// `{"batchItemFailures":[{"itemIdentifier":"…"}]}` keeps the named messages. An empty list, `null` and a response
/// without this member mean success. As in Lambda, an empty or unknown identifier keeps the whole batch.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub fn settle<'a>(batch: &'a [Message], answer: Option<&Value>) -> Vec<&'a str> {
    let Some(answer) = answer else { return Vec::new() };
    let failures = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return batch.iter().map(|message| message.id.as_str()).collect(),
        Some(failures) => failures,
    };
    let named: Option<Vec<&str>> = failures.as_array().and_then(|failures| {
        failures.iter().map(|failure| failure.get("itemIdentifier").and_then(Value::as_str)).collect()
    });
    match named {
        Some(named) if named.iter().all(|id| batch.iter().any(|message| message.id == *id)) => {
            batch.iter().map(|message| message.id.as_str()).filter(|id| !named.contains(id)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISIBILITY: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn bodies(messages: &[Message]) -> Vec<&str> {
        messages.iter().map(|message| message.body.as_str()).collect()
    }

    #[test]
    fn a_message_that_is_not_deleted_is_received_again_and_becomes_a_dead_letter() {
        let mut queue = Queue::new("events", QueueKind::Standard, VISIBILITY, 2);
        queue.send(at(0), "", "a");
        queue.send(at(0), "", "b");
        let first = queue.receive(at(1), 10);
        assert_eq!(bodies(&first), ["a", "b"]);
        queue.delete(&first[0].id);
        assert_eq!(bodies(&queue.receive(at(60), 10)), [""; 0]);
        assert_eq!(queue.next_visible(), Some(at(61)));
        let second = queue.receive(at(61), 10);
        assert_eq!((bodies(&second), second[0].receives), (vec!["b"], 2));
        assert!(queue.receive(at(121), 10).is_empty());
        assert_eq!(bodies(queue.dead_letters()), ["b"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_fifo_queue_holds_back_a_group_that_has_a_message_in_flight() {
        let mut queue = Queue::new("reconcile.fifo", QueueKind::Fifo, VISIBILITY, 3);
        for (group, body) in [("g", "1"), ("g", "2"), ("h", "3"), ("g", "4")] {
            queue.send(at(0), group, body);
        }
        let first = queue.receive(at(0), 1);
        assert_eq!(bodies(&first), ["1"]);
        assert_eq!(bodies(&queue.receive(at(0), 10)), ["3"]);
        queue.delete(&first[0].id);
        assert_eq!(bodies(&queue.receive(at(1), 10)), ["2", "4"]);
    }

    #[test]
    fn a_fifo_queue_drops_a_body_that_it_accepted_within_five_minutes() {
        let mut queue = Queue::new("reconcile.fifo", QueueKind::Fifo, VISIBILITY, 3);
        assert!(queue.send(at(0), "g", "tick"));
        assert!(!queue.send(at(299), "g", "tick"));
        assert!(
            queue.send(at(300), "g", "tick"),
            "counted from the accepted message, not from its duplicate"
        );
        assert_eq!(queue.messages.len(), 2);
        let mut standard = Queue::new("events", QueueKind::Standard, VISIBILITY, 3);
        assert!(standard.send(at(0), "", "tick") && standard.send(at(0), "", "tick"));
    }

    #[test]
    fn the_response_decides_which_messages_of_a_batch_are_deleted() {
        let mut queue = Queue::new("events", QueueKind::Standard, VISIBILITY, 3);
        queue.send(at(0), "", "a");
        queue.send(at(0), "", "b");
        let batch = queue.receive(at(0), 10);
        let (a, b) = (batch[0].id.as_str(), batch[1].id.as_str());
        let failed = |ids: &[&str]| json!({"batchItemFailures": ids.iter().map(|id| json!({"itemIdentifier": id})).collect::<Vec<_>>()});
        let table: [(Option<Value>, Vec<&str>); 9] = [
            (None, vec![]),
            (Some(Value::Null), vec![a, b]),
            (Some(json!({})), vec![a, b]),
            (Some(json!({"batchItemFailures": null})), vec![a, b]),
            (Some(failed(&[])), vec![a, b]),
            (Some(failed(&[b])), vec![a]),
            (Some(failed(&["nobody"])), vec![]),
            (Some(failed(&[""])), vec![]),
            (Some(json!({"batchItemFailures": [{"itemIdentifier": null}]})), vec![]),
        ];
        for (answer, done) in table {
            assert_eq!(settle(&batch, answer.as_ref()), done, "{answer:?}");
        }
    }

    #[test]
    fn a_batch_becomes_an_sqs_event() {
        let mut queue = Queue::new("reconcile.fifo", QueueKind::Fifo, VISIBILITY, 3);
        queue.send(at(5), "reconcile", r#"{"tick":1}"#);
        let batch = queue.receive(at(5), 10);
        let event: aws_lambda_events::event::sqs::SqsEvent =
            serde_json::from_value(queue.event(&batch)).unwrap();
        let record = &event.records[0];
        assert_eq!(record.message_id.as_deref(), Some(batch[0].id.as_str()));
        assert_eq!(record.body.as_deref(), Some(r#"{"tick":1}"#));
        assert_eq!(record.attributes["MessageGroupId"], "reconcile");
        assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
    }
}
