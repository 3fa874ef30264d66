//! The fleet in numbers.

use jiff::Timestamp;
use shared::budget::Credential;
use shared::config::Policy;
use shared::ecs::{ContainerInstance, Status};
use shared::fingerprint::SCRIPT_VERSION;
use shared::ids::ClusterRef;
use shared::state::{Drain, State};

use crate::decide::later;
use crate::fleet::{AgentState, Fleet, Instance};
use crate::statistics::script;

/// Counts of a cluster, or of the whole fleet.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Survey {
    /// Connected Windows instances.
    pub connected: u32,
    /// Proven, with an open gate.
    pub mapped: u32,
    /// Failed.
    pub unmapped: u32,
    /// Nothing known yet.
    pub unknown: u32,
    /// Age of the oldest failure of an instance that this stack has not drained, in minutes. One that it has drained is
    /// handled, and must not hide the next failure.
    pub oldest_unmapped_minutes: f64,
    /// Its cause.
    pub oldest_cause: Option<String>,
    /// Draining, by any actor.
    pub draining: u32,
    /// Draining, and provably drained by this stack; also where it is not connected.
    pub drained_by_us: u32,
    /// Draining with an attribute of ours that does not prove it.
    pub unproven: u32,
    /// SSM agent offline for too long, and the gate shut.
    pub unreachable: u32,
    /// ECS agent not connected.
    pub disconnected: u32,
    /// Mapped by a log-on with a password that has changed since.
    pub stale: u32,
    /// Ten custom attributes, and none of ours among them.
    pub at_attribute_limit: u32,
    /// Another stack wrote their state or drain.
    pub other_stack: u32,
    /// Answered last by another version of the mapping script.
    pub other_script: u32,
    /// Other registrations of the same EC2 instances.
    pub stale_registrations: u32,
}

/// Counts the fleet, or one cluster of it.
pub fn survey(policy: &Policy, fleet: &Fleet, cluster: Option<&ClusterRef>, now: Timestamp) -> Survey {
    let mut survey = Survey::default();
    let is_here = |record: &ContainerInstance| cluster.is_none_or(|cluster| record.cluster == *cluster);
    survey.stale_registrations =
        u32::try_from(fleet.stale_registrations.iter().filter(|record| is_here(record)).count())
            .unwrap_or(u32::MAX);
    for instance in fleet.instances.values().filter(|instance| is_here(&instance.record)) {
        let record = &instance.record;
        if !record.is_connected {
            survey.disconnected += 1;
        }
        let is_drained_by_us = is_drained_by_us(record);
        survey.drained_by_us += u32::from(is_drained_by_us);
        if !instance.counts() {
            continue;
        }
        survey.connected += 1;
        survey.mapped += u32::from(instance.is_mapped());
        survey.unknown += u32::from(instance.is_unknown());
        survey.draining += u32::from(record.status == Status::Draining);
        survey.unproven += u32::from(is_unproven(record));
        survey.stale += u32::from(is_stale(fleet, instance));
        survey.unreachable += u32::from(is_unreachable(policy, instance, now));
        survey.other_stack += u32::from(record.attributes.is_of_other_stack);
        survey.other_script += u32::from(script(instance).is_some_and(|version| version != SCRIPT_VERSION));
        survey.at_attribute_limit += u32::from(record.lacks_room());
        if let Some(State::Unmapped { failing_since, cause, .. }) = instance.state() {
            survey.unmapped += 1;
            if is_drained_by_us {
                continue;
            }
            let minutes = now.duration_since(*failing_since).as_secs_f64() / 60.0;
            if minutes >= survey.oldest_unmapped_minutes {
                survey.oldest_unmapped_minutes = minutes.max(0.0);
                survey.oldest_cause = Some(cause.to_string());
            }
        }
    }
    survey
}

/// Draining, and provably drained by this stack.
pub(crate) fn is_drained_by_us(record: &ContainerInstance) -> bool {
    record.status == Status::Draining && record.attributes.drain.is_ours()
}

/// Draining, with a drain attribute of ours that does not prove that the drain is ours.
pub(super) fn is_unproven(record: &ContainerInstance) -> bool {
    record.status == Status::Draining
        && matches!(record.attributes.drain, Drain::Requested { .. } | Drain::Released { .. })
}

/// It was mapped with a password that has changed since. Without a log-on of ours it is not stale.
pub(super) fn is_stale(fleet: &Fleet, instance: &Instance) -> bool {
    matches!(instance.state(), Some(State::Mapped { .. })) && fleet.credential(instance) == Credential::Stale
}

/// Its SSM agent is offline longer than it may be.
pub(crate) fn is_unreachable(policy: &Policy, instance: &Instance, now: Timestamp) -> bool {
    let AgentState::Offline { last_ping } = instance.agent else { return false };
    let heard =
        last_ping.map_or(instance.record.registered_at, |ping| ping.max(instance.record.registered_at));
    !instance.is_open() && now >= later(heard, policy.unreachable_after)
}
