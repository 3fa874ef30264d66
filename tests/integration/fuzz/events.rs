//! What `map-share` is invoked with: every record has one outcome, and a bad one costs nothing but itself.
//!
//! The handler that ships runs whole, over a local AWS with the hosts that the sample events name, so that it is also seen
//! what an odd event makes it do.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tests::local_aws::ecs::cluster_arn;
use tests::map_share::{Setup, failures, sqs_of};

use super::fuzz;
use super::inputs::files;
use crate::map_share::samples::{FOREIGN, LINUX, world};

/// A new host that no sample names: its own event stands in every batch.
const WITNESS: &str = "i-0a1b2c3d4e5f607ff";

/// What a record can end as, by metric.
const OUTCOMES: [&str; 6] = [
    "EventsHandled",
    "EventsSkipped",
    "EventsForeign",
    "EventsUnreadable",
    "EventsFailed",
    "LeftToReconcile",
];

/// The kinds that records are counted by.
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
        world().windows_instance("windows", |host| host.named(WITNESS).with(|host| host.booted = booted));
    Setup::new(world).with("CLUSTERS", "windows")
}

fn in_virtual_time(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future);
}

/// How many records a payload is made of: `Records`, or ids by hand, or itself.
fn records(payload: &Value) -> usize {
    let list = |member: &str| payload.get(member).and_then(Value::as_array).map(Vec::len);
    let is_event = payload.get("detail-type").is_some();
    list("Records").or_else(|| list("instanceIds").filter(|_| !is_event)).unwrap_or(1)
}

/// Invokes, and holds what must hold of anything; the answer.
async fn invoke(story: &Setup, payload: &Value) -> Value {
    let answer = story.invoke(payload.clone()).await.unwrap_or_else(|error| panic!("{error}: {payload}"));
    let counted = story.metrics();
    let count = |names: &[&str]| names.iter().filter_map(|name| counted.get(*name)).sum::<f64>();
    assert_eq!(count(&OUTCOMES), records(payload) as f64, "records with an outcome: {counted:?}, {payload}");
    assert_eq!(count(&KINDS), records(payload) as f64, "records of a kind: {counted:?}, {payload}");
    assert_eq!(count(&["EventsFailed"]), 0.0, "nothing failed, yet it comes again: {payload}");
    let aws = story.local.aws();
    for call in aws.calls().iter().filter(|call| ["SendCommand", "PutAttributes"].contains(&&*call.operation))
    {
        let asked = call.request().to_string();
        let of = |id: &str| aws.container_instance(id).map(|instance| instance.arn.to_string());
        let others = [Some(LINUX.to_owned()), Some(FOREIGN.to_owned()), of(LINUX)].into_iter().flatten();
        others
            .for_each(|other| assert!(!asked.contains(&other), "{} for {other}: {payload}", call.operation));
    }
    answer
}

/// Any JSON at all.
fn check_payload(bytes: &[u8]) {
    let Ok(payload) = serde_json::from_slice::<Value>(bytes) else { return };
    in_virtual_time(async {
        let story = story();
        let answer = invoke(&story, &payload).await;
        if payload.get("Records").is_some_and(Value::is_array) {
            assert!(failures(&answer).is_empty(), "{answer}: {payload}");
        } else {
            // A report names everybody somewhere.
            let lists = ["done", "leftToReconcile", "skipped", "failed"].map(|list| answer[list].as_array());
            let sent = answer["sent"].as_array().into_iter().flatten();
            let sent =
                sent.map(|command| command["instanceIds"].as_array().map_or(0, Vec::len)).sum::<usize>();
            let named = lists.into_iter().map(|list| list.expect("a list").len()).sum::<usize>() + sent;
            assert_eq!(named, records(&payload), "{answer}: {payload}");
        }
    });
}

#[test]
fn fuzz_payload() {
    fuzz!(check_payload, 600, files("../events/map-share"));
}

/// Every event of the samples, in and out of batches.
static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let payloads = tests::events::of("map-share").into_iter().map(|(_, payload)| payload);
    let events = payloads.flat_map(|payload| match payload["Records"].as_array() {
        Some(records) => {
            let bodies = records.iter().filter_map(|record| record["body"].as_str());
            bodies.filter_map(|body| serde_json::from_str(body).ok()).collect()
        }
        None => vec![payload],
    });
    events.collect()
});

/// A batch built from bytes: events in which some members are something else, and bodies that are no events.
struct Batch<I>(I);

impl<I: Iterator<Item = u8>> Batch<I> {
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.0.next().unwrap_or(0)) % n
    }

    fn junk(&mut self) -> Value {
        let others = [
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
        ];
        others[self.below(others.len())].clone()
    }

    /// An event with up to three members changed or left out, wherever they stand.
    fn event(&mut self) -> Value {
        let mut event = EVENTS[self.below(EVENTS.len())].clone();
        for _ in 0..self.below(4) {
            let mut at = &mut event;
            // Down a random path, and in with something else.
            while let Some(object) = at.as_object_mut().filter(|object| !object.is_empty()) {
                let key = object.keys().nth(self.below(object.len())).expect("there").clone();
                let stays = self.below(4) > 0;
                if !stays {
                    object.remove(&key);
                    break;
                }
                at = object.entry(key).or_insert(Value::Null);
                if !at.is_object() || self.below(4) == 0 {
                    *at = self.junk();
                    break;
                }
            }
        }
        event
    }

    fn body(&mut self) -> String {
        match self.below(12) {
            0 => "{".repeat(self.below(200)),
            1 => self.junk().to_string(),
            2 => format!("\u{feff}{}", self.event()),
            _ => self.event().to_string(),
        }
    }
}

/// Whatever stands beside it, the witness's event leads to its one command.
fn check_batch(bytes: &[u8]) {
    let mut batch = Batch(bytes.iter().copied());
    let mut bodies: Vec<String> = (0..batch.below(8)).map(|_| batch.body()).collect();
    in_virtual_time(async {
        let story = story();
        bodies.insert(batch.below(bodies.len() + 1), witness(&story).to_string());
        let payload = sqs_of(bodies);
        let answer = invoke(&story, &payload).await;
        assert!(failures(&answer).is_empty(), "{answer}: {payload}");
        let sent = story.commands().into_iter().flatten().filter(|target| target == WITNESS).count();
        assert_eq!(sent, 1, "commands to the witness: {payload}");
    });
}

/// The event of its registration, as ECS emits it.
fn witness(story: &Setup) -> Value {
    let mut event = story.event(WITNESS);
    event["detail"]["clusterArn"] = json!(cluster_arn("windows"));
    event
}

#[test]
fn fuzz_batch() {
    fuzz!(check_batch, 600, []);
}
