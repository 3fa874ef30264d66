//! The ground truth that invariants are checked against: what stands on every registration and since when, who did it,
//! what each run has read and when, and what scripts really said.
//!
//! Built from the local AWS's own state and from its log of calls, never from what the product believes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::config::Policy;
use shared::share::DriveLetter;
use shared::state::{AttributeNames, Drain, Gate, InstanceAttributes, State};

use super::stage::REMOTE;
use crate::fleet::{InstanceId, Platform};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::{ContainerInstance, Status};
use crate::local_aws::ssm::{Command, Invocation};

/// A command that is not over after this is given up.
pub const DEADLINE: SignedDuration = SignedDuration::from_mins(13);

/// One run of a function.
pub type RunId = usize;

/// Who changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A run of ours.
    Run(RunId),
    /// An operator, a capacity provider, or the agent.
    World,
}

/// One registration that is not `INACTIVE`.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The last part of its ARN.
    pub id: Arc<str>,
    /// Its cluster's name.
    pub cluster: Arc<str>,
    /// The EC2 instance.
    pub ec2: InstanceId,
    /// Windows, in a watched cluster.
    pub is_ours: bool,
    /// When it registered, in whole milliseconds.
    pub registered_at: Timestamp,
    /// ECS's status, and since when.
    pub status: Status,
    /// Since when it has this status.
    pub status_since: Timestamp,
    /// Who gave it this status.
    pub status_by: Actor,
    /// The ECS agent is connected.
    pub is_connected: bool,
    /// Since when it is connected or not.
    pub connected_since: Timestamp,
    /// What stands on it of ours.
    pub attributes: InstanceAttributes,
    /// Since when the gate is as it is.
    pub gate_since: Timestamp,
    /// Since when the state is as it is.
    pub state_since: Timestamp,
    /// Until when at least it was mapped under an open gate, as of the last change before the newest.
    pub mapped_until: Option<Timestamp>,
    /// The newest restart or request whose result has ever stood on it.
    pub newest_judged: Option<Timestamp>,
    /// Who wrote the state.
    pub state_by: Actor,
    /// Since when the drain attribute is as it is.
    pub drain_since: Timestamp,
    /// Since when an operator holds it; `None`: nobody does.
    pub held_since: Option<Timestamp>,
    /// Somebody else wrote or deleted attributes of ours since it registered: they prove nothing about ours.
    pub was_edited: bool,
    /// When an operator made it active again that we had drained, unless it was proven since.
    pub reactivated_at: Option<Timestamp>,
    raw: [Option<Arc<str>>; 4],
}

impl Registration {
    /// It takes part in the cluster's capacity, and its agent is connected.
    pub fn counts(&self) -> bool {
        self.is_ours && self.is_connected && matches!(self.status, Status::Active | Status::Draining)
    }

    /// Its gate lets tasks in.
    pub fn is_open(&self) -> bool {
        self.attributes.gate == Gate::Mapped
    }

    /// Mapped, and tasks are let in.
    pub fn is_mapped(&self) -> bool {
        self.is_open() && matches!(self.state(), Some(State::Mapped { .. }))
    }

    /// What was recorded last.
    pub fn state(&self) -> Option<&State> {
        self.attributes.state.state()
    }
}

/// What became of a registration in one step.
#[derive(Debug, Clone)]
pub struct Change {
    /// `None`: it is new.
    pub before: Option<Registration>,
    /// As it stands now.
    pub after: Registration,
}

/// What a run has read so far, and when.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its name, unique.
    pub name: String,
    /// A sweep; else `map-share`.
    pub is_sweep: bool,
    /// A person asked `map-share`.
    pub is_by_hand: bool,
    /// When it began.
    pub began: Timestamp,
    /// By operation, when it was last answered.
    pub read: BTreeMap<String, Timestamp>,
    /// When it last counted who is draining.
    pub counted_draining: Option<Timestamp>,
    /// Calls of its that failed, by whatever fault or limit.
    pub failed_calls: usize,
    /// Other runs at work at the same time, or so short a time before that their doing may not have been listed.
    pub beside: usize,
    /// When it was over, however.
    pub ended: Option<Timestamp>,
    /// It came to its end without an error and without a failed call.
    pub ended_well: Option<Timestamp>,
}

impl Run {
    /// When an operation was last answered, or the run's beginning.
    pub fn read_at(&self, operation: &str) -> Timestamp {
        self.read.get(operation).copied().unwrap_or(self.began)
    }
}

/// What the script or SSM really said about one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The root was read through our letter.
    Mapped {
        /// The mapping was made anew.
        changed: bool,
    },
    /// The script's own word.
    Failed {
        /// Of the table of causes.
        cause: String,
        /// Where it happened.
        step: String,
    },
    /// It is over, and the script said nothing.
    Nothing,
    /// It is not over, though its time is.
    Lost,
    /// It is at work.
    Waiting,
}

/// Reads a target's end, independently of the product's own reader: an exact line in an exact status.
pub fn said(command: &Command, invocation: &Invocation, now: Timestamp) -> Said {
    let Some(_) = invocation.finished() else {
        return if now.duration_since(command.requested()) > DEADLINE { Said::Lost } else { Said::Waiting };
    };
    let line: Value = serde_json::from_str(invocation.stdout()).unwrap_or(Value::Null);
    let text = |member: &str| line[member].as_str().unwrap_or_default().to_owned();
    match (invocation.details(), line["smbMapping"].as_str()) {
        ("Success", Some("mapped")) if text("drive") == "G:" && text("remote") == REMOTE => {
            Said::Mapped { changed: line["changed"] == true }
        }
        ("Success" | "Failed", Some("failed")) => Said::Failed { cause: text("cause"), step: text("step") },
        _ => Said::Nothing,
    }
}

/// A time cut to whole milliseconds, as all recorded ones are.
pub fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("in range")
}

/// The truth so far.
pub struct Ground {
    /// The functions' policy.
    pub policy: Policy,
    /// Names of the watched clusters.
    pub watched: Vec<&'static str>,
    /// Every registration, by the last part of its ARN.
    pub registrations: BTreeMap<Arc<str>, Registration>,
    /// Every run so far.
    pub runs: Vec<Run>,
    /// How late ECS's listings may be.
    pub ecs_lag: Duration,
    /// How late SSM's listings may be.
    pub ssm_lag: Duration,
    names: AttributeNames,
}

impl Ground {
    /// Nothing known yet. The lags are the worst that the seed has.
    pub fn new(policy: Policy, watched: Vec<&'static str>, ecs_lag: Duration, ssm_lag: Duration) -> Self {
        let names = AttributeNames::new(DriveLetter::parse("G").expect("a letter"));
        let (registrations, runs) = (BTreeMap::new(), Vec::new());
        Ground { policy, watched, registrations, runs, ecs_lag, ssm_lag, names }
    }

    /// Looks at every registration again; what has changed, as the doing of that actor.
    pub fn look(&mut self, aws: &LocalAws, actor: Actor) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = 0;
        for cluster in ["apps", "batch", "others"] {
            for instance in aws.container_instances(cluster) {
                seen += 1;
                let before = self.registrations.get(&instance.id);
                if before.is_some_and(|before| is_same(before, instance)) {
                    continue;
                }
                let before = before.cloned();
                let after = self.read(aws, cluster, instance, before.as_ref(), actor);
                self.registrations.insert(instance.id.clone(), after.clone());
                changes.push(Change { before, after });
            }
        }
        if seen < self.registrations.len() {
            let is_left = |registration: &Registration| {
                aws.ecs
                    .instance(&registration.cluster, &registration.id)
                    .is_some_and(|instance| instance.status != Status::Inactive)
            };
            self.registrations.retain(|_, registration| is_left(registration));
        }
        changes
    }

    fn read(
        &self,
        aws: &LocalAws,
        cluster: &str,
        instance: &ContainerInstance,
        before: Option<&Registration>,
        actor: Actor,
    ) -> Registration {
        let now = aws.now();
        let host = &aws.world.hosts[&instance.ec2_instance_id];
        let attributes = instance.attributes.iter().map(|(name, value)| (&**name, value.as_deref()));
        let attributes = InstanceAttributes::read(&self.names, attributes);
        let since = |same: bool, before: Option<Timestamp>| before.filter(|_| same).unwrap_or(now);
        let same_status = before.is_some_and(|b| b.status == instance.status);
        let same = |of: fn(&InstanceAttributes) -> String| {
            before.is_some_and(|b| of(&b.attributes) == of(&attributes))
        };
        let raw = raw_of(instance);
        let ours_changed = before.is_some_and(|b| b.raw[..3] != raw[..3]);
        let was_active_again = before.is_some_and(|b| {
            // A drain that was requested and no more is nobody's for sure, and is decided anew.
            b.status == Status::Draining
                && instance.status == Status::Active
                && matches!(b.status_by, Actor::Run(_))
                && !matches!(b.attributes.drain, Drain::Requested { .. })
        });
        Registration {
            id: instance.id.clone(),
            cluster: Arc::from(cluster),
            ec2: instance.ec2_instance_id.clone(),
            is_ours: host.platform == Platform::Windows && self.watched.contains(&cluster),
            registered_at: millis(instance.registered_at),
            status: instance.status,
            status_since: since(same_status, before.map(|b| b.status_since)),
            status_by: match before {
                // It registers by itself, during whatever call.
                None => Actor::World,
                Some(before) if same_status => before.status_by,
                Some(_) => actor,
            },
            is_connected: instance.agent_connected,
            connected_since: since(
                before.is_some_and(|b| b.is_connected == instance.agent_connected),
                before.map(|b| b.connected_since),
            ),
            gate_since: since(same(|s| s.gate.as_str().to_owned()), before.map(|b| b.gate_since)),
            state_since: since(same(|s| format!("{:?}", s.state)), before.map(|b| b.state_since)),
            mapped_until: before.and_then(|b| if b.is_mapped() { Some(now) } else { b.mapped_until }),
            newest_judged: attributes
                .state
                .state()
                .map(State::judged)
                .max(before.and_then(|b| b.newest_judged)),
            state_by: match before {
                Some(before) if same(|s| format!("{:?}", s.state)) => before.state_by,
                _ => actor,
            },
            drain_since: since(same(|s| format!("{:?}", s.drain)), before.map(|b| b.drain_since)),
            held_since: attributes.hold.then(|| before.and_then(|b| b.held_since).unwrap_or(now)),
            was_edited: before.is_some_and(|b| b.was_edited) || (ours_changed && actor == Actor::World),
            reactivated_at: if was_active_again && actor == Actor::World {
                Some(now)
            } else {
                let proven_after = |at: &Timestamp| match attributes.state.state() {
                    Some(State::Mapped { judged, .. }) => judged > at,
                    _ => false,
                };
                before.and_then(|b| b.reactivated_at).filter(|at| !proven_after(at))
            },
            attributes,
            raw,
        }
    }

    /// The commands' words to one EC2 instance, newest first.
    pub fn history<'a>(
        &self,
        aws: &'a LocalAws,
        ec2: &str,
    ) -> impl Iterator<Item = (&'a Command, &'a Invocation)> + use<'a> {
        let all = aws.ssm.by_instance.get(ec2).map(Vec::as_slice).unwrap_or_default();
        all.iter().rev().filter_map(|(key, target)| {
            let command = aws.ssm.commands.get(key)?;
            Some((command, &command.invocations()[*target]))
        })
    }

    /// What was said of a registration since what is on record, the newest first, and when it was requested.
    pub fn unjudged_words<'a>(
        &self,
        aws: &'a LocalAws,
        one: &Registration,
    ) -> impl Iterator<Item = (Timestamp, Said)> + use<'a> {
        let (now, floor) = (aws.now(), one.state().map_or(one.registered_at, State::judged));
        self.history(aws, &one.ec2)
            .map(move |(command, invocation)| (millis(command.requested()), said(command, invocation, now)))
            .take_while(move |(at, _)| *at > floor)
    }

    /// The script's newest word about a registration that is not on record yet, and when it was requested.
    pub fn unjudged(&self, aws: &LocalAws, one: &Registration) -> Option<(Timestamp, Said)> {
        self.unjudged_words(aws, one)
            .find(|(_, word)| matches!(word, Said::Mapped { .. } | Said::Failed { .. }))
    }

    /// Whether a command that was requested at that millisecond has said of an instance that it is mapped. Two senders may
    /// have sent in the same one.
    pub fn was_mapped_by(&self, aws: &LocalAws, ec2: &str, requested: Timestamp) -> bool {
        let mut history = self.history(aws, ec2);
        history.any(|(command, invocation)| {
            millis(command.requested()) == requested
                && matches!(said(command, invocation, aws.now()), Said::Mapped { .. })
        })
    }

    /// The registrations that count, of one cluster.
    pub fn counted<'a>(&'a self, cluster: &'a str) -> impl Iterator<Item = &'a Registration> {
        self.registrations.values().filter(move |one| *one.cluster == *cluster && one.counts())
    }
}

const OURS: [&str; 4] = ["smb.G", "smb.G.state", "smb.G.drain", "smb.hold"];

fn raw_of(instance: &ContainerInstance) -> [Option<Arc<str>>; 4] {
    // An attribute without a value is there all the same.
    OURS.map(|name| instance.attributes.get(name).map(|value| value.clone().unwrap_or_else(|| Arc::from(""))))
}

fn is_same(before: &Registration, instance: &ContainerInstance) -> bool {
    before.status == instance.status
        && before.is_connected == instance.agent_connected
        && OURS.iter().zip(&before.raw).all(|(name, raw)| match (instance.attributes.get(*name), raw) {
            (None, None) => true,
            (Some(value), Some(raw)) => value.as_deref().unwrap_or("") == &**raw,
            _ => false,
        })
}
