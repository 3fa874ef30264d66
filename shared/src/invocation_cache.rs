//! Invocations of commands, kept while the function is warm: answers that are final do not change.
//!
//! All of it can be lost; it is read again.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use jiff::{SignedDuration, Timestamp};

use crate::aws::AwsError;
use crate::budget::Attempt;
use crate::config::Policy;
use crate::history::{Action, Command, DEADLINE, Invocation};
use crate::ids::CommandId;
use crate::share::ShareMapping;
use crate::ssm;

/// What SSM listed of each command.
#[derive(Debug, Default)]
pub struct InvocationCache(BTreeMap<CommandId, Listed>);

/// A command's invocations as they were last listed.
#[derive(Debug)]
struct Listed {
    /// How many were final then.
    completed: usize,
    /// The command was past its deadline then.
    was_past_deadline: bool,
    /// The invocations, with their output.
    invocations: Vec<Invocation>,
}

impl InvocationCache {
    /// Lists a command's invocations, unless that would bring nothing new.
    ///
    /// # Errors
    /// When SSM cannot be read.
    pub async fn read(&mut self, client: &Client, command: &Command, now: Timestamp) -> Result<(), AwsError> {
        if !self.is_up_to_date(command, now) {
            let listed = Listed {
                completed: command.completed,
                was_past_deadline: command.is_past_deadline(now),
                invocations: ssm::list_invocations(client, &command.id).await?,
            };
            self.0.insert(command.id.clone(), listed);
        }
        Ok(())
    }

    /// The invocations of a command, where they were listed.
    pub fn of(&self, command: &CommandId) -> Option<&[Invocation]> {
        self.0.get(command).map(|listed| listed.invocations.as_slice())
    }

    /// The attempts of these commands that are over.
    pub fn attempts(&self, commands: &[Command], share: &ShareMapping, now: Timestamp) -> Vec<Attempt> {
        let of = |command: &Command| -> Vec<Attempt> {
            let invocations = self.of(&command.id).unwrap_or_default();
            invocations.iter().filter_map(|one| Attempt::new(command, one, share, now)).collect()
        };
        commands.iter().flat_map(of).collect()
    }

    /// Drops what has left the window.
    pub fn forget(&mut self, window: SignedDuration, now: Timestamp) {
        self.0.retain(|_, listed| {
            listed.invocations.first().is_some_and(|one| now.duration_since(one.requested_at) < window)
        });
    }

    fn is_up_to_date(&self, command: &Command, now: Timestamp) -> bool {
        self.0.get(&command.id).is_some_and(|listed| {
            listed.invocations.len() >= command.instances.len()
                && listed.completed == command.completed
                && listed.was_past_deadline == command.is_past_deadline(now)
        })
    }
}

/// Whether a command's invocations may hold a refused log-on, or show that an instance was let in a moment ago.
pub fn may_hold_log_ons(command: &Command, policy: &Policy, now: Timestamp) -> bool {
    let is_recent = now.duration_since(command.requested_at) <= DEADLINE + policy.freshness();
    let is_map = command.action == Action::Map;
    let is_lost = !command.is_final && command.is_past_deadline(now);
    command.errors > 0 || (is_map && (is_lost || (is_recent && command.completed > 0)))
}
