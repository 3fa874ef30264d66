//! What a run did and found, as metrics and as one line that an operator can read aloud.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::brake::Password;
use shared::cause::Class;
use shared::config::Policy;
use shared::ecs::{ATTRIBUTES_AN_INSTANCE, ContainerInstance, Status};
use shared::history::Action;
use shared::ids::{ClusterRef, InstanceId};
use shared::state::{Drain, Gate, State};

use crate::decide::{Plan, Why};
use crate::fleet::{AgentState, Fleet, Instance};
use crate::schedule::Triggers;
use crate::sends::{PlannedCommand, is_stale};
use crate::verdict::Verdict;
use crate::{App, schedule};

/// What was done in one run, over all its looks.
#[derive(Debug, Default)]
pub struct RunStatistics {
    /// Instances drained.
    pub drains: u32,
    /// Instances given back.
    pub given_back: u32,
    /// Calls that failed for good, but for those throttled.
    pub errors: u32,
    /// Calls that stayed throttled through all retries.
    pub throttles: u32,
    /// `map` sent to instances that had failed before.
    pub retries: u32,
    /// `check` sent.
    pub checks: u32,
    /// Mappings made anew on instances that had lost theirs.
    pub repairs: u32,
    /// Proofs whose mapping was made without privacy, by instance.
    pub privacy: BTreeMap<InstanceId, bool>,
    failures: BTreeMap<Class, u32>,
    opened_after_seconds: Vec<f64>,
}

impl RunStatistics {
    /// Counts a call that failed for good.
    pub fn failed(&mut self, is_throttle: bool) {
        *(if is_throttle { &mut self.throttles } else { &mut self.errors }) += 1;
    }

    /// Counts a command that SSM took.
    pub fn sent(&mut self, order: &PlannedCommand, fleet: &Fleet, targets: &[InstanceId]) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        match order.action {
            Action::Check => self.checks += count(targets.len()),
            Action::Map => {
                let failed = |i: &&Instance| {
                    matches!(i.state(), Some(State::Unmapped { .. })) && targets.contains(&i.id)
                };
                self.retries += count(fleet.instances.values().filter(failed).count());
            }
        }
    }

    /// Counts a verdict that was written.
    pub fn judged(&mut self, before: &ContainerInstance, after: &Verdict, why: &Why, now: Timestamp) {
        match why {
            Why::Proof(proof) => {
                let was_unmapped = matches!(before.attributes.state.state(), Some(State::Unmapped { .. }));
                self.repairs += u32::from(proof.changed && was_unmapped);
                if before.attributes.state.state().is_none() && after.gate == Gate::Mapped {
                    self.opened_after_seconds.push(now.duration_since(before.registered_at).as_secs_f64());
                }
            }
            Why::Failure(_) | Why::NoResult | Why::Silent => {
                if let State::Unmapped { cause, .. } | State::Doubtful { cause, .. } = &after.state {
                    *self.failures.entry(cause.class()).or_default() += 1;
                }
            }
            Why::Tidied => {}
        }
    }
}

/// What a cluster, or the whole fleet, looks like.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Survey {
    /// Connected Windows instances.
    pub connected: u32,
    /// Proven, and open.
    pub mapped: u32,
    /// Failed.
    pub unmapped: u32,
    /// Nothing known yet.
    pub unknown: u32,
    /// Age of the oldest failure, in minutes.
    pub oldest_unmapped_minutes: f64,
    /// Its cause.
    pub oldest_cause: Option<String>,
    /// Draining, by whomever.
    pub draining: u32,
    /// Draining with an attribute of ours that does not prove it.
    pub unproven: u32,
    /// Agent silent too long, and no gate open.
    pub unreachable: u32,
    /// ECS agent not connected.
    pub disconnected: u32,
    /// Mapped by a log-on with a password that was changed since.
    pub stale: u32,
    /// Ten custom attributes, and none of ours among them.
    pub at_attribute_limit: u32,
    /// Other registrations of the same EC2 instances.
    pub stale_registrations: u32,
}

/// Looks at the fleet, or at one cluster of it.
pub fn survey(policy: &Policy, fleet: &Fleet, cluster: Option<&ClusterRef>, now: Timestamp) -> Survey {
    let triggers = Triggers::of(fleet);
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
        if !instance.counts() {
            continue;
        }
        survey.connected += 1;
        survey.mapped += u32::from(instance.is_mapped());
        survey.unknown += u32::from(instance.is_unknown());
        survey.draining += u32::from(record.status == Status::Draining);
        survey.unproven += u32::from(is_unproven(record));
        survey.stale += u32::from(is_stale(instance, &triggers));
        survey.unreachable += u32::from(is_unreachable(policy, instance, now));
        let is_full = record.custom_attributes >= ATTRIBUTES_AN_INSTANCE && !record.attributes.any;
        survey.at_attribute_limit += u32::from(is_full);
        if let Some(State::Unmapped { failing_since, cause, .. }) = instance.state() {
            survey.unmapped += 1;
            let minutes = now.duration_since(*failing_since).as_secs_f64() / 60.0;
            if minutes >= survey.oldest_unmapped_minutes {
                survey.oldest_unmapped_minutes = minutes.max(0.0);
                survey.oldest_cause = Some(cause.to_string());
            }
        }
    }
    survey
}

/// Draining, and what stands there is ours but does not prove that the drain is.
pub fn is_unproven(record: &ContainerInstance) -> bool {
    record.status == Status::Draining
        && matches!(record.attributes.drain, Drain::Requested { .. } | Drain::Released { .. })
}

/// Waits for its agent longer than it may.
pub fn is_unreachable(policy: &Policy, instance: &Instance, now: Timestamp) -> bool {
    let AgentState::Offline { last_ping } = instance.agent else { return false };
    let heard =
        last_ping.map_or(instance.record.registered_at, |ping| ping.max(instance.record.registered_at));
    !instance.is_open() && now >= schedule::later(heard, policy.unreachable_after)
}

/// Writes the run's metrics and its line.
pub fn publish(app: &App, fleet: &Fleet, plan: &Plan, statistics: &RunStatistics, now: Timestamp) {
    let whole = survey(&app.config.policy, fleet, None, now);
    let mut values = gauges(&whole);
    let flag = |is: bool| f64::from(u8::from(is));
    values.extend([
        ("Sweeps", 1.0),
        ("BreakerOpen", flag(!plan.breakers.is_empty())),
        ("CredentialsRefused", flag(plan.braking.brake.password == Password::Refused)),
        ("CredentialsUnproven", flag(plan.braking.brake.password == Password::Unproven)),
        ("ChecksWithheld", flag(plan.braking.brake.checks_withheld)),
        ("SsmUnwell", flag(plan.is_ssm_unwell)),
        ("Drains", f64::from(statistics.drains)),
        ("DrainsWithheld", plan.withheld.len() as f64),
        ("GivenBack", f64::from(statistics.given_back)),
        ("Retries", f64::from(statistics.retries)),
        ("Checks", f64::from(statistics.checks)),
        ("Repairs", f64::from(statistics.repairs)),
        ("MappedWithoutPrivacy", statistics.privacy.values().filter(|private| !**private).count() as f64),
        ("Throttles", f64::from(statistics.throttles)),
        ("Errors", f64::from(statistics.errors)),
    ]);
    let failures = |class: Class| f64::from(statistics.failures.get(&class).copied().unwrap_or_default());
    values.extend([
        ("FailuresNetwork", failures(Class::Network)),
        ("FailuresDirectory", failures(Class::Directory)),
        ("FailuresCredentials", failures(Class::Credentials)),
        ("FailuresConfiguration", failures(Class::Configuration)),
        ("FailuresHost", failures(Class::Host)),
        ("FailuresUnknown", failures(Class::Unknown)),
    ]);
    let slowest = statistics
        .opened_after_seconds
        .iter()
        .copied()
        .fold(None, |most: Option<f64>, s| Some(most.map_or(s, |m| m.max(s))));
    values.extend(slowest.map(|seconds| ("RegistrationToMappedSeconds", seconds)));
    app.metrics.emit(now, None, &values);
    for cluster in &app.config.clusters {
        let here = survey(&app.config.policy, fleet, Some(cluster), now);
        let mut values = gauges(&here);
        values.push(("BreakerOpen", flag(plan.breakers.contains_key(cluster))));
        app.metrics.emit(now, Some(cluster.name()), &values);
    }
    tracing::info!(summary = sentence(&whole, plan, statistics), "sweep done");
}

fn gauges(survey: &Survey) -> Vec<shared::metrics::Value> {
    vec![
        ("Mapped", f64::from(survey.mapped)),
        ("Unmapped", f64::from(survey.unmapped)),
        ("OldestUnmappedMinutes", survey.oldest_unmapped_minutes),
        ("Unknown", f64::from(survey.unknown)),
        ("Draining", f64::from(survey.draining)),
        ("OwnershipUnproven", f64::from(survey.unproven)),
        ("Unreachable", f64::from(survey.unreachable)),
        ("Disconnected", f64::from(survey.disconnected)),
        ("StaleCredentials", f64::from(survey.stale)),
        ("AttributeLimit", f64::from(survey.at_attribute_limit)),
    ]
}

/// The run in one sentence.
pub fn sentence(survey: &Survey, plan: &Plan, statistics: &RunStatistics) -> String {
    let mut text = format!("{} of {} connected Windows instances mapped", survey.mapped, survey.connected);
    if survey.unmapped > 0 {
        let cause = survey.oldest_cause.as_deref().unwrap_or("?");
        let minutes = survey.oldest_unmapped_minutes;
        text += &format!(", {} unmapped (the oldest for {minutes:.0} min: {cause})", survey.unmapped);
    }
    let mut also = |n: u32, what: &str| {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    };
    also(survey.unknown, "not looked at yet");
    also(survey.unreachable, "with a silent agent");
    also(survey.disconnected, "disconnected");
    also(survey.draining, "draining");
    also(statistics.drains, "drained now");
    also(statistics.given_back, "given back now");
    let withheld = u32::try_from(plan.withheld.len()).unwrap_or(u32::MAX);
    also(withheld, if withheld == 1 { "drain withheld" } else { "drains withheld" });
    let failed = statistics.errors + statistics.throttles;
    also(failed, if failed == 1 { "call failed" } else { "calls failed" });
    text += match plan.braking.brake.password {
        Password::Proven => "; the password is proven",
        Password::Unproven => "; the password is not proven yet",
        Password::Refused => "; the password is REFUSED",
        Password::Unknown if plan.fleet.is_partial => {
            "; a cluster could not be read, so no password is presented and no kept one tried"
        }
        Password::Unknown => "; the parameters' dates could not be read, no password is presented",
    };
    for (cluster, rule) in &plan.breakers {
        text += &format!("; breaker open in {} ({rule})", cluster.name());
    }
    if plan.is_ssm_unwell {
        text += "; SSM is unwell";
    }
    text
}
