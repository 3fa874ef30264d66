//! What happened in a history: a hash to compare and, if asked for, a timeline to read.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use serde_json::Value;

use super::fault_rates::InjectedFault;
use super::ground_truth::{TrueResult, true_result};
use super::invariants::{Violation, is_write};
use crate::local_aws::reply::Reply;
use crate::local_aws::{Call, LocalAws};

/// A hash of every call, reply and event's time.
pub(super) struct Trace {
    hash: DefaultHasher,
    timeline: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(with_timeline: bool) -> Self {
        // `DefaultHasher::new` has fixed keys: the hash is the same in every process.
        Trace { hash: DefaultHasher::new(), timeline: with_timeline.then(Vec::new) }
    }

    pub(super) fn call(&mut self, at: Timestamp, run: &str, call: &Call, reply: &Reply) {
        (at.as_nanosecond(), run, &call.operation, &call.body, reply.status, &reply.body)
            .hash(&mut self.hash);
        reply.delay.hash(&mut self.hash);
        let Some(timeline) = &mut self.timeline else { return };
        let failed = match (&call.fault, call.error) {
            (Some(fault), _) => format!(" -> {fault:?}"),
            (None, Some(error)) => format!(" -> {error}"),
            (None, None) => String::new(),
        };
        let acts = is_write(&call.operation) || call.operation == "SendCommand";
        if acts || !failed.is_empty() {
            let request = if acts { summary(&call.request()) } else { String::new() };
            timeline.push(line(at, &format!("{run}: {}{request}{failed}", call.operation)));
        }
    }

    /// Something that is no call.
    pub(super) fn note(&mut self, at: Timestamp, what: impl FnOnce() -> String) {
        at.as_nanosecond().hash(&mut self.hash);
        if let Some(timeline) = &mut self.timeline {
            timeline.push(line(at, &what()));
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// The timeline so far, together with faults, results of commands and the broken invariant.
    pub(super) fn take_timeline(
        &mut self,
        faults: &[InjectedFault],
        aws: &LocalAws,
        violation: Option<&Violation>,
    ) -> Vec<String> {
        let Some(mut timeline) = self.timeline.take() else { return Vec::new() };
        timeline.extend(faults.iter().map(|fault| line(fault.at, &fault.to_string())));
        let invocations = aws.commands().flat_map(|c| c.invocations().iter().map(move |i| (c, i)));
        timeline.extend(invocations.filter_map(|(command, invocation)| {
            let finished = invocation.finished()?;
            let (host, details) = (&invocation.instance, &invocation.details);
            let result = match true_result(command, invocation, aws.now()) {
                TrueResult::Failed { cause, step, .. } => format!("{cause} at {step}"),
                result => format!("{result:?}"),
            };
            let action = command.parameter("Action").unwrap_or_default();
            let requested = command.requested();
            let lie =
                if invocation.is_lie { format!(", said: {:?}", invocation.shown()) } else { String::new() };
            Some(line(finished, &format!("{host}: {action} of {requested:.3}: {details}, {result}{lie}")))
        }));
        if let Some(Violation { invariant, what, at }) = violation {
            timeline.push(line(*at, &format!("BROKEN: {invariant}: {what}")));
        }
        // By time alone: lines of the same time keep their order.
        timeline.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));
        timeline
    }
}

fn line(at: Timestamp, what: &str) -> String {
    format!("{at:.3}  {what}")
}

/// The targets of a request and what it asks for. Container instances are shown by the beginning of their ids.
fn summary(body: &Value) -> String {
    let mut summary = String::new();
    for attribute in body["attributes"].as_array().into_iter().flatten() {
        let text = |member: &str| attribute[member].as_str().unwrap_or_default();
        summary += &format!(" {:.6}: {}={}", text("targetId"), text("name"), text("value"));
    }
    for name in ["InstanceIds", "containerInstances"] {
        let ids = body[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        summary += &ids.map(|id| format!(" {}", &id[..id.len().min(19)])).collect::<String>();
    }
    for one in [&body["Parameters"]["Action"][0], &body["status"]] {
        summary += &one.as_str().map(|text| format!(" {text}")).unwrap_or_default();
    }
    summary
}
