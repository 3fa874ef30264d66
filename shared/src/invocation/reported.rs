//! One invocation, with what it means. No time of a host is believed that is ahead of our clock.

use jiff::Timestamp;

use super::{InvocationResult, interpret, is_stopped};
use crate::history::{Command, Invocation};
use crate::ids::InstanceId;
use crate::share::ShareMapping;
use crate::time;

/// What one invocation reported.
#[derive(Debug)]
pub struct Reported {
    /// The instance.
    pub instance: InstanceId,
    /// When the script's step ended, as its agent says.
    pub ended_at: Option<Timestamp>,
    /// SSM stopped the command before it reached the instance.
    pub is_stopped: bool,
    /// What it means.
    pub result: InvocationResult,
}

impl Reported {
    /// Interprets what SSM listed.
    pub fn new(raw: Invocation, command: &Command, share: &ShareMapping, now: Timestamp) -> Self {
        let details = Some(raw.status_details.as_str());
        let mut result = interpret(share, details, &raw.output, command.deadline(now));
        if let InvocationResult::Mapped(proof) = &mut result {
            proof.boot = proof.boot.and_then(|at| time::not_ahead(at, now));
        }
        Reported {
            instance: raw.instance_id,
            ended_at: raw.finished_at.and_then(|at| time::not_ahead(at, now)),
            is_stopped: is_stopped(&raw.status_details),
            result,
        }
    }
}
