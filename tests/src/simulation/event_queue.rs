//! The way of an event to `map-share`: EventBridge, which loses, doubles and delays events, and a standard SQS queue.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::fault_rates::{FaultInjector, FaultKind};
use crate::runtime_api::{Message, Queue, QueueKind};

/// After this many receives a message goes to the dead-letter queue, as in the template.
const MOST_RECEIVES: u32 = 5;

/// From an event until its message can be received.
const TRANSIT: Duration = Duration::from_millis(700);

/// Events in transit, and the queue.
pub(super) struct EventQueue {
    faults: FaultInjector,
    began: Timestamp,
    in_transit: Vec<(Timestamp, String)>,
    /// Every event so far.
    emitted: Vec<Value>,
    queue: Queue,
}

impl EventQueue {
    pub(super) fn new(faults: FaultInjector, began: Timestamp, visibility: Duration) -> Self {
        let queue = Queue::new("instance-events", QueueKind::Standard, visibility, MOST_RECEIVES);
        EventQueue { faults, began, in_transit: Vec::new(), emitted: Vec::new(), queue }
    }

    /// AWS emits an event.
    pub(super) fn emit(&mut self, now: Timestamp, event: &Value) {
        self.emitted.push(event.clone());
        self.send(now, event);
    }

    /// The event that was emitted so many events ago is sent again.
    pub(super) fn replay(&mut self, now: Timestamp, ago: usize) {
        let Some(event) = self.emitted.len().checked_sub(ago + 1).map(|index| self.emitted[index].clone())
        else {
            return;
        };
        self.send(now, &event);
    }

    /// It is on its way to the queue.
    pub(super) fn send(&mut self, now: Timestamp, event: &Value) {
        let subject = subject(event);
        if self.faults.draw(FaultKind::EventLost, &subject, now).is_some() {
            return;
        }
        let copies = if self.faults.draw(FaultKind::EventDoubled, &subject, now).is_some() { 2 } else { 1 };
        for copy in 0..copies {
            let late = self.faults.draw(FaultKind::EventDelayed, &format!("{subject} {copy}"), now);
            let late = Duration::from_millis(late.map_or(0, |random| 5_000 + random % 900_000));
            self.in_transit.push((now + TRANSIT + late, event.to_string()));
        }
    }

    /// Messages for one invocation.
    pub(super) fn receive(&mut self, now: Timestamp, limit: usize) -> Vec<Message> {
        let elapsed = now.duration_since(self.began).unsigned_abs();
        for (_, body) in self.in_transit.extract_if(.., |(at, _)| *at <= now) {
            self.queue.send(elapsed, "", &body);
        }
        self.queue.receive(elapsed, limit)
    }

    /// The event that Lambda makes of messages.
    pub(super) fn event(&self, messages: &[Message]) -> Value {
        self.queue.event(messages)
    }

    /// Lambda deletes a message that was handled. SQS may deliver it again all the same.
    pub(super) fn delete(&mut self, now: Timestamp, message: &Message) {
        self.queue.delete(&message.id);
        if self.faults.draw(FaultKind::MessageRedelivered, &message.id, now).is_some() {
            self.in_transit.push((now + TRANSIT, message.body.clone()));
        }
    }
}

/// What an event is about, the same in every replay of the seed.
fn subject(event: &Value) -> String {
    let detail = &event["detail"];
    let id = ["ec2InstanceId", "instance-id", "EC2InstanceId"].iter().find_map(|name| detail[name].as_str());
    format!("{} of {}", event["detail-type"].as_str().unwrap_or_default(), id.unwrap_or_default())
}
