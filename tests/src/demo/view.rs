//! How an instance of the demo stands at one moment, read from the local AWS.

use super::fleet_setup::{DemoInstance, Kind};
use super::screen::Tone;
use crate::fleet::{InstanceId, REMOTE};
use crate::local_aws::LocalAws;
use jiff::Timestamp;
use shared::state::{Drain, Gate, State};
use shared::time::whole_millis;
use std::collections::BTreeMap;

/// What an instance amounts to, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// The gate is open.
    Mapped,
    /// The gate is open, and the last check failed for a cause that may pass.
    Doubtful,
    /// The gate is shut, and a command is not final or not judged yet.
    InFlight,
    /// Registered, the gate is shut, nothing is proven yet.
    NoState,
    /// Not a container instance yet.
    NotRegistered,
    /// The gate is shut, with a cause.
    Unmapped,
    Drained,
    DrainedByOperator,
    /// Linux, or in no cluster.
    NotWatched,
}

impl Condition {
    /// How it is shown: a label, a tone for the terminal, a colour for the chart.
    pub(super) fn appearance(self) -> (&'static str, Tone, &'static str) {
        match self {
            Self::Mapped => ("mapped", Tone::Good, "#1f8a5b"),
            Self::Doubtful => ("mapped, doubtful", Tone::Warn, "#d99a1c"),
            Self::InFlight => ("command in flight", Tone::Busy, "#3b82d6"),
            Self::NoState => ("no state", Tone::Plain, "#c9d3df"),
            Self::NotRegistered => ("not registered", Tone::Quiet, "none"),
            Self::Unmapped => ("unmapped", Tone::Bad, "#cf4436"),
            Self::Drained => ("drained", Tone::Drained, "#7d4fc4"),
            Self::DrainedByOperator => ("operator's drain", Tone::Quiet, "#8a94a3"),
            Self::NotWatched => ("not watched", Tone::Quiet, "#eceff3"),
        }
    }
}

/// An instance at one moment.
#[derive(Debug, Clone)]
pub(super) struct InstanceView {
    pub(super) id: InstanceId,
    pub(super) kind: Kind,
    /// Whether it is a container instance by now.
    pub(super) registered: bool,
    /// ECS's status, or EC2's if it is not registered.
    pub(super) status: &'static str,
    /// The ping status of its SSM agent.
    pub(super) agent: &'static str,
    pub(super) gate: Gate,
    pub(super) state: Option<State>,
    pub(super) drain: Drain,
    /// Whether the host really has the share on the letter, whatever the attributes say.
    pub(super) share_mapped: bool,
    /// Whether a command is not final, or not judged yet.
    pub(super) in_flight: bool,
    pub(super) tasks: usize,
}

impl InstanceView {
    /// Whether it is being drained, by anybody.
    pub(super) fn is_draining(&self) -> bool {
        self.status == "DRAINING"
    }

    /// The cause that its state names.
    pub(super) fn cause(&self) -> Option<&str> {
        match self.state.as_ref()? {
            State::Doubtful { cause, .. } | State::Unmapped { cause, .. } => Some(cause.as_str()),
            State::Restarted { .. } | State::Mapped { .. } => None,
        }
    }

    pub(super) fn condition(&self) -> Condition {
        match (self.gate, &self.state) {
            _ if !self.kind.is_watched() => Condition::NotWatched,
            _ if !self.registered => Condition::NotRegistered,
            _ if self.is_draining() && self.drain.is_ours() => Condition::Drained,
            _ if self.is_draining() => Condition::DrainedByOperator,
            (Gate::Mapped, Some(State::Doubtful { .. })) => Condition::Doubtful,
            (Gate::Mapped, _) => Condition::Mapped,
            _ if self.in_flight => Condition::InFlight,
            (Gate::Shut, Some(State::Unmapped { .. })) => Condition::Unmapped,
            (Gate::Shut, _) => Condition::NoState,
        }
    }
}

/// Every instance as it stands now.
pub(super) fn look(aws: &LocalAws, instances: &[DemoInstance]) -> Vec<InstanceView> {
    let mut last_sent: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for command in aws.commands() {
        for invocation in command.invocations() {
            last_sent.insert(&invocation.instance, command.requested());
        }
    }
    instances.iter().map(|one| look_at(aws, one, last_sent.get(&*one.id).copied())).collect()
}

fn look_at(aws: &LocalAws, one: &DemoInstance, last_sent: Option<Timestamp>) -> InstanceView {
    let host = &aws.world.hosts[&one.id];
    let instance = aws.container_instance(&one.id);
    let attribute = |name: &str| instance.and_then(|instance| instance.attribute(name));
    let state = attribute("smb.G.state").and_then(State::parse);
    // Stored times have whole milliseconds.
    let is_unjudged = |sent| state.as_ref().is_none_or(|state| state.judged() < whole_millis(sent));
    InstanceView {
        id: one.id.clone(),
        kind: one.kind,
        registered: instance.is_some(),
        status: instance.map_or(host.power.as_str(), |instance| instance.status.as_str()),
        agent: host.ping_status(aws.now()).unwrap_or("-"),
        gate: Gate::parse(attribute("smb.G")),
        drain: Drain::parse(attribute("smb.G.drain")),
        share_mapped: host.is_mapped_to(REMOTE),
        in_flight: last_sent.is_some_and(is_unjudged),
        tasks: instance.map_or(0, |instance| instance.running as usize),
        state,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An instance that is mapped and proven, with one task.
    pub(crate) fn view(id: &str, kind: Kind) -> InstanceView {
        let proof = "mapped 2026-03-01T12:00:00.000Z 2026-03-01T12:00:00.000Z -";
        InstanceView {
            id: id.into(),
            kind,
            registered: true,
            status: "ACTIVE",
            agent: "Online",
            gate: Gate::Mapped,
            state: State::parse(proof),
            drain: Drain::Absent,
            share_mapped: true,
            in_flight: false,
            tasks: 1,
        }
    }
}
