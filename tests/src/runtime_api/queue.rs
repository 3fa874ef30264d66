//! Amazon SQS as far as a Lambda event source needs it: a pure value, told the time.
//!
//! Standard and FIFO (one message group in flight at a time, content-based deduplication), visibility, receive
//! counts, a dead-letter list. Time is a [`Duration`] since any start that the caller keeps to.
//!
//! Deliberately absent: retention, delays, message attributes, long polling, the 20,000 and 120,000 messages in
//! flight, MD5 sums. A standard queue here keeps its order, which SQS does not promise.

use super::function::{ACCOUNT, REGION};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// SQS drops a message whose body it saw within this time, where deduplication is content-based.
const DEDUPLICATION: Duration = Duration::from_secs(300);

/// Which kind of queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any number of messages in flight.
    Standard,
    /// In order; while one message is in flight, none of the same group is given out.
    Fifo,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Unique in this process, of a UUID's shape.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// Of a FIFO queue; empty otherwise.
    pub group: String,
    /// How often it was given out, this time included.
    pub receives: u32,
    sent: Duration,
    /// In flight until then.
    hidden_until: Option<Duration>,
}

/// A queue. [`Self::receive`] hides messages, [`Self::delete`] ends them, time brings back the rest.
#[derive(Debug)]
pub struct Queue {
    name: String,
    kind: Kind,
    visibility: Duration,
    max_receives: u32,
    messages: Vec<Message>,
    dead: Vec<Message>,
    /// Bodies seen, and when.
    seen: BTreeMap<String, Duration>,
    sent: u64,
}

impl Queue {
    /// An empty queue. After `max_receives` a message becomes a dead letter instead of being given out again.
    pub fn new(name: &str, kind: Kind, visibility: Duration, max_receives: u32) -> Self {
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

    /// Puts a message in. `group` counts on a FIFO queue only. `false`: a duplicate, accepted and dropped.
    pub fn send(&mut self, now: Duration, group: &str, body: &str) -> bool {
        if self.kind == Kind::Fifo {
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
            group: if self.kind == Kind::Fifo { group.to_owned() } else { String::new() },
            receives: 0,
            sent: now,
            hidden_until: None,
        });
        true
    }

    /// Gives out at most `limit` visible messages, oldest first, and hides them.
    pub fn receive(&mut self, now: Duration, limit: usize) -> Vec<Message> {
        self.bury(now);
        let busy: Vec<String> = match self.kind {
            Kind::Standard => Vec::new(),
            Kind::Fifo => {
                self.messages.iter().filter(|m| !m.is_visible(now)).map(|m| m.group.clone()).collect()
            }
        };
        let until = now + self.visibility;
        let given = self.messages.iter_mut().filter(|m| m.is_visible(now) && !busy.contains(&m.group));
        given
            .take(limit)
            .map(|message| {
                message.receives += 1;
                message.hidden_until = Some(until);
                message.clone()
            })
            .collect()
    }

    /// Ends a message, wherever it stands. Unknown ids are ignored, as SQS does.
    pub fn delete(&mut self, id: &str) {
        self.messages.retain(|message| message.id != id);
    }

    /// When the next message will be visible: at once, later, or (empty) not at all.
    pub fn next_visible(&self) -> Option<Duration> {
        self.messages.iter().map(|message| message.hidden_until.unwrap_or_default()).min()
    }

    /// How many messages could be given out.
    pub fn visible(&self, now: Duration) -> usize {
        self.messages.iter().filter(|message| message.is_visible(now)).count()
    }

    /// Messages not yet deleted, in flight or not.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing waits and nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// What was received too often.
    pub fn dead_letters(&self) -> &[Message] {
        &self.dead
    }

    /// The event that Lambda makes of a batch.
    pub fn event(&self, batch: &[Message]) -> Value {
        json!({ "Records": batch.iter().map(|message| self.record(message)).collect::<Vec<_>>() })
    }

    fn record(&self, message: &Message) -> Value {
        let mut attributes = json!({
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent.as_millis().to_string(),
            "SenderId": "AIDALOCAL",
        });
        if self.kind == Kind::Fifo {
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

    fn bury(&mut self, now: Duration) {
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

/// Which messages of a batch are done with, after what the function answered. `None` as answer: it failed.
///
/// `{"batchItemFailures":[{"itemIdentifier":"…"}]}` keeps the named ones. An empty list, no such member and `null` are
/// success; an identifier that is empty or of no message of the batch fails all of it, as Lambda does.
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
    fn what_is_not_deleted_comes_back_after_the_visibility_time_and_dies_after_enough_receives() {
        let mut queue = Queue::new("events", Kind::Standard, VISIBILITY, 2);
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
    fn a_fifo_queue_gives_out_nothing_of_a_group_that_has_a_message_in_flight() {
        let mut queue = Queue::new("sweep.fifo", Kind::Fifo, VISIBILITY, 3);
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
        let mut queue = Queue::new("sweep.fifo", Kind::Fifo, VISIBILITY, 3);
        assert!(queue.send(at(0), "g", "tick"));
        assert!(!queue.send(at(299), "g", "tick"));
        assert!(queue.send(at(300), "g", "tick"), "counted from the accepted one, not from its duplicate");
        assert_eq!(queue.len(), 2);
        let mut standard = Queue::new("events", Kind::Standard, VISIBILITY, 3);
        assert!(standard.send(at(0), "", "tick") && standard.send(at(0), "", "tick"));
    }

    #[test]
    fn a_batch_is_settled_by_what_the_function_answered() {
        let mut queue = Queue::new("events", Kind::Standard, VISIBILITY, 3);
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
    fn a_batch_becomes_the_event_that_functions_parse() {
        let mut queue = Queue::new("sweep.fifo", Kind::Fifo, VISIBILITY, 3);
        queue.send(at(5), "sweep", r#"{"tick":1}"#);
        let batch = queue.receive(at(5), 10);
        let event: aws_lambda_events::event::sqs::SqsEvent =
            serde_json::from_value(queue.event(&batch)).unwrap();
        let record = &event.records[0];
        assert_eq!(record.message_id.as_deref(), Some(batch[0].id.as_str()));
        assert_eq!(record.body.as_deref(), Some(r#"{"tick":1}"#));
        assert_eq!(record.attributes["MessageGroupId"], "sweep");
        assert_eq!(record.attributes["ApproximateReceiveCount"], "1");
    }
}
