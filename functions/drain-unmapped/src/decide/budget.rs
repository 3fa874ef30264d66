//! The evidence of the whole fleet, put to the budget of refused log-ons.
//!
//! See docs/architecture.md, Credentials. The rule itself is [`shared::budget`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::budget::{Budget, Evidence, InFlight, Stamps, assess};
use shared::config::Policy;
use shared::ids::InstanceId;
use shared::state::State;

use crate::fleet::{Fleet, Instance, UnconfirmedSend};

/// Asks the budget.
pub(super) fn ask(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Budget {
    let listed = fleet.commands.iter().filter_map(|command| InFlight::of(command, now));
    let unconfirmed = fleet.unconfirmed_in_flight(policy, now).map(in_flight);
    let evidence = Evidence {
        parameters: fleet.parameters,
        in_flight: listed.chain(unconfirmed).collect(),
        attempts: &fleet.attempts,
        stamps: stamps(fleet, now),
        is_partial: fleet.is_partial,
    };
    assess(&evidence, policy, now)
}

fn in_flight(send: &UnconfirmedSend) -> InFlight {
    InFlight {
        action: send.action,
        requested_at: send.at,
        instances: send.targets.clone(),
        unfinished: u32::try_from(send.targets.len()).unwrap_or(u32::MAX),
        at_a_time: send.max_concurrency,
    }
}

/// What the attributes say, by EC2 instance. Of a registration that does not count only the log-on is taken. A time ahead
/// of our clock is ignored.
fn stamps(fleet: &Fleet, now: Timestamp) -> BTreeMap<InstanceId, Stamps> {
    let past = |at: Option<Timestamp>| at.filter(|at| *at <= now);
    let mut stamps: BTreeMap<InstanceId, Stamps> = BTreeMap::new();
    for instance in fleet.instances.values() {
        let (opened_by, refused_by) = match instance.state() {
            Some(State::Mapped { since, .. }) if instance.is_open() => (Some(*since), None),
            Some(State::Unmapped { judged, cause, .. }) if cause.is_refused_logon() => (None, Some(*judged)),
            _ => (None, None),
        };
        let logon = past(instance.state().and_then(State::logon));
        let unread = opened_by.and_then(|opened| last_unread(instance, opened));
        // A command whose result was not read did not fail, so it may have found a mapping.
        let unmapped_at = instance.record.attributes.unmapped_at();
        let unmapped_at = unmapped_at.filter(|at| last_unread(instance, Timestamp::MAX) <= Some(*at));
        stamps.insert(instance.id.clone(), Stamps { logon, opened_by, unread, unmapped_at, refused_by });
    }
    for record in &fleet.stale_registrations {
        let Some(id) = &record.instance_id else { continue };
        let logon = past(record.attributes.state.state().and_then(State::logon));
        let known = stamps.entry(id.clone()).or_default();
        known.logon = known.logon.max(logon);
        known.unmapped_at = known.unmapped_at.min(record.attributes.unmapped_at());
    }
    stamps
}

fn last_unread(instance: &Instance, before: Timestamp) -> Option<Timestamp> {
    let results = instance.results.iter().filter(|result| result.result.is_none());
    results.map(|result| result.requested_at).filter(|at| *at < before).max()
}
