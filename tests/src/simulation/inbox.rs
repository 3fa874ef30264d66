//! The way of an event to `map-share`: EventBridge, which loses, doubles and delays, and a standard queue.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::chance::{Dice, FaultKind};
use crate::runtime_api::{Message, Queue, QueueKind};

/// An event is so often tried before it is a dead letter, as the template has it.
const MOST_RECEIVES: u32 = 5;

/// From an event until its message can be received.
const TRANSIT: Duration = Duration::from_millis(700);

/// Events on their way, and the queue.
pub(super) struct Inbox {
    dice: Dice,
    began: Timestamp,
    on_their_way: Vec<(Timestamp, String)>,
    queue: Queue,
}

impl Inbox {
    pub(super) fn new(dice: Dice, began: Timestamp, visibility: Duration) -> Self {
        let queue = Queue::new("instance-events", QueueKind::Standard, visibility, MOST_RECEIVES);
        Inbox { dice, began, on_their_way: Vec::new(), queue }
    }

    /// AWS emitted an event.
    pub(super) fn emit(&mut self, now: Timestamp, event: &Value) {
        let subject = subject(event);
        if self.dice.roll(FaultKind::EventLost, &subject, now).is_some() {
            return;
        }
        let copies = if self.dice.roll(FaultKind::EventDoubled, &subject, now).is_some() { 2 } else { 1 };
        for copy in 0..copies {
            let late = self.dice.roll(FaultKind::EventDelayed, &format!("{subject} {copy}"), now);
            let late = Duration::from_millis(late.map_or(0, |more| 5_000 + more % 900_000));
            self.on_their_way.push((now + TRANSIT + late, event.to_string()));
        }
    }

    /// Messages for one invocation.
    pub(super) fn receive(&mut self, now: Timestamp, limit: usize) -> Vec<Message> {
        let since = self.since(now);
        let (arrived, rest) = std::mem::take(&mut self.on_their_way)
            .into_iter()
            .partition(|(at, _): &(Timestamp, String)| *at <= now);
        self.on_their_way = rest;
        for (_, body) in arrived {
            self.queue.send(since, "", &body);
        }
        self.queue.receive(since, limit)
    }

    /// As Lambda hands them over.
    pub(super) fn event(&self, messages: &[Message]) -> Value {
        self.queue.event(messages)
    }

    /// A message was dealt with. SQS may hand it over again all the same.
    pub(super) fn delete(&mut self, now: Timestamp, message: &Message) {
        self.queue.delete(&message.id);
        if self.dice.roll(FaultKind::MessageRedelivered, &message.id, now).is_some() {
            self.on_their_way.push((now + TRANSIT, message.body.clone()));
        }
    }

    fn since(&self, now: Timestamp) -> Duration {
        now.duration_since(self.began).unsigned_abs()
    }
}

/// What it is about, the same in every replay of the seed.
fn subject(event: &Value) -> String {
    let detail = &event["detail"];
    let id = ["ec2InstanceId", "instance-id", "EC2InstanceId"].iter().find_map(|name| detail[name].as_str());
    format!("{} of {}", event["detail-type"].as_str().unwrap_or_default(), id.unwrap_or_default())
}
