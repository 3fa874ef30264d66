//! One look at the local AWS: how each instance of the cast stands.

use super::cast::{Member, Part};
use super::frame::{Light, Row};
use crate::fleet::InstanceId;
use crate::local_aws::LocalAws;
use jiff::Timestamp;
use shared::state::{Drain, Gate, State};
use shared::time::whole_millis;
use std::collections::BTreeMap;

const GATE: &str = "smb.G";
const STATE: &str = "smb.G.state";
const DRAIN: &str = "smb.G.drain";

/// An instance, as the local AWS has it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which.
    pub id: InstanceId,
    /// What is special about it.
    pub part: Part,
    /// Whether it is a container instance by now.
    pub registered: bool,
    /// Whether ECS has it as `DRAINING`.
    pub draining: bool,
    /// The gate.
    pub gate: Gate,
    /// What was last proven; `None`: nothing readable.
    pub state: Option<State>,
    /// Whose the drain is.
    pub drain: Drain,
    /// Whether the letter of the host itself holds our share, whatever the attributes say.
    pub truly_mapped: bool,
    /// Whether a command to it is under way: not final, or final and not judged yet.
    pub under_way: bool,
    /// How it is shown.
    pub row: Row,
}

/// Looks at every instance of the cast.
pub fn look(aws: &LocalAws, cast: &[Member], remote: &str) -> Vec<Standing> {
    let mut last_sent: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for command in aws.commands() {
        for invocation in command.invocations() {
            last_sent.insert(invocation.instance(), command.requested());
        }
    }
    cast.iter().map(|member| look_at(aws, member, remote, last_sent.get(&*member.id).copied())).collect()
}

fn look_at(aws: &LocalAws, member: &Member, remote: &str, last_sent: Option<Timestamp>) -> Standing {
    let Member { id, part } = member;
    let host = &aws.world.hosts[id];
    let instance = aws.container_instance(id);
    let attribute = |name: &str| instance.and_then(|instance| instance.attribute(name));
    let gate = Gate::parse(attribute(GATE));
    let state = attribute(STATE).and_then(State::parse);
    let drain = Drain::parse(attribute(DRAIN));
    // Stored times have whole milliseconds.
    let judged = state.as_ref().map(State::judged);
    let under_way = last_sent.map(whole_millis).is_some_and(|sent| judged.is_none_or(|judged| judged < sent));
    let status = instance.map_or(host.power.as_str(), |instance| instance.status.as_str());
    let draining = status == "DRAINING";
    let registered = instance.is_some();
    let light = light(*part, registered, draining, gate, state.as_ref(), &drain, under_way);
    let agent = match host.ping_status(aws.now()) {
        Some("Online") => "online",
        Some(_) => "lost",
        None => "not yet",
    };
    let row = Row {
        id: id.to_string(),
        who: part.label().to_owned(),
        status: status.to_owned(),
        agent,
        gate_open: gate == Gate::Mapped,
        state: state.as_ref().map_or_else(String::new, describe),
        cause: state.as_ref().and_then(cause).unwrap_or_default().to_owned(),
        tasks: instance.map_or(0, |instance| instance.running as usize),
        light,
    };
    Standing {
        id: id.clone(),
        part: *part,
        registered,
        draining,
        gate,
        state,
        drain,
        truly_mapped: host.is_mapped_to(remote),
        under_way,
        row,
    }
}

fn light(
    part: Part,
    registered: bool,
    draining: bool,
    gate: Gate,
    state: Option<&State>,
    drain: &Drain,
    under_way: bool,
) -> Light {
    match (gate, state) {
        _ if !part.is_ours() => Light::NotOurs,
        _ if !registered => Light::Absent,
        _ if draining && drain.is_ours() => Light::Drained,
        _ if draining => Light::Operators,
        (Gate::Mapped, Some(State::Doubtful { .. })) => Light::Doubtful,
        (Gate::Mapped, _) => Light::Open,
        _ if under_way => Light::Working,
        (Gate::Shut, Some(State::Unmapped { .. })) => Light::Shut,
        (Gate::Shut, _) => Light::Waiting,
    }
}

fn describe(state: &State) -> String {
    match state {
        State::Restarted { .. } => "restarted".to_owned(),
        State::Mapped { .. } => "mapped".to_owned(),
        State::Doubtful { .. } => "doubtful".to_owned(),
        State::Unmapped { attempts: 1, .. } => "unmapped, 1 try".to_owned(),
        State::Unmapped { attempts, .. } => format!("unmapped, {attempts} tries"),
    }
}

/// The cause that a state names.
pub fn cause(state: &State) -> Option<&str> {
    match state {
        State::Doubtful { cause, .. } | State::Unmapped { cause, .. } => Some(cause.as_str()),
        State::Restarted { .. } | State::Mapped { .. } => None,
    }
}
