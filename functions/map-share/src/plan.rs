//! Decides, without I/O: what events ask for, what live instances allow, and what the budget of refused log-ons allows.
//!
//! It knows no SDK client, no clock and no environment. Its callers read live state first, for an event is only a hint.

mod allowance;

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::ecs::{ContainerInstance, NewAttribute, Status, current_registration};
use shared::history::Command;
use shared::ids::{ClusterRef, ContainerInstanceArn, InstanceId};
use shared::state::{AttributeNames, Drain, Gate, InstanceAttributes, State, StateAttribute};
use shared::time;

use crate::batch::{Batch, RecordId};
use crate::events::{ContainerInstanceChange, Event};
use crate::outcome::{Outcome, Reason};

pub(crate) use allowance::may_present;

/// SSM's command history, and the time it is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History<'a> {
    pub(crate) commands: &'a [Command],
    pub(crate) now: Timestamp,
}

/// What a batch asks for: every instance once.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Registrations that show no state of ours.
    pub(crate) candidates: Vec<Candidate>,
    /// Instances that EC2 stopped or started, with the latest of their events.
    pub(crate) restarts: BTreeMap<InstanceId, Dated>,
    /// Instances about to be terminated.
    pub(crate) endings: BTreeMap<InstanceId, Dated>,
    /// Instances that a person named.
    pub(crate) by_hand: BTreeMap<InstanceId, RecordId>,
}

/// A registration that may want a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) record: RecordId,
    pub(crate) cluster: ClusterRef,
    pub(crate) arn: ContainerInstanceArn,
    pub(crate) instance_id: Option<InstanceId>,
    pub(crate) registered_at: Option<Timestamp>,
}

/// An event of which only the latest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) record: RecordId,
    pub(crate) at: Timestamp,
}

impl Work {
    pub(crate) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
            && self.restarts.is_empty()
            && self.endings.is_empty()
            && self.by_hand.is_empty()
    }
}

/// Coalesces a batch: of several events of one instance and kind the latest counts. Records that need no AWS call are
/// settled here; these are nearly all, since ECS emits an event for every task started or stopped.
pub(crate) fn sort(
    events: Vec<(RecordId, Event)>,
    clusters: &[ClusterRef],
    names: &AttributeNames,
    now: Timestamp,
    batch: &mut Batch,
) -> Work {
    let mut work = Work::default();
    let mut changes: BTreeMap<ContainerInstanceArn, (RecordId, ContainerInstanceChange)> = BTreeMap::new();
    for (record, event) in events {
        match event {
            Event::Restart { at, .. } | Event::Ending { at, .. } if time::not_ahead(at, now).is_none() => {
                batch.settle(record, Outcome::Unreadable(format!("its time, {at}, is ahead of the clock")));
            }
            Event::ContainerInstance(change) => keep_latest_version(&mut changes, (record, change), batch),
            Event::Restart { id, at } => keep_latest(&mut work.restarts, id, Dated { record, at }, batch),
            Event::Ending { id, at } => keep_latest(&mut work.endings, id, Dated { record, at }, batch),
            Event::ByHand(id) => {
                if *work.by_hand.entry(id).or_insert(record) != record {
                    batch.settle(record, Outcome::Not(Reason::Duplicate));
                }
            }
            Event::Ignored { reason, .. } => batch.settle(record, Outcome::Not(reason)),
        }
    }
    for (record, change) in changes.into_values() {
        match check_event(&change, clusters, names, now) {
            Ok(cluster) => work.candidates.push(Candidate {
                record,
                cluster: cluster.clone(),
                arn: change.arn,
                instance_id: change.instance_id,
                registered_at: change.registered_at.and_then(|at| time::not_ahead(at, now)),
            }),
            Err(reason) => batch.settle(record, Outcome::Not(reason)),
        }
    }
    work
}

fn keep_latest_version(
    changes: &mut BTreeMap<ContainerInstanceArn, (RecordId, ContainerInstanceChange)>,
    (record, change): (RecordId, ContainerInstanceChange),
    batch: &mut Batch,
) {
    let Some((kept, latest)) = changes.get_mut(&change.arn) else {
        changes.insert(change.arn.clone(), (record, change));
        return;
    };
    let reason = if change.version == latest.version { Reason::Duplicate } else { Reason::Superseded };
    let is_later = change.version > latest.version;
    if is_later {
        *latest = change;
    }
    let dropped = if is_later { std::mem::replace(kept, record) } else { record };
    batch.settle(dropped, Outcome::Not(reason));
}

fn keep_latest(kept: &mut BTreeMap<InstanceId, Dated>, id: InstanceId, dated: Dated, batch: &mut Batch) {
    let latest = kept.entry(id).or_insert(dated);
    if latest.record == dated.record {
        return;
    }
    let reason = if latest.at == dated.at { Reason::Duplicate } else { Reason::Superseded };
    let dropped = if dated.at > latest.at { std::mem::replace(latest, dated) } else { dated };
    batch.settle(dropped.record, Outcome::Not(reason));
}

/// Whether an event shows an instance that may want a command; its watched cluster if so.
fn check_event<'a>(
    change: &ContainerInstanceChange,
    clusters: &'a [ClusterRef],
    names: &AttributeNames,
    now: Timestamp,
) -> Result<&'a ClusterRef, Reason> {
    let watched = clusters.iter().find(|cluster| cluster.matches(&change.cluster));
    let cluster = watched.ok_or(Reason::OtherCluster)?;
    // An event without the attribute passes: live state tells.
    if change.is_windows() == Some(false) {
        return Err(Reason::NotWindows);
    }
    let attributes = change.attributes.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    let attributes = InstanceAttributes::read(names, now, attributes);
    let ecs = EcsStatus { is_active: change.is_active, is_connected: change.is_connected };
    check_wants_command(&attributes, ecs)?;
    Ok(cluster)
}

/// What ECS says of an instance.
struct EcsStatus {
    is_active: bool,
    is_connected: bool,
}

/// An instance with an open gate needs no command; one with a state is the reconcile run's, which knows when to retry.
fn check_wants_command(attributes: &InstanceAttributes, ecs: EcsStatus) -> Result<(), Reason> {
    match attributes {
        _ if attributes.gate == Gate::Mapped => Err(Reason::Mapped),
        _ if !ecs.is_active => Err(Reason::NotActive),
        InstanceAttributes { state: StateAttribute::Known(_) | StateAttribute::OtherShare(_), .. } => {
            Err(Reason::HasState)
        }
        _ if !ecs.is_connected => Err(Reason::NotConnected),
        _ => Ok(()),
    }
}

/// Why an instance needs no further command: one that was requested after `since` names it, and is in flight or has a
/// result that the reconcile run is still to take.
pub(crate) fn named_since(history: History<'_>, id: &InstanceId, since: Timestamp) -> Option<Reason> {
    let is_named = |command: &&Command| command.requested_at > since && command.instances.contains(id);
    let mut named = history.commands.iter().filter(is_named).peekable();
    named.peek()?;
    Some(if named.any(|command| command.is_in_flight(history.now)) {
        Reason::InFlight
    } else {
        Reason::Unjudged
    })
}

/// Whether a live registration, named by an event, is sent a command.
pub(crate) fn allows(live: &ContainerInstance, history: History<'_>) -> Result<InstanceId, Reason> {
    let id = live.instance_id.clone().ok_or(Reason::External)?;
    if !live.is_windows {
        return Err(Reason::NotWindows);
    }
    let ecs = EcsStatus { is_active: live.status == Status::Active, is_connected: live.is_connected };
    check_wants_command(&live.attributes, ecs)?;
    if live.lacks_room() {
        return Err(Reason::AttributeLimit);
    }
    match named_since(history, &id, live.registered_at) {
        Some(reason) => Err(reason),
        None => Ok(id),
    }
}

/// Whether an instance that a person named is sent a command, given its registrations: whatever its state, unless one
/// is in flight.
pub(crate) fn allows_by_hand(
    registrations: &[ContainerInstance],
    history: History<'_>,
) -> Result<InstanceId, Reason> {
    let windows = || registrations.iter().filter(|live| live.is_windows);
    if windows().next().is_none() {
        return Err(Reason::NotWindows);
    }
    let live = newest_connected(windows()).ok_or(Reason::NotConnected)?;
    if live.status == Status::Other {
        return Err(Reason::NotActive);
    }
    let id = live.instance_id.clone().ok_or(Reason::External)?;
    if live.lacks_room() && live.attributes.gate == Gate::Shut {
        return Err(Reason::AttributeLimit);
    }
    let since =
        live.attributes.state.state().map_or(live.registered_at, |s| s.judged().max(live.registered_at));
    match named_since(history, &id, since) {
        Some(Reason::InFlight) => Err(Reason::InFlight),
        _ => Ok(id),
    }
}

/// The registration that counts of several of one EC2 instance, where one is connected at all.
pub(crate) fn newest_connected<'a>(
    registrations: impl Iterator<Item = &'a ContainerInstance>,
) -> Option<&'a ContainerInstance> {
    current_registration(registrations).filter(|live| live.is_connected)
}

/// What a restart at `at` writes on a registration: a shut gate, and a state under which earlier proof does not count.
pub(crate) fn shut(
    live: &ContainerInstance,
    names: &AttributeNames,
    at: Timestamp,
    now: Timestamp,
) -> Result<Vec<NewAttribute>, Reason> {
    // A time ahead of our clock would void proof that does not exist yet.
    let at = at.min(now);
    if at <= live.registered_at {
        return Err(Reason::OlderThanRegistration);
    }
    let state = live.attributes.state.state();
    if state.is_some_and(|state| at <= state.judged()) {
        return Err(Reason::OlderThanProof);
    }
    let gate = (names.gate.clone(), Gate::Shut.as_str().to_owned());
    let restarted = State::Restarted { at, logon: state.and_then(State::logon) };
    match live.attributes.gate {
        _ if !live.lacks_room() => Ok(vec![gate, (names.state.clone(), restarted.print())]),
        Gate::Mapped => Ok(vec![gate]),
        // An absent gate is shut already.
        Gate::Shut => Err(Reason::AttributeLimit),
    }
}

/// What the coming end of an instance writes on a registration: the drain, if provably ours, is released, so that the
/// instance is not given back.
pub(crate) fn release(
    live: &ContainerInstance,
    names: &AttributeNames,
    at: Timestamp,
) -> Result<Vec<NewAttribute>, Reason> {
    if at <= live.registered_at {
        return Err(Reason::OlderThanRegistration);
    }
    if !live.attributes.drain.is_ours() {
        return Err(Reason::NotOurDrain);
    }
    let released = names.print_drain(&Drain::Released { at }).ok_or(Reason::NotOurDrain)?;
    Ok(vec![(names.drain.clone(), released)])
}

#[cfg(test)]
mod tests;
