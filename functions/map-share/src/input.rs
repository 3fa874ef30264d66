//! Reads the payload. Every record is read on its own, so that an unreadable one does not affect the others.

use aws_lambda_events::sqs::SqsMessage;
use serde_json::Value;
use shared::ids::InstanceId;
use shared::text;

use crate::batch::{Batch, RecordId};
use crate::error::Error;
use crate::events::{self, Event, Unreadable};
use crate::origin::{MOST_BY_HAND, Origin};
use crate::outcome::{Kind, Outcome};

/// The longest text of a caller or an event that names something in a log line or an answer.
const MOST_CHARACTERS_OF_A_NAME: usize = 100;

/// Adds every record to the batch. What cannot be read is settled there, the rest is returned.
pub(crate) fn read(mut payload: Value, batch: &mut Batch) -> Result<(Origin, Vec<(RecordId, Event)>), Error> {
    if let Some(Value::Array(records)) = payload.get_mut("Records") {
        let records = std::mem::take(records);
        return Ok((Origin::Queue, records.into_iter().filter_map(|r| add_record(r, batch)).collect()));
    }
    if events::is_event(&payload) {
        let (kind, event) = events::read(&payload);
        return Ok((Origin::Rule, add(None, kind, event, batch).into_iter().collect()));
    }
    if let Some(Value::Array(ids)) = payload.get("instanceIds") {
        if ids.len() > MOST_BY_HAND {
            return Err(Error::TooManyIds(ids.len()));
        }
        return Ok((Origin::Hand, ids.iter().filter_map(|id| add_by_hand(id, batch)).collect()));
    }
    add(None, Kind::Other, Err(Unreadable::NotAnEvent(describe(&payload))), batch);
    Ok((Origin::Hand, Vec::new()))
}

/// What a payload is that is none of ours, without its values.
fn describe(payload: &Value) -> String {
    match payload {
        Value::Object(members) => {
            let names: Vec<String> = members.keys().take(10).map(|name| name_of(name)).collect();
            format!("an object with the members [{}]", names.join(", "))
        }
        Value::Array(_) => "a list".to_owned(),
        Value::String(_) => "a text".to_owned(),
        other => other.to_string(),
    }
}

/// A text that names something, cut and made fit for a log line.
fn name_of(text: &str) -> String {
    text::clean(text, MOST_CHARACTERS_OF_A_NAME)
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
    let text = id.as_str().map_or_else(|| id.to_string(), |text| text.trim().to_owned());
    let event = match events::external(&text) {
        Some(external) => Ok(external),
        None => InstanceId::parse(&text).map(Event::ByHand).map_err(Unreadable::Id),
    };
    let record = batch.add(None, Kind::ByHand, Some(name_of(&text)));
    settle_unreadable(record, event, batch)
}

fn add(
    message_id: Option<String>,
    kind: Kind,
    event: Result<Event, Unreadable>,
    batch: &mut Batch,
) -> Option<(RecordId, Event)> {
    let subject = event.as_ref().ok().and_then(|event| event.subject().map(name_of));
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
        .map_err(|why| {
            batch.settle(record, Outcome::Unreadable(text::clean(&why.to_string(), text::MOST_CHARACTERS)));
        })
        .ok()
}
