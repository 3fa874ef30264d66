//! `map-share` over a local AWS: invokes it in every way and shows its effect.
//!
//! It delivers no event by itself: the test decides what is lost, repeated, late or out of order.

#![allow(clippy::unwrap_used, reason = "the helpers belong to the tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use map_share::App;
use serde_json::{Value, json};
use shared::config::Config;
use shared::metrics::Metrics;

use crate::fleet::{Host, Pace, REMOTE, Scripted, World};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::cluster_arn;
use crate::local_aws::in_process::{Local, Process};
pub use crate::scenarios::base;
use crate::stack::config_of;

/// The function's name as a caller of AWS.
pub const CALLER: &str = "map-share";

/// The metrics of a record's outcome.
const OUTCOMES: [&str; 6] = [
    "EventsHandled",
    "EventsSkipped",
    "EventsForeign",
    "EventsUnreadable",
    "EventsFailed",
    "LeftToReconcile",
];

/// A world with the empty watched cluster `apps`.
pub fn world() -> World {
    World::new(7, base()).pace(Pace { steady: true, ..Pace::default() }).cluster("apps")
}

/// The instance that [`Setup::let_in`] sends to. It is in no cluster, as one that has been deregistered since.
const LET_IN: &str = "i-00000000000letin0";

/// A mapped host that logged on with the parameters' password ten minutes ago.
pub fn mapped(host: Host) -> Host {
    mapped_at(host, base() - Duration::from_secs(600))
}

/// A mapped host that logged on with the parameters' password at that time.
pub fn mapped_at(host: Host, at: Timestamp) -> Host {
    let at = format!("{at:.3}");
    host.attribute("smb.G", "mapped").attribute("smb.G.state", &format!("mapped {at} {at} {at}"))
}

/// The script's result line for a mapped share. `changed`: whether the run made the mapping.
pub fn mapped_line(changed: &str) -> String {
    let remote = json!(REMOTE);
    format!(r#"{{"smbMapping":"mapped","v":1,"changed":{changed},"drive":"G:","remote":{remote}}}"#)
}

/// The n-th host of a world.
pub fn id(n: u64) -> String {
    crate::fleet::instance_id(n).to_string()
}

/// A local AWS, the function's environment, and the metrics that it wrote.
pub struct Setup {
    /// The world and its clock.
    pub local: Local,
    written: Arc<Mutex<Vec<u8>>>,
    /// The variables that differ from the default configuration.
    variables: BTreeMap<&'static str, &'static str>,
}

impl Setup {
    /// The default configuration for `apps`.
    pub fn new(world: World) -> Self {
        let world = world.foreign_instance(|host| host.named(LET_IN));
        Setup { local: Local::new(LocalAws::new(world)), written: Arc::default(), variables: BTreeMap::new() }
    }

    /// The same, and the password is fresh.
    pub async fn fresh(world: World) -> Self {
        let setup = Setup::new(world);
        setup.let_in().await;
        setup
    }

    /// Lets three seconds pass, in which an instance is let in with the parameters' password. So the password is fresh for
    /// a minute.
    pub async fn let_in(&self) {
        self.local.aws().world.host(LET_IN).scripted.push_back(Scripted::success(&mapped_line("true")));
        self.run("map", LET_IN).await;
        self.local.wait(Duration::from_secs(3)).await;
    }

    /// Sends a command to one instance, as an operator may.
    pub async fn run(&self, action: &str, id: &str) {
        let ssm = Process::new(&self.local, "operator").ssm();
        let send = ssm.send_command().document_name("ecs-smb-mapper-G").instance_ids(id);
        send.parameters("Action", vec![action.to_owned()]).send().await.unwrap();
    }

    /// With another environment variable.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.insert(name, value);
        self
    }

    /// The function in a new sandbox, as that process.
    pub fn app(&self, process: &Process) -> App {
        let config = self.config();
        let metrics = Metrics::to_writer(&config.metrics_namespace, &config.stack, self.written.clone());
        App::new(config, process.clients(), metrics)
    }

    /// The configuration in the function's environment.
    pub fn config(&self) -> Config {
        config_of(&["apps"], |name| self.variables.get(name).map(|value| (*value).to_owned()))
    }

    /// One invocation with a deadline in a minute.
    pub async fn invoke(&self, payload: Value) -> Result<Value, String> {
        self.invoke_as(&Process::new(&self.local, CALLER), payload).await
    }

    /// The same, as a process that the test may kill or observe.
    pub async fn invoke_as(&self, process: &Process, payload: Value) -> Result<Value, String> {
        let deadline = self.local.clock().now() + Duration::from_secs(60);
        let app = self.app(process);
        map_share::handle(&app, payload, deadline).await.map_err(|error| error.to_string())
    }

    /// One batch. Returns the ids of the messages that stay on the queue; the messages are `m0`, `m1`, and so on.
    pub async fn batch(&self, events: &[Value]) -> Vec<String> {
        let answer = self.invoke(sqs(events)).await.unwrap();
        failures(&answer)
    }

    /// An invocation by hand; returns its report.
    pub async fn by_hand(&self, ids: &[&str]) -> Value {
        self.invoke(json!({"instanceIds": ids})).await.unwrap()
    }

    /// The operations that the function called since the last time, in order.
    pub fn calls(&self) -> Vec<String> {
        let mut aws = self.local.aws();
        let calls = aws.calls().iter().filter(|call| call.caller.0.as_ref() == CALLER);
        let calls = calls.map(|call| call.operation.clone()).collect();
        aws.forget_calls();
        calls
    }

    /// The targets of every command of the functions, which have a comment, in the order of the requests.
    pub fn commands(&self) -> Vec<Vec<String>> {
        let aws = self.local.aws();
        let targets = |command: &crate::local_aws::ssm::Command| {
            command.invocations().iter().map(|one| one.instance.to_string()).collect()
        };
        aws.commands().filter(|command| !command.comment.is_empty()).map(targets).collect()
    }

    /// The value of an attribute of an instance.
    pub fn attribute(&self, id: &str, name: &str) -> Option<String> {
        self.local.aws().container_instance(id).unwrap().attribute(name).map(str::to_owned)
    }

    /// The gate and the state of an instance.
    pub fn attributes(&self, id: &str) -> (Option<String>, Option<String>) {
        (self.attribute(id, "smb.G"), self.attribute(id, "smb.G.state"))
    }

    /// The metrics of the last run that are not zero.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let written = String::from_utf8(self.written.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(written.lines().last().unwrap()).unwrap();
        let values = line.as_object().unwrap().iter().filter_map(|(k, v)| Some((k.clone(), v.as_f64()?)));
        values.filter(|(_, value)| *value != 0.0).collect()
    }

    /// The metrics of the outcomes of the last run's records, without those that are zero.
    pub fn outcomes(&self) -> BTreeMap<String, f64> {
        let mut metrics = self.metrics();
        metrics.retain(|name, _| OUTCOMES.contains(&name.as_str()));
        metrics
    }

    /// The event that ECS would emit for an instance now.
    pub fn event(&self, id: &str) -> Value {
        let now = self.local.clock().now();
        event_of(&self.local.aws(), id, now)
    }

    /// The events for the n-th hosts.
    pub fn events(&self, ids: impl IntoIterator<Item = u64>) -> Vec<Value> {
        ids.into_iter().map(|n| self.event(&id(n))).collect()
    }
}

/// The event that ECS would emit for an instance of `apps` at that time.
pub fn event_of(aws: &LocalAws, id: &str, now: Timestamp) -> Value {
    let instance = aws.container_instance(id).unwrap();
    let mut detail = instance.describe();
    detail["registeredAt"] = json!(format!("{:.3}", instance.registered_at));
    detail["clusterArn"] = json!(cluster_arn("apps"));
    envelope("aws.ecs", "ECS Container Instance State Change", now, detail)
}

/// An EventBridge event.
pub fn envelope(source: &str, detail_type: &str, time: Timestamp, detail: Value) -> Value {
    json!({
        "version": "0", "id": "0b1c2d3e-0000-4000-8000-000000000001", "source": source,
        "detail-type": detail_type, "account": "111122223333", "region": "eu-west-1",
        "time": format!("{time:.0}"), "resources": [], "detail": detail,
    })
}

/// An EC2 Instance State-change Notification.
pub fn state_change(id: &str, state: &str, time: Timestamp) -> Value {
    let detail = json!({"instance-id": id, "state": state});
    envelope("aws.ec2", "EC2 Instance State-change Notification", time, detail)
}

/// An EC2 Spot Instance Interruption Warning.
pub fn spot_warning(id: &str, time: Timestamp) -> Value {
    let detail = json!({"instance-id": id, "instance-action": "terminate"});
    envelope("aws.ec2", "EC2 Spot Instance Interruption Warning", time, detail)
}

/// An EC2 Instance-terminate Lifecycle Action.
pub fn termination(id: &str, time: Timestamp) -> Value {
    let detail = json!({
        "LifecycleActionToken": "0b1c2d3e-0000-4000-8000-00000000000a", "AutoScalingGroupName": "windows",
        "LifecycleHookName": "drain", "EC2InstanceId": id,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    });
    envelope("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", time, detail)
}

/// An SQS batch with these events as bodies.
pub fn sqs(events: &[Value]) -> Value {
    sqs_of(events.iter().map(Value::to_string))
}

/// An SQS batch with these bodies.
pub fn sqs_of(bodies: impl IntoIterator<Item = String>) -> Value {
    let record = |(n, body): (usize, String)| {
        json!({
            "messageId": format!("m{n}"), "receiptHandle": "handle", "body": body,
            "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
            "eventSource": "aws:sqs", "awsRegion": "eu-west-1",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:instance-events",
        })
    };
    json!({"Records": bodies.into_iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// The ids of a partial batch response.
pub fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

/// Counts in the form of [`Setup::metrics`].
pub fn counts<const N: usize>(counts: [(&str, f64); N]) -> BTreeMap<String, f64> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}
