//! What a warm sandbox remembers of SSM. All of it can be lost without harm.

use jiff::{SignedDuration, Timestamp};
use shared::history::Command;
use shared::invocation_cache::InvocationCache;

use crate::fleet::{DeniedSend, UnconfirmedSend};

/// Commands that SSM may list late, and answers that do not change any more.
#[derive(Debug, Default)]
pub struct Memory {
    /// Commands that SSM took from us.
    pub sent: Vec<Command>,
    /// Sends without an answer.
    pub unconfirmed: Vec<UnconfirmedSend>,
    /// Targets that IAM does not allow.
    pub denied: Vec<DeniedSend>,
    /// What SSM listed of each command.
    pub invocations: InvocationCache,
}

impl Memory {
    /// Drops what no decision needs any more.
    pub fn forget(&mut self, window: SignedDuration, now: Timestamp) {
        // Kept longer than a command can be in flight, one that has left SSM's listing would look like a command without
        // a result.
        self.sent.retain(|command| !command.is_past_deadline(now));
        self.unconfirmed.retain(|send| now.duration_since(send.at) < window);
        self.denied.retain(|send| now.duration_since(send.at) < window);
        self.invocations.forget(window, now);
    }
}
