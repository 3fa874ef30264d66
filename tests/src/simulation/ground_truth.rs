//! The ground truth that invariants are checked against: what every registration's attributes are, since when and by
//! whom, what each run has read and when, and what commands really ended with.
//!
//! It is built from the state and the calls of the local AWS, never from what the product believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::config::Policy;
use shared::share::DriveLetter;
use shared::state::{AttributeNames, Drain, InstanceAttributes, State};

use super::edits::{begins_anew, claims_a_drain, is_edited_since};
use super::invariants::CLOCK_SKEW;
use crate::fleet::{InstanceId, Platform};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::{ContainerInstance, Status};
use crate::local_aws::ssm::{Command, Invocation};

pub(super) use super::registration::{Change, Registration};
pub(super) use super::true_result::{TrueResult, true_result};

/// A command without a result after this time is lost.
pub(super) const DEADLINE: SignedDuration = SignedDuration::from_mins(13);

/// The index of a run in [`GroundTruth::runs`].
pub(super) type RunId = usize;

/// How a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// By the function's queue.
    Queue,
    /// By a person, who names instances.
    Hand,
    /// By a person, who may only look.
    Look,
}

/// Who changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    Run(RunId),
    /// An operator, a capacity provider or an agent.
    World,
}

/// A run of a function, and what it has read.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) name: String,
    /// A run of `drain-unmapped`, else of `map-share`.
    pub(super) is_reconcile_run: bool,
    pub(super) is_by_hand: bool,
    /// It may do more than look.
    pub(super) may_act: bool,
    pub(super) began: Timestamp,
    /// When each operation was last answered.
    pub(super) read: BTreeMap<String, Timestamp>,
    /// When it last listed the draining instances.
    pub(super) counted_draining: Option<Timestamp>,
    /// When it last described each container instance.
    pub(super) described: BTreeMap<Arc<str>, Timestamp>,
    /// Its calls that failed, for whatever reason.
    pub(super) failed_calls: usize,
    /// Other runs of the function at the same time, or so shortly before that listings may not show their effects.
    pub(super) overlapping: usize,
    pub(super) ended: Option<Timestamp>,
    /// When it ended, if without an error and without a failed call.
    pub(super) ended_well: Option<Timestamp>,
}

impl Run {
    /// When an operation was last answered, or else the run's beginning.
    pub(super) fn read_at(&self, operation: &str) -> Timestamp {
        self.read.get(operation).copied().unwrap_or(self.began)
    }
}

/// A time in whole milliseconds, as all recorded times are.
pub(super) fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("in range")
}

/// The ground truth so far.
pub(super) struct GroundTruth {
    pub(super) policy: Policy,
    pub(super) watched_clusters: Vec<&'static str>,
    /// By the last part of the ARN.
    pub(super) registrations: BTreeMap<Arc<str>, Registration>,
    pub(super) runs: Vec<Run>,
    /// Instances of which somebody else ever wrote our attributes, on any registration.
    pub(super) edited: BTreeSet<InstanceId>,
    /// How late ECS's listings may be.
    pub(super) ecs_lag: Duration,
    /// How late SSM's listings may be.
    pub(super) ssm_lag: Duration,
    names: AttributeNames,
}

impl GroundTruth {
    /// Before the first step. The lags are the longest of the history.
    pub(super) fn new(
        policy: Policy,
        watched_clusters: Vec<&'static str>,
        ecs_lag: Duration,
        ssm_lag: Duration,
    ) -> Self {
        let names = AttributeNames::new(DriveLetter::parse("G").expect("a letter"));
        let (registrations, runs, edited) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        GroundTruth { policy, watched_clusters, registrations, runs, edited, ecs_lag, ssm_lag, names }
    }

    /// Reads every registration again. The answer is what this actor has changed.
    pub(super) fn update(&mut self, aws: &LocalAws, actor: Actor) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = 0;
        for cluster in ["apps", "batch", "others"] {
            for instance in aws.container_instances(cluster) {
                seen += 1;
                let before = self.registrations.get(&instance.id);
                let is_same = before.is_some_and(|before| is_unchanged(before, instance));
                if is_same && !before.is_some_and(|before| self.reads_differently(aws, before, instance)) {
                    continue;
                }
                // What names a time ahead of every clock cannot be read until that time is near.
                let actor = if is_same { Actor::World } else { actor };
                let before = before.cloned();
                let after = self.read(aws, cluster, instance, before.as_ref(), actor);
                if after.was_edited {
                    self.edited.insert(after.ec2.clone());
                }
                self.registrations.insert(instance.id.clone(), after.clone());
                if !is_same {
                    changes.push(Change { before, after });
                }
            }
        }
        if seen < self.registrations.len() {
            self.registrations.retain(|_, registration| {
                let instance = aws.ecs.instance(&registration.cluster, &registration.id);
                instance.is_some_and(|instance| instance.status != Status::Inactive)
            });
        }
        changes
    }

    fn attributes(&self, instance: &ContainerInstance, now: Timestamp) -> InstanceAttributes {
        let all = instance.attributes.iter().map(|(name, value)| (&**name, value.as_deref()));
        let attributes = InstanceAttributes::read(&self.names, now, all);
        attributes.without_proof_before(millis(instance.registered_at))
    }

    /// Time has passed, and so its attributes read differently.
    fn reads_differently(&self, aws: &LocalAws, before: &Registration, instance: &ContainerInstance) -> bool {
        before.names_a_later_time && self.attributes(instance, aws.now()) != before.attributes
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
        let attributes = self.attributes(instance, now);
        let same_status = before.filter(|before| before.status == instance.status);
        let same_connection = before.filter(|before| before.is_connected == instance.agent_connected);
        let same_gate = before.filter(|before| before.attributes.gate == attributes.gate);
        let same_state = before.filter(|before| before.attributes.state == attributes.state);
        let same_drain = before.filter(|before| before.attributes.drain == attributes.drain);
        let raw = raw_attributes(instance);
        // A function's clock may be behind.
        let is_read_anew = before.is_some_and(|before| is_unchanged(before, instance));
        let changed = if is_read_anew { now + CLOCK_SKEW } else { now };
        let is_edited = match before {
            None => raw[..3].iter().any(Option::is_some),
            Some(before) => before.raw[..3] != raw[..3] && actor == Actor::World,
        };
        let was_reactivated = before.is_some_and(|before| {
            // A drain that was only requested is not provably ours, and is decided anew.
            before.status == Status::Draining
                && instance.status == Status::Active
                && matches!(before.status_by, Actor::Run(_))
                && !matches!(before.attributes.drain, Drain::Requested { .. })
        });
        Registration {
            id: instance.id.clone(),
            cluster: Arc::from(cluster),
            ec2: instance.ec2_instance_id.clone(),
            is_ours: host.platform == Platform::Windows && self.watched_clusters.contains(&cluster),
            registered_at: millis(instance.registered_at),
            status: instance.status,
            status_since: same_status.map_or(now, |before| before.status_since),
            status_by: match before {
                // It registers by itself, during whatever call.
                None => Actor::World,
                Some(_) => same_status.map_or(actor, |before| before.status_by),
            },
            is_connected: instance.agent_connected,
            connected_since: same_connection.map_or(now, |before| before.connected_since),
            gate_since: same_gate.map_or(changed, |before| before.gate_since),
            state_since: same_state.map_or(changed, |before| before.state_since),
            mapped_until: before.and_then(|b| if b.is_mapped() { Some(now) } else { b.mapped_until }),
            newest_judged: attributes
                .state
                .state()
                .map(State::judged)
                .max(before.and_then(|before| before.newest_judged)),
            state_by: same_state.map_or(actor, |before| before.state_by),
            drain_since: same_drain.map_or(changed, |before| before.drain_since),
            held_since: raw[3].as_ref().map(|_| before.and_then(|before| before.held_since).unwrap_or(now)),
            names_a_later_time: self.attributes(instance, Timestamp::MAX) != attributes,
            was_edited: is_edited || before.is_some_and(|before| before.was_edited),
            is_count_edited: is_edited_since(
                before.map(|before| (&before.raw[..2], before.is_count_edited)),
                &raw[..2],
                is_edited,
                begins_anew(attributes.state.state()),
            ),
            is_drain_edited: is_edited_since(
                before.map(|before| (&before.raw[2..3], before.is_drain_edited)),
                &raw[2..3],
                is_edited && raw[2].as_deref().is_some_and(claims_a_drain),
                matches!(attributes.drain, Drain::Requested { .. } | Drain::Absent),
            ),
            reactivated_at: if was_reactivated && actor == Actor::World {
                Some(now)
            } else {
                let proven_after = |at: &Timestamp| match attributes.state.state() {
                    Some(State::Mapped { judged, .. }) => judged > at,
                    _ => false,
                };
                before.and_then(|before| before.reactivated_at).filter(|at| !proven_after(at))
            },
            attributes,
            raw,
        }
    }

    /// The commands to one EC2 instance, the newest first.
    pub(super) fn history<'a>(
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

    /// The results of commands to one EC2 instance with the time of their request, the newest first.
    pub(super) fn results<'a>(
        &self,
        aws: &'a LocalAws,
        ec2: &str,
    ) -> impl Iterator<Item = (Timestamp, TrueResult)> + use<'a> {
        self.history(aws, ec2).map(|(command, invocation)| {
            (millis(command.requested()), true_result(command, invocation, aws.now()))
        })
    }

    /// The results for a registration that are newer than its recorded state.
    pub(super) fn unjudged_results<'a>(
        &self,
        aws: &'a LocalAws,
        one: &Registration,
    ) -> impl Iterator<Item = (Timestamp, TrueResult)> + use<'a> {
        let recorded = one.state().map_or(one.registered_at, State::judged);
        self.results(aws, &one.ec2).take_while(move |(at, _)| *at > recorded)
    }

    /// Whether a command requested in that millisecond proved the instance. Two senders may share a millisecond.
    pub(super) fn was_proven_by(&self, aws: &LocalAws, ec2: &str, requested: Timestamp) -> bool {
        self.history(aws, ec2).any(|(command, invocation)| {
            millis(command.requested()) == requested
                && matches!(true_result(command, invocation, aws.now()), TrueResult::Mapped { .. })
        })
    }
}

const OURS: [&str; 4] = ["smb.G", "smb.G.state", "smb.G.drain", "smb.hold"];

fn raw_attributes(instance: &ContainerInstance) -> [Option<Arc<str>>; 4] {
    // An attribute without a value differs from no attribute.
    OURS.map(|name| instance.attributes.get(name).map(|value| value.clone().unwrap_or_else(|| Arc::from(""))))
}

fn is_unchanged(before: &Registration, instance: &ContainerInstance) -> bool {
    before.status == instance.status
        && before.is_connected == instance.agent_connected
        && OURS.iter().zip(&before.raw).all(|(name, raw)| match (instance.attributes.get(*name), raw) {
            (None, None) => true,
            (Some(value), Some(raw)) => value.as_deref().unwrap_or("") == &**raw,
            _ => false,
        })
}
