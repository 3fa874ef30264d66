//! What happened, as a number to compare and, where asked for, as lines to read.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use serde_json::Value;

use super::chance::Struck;
use super::ground::{Said, said};
use super::invariants::{Violation, writes};
use crate::local_aws::reply::Reply;
use crate::local_aws::{Call, LocalAws};

/// Hashes every call, reply and deed.
pub(super) struct Trace {
    hash: DefaultHasher,
    /// Lines are kept.
    is_told: bool,
    lines: Vec<String>,
}

impl Trace {
    pub(super) fn new(is_told: bool) -> Self {
        // `new` has fixed keys: the same in every process.
        Trace { hash: DefaultHasher::new(), is_told, lines: Vec::new() }
    }

    pub(super) fn call(&mut self, at: Timestamp, run: &str, call: &Call, reply: &Reply) {
        (at.as_nanosecond(), run, &call.operation, &call.body, reply.status, &reply.body)
            .hash(&mut self.hash);
        reply.delay.hash(&mut self.hash);
        if !self.is_told {
            return;
        }
        let failed = match (&call.fault, call.error) {
            (Some(fault), _) => format!(" -> {fault:?}"),
            (None, Some(error)) => format!(" -> {error}"),
            (None, None) => String::new(),
        };
        let acts = writes(&call.operation) || call.operation == "SendCommand";
        if acts || !failed.is_empty() {
            let what = if acts { asked(&call.request()) } else { String::new() };
            self.tell(at, &format!("{run}: {}{what}{failed}", call.operation));
        }
    }

    /// Something of the world, or of a run.
    pub(super) fn note(&mut self, at: Timestamp, what: impl FnOnce() -> String) {
        at.as_nanosecond().hash(&mut self.hash);
        if self.is_told {
            let what = what();
            self.tell(at, &what);
        }
    }

    fn tell(&mut self, at: Timestamp, what: &str) {
        self.lines.push(format!("{at:.3}  {what}"));
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// The lines so far, and between them what no call shows: which faults struck, what the hosts said, and where a promise
    /// was broken.
    pub(super) fn take_lines(
        &mut self,
        struck: &[Struck],
        aws: &LocalAws,
        broken: Option<&Violation>,
    ) -> Vec<String> {
        if self.is_told {
            struck.iter().for_each(|one| self.tell(one.at, &one.to_string()));
            for (command, invocation) in
                aws.commands().flat_map(|c| c.invocations().iter().map(move |i| (c, i)))
            {
                let Some(finished) = invocation.finished() else { continue };
                let (host, details) = (invocation.instance(), invocation.details());
                let what = match said(command, invocation, aws.now()) {
                    Said::Failed { cause, step } => format!("{cause} at {step}"),
                    word => format!("{word:?}"),
                };
                let action = command.parameter("Action").unwrap_or_default();
                self.tell(
                    finished,
                    &format!("{host}: {action} of {:.3}: {details}, {what}", command.requested()),
                );
            }
            if let Some(Violation { invariant, what, at }) = broken {
                self.tell(*at, &format!("BROKEN: {invariant}: {what}"));
            }
            // Every line begins with its time, and those of one time keep their order.
            self.lines.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));
        }
        std::mem::take(&mut self.lines)
    }
}

/// Whom a call is about, and what it asks for; container instances by the beginning of their ids.
fn asked(body: &Value) -> String {
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(|text| text[..text.len().min(19)].to_owned()).collect()
    };
    let mut said = String::new();
    for attribute in body["attributes"].as_array().into_iter().flatten() {
        let text = |member: &str| attribute[member].as_str().unwrap_or_default();
        said += &format!(" {:.6}: {}={}", text("targetId"), text("name"), text("value"));
    }
    for name in ["InstanceIds", "containerInstances"] {
        said += &texts(&body[name]).iter().map(|id| format!(" {id}")).collect::<String>();
    }
    for one in [&body["Parameters"]["Action"][0], &body["status"]] {
        said += &one.as_str().map(|text| format!(" {text}")).unwrap_or_default();
    }
    said
}
