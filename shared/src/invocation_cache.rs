//! Results of commands, kept while the function is warm: answers that are final do not change.
//!
//! All of it can be lost; it is read again.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use jiff::{SignedDuration, Timestamp};

use crate::aws::AwsError;
use crate::budget::Attempt;
use crate::config::Policy;
use crate::history::{Action, Command, DEADLINE};
use crate::ids::CommandId;
use crate::invocation::Reported;
use crate::share::ShareMapping;
use crate::ssm;

/// What SSM listed of each command.
#[derive(Debug, Default)]
pub struct InvocationCache(BTreeMap<CommandId, Listed>);

/// A command's invocations as they were last listed.
#[derive(Debug)]
struct Listed {
    requested_at: Timestamp,
    /// How many were final then.
    completed: usize,
    /// The command was past its deadline then.
    was_past_deadline: bool,
    /// The hosts' messages are kept, because they are not logged yet.
    has_texts: bool,
    /// What they mean.
    invocations: Vec<Reported>,
}

impl InvocationCache {
    /// Lists a command's invocations.
    ///
    /// # Errors
    /// When SSM cannot be read.
    pub async fn read(
        &mut self,
        client: &Client,
        share: &ShareMapping,
        command: &Command,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let listed = ssm::list_invocations(client, &command.id).await?;
        let invocations = listed.into_iter().map(|raw| Reported::new(raw, command, share, now));
        let listed = Listed {
            requested_at: command.requested_at,
            completed: command.completed,
            was_past_deadline: command.is_past_deadline(now),
            has_texts: true,
            invocations: invocations.collect(),
        };
        self.0.insert(command.id.clone(), listed);
        Ok(())
    }

    /// Whether listing a command's invocations would bring nothing new.
    pub fn is_up_to_date(&self, command: &Command, now: Timestamp) -> bool {
        self.0.get(&command.id).is_some_and(|listed| {
            listed.invocations.len() >= command.instances.len()
                && listed.completed == command.completed
                && listed.was_past_deadline == command.is_past_deadline(now)
        })
    }

    /// The invocations of a command, where they were listed.
    pub fn of(&self, command: &CommandId) -> Option<&[Reported]> {
        self.0.get(command).map(|listed| listed.invocations.as_slice())
    }

    /// The attempts of these commands that are over.
    pub fn attempts(&self, commands: &[Command], now: Timestamp) -> Vec<Attempt> {
        let of = |command: &Command| -> Vec<Attempt> {
            let invocations = self.of(&command.id).unwrap_or_default();
            invocations.iter().filter_map(|one| Attempt::new(command, one, now)).collect()
        };
        commands.iter().flat_map(of).collect()
    }

    /// Drops the hosts' messages of a command whose results are judged: only a verdict logs them.
    pub fn drop_texts(&mut self, command: &CommandId) {
        if let Some(listed) = self.0.get_mut(command).filter(|listed| listed.has_texts) {
            listed.invocations.iter_mut().for_each(|one| one.result = one.result.without_texts());
            listed.has_texts = false;
        }
    }

    /// Drops what has left the window.
    pub fn forget(&mut self, window: SignedDuration, now: Timestamp) {
        self.0.retain(|_, listed| now.duration_since(listed.requested_at) < window);
    }
}

/// Whether a command's invocations may hold a refused log-on, or show that an instance was let in a moment ago.
pub fn may_hold_log_ons(command: &Command, policy: &Policy, now: Timestamp) -> bool {
    let is_recent = now.duration_since(command.requested_at) <= DEADLINE + policy.freshness();
    let is_map = command.action == Action::Map;
    let is_lost = !command.is_final && command.is_past_deadline(now);
    command.errors > 0 || (is_map && (is_lost || (is_recent && command.completed > 0)))
}
