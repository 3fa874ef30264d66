//! The fleet as one value: what ECS and SSM say at one moment.
//!
//! Pure data and questions about it. `observe` reads it, `decide` decides from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::budget::{Attempt, Credential, Parameters};
use shared::cause::Cause;
use shared::config::Policy;
use shared::ecs::{ContainerInstance, Status};
use shared::history::{Action, Command};
use shared::ids::{CommandId, ContainerInstanceArn, InstanceId};
use shared::invocation::InvocationResult;
use shared::state::{Gate, State, StateAttribute};

/// Everything a decision is made from.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The Windows instances, by ARN: one registration of each EC2 instance, the newest that is connected.
    pub instances: BTreeMap<ContainerInstanceArn, Instance>,
    /// Other registrations of the same EC2 instances: reported, never acted on.
    pub stale_registrations: Vec<ContainerInstance>,
    /// The window's commands, oldest first, with those sent in this run that SSM does not list yet.
    pub commands: Arc<Vec<Command>>,
    /// Sends whose answer was lost: SSM may have taken them.
    pub unconfirmed_sends: Vec<UnconfirmedSend>,
    /// What those commands did on any EC2 instance, where it matters for the budget of refused log-ons.
    pub attempts: Arc<Vec<Attempt>>,
    /// What is known of the parameters.
    pub parameters: Parameters,
    /// A watched cluster, or a part of the history, could not be read, so nothing is sent.
    pub is_partial: bool,
}

/// A `SendCommand` without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnconfirmedSend {
    /// When it was sent, by our clock.
    pub at: Timestamp,
    /// What it asked for.
    pub action: Action,
    /// Its targets.
    pub targets: Vec<InstanceId>,
    /// How many of them at a time.
    pub max_concurrency: u32,
    /// Commands like it that SSM took earlier.
    pub earlier: Vec<CommandId>,
}

impl UnconfirmedSend {
    /// How far SSM's clock may be behind ours.
    const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);

    /// Remembers those of these commands that look like it, because they were sent before.
    pub fn after(mut self, commands: &[Command]) -> Self {
        let like_it = commands.iter().filter(|command| self.may_be(command));
        self.earlier = like_it.map(|command| command.id.clone()).collect();
        self
    }

    /// Whether SSM lists it as this command.
    pub fn may_be(&self, command: &Command) -> bool {
        let targets = |ids: &[InstanceId]| ids.iter().cloned().collect::<BTreeSet<_>>();
        command.action == self.action
            && command.requested_at >= self.at - Self::CLOCK_SKEW
            && !self.earlier.contains(&command.id)
            && targets(&command.instances) == targets(&self.targets)
    }
}

/// IAM did not allow a `SendCommand` for this target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedSend {
    /// When it was sent, by our clock.
    pub at: Timestamp,
    /// What it asked for.
    pub action: Action,
    /// The target.
    pub instance: InstanceId,
}

/// One container instance with what SSM knows about it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// ECS's record.
    pub record: ContainerInstance,
    /// The EC2 instance.
    pub id: InstanceId,
    /// What the window's commands did on it, oldest first.
    pub results: Arc<Vec<CommandResult>>,
    /// The SSM agent.
    pub agent: AgentState,
}

/// What one command did on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    /// The command; `None` where IAM refused to send it.
    pub command: Option<CommandId>,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// What it asked for.
    pub action: Action,
    /// What the invocation means; `None` where it was judged before and not read again.
    pub result: Option<InvocationResult>,
    /// SSM stopped the command before it got to this instance, because other invocations failed.
    pub is_stopped: bool,
}

/// The SSM agent of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Not asked, because nothing is to be sent.
    Unasked,
    /// Commands reach it.
    Online,
    /// Commands do not reach it.
    Offline {
        /// When SSM last received a ping; `None` if never.
        last_ping: Option<Timestamp>,
    },
}

impl Instance {
    /// The recorded state, if it could be read.
    pub fn state(&self) -> Option<&State> {
        self.record.attributes.state.state()
    }

    /// Its gate lets tasks in.
    pub fn is_open(&self) -> bool {
        self.record.attributes.gate == Gate::Mapped
    }

    /// Its SSM agent was asked and is online.
    pub fn is_online(&self) -> bool {
        self.agent == AgentState::Online
    }

    /// Proven, and tasks may be placed.
    pub fn is_mapped(&self) -> bool {
        self.is_open() && matches!(self.state(), Some(State::Mapped { .. }))
    }

    /// Not mapped, and its last result had this cause.
    pub fn is_unmapped_by(&self, cause: Cause) -> bool {
        matches!(self.state(), Some(State::Unmapped { cause: of_last, .. }) if *of_last == cause)
    }

    /// Part of the cluster's capacity, and its ECS agent is connected. Only these are sent to, drained or counted.
    pub fn counts(&self) -> bool {
        self.record.is_connected && self.record.status != Status::Other
    }

    /// A command requested at or before this proves nothing any more.
    pub fn floor(&self) -> Timestamp {
        let judged = self.state().map(State::judged);
        judged.map_or(self.record.registered_at, |judged| judged.max(self.record.registered_at))
    }

    /// The results that may still count, oldest first.
    pub fn fresh_results(&self) -> impl DoubleEndedIterator<Item = &CommandResult> {
        let floor = self.floor();
        self.results.iter().filter(move |result| result.requested_at > floor)
    }

    /// A command is on its way or running.
    pub fn is_in_flight(&self) -> bool {
        self.fresh_results().any(|result| result.result == Some(InvocationResult::Pending))
    }

    /// Nothing was proven since it registered or was restarted.
    pub fn is_unknown(&self) -> bool {
        match &self.record.attributes.state {
            StateAttribute::Absent | StateAttribute::Known(State::Restarted { .. }) => true,
            StateAttribute::Unreadable
            | StateAttribute::OtherShare(_)
            | StateAttribute::Known(State::Unmapped { .. }) => false,
            // Someone shut the gate by hand, so the proof no longer counts.
            StateAttribute::Known(State::Mapped { .. } | State::Doubtful { .. }) => !self.is_open(),
        }
    }
}

impl Fleet {
    /// The instances that count.
    pub fn counted(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().filter(|instance| instance.counts())
    }

    /// Notes what SSM said of agents.
    pub fn set_agents(&mut self, agents: &BTreeMap<InstanceId, AgentState>) {
        for instance in self.instances.values_mut() {
            if let Some(agent) = agents.get(&instance.id) {
                instance.agent = *agent;
            }
        }
    }

    /// Which password an instance's saved credential is, by its attributes.
    pub fn credential(&self, instance: &Instance) -> Credential {
        self.parameters.credential(instance.state().and_then(State::logon))
    }

    /// The unconfirmed sends that SSM may have taken and not listed yet.
    pub fn unconfirmed_in_flight(
        &self,
        policy: &Policy,
        now: Timestamp,
    ) -> impl Iterator<Item = &UnconfirmedSend> {
        let wait = policy.unconfirmed_send_wait();
        self.unconfirmed_sends.iter().filter(move |send| now.duration_since(send.at) < wait)
    }

    /// Whether an unconfirmed send may have reached this instance.
    pub fn may_be_on_its_way(&self, id: &InstanceId, policy: &Policy, now: Timestamp) -> bool {
        self.unconfirmed_in_flight(policy, now).any(|send| send.targets.contains(id))
    }

    /// The targets of each command of one kind that may still do something: not final, or sent without an answer so
    /// recently that SSM may not list it yet.
    pub fn at_work(
        &self,
        action: Action,
        policy: &Policy,
        now: Timestamp,
    ) -> impl Iterator<Item = &[InstanceId]> {
        let unconfirmed = self.unconfirmed_in_flight(policy, now).filter(move |send| send.action == action);
        let unconfirmed = unconfirmed.map(|send| send.targets.as_slice());
        self.in_flight(action, now).map(|command| command.instances.as_slice()).chain(unconfirmed)
    }

    /// Commands of one kind that are not final and within their deadline.
    pub fn in_flight(&self, action: Action, now: Timestamp) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.action == action && command.is_in_flight(now))
    }
}
