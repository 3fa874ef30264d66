//! Reads the payload. Every record is read on its own, so that an unreadable one does not affect the others.

use aws_lambda_events::sqs::SqsMessage;
use serde_json::Value;
use shared::ids::InstanceId;

use crate::batch::{Batch, RecordId};
use crate::events::{self, Event, Unreadable};
use crate::origin::Origin;
use crate::outcome::{Kind, Outcome};

/// Adds every record to the batch. What cannot be read is settled there, the rest is returned.
pub(crate) fn read(mut payload: Value, batch: &mut Batch) -> (Origin, Vec<(RecordId, Event)>) {
    if let Some(Value::Array(records)) = payload.get_mut("Records") {
        let records = std::mem::take(records);
        return (Origin::Queue, records.into_iter().filter_map(|r| add_record(r, batch)).collect());
    }
    if events::is_event(&payload) {
        let (kind, event) = events::read(&payload);
        return (Origin::Rule, add(None, kind, event, batch).into_iter().collect());
    }
    if let Some(Value::Array(ids)) = payload.get("instanceIds") {
        return (Origin::Hand, ids.iter().filter_map(|id| add_by_hand(id, batch)).collect());
    }
    add(None, Kind::Other, Err(Unreadable::NotAnEvent(describe(&payload))), batch);
    (Origin::Hand, Vec::new())
}

/// What a payload is that is none of ours, without its values.
fn describe(payload: &Value) -> String {
    match payload {
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().take(10).map(String::as_str).collect();
            format!("an object with the members [{}]", names.join(", "))
        }
        Value::Array(_) => "a list".to_owned(),
        Value::String(_) => "a text".to_owned(),
        other => other.to_string(),
    }
}

fn add_record(message: Value, batch: &mut Batch) -> Option<(RecordId, Event)> {
    let message: SqsMessage = serde_json::from_value(message).unwrap_or_default();
    // An empty id in a partial batch response would fail the whole batch.
    let message_id = message.message_id.filter(|id| !id.is_empty());
    let (kind, event) = match message.body.as_deref().map(|body| body.trim_start_matches('\u{feff}')) {
        None => (Kind::Other, Err(Unreadable::NoBody)),
        Some(body) => match serde_json::from_str::<Value>(body) {
            Ok(event) => events::read(&event),
            Err(error) => (Kind::Other, Err(Unreadable::NotJson(error.to_string()))),
        },
    };
    add(message_id, kind, event, batch)
}

fn add_by_hand(id: &Value, batch: &mut Batch) -> Option<(RecordId, Event)> {
    let subject = id.as_str().map_or_else(|| id.to_string(), |text| text.trim().to_owned());
    let event = match events::external(&subject) {
        Some(external) => Ok(external),
        None => InstanceId::parse(&subject).map(Event::ByHand).map_err(Unreadable::Id),
    };
    let record = batch.add(None, Kind::ByHand, Some(subject));
    settle_unreadable(record, event, batch)
}

fn add(
    message_id: Option<String>,
    kind: Kind,
    event: Result<Event, Unreadable>,
    batch: &mut Batch,
) -> Option<(RecordId, Event)> {
    let subject = event.as_ref().ok().and_then(|event| event.subject().map(str::to_owned));
    let record = batch.add(message_id, kind, subject);
    settle_unreadable(record, event, batch)
}

fn settle_unreadable(
    record: RecordId,
    event: Result<Event, Unreadable>,
    batch: &mut Batch,
) -> Option<(RecordId, Event)> {
    event
        .map(|event| (record, event))
        .map_err(|why| batch.settle(record, Outcome::Unreadable(why.to_string())))
        .ok()
}
