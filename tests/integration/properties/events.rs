//! What `map-share` is invoked with: every record has one outcome, and a bad record affects no other.
//!
//! The handler that ships runs against a local AWS with the hosts of the sample events, so that the effects of an unusual
//! event are checked, too.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tests::local_aws::ecs::cluster_arn;
use tests::local_aws::in_process::in_virtual_time;
use tests::map_share::{Setup, failures, sqs_of};

use super::{check, edited, files};
use crate::map_share::samples::{FOREIGN, LINUX, world};

/// A new host that no sample names. Its own event is part of every batch.
const NEW_HOST: &str = "i-0a1b2c3d4e5f607ff";

/// The metrics of a record's kind.
const KINDS: [&str; 6] = [
    "EventsContainerInstance",
    "EventsStateChange",
    "EventsSpotInterruption",
    "EventsTermination",
    "EventsByHand",
    "EventsOther",
];

fn story() -> Setup {
    let booted = "2026-11-22T07:59:58.310Z".parse().expect("a time");
    let world =
        world().windows_instance("windows", |host| host.named(NEW_HOST).with(|host| host.booted = booted));
    Setup::new(world).with("CLUSTERS", "windows")
}

/// How many records a payload has: those of `Records`, the ids of a call by hand, or itself.
fn records(payload: &Value) -> usize {
    let list = |member: &str| payload.get(member).and_then(Value::as_array).map(Vec::len);
    let is_event = payload.get("detail-type").is_some();
    list("Records").or_else(|| list("instanceIds").filter(|_| !is_event)).unwrap_or(1)
}

/// Invokes the function, checks what must hold of any payload, and returns the answer.
async fn invoke(story: &Setup, payload: &Value) -> Value {
    let answer = story.invoke(payload.clone()).await.unwrap_or_else(|error| panic!("{error}: {payload}"));
    let metrics = story.metrics();
    let sum = |names: &[&str]| names.iter().filter_map(|name| metrics.get(*name)).sum::<f64>();
    let outcomes: f64 = story.outcomes().values().sum();
    assert_eq!(outcomes, records(payload) as f64, "records with an outcome: {metrics:?}, {payload}");
    assert_eq!(sum(&KINDS), records(payload) as f64, "records of a kind: {metrics:?}, {payload}");
    assert_eq!(sum(&["EventsFailed"]), 0.0, "a record failed though no call did: {payload}");
    let aws = story.local.aws();
    let linux_arn = aws.container_instance(LINUX).map(|instance| instance.arn.to_string());
    let not_ours = [Some(LINUX), Some(FOREIGN), linux_arn.as_deref()];
    for call in aws.calls().iter().filter(|call| ["SendCommand", "PutAttributes"].contains(&&*call.operation))
    {
        let request = call.request().to_string();
        let target = not_ours.into_iter().flatten().find(|id| request.contains(id));
        assert_eq!(target, None, "{}: {payload}", call.operation);
    }
    answer
}

#[test]
fn every_payload_has_an_outcome() {
    let (tried, parsed) = (Cell::new(0), Cell::new(0));
    check(600, edited(files("events/map-share")), |bytes| {
        tried.set(tried.get() + 1);
        let Ok(payload) = serde_json::from_slice::<Value>(&bytes) else { return };
        parsed.set(parsed.get() + 1);
        in_virtual_time(check_payload(&payload));
    });
    assert!(parsed.get() * 5 > tried.get(), "only {parsed:?} of {tried:?} inputs were JSON");
}

async fn check_payload(payload: &Value) {
    let story = story();
    let answer = invoke(&story, payload).await;
    if payload.get("Records").is_some_and(Value::is_array) {
        assert!(failures(&answer).is_empty(), "{answer}: {payload}");
        return;
    }
    // The answer to a person names every instance once.
    let lists = ["done", "leftToReconcile", "skipped", "failed"].map(|list| answer[list].as_array());
    let sent = answer["sent"].as_array().into_iter().flatten();
    let sent = sent.map(|command| command["instanceIds"].as_array().map_or(0, Vec::len)).sum::<usize>();
    let named = lists.into_iter().map(|list| list.expect("a list").len()).sum::<usize>() + sent;
    assert_eq!(named, records(payload), "{answer}: {payload}");
}

/// Every event of the samples, in and out of batches.
fn sample_events() -> Vec<Value> {
    let payloads = tests::events::of("map-share").into_iter().map(|(_, payload)| payload);
    let events = payloads.flat_map(|payload| match payload["Records"].as_array() {
        Some(records) => {
            let bodies = records.iter().filter_map(|record| record["body"].as_str());
            bodies.filter_map(|body| serde_json::from_str(body).ok()).collect()
        }
        None => vec![payload],
    });
    events.collect()
}

fn unexpected_values() -> impl Strategy<Value = Value> {
    select(vec![
        Value::Null,
        json!(""),
        json!([]),
        json!({}),
        json!(-1),
        json!(true),
        json!("mi-0a1b2c3d4e5f60751"),
        json!(LINUX),
        json!("9999-12-31T23:59:59Z"),
        json!([null, {"name": null}, 7]),
    ])
}

/// Sample events with up to three members, at any depth, replaced or removed.
fn unusual_events() -> impl Strategy<Value = Value> {
    let path = proptest::collection::vec(any::<Index>(), 1..=4);
    let replacement = proptest::option::weighted(0.75, unexpected_values());
    let changes = proptest::collection::vec((path, replacement), 0..=3);
    (select(sample_events()), changes).prop_map(|(mut event, changes)| {
        for (path, replacement) in changes {
            change(&mut event, &path, replacement);
        }
        event
    })
}

fn change(value: &mut Value, path: &[Index], replacement: Option<Value>) {
    let Some(object) = value.as_object_mut().filter(|object| !object.is_empty()) else { return };
    let key = object.keys().nth(path[0].index(object.len())).expect("it exists").clone();
    match (&path[1..], replacement) {
        (rest @ [_, ..], replacement) if object[&key].is_object() => {
            change(&mut object[&key], rest, replacement);
        }
        (_, Some(replacement)) => object[&key] = replacement,
        (_, None) => drop(object.remove(&key)),
    }
}

fn bodies() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => (0..200_usize).prop_map(|depth| "{".repeat(depth)),
        1 => unexpected_values().prop_map(|value| value.to_string()),
        1 => unusual_events().prop_map(|event| format!("\u{feff}{event}")),
        9 => unusual_events().prop_map(|event| event.to_string()),
    ]
}

#[test]
fn a_new_host_gets_one_command_whatever_else_is_in_its_batch() {
    let batches = (proptest::collection::vec(bodies(), 0..8), any::<Index>());
    check(600, batches, |(mut bodies, position)| {
        in_virtual_time(async {
            let story = story();
            story.let_in().await;
            let mut registration = story.event(NEW_HOST);
            registration["detail"]["clusterArn"] = json!(cluster_arn("windows"));
            bodies.insert(position.index(bodies.len() + 1), registration.to_string());
            let payload = sqs_of(bodies);
            let answer = invoke(&story, &payload).await;
            assert!(failures(&answer).is_empty(), "{answer}: {payload}");
            let sent = story.commands().into_iter().flatten().filter(|target| target == NEW_HOST).count();
            assert_eq!(sent, 1, "commands to the new host: {payload}");
        });
    });
}
