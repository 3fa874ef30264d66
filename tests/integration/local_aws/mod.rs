//! The local AWS itself: what it answers, refuses and does by itself, asked through the core and through the real SDK.

#![allow(clippy::unwrap_used, reason = "the helpers belong to the tests")]

mod commands;
mod control;
mod ecs;
mod fleet;
mod in_process;
mod server;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::fleet::{Pace, World};
use tests::local_aws::reply::Reply;
use tests::local_aws::{Caller, LocalAws};

/// A core with a hand on its clock.
struct Bench {
    aws: LocalAws,
    now: Timestamp,
}

fn world() -> World {
    let base = "2026-03-01T12:00:00Z".parse().unwrap();
    World::new(7, base).pace(Pace { steady: true, ..Pace::default() }).cluster("apps")
}

impl Bench {
    fn new(world: World) -> Self {
        let aws = LocalAws::new(world);
        Self { now: aws.now(), aws }
    }

    /// The world goes on.
    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.aws.advance(self.now);
    }

    fn reply(&mut self, operation: &str, request: Value) -> Reply {
        self.aws.handle(self.now, &Caller::named("test"), operation, request.to_string().as_bytes())
    }

    /// A call that must be answered well.
    fn ask(&mut self, operation: &str, request: Value) -> Value {
        let reply = self.reply(operation, request);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 200, "{operation}: {body}");
        body
    }

    /// A call that must be refused: the code.
    fn refuse(&mut self, operation: &str, request: Value) -> String {
        let reply = self.reply(operation, request);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(reply.status >= 400, "{operation} was not refused: {body}");
        body["__type"].as_str().unwrap().to_owned()
    }

    /// Sends our document; the command's id.
    fn send(&mut self, action: &str, instances: &[&str]) -> String {
        self.send_with(action, instances, json!({}))
    }

    fn send_with(&mut self, action: &str, instances: &[&str], more: Value) -> String {
        let mut request = json!({
            "DocumentName": "ecs-smb-mapper-G",
            "InstanceIds": instances,
            "TimeoutSeconds": 120,
            "MaxErrors": "100%",
            "Parameters": {"Action": [action]},
        });
        for (member, value) in more.as_object().unwrap() {
            request[member] = value.clone();
        }
        self.ask("SendCommand", request)["Command"]["CommandId"].as_str().unwrap().to_owned()
    }

    /// The invocations of a command as SSM lists them with details, one per target.
    fn invocations(&mut self, command: &str) -> Vec<Value> {
        let listed = self.ask("ListCommandInvocations", json!({"CommandId": command, "Details": true}));
        listed["CommandInvocations"].as_array().unwrap().clone()
    }

    /// `StatusDetails` of a command's invocations.
    fn details(&mut self, command: &str) -> Vec<String> {
        self.invocations(command)
            .iter()
            .map(|one| one["StatusDetails"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The result lines of a command's invocations.
    fn results(&mut self, command: &str) -> Vec<Value> {
        let line = |one: &Value| {
            let output = one["CommandPlugins"][0]["Output"].as_str()?;
            serde_json::from_str(output.lines().next()?).ok()
        };
        self.invocations(command).iter().map(|one| line(one).unwrap_or(Value::Null)).collect()
    }

    /// `map` on one host, run to its end: its result line.
    fn map(&mut self, instance: &str) -> Value {
        let command = self.send("map", &[instance]);
        self.wait(120);
        self.results(&command).remove(0)
    }

    /// `check` on one host, run to its end: its result line.
    fn check(&mut self, instance: &str) -> Value {
        let command = self.send("check", &[instance]);
        self.wait(120);
        self.results(&command).remove(0)
    }
}

/// The n-th host of a world.
fn id(n: u64) -> String {
    tests::fleet::instance_id(n).to_string()
}
