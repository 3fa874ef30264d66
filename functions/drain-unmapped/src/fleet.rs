//! The fleet as one value: what ECS and SSM say at one moment.
//!
//! Pure data and questions about it. Reading it is in `read.rs`, deciding in `decide.rs`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use shared::brake::Parameters;
use shared::ecs::{ContainerInstance, Status};
use shared::history::{Action, Command};
use shared::ids::{CommandId, ContainerInstanceArn, InstanceId};
use shared::invocation::InvocationResult;
use shared::state::{Gate, State, StateAttribute};

/// Everything a decision is made from.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The Windows instances that count, by ARN: of several registrations of one EC2 instance the newest connected.
    pub instances: BTreeMap<ContainerInstanceArn, Instance>,
    /// Other registrations of the same EC2 instances: reported, never acted on.
    pub stale_registrations: Vec<ContainerInstance>,
    /// The window's commands, oldest first, with those sent in this run that SSM does not list yet.
    pub commands: Vec<Command>,
    /// Sends whose answer was lost: they may be on their way.
    pub unconfirmed_sends: Vec<UnconfirmedSend>,
    /// What is known of the parameters.
    pub parameters: Parameters,
    /// A watched cluster could not be read: evidence is missing, so no password is presented, and no `check` is sent.
    pub is_partial: bool,
}

/// A `SendCommand` without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnconfirmedSend {
    /// When.
    pub at: Timestamp,
    /// What it asked for.
    pub action: Action,
    /// To whom.
    pub targets: Vec<InstanceId>,
}

/// One container instance with what SSM knows about it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// ECS's record.
    pub record: ContainerInstance,
    /// The EC2 instance.
    pub id: InstanceId,
    /// The window's commands that name it, oldest first.
    pub answers: Vec<Answer>,
    /// The SSM agent.
    pub agent: AgentState,
}

/// What one command has to say about one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The command.
    pub command: CommandId,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// What it asked for.
    pub action: Action,
    /// What it means; `None` where it was judged before and not read again.
    pub result: Option<InvocationResult>,
    /// SSM never got to this instance: it stopped the command because others of it failed.
    pub is_stopped: bool,
}

/// The SSM agent of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Not asked, for nothing is to be sent.
    Unasked,
    /// Commands reach it.
    Online,
    /// They do not; `last_ping` is `None` where it was never heard of.
    Offline {
        /// When it was last heard of.
        last_ping: Option<Timestamp>,
    },
}

impl Instance {
    /// What stands on it, if anything could be read.
    pub fn state(&self) -> Option<&State> {
        self.record.attributes.state.state()
    }

    /// Its gate lets tasks in.
    pub fn is_open(&self) -> bool {
        self.record.attributes.gate == Gate::Mapped
    }

    /// Proven, and tasks may be placed.
    pub fn is_mapped(&self) -> bool {
        self.is_open() && matches!(self.state(), Some(State::Mapped { .. }))
    }

    /// In ECS's sense part of the cluster's capacity, and its agent connected: the only ones that are sent to, drained
    /// or counted.
    pub fn counts(&self) -> bool {
        self.record.is_connected && self.record.status != Status::Other
    }

    /// Request times at or before this prove nothing any more.
    pub fn floor(&self) -> Timestamp {
        let judged = self.state().map(State::judged);
        judged.map_or(self.record.registered_at, |judged| judged.max(self.record.registered_at))
    }

    /// The answers that may still count, oldest first.
    pub fn fresh_answers(&self) -> impl DoubleEndedIterator<Item = &Answer> {
        let floor = self.floor();
        self.answers.iter().filter(move |answer| answer.requested_at > floor)
    }

    /// A command is on its way or at work.
    pub fn is_in_flight(&self) -> bool {
        self.fresh_answers().any(|answer| answer.result == Some(InvocationResult::Pending))
    }

    /// Nothing was ever proven since it registered or was restarted.
    pub fn is_unknown(&self) -> bool {
        match &self.record.attributes.state {
            StateAttribute::Absent => true,
            StateAttribute::Unreadable => false,
            StateAttribute::Known(State::Restarted { .. }) => true,
            // Someone shut the gate by hand: the proof is as good as none.
            StateAttribute::Known(State::Mapped { .. } | State::Doubtful { .. }) => !self.is_open(),
            StateAttribute::Known(State::Unmapped { .. }) => false,
        }
    }
}

impl Fleet {
    /// The instances that count.
    pub fn counted(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().filter(|instance| instance.counts())
    }

    /// The newest log-on with the parameters' password, of all registrations there are.
    pub fn newest_logon(&self) -> Option<Timestamp> {
        let states = self.instances.values().map(|i| &i.record).chain(&self.stale_registrations);
        states.filter_map(|record| record.attributes.state.state().and_then(State::logon)).max()
    }

    /// Whether a send without an answer may have reached this instance: until it surely would be listed.
    pub fn may_be_on_its_way(&self, id: &InstanceId, base: SignedDuration, now: Timestamp) -> bool {
        self.unconfirmed_sends
            .iter()
            .any(|send| now.duration_since(send.at) < base * 2 && send.targets.contains(id))
    }

    /// The targets of each command of one kind that may still do something: not over, or sent without an answer so
    /// lately that it may not be listed yet.
    pub fn at_work(
        &self,
        action: Action,
        base: SignedDuration,
        now: Timestamp,
    ) -> impl Iterator<Item = &[InstanceId]> {
        let lost = self
            .unconfirmed_sends
            .iter()
            .filter(move |send| send.action == action && now.duration_since(send.at) < base * 2)
            .map(|send| send.targets.as_slice());
        self.in_flight(action, now).map(|command| command.instances.as_slice()).chain(lost)
    }

    /// Commands of one kind that are not over.
    pub fn in_flight(&self, action: Action, now: Timestamp) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.action == action && command.is_in_flight(now))
    }
}
