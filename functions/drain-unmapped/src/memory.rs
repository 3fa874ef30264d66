//! What a warm sandbox remembers of SSM. All of it can be lost without harm.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::history::{Action, Command, Invocation, WINDOW};
use shared::ids::{CommandId, InstanceId};

use crate::fleet::UnconfirmedSend;

/// Commands that SSM may list late, and answers that do not change any more.
#[derive(Debug, Default)]
pub struct Memory {
    /// Commands that SSM took from us.
    pub sent: Vec<Command>,
    /// Sends without an answer.
    pub unconfirmed: Vec<UnconfirmedSend>,
    /// Invocations by command.
    pub invocations: BTreeMap<CommandId, ListedInvocations>,
}

/// A command's invocations as they were last listed.
#[derive(Debug)]
pub struct ListedInvocations {
    /// How many were final then.
    pub completed: usize,
    /// The command was past its deadline then.
    pub was_past_deadline: bool,
    /// The invocations, with their output.
    pub invocations: Vec<Invocation>,
}

impl Memory {
    /// Remembers a command that SSM took, in case it is listed late.
    pub fn remember(&mut self, id: CommandId, action: Action, targets: Vec<InstanceId>, now: Timestamp) {
        self.sent.push(Command {
            id,
            requested_at: now,
            action,
            instances: targets,
            completed: 0,
            is_final: false,
        });
    }

    /// Drops what no decision needs any more.
    pub fn forget(&mut self, now: Timestamp) {
        // Kept longer than a command can be in flight, one that has left SSM's listing would look like a command without
        // a result.
        self.sent.retain(|command| !command.is_past_deadline(now));
        self.unconfirmed.retain(|send| now.duration_since(send.at) < WINDOW);
        self.invocations.retain(|_, listed| {
            listed.invocations.first().is_some_and(|one| now.duration_since(one.requested_at) < WINDOW)
        });
    }

    /// Whether a listing of this command would bring nothing new.
    pub fn is_up_to_date(&self, command: &Command, now: Timestamp) -> bool {
        self.invocations.get(&command.id).is_some_and(|listed| {
            let is_complete = listed.invocations.len() >= command.instances.len();
            is_complete
                && listed.completed == command.completed
                && listed.was_past_deadline == command.is_past_deadline(now)
        })
    }
}
