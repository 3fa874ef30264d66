//! The local AWS itself: its responses, refusals and events, through the core and through the real SDK.

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
use tests::fleet::{Host, World};
use tests::local_aws::reply::Reply;
use tests::local_aws::{Caller, LocalAws};
use tests::map_share::{id, world};

/// A core with a clock that the test moves.
struct Bench {
    aws: LocalAws,
    now: Timestamp,
}

impl Bench {
    fn new(world: World) -> Self {
        let aws = LocalAws::new(world);
        Self { now: aws.now(), aws }
    }

    /// A cluster with that many Windows instances.
    fn with_instances(count: usize) -> Self {
        Self::new(world().windows_instances("apps", count))
    }

    /// A cluster with one Windows instance, changed by `with`.
    fn with_instance(with: impl FnOnce(Host) -> Host) -> Self {
        Self::new(world().windows_instance("apps", with))
    }

    /// Lets time pass.
    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.aws.advance(self.now);
    }

    fn reply(&mut self, operation: &str, request: Value) -> Reply {
        self.aws.handle(self.now, &Caller::named("test"), operation, request.to_string().as_bytes())
    }

    /// The response of a call that must succeed.
    fn ask(&mut self, operation: &str, request: Value) -> Value {
        let reply = self.reply(operation, request);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 200, "{operation}: {body}");
        body
    }

    /// The error code of a call that must be refused.
    fn refuse(&mut self, operation: &str, request: Value) -> String {
        let reply = self.reply(operation, request);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(reply.status >= 400, "{operation} was not refused: {body}");
        body["__type"].as_str().unwrap().to_owned()
    }

    /// Checks that each request is refused with that code.
    fn refuse_all(&mut self, operation: &str, code: &str, requests: impl IntoIterator<Item = Value>) {
        for request in requests {
            assert_eq!(self.refuse(operation, request.clone()), code, "{operation} {request}");
        }
    }

    /// Requests every page of a listing, and returns the sizes of the pages.
    fn page_sizes(&mut self, operation: &str, list: &str, mut request: Value) -> Vec<usize> {
        let token = if list.starts_with(char::is_uppercase) { "NextToken" } else { "nextToken" };
        let mut sizes = Vec::new();
        loop {
            let page = self.ask(operation, request.clone());
            sizes.push(len(&page[list]));
            let Some(next) = page.get(token) else { return sizes };
            request[token] = next.clone();
        }
    }

    /// Sends our document and returns the command's id.
    fn send(&mut self, action: &str, instances: &[impl AsRef<str>]) -> String {
        self.send_with(action, instances, json!({}))
    }

    fn send_with(&mut self, action: &str, instances: &[impl AsRef<str>], more: Value) -> String {
        let instances: Vec<&str> = instances.iter().map(AsRef::as_ref).collect();
        let request = json!({
            "DocumentName": "ecs-smb-mapper-G",
            "InstanceIds": instances,
            "TimeoutSeconds": 120,
            "MaxErrors": "100%",
            "Parameters": {"Action": [action]},
        });
        let sent = self.ask("SendCommand", merged(request, more));
        sent["Command"]["CommandId"].as_str().unwrap().to_owned()
    }

    /// The invocations of a command as SSM lists them with details.
    fn invocations(&mut self, command: &str) -> Vec<Value> {
        let listed = self.ask("ListCommandInvocations", json!({"CommandId": command, "Details": true}));
        listed["CommandInvocations"].as_array().unwrap().clone()
    }

    /// The `StatusDetails` of a command's invocations.
    fn details(&mut self, command: &str) -> Vec<String> {
        let details = |one: &Value| one["StatusDetails"].as_str().unwrap().to_owned();
        self.invocations(command).iter().map(details).collect()
    }

    /// The result lines of a command's invocations; `null` where there is none.
    fn results(&mut self, command: &str) -> Vec<Value> {
        let line = |one: &Value| {
            let output = one["CommandPlugins"][0]["Output"].as_str()?;
            serde_json::from_str(output.lines().next()?).ok()
        };
        self.invocations(command).iter().map(|one| line(one).unwrap_or(Value::Null)).collect()
    }

    /// The result line of `map` on one host.
    fn map(&mut self, instance: &str) -> Value {
        self.run("map", instance)
    }

    /// The result line of `check` on one host.
    fn check(&mut self, instance: &str) -> Value {
        self.run("check", instance)
    }

    fn run(&mut self, action: &str, instance: &str) -> Value {
        let command = self.send(action, &[instance]);
        self.wait(120);
        self.results(&command).remove(0)
    }
}

fn ids(from: u64, to: u64) -> Vec<String> {
    (from..=to).map(id).collect()
}

/// The length of a JSON list.
fn len(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

/// A JSON object with more members.
fn merged(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}
