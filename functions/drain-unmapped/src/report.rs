//! The fleet as JSON, for a person: what stands where, why, and what happens next. Changes nothing.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shared::brake::{Parameters, Password};
use shared::cause::Class;
use shared::config::{Mode, Policy};
use shared::ecs::Status;
use shared::ids::ClusterRef;
use shared::invocation::InvocationResult;
use shared::state::{Drain, State, StateAttribute};
use shared::time;

use crate::decide::Plan;
use crate::drain::Rule;
use crate::fleet::{AgentState, Fleet, Instance};
use crate::read::{Memory, read_fleet, read_parameters, read_registrations};
use crate::reconcile::look;
use crate::remedy::explain;
use crate::schedule::{Triggers, next_attempt};
use crate::sends::is_stale;
use crate::statistics::{RunStatistics, is_unproven, is_unreachable, sentence, survey};
use crate::{App, Error};

/// The answer to `{"report": true}`. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it was made.
    pub at: String,
    /// The stack.
    pub stack: String,
    /// What the stack may do.
    pub mode: Mode,
    /// The drive, e.g. `G:`.
    pub drive: String,
    /// The share.
    pub remote_path: String,
    /// The fleet in one sentence.
    pub summary: String,
    /// `proven`, `unproven`, `refused` or `unknown`.
    pub password: &'static str,
    /// When one of the parameters last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_changed: Option<String>,
    /// No check is sent, for credential failures are open on two or more instances.
    pub checks_withheld: bool,
    /// Too many open gates are overdue.
    pub ssm_unwell: bool,
    /// Clusters whose breaker is open, and why.
    pub breakers: Vec<Breaker>,
    /// Clusters that could not be read, and why.
    pub unread_clusters: Vec<UnreadCluster>,
    /// Every Windows instance, by cluster and ARN.
    pub instances: Vec<Row>,
    /// Other registrations of the same EC2 instances, by ARN: deregister them.
    pub stale_registrations: Vec<String>,
}

/// An open breaker.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    /// The cluster's name.
    pub cluster: String,
    /// The rule that opened it.
    pub rule: Rule,
}

/// A cluster that could not be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadCluster {
    /// As it is configured.
    pub cluster: String,
    /// AWS's answer.
    pub error: String,
}

/// One instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The cluster's name.
    pub cluster: String,
    /// The EC2 instance.
    pub instance: String,
    /// The container instance's ARN.
    pub container_instance: String,
    /// ECS's status.
    pub status: Status,
    /// The ECS agent is connected.
    pub connected: bool,
    /// `mapped` or `shut`.
    pub gate: &'static str,
    /// The state's first word; `none` where nothing is known, `unreadable` where someone wrote something else.
    pub state: &'static str,
    /// Mapped or failing since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Request time of the last command whose result was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<String>,
    /// Failures since the last proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Why it is not mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseRow>,
    /// When it is looked at again, the brake and its agent permitting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try: Option<String>,
    /// A command is on its way or at work.
    pub in_flight: bool,
    /// Its SSM agent has been silent too long.
    pub unreachable: bool,
    /// Whether the drain attribute is `ours`, `requested`, `released`, `not-ours`, or `none`.
    pub drain: &'static str,
    /// It is draining, and it cannot be proven that we did it.
    pub ownership_unproven: bool,
    /// `smb.hold` stands on it.
    pub hold: bool,
    /// The last proof read says that the mapping was made without privacy.
    pub without_privacy: bool,
    /// Its mapping logged on before the parameters last changed.
    pub stale_credential: bool,
    /// Why it is not drained though it has failed long enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_drained_because: Option<Rule>,
}

/// A cause with its meaning.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CauseRow {
    /// The Win32 code or word.
    pub code: String,
    /// Whose fault it may be.
    pub class: Class,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Reads the fleet, or one cluster of it, and tells.
pub async fn report(app: &App, memory: &mut Memory, cluster: Option<&str>) -> Result<Value, Error> {
    let only = match cluster {
        None => None,
        Some(text) => {
            let watched = app.config.clusters.iter().find(|c| c.as_str() == text || c.name() == text);
            Some(watched.ok_or_else(|| Error::NotWatched(text.to_owned()))?)
        }
    };
    // The whole fleet is read, for the password is one for all; one cluster is shown.
    let (found, parameters) = tokio::join!(read_registrations(app, None), read_parameters(app));
    let parameters = parameters.unwrap_or(Parameters::Unread);
    let mut fleet = read_fleet(app, memory, &found, parameters).await?;
    let mut statistics = RunStatistics::default();
    let plan = look(app, &mut fleet, &mut statistics).await?;
    let now = app.clients.now();
    let is_shown = |cluster: &ClusterRef| only.is_none_or(|only| only == cluster);
    let triggers = Triggers::of(&fleet);
    let report = Report {
        at: time::format(now),
        stack: app.config.stack.clone(),
        mode: app.config.policy.mode,
        drive: app.config.share.drive.to_string(),
        remote_path: app.config.share.remote.to_string(),
        summary: sentence(&survey(&app.config.policy, &fleet, only, now), &plan, &statistics),
        password: match plan.braking.brake.password {
            Password::Proven => "proven",
            Password::Unproven => "unproven",
            Password::Refused => "refused",
            Password::Unknown => "unknown",
        },
        parameters_changed: match parameters {
            Parameters::Changed(at) => Some(time::format(at)),
            Parameters::Missing | Parameters::Unread => None,
        },
        checks_withheld: plan.braking.brake.checks_withheld,
        ssm_unwell: plan.is_ssm_unwell,
        breakers: plan
            .breakers
            .iter()
            .filter(|(cluster, _)| is_shown(cluster))
            .map(|(cluster, rule)| Breaker { cluster: cluster.name().to_owned(), rule: *rule })
            .collect(),
        unread_clusters: found
            .failed
            .iter()
            .map(|(cluster, error)| UnreadCluster { cluster: cluster.to_string(), error: error.to_string() })
            .collect(),
        instances: rows(&app.config.policy, &fleet, &plan, &triggers, now, is_shown),
        stale_registrations: fleet
            .stale_registrations
            .iter()
            .filter(|g| is_shown(&g.cluster))
            .map(|g| g.arn.to_string())
            .collect(),
    };
    Ok(serde_json::to_value(report).expect("a report has no maps with keys that are not text"))
}

fn rows(
    policy: &Policy,
    fleet: &Fleet,
    plan: &Plan,
    triggers: &Triggers,
    now: Timestamp,
    is_shown: impl Fn(&ClusterRef) -> bool,
) -> Vec<Row> {
    let mut instances: Vec<&Instance> =
        fleet.instances.values().filter(|instance| is_shown(&instance.record.cluster)).collect();
    instances.sort_by(|a, b| (&a.record.cluster, &a.record.arn).cmp(&(&b.record.cluster, &b.record.arn)));
    instances.into_iter().map(|instance| row(policy, instance, plan, triggers, now)).collect()
}

/// What is told of one instance.
pub(crate) fn row(
    policy: &Policy,
    instance: &Instance,
    plan: &Plan,
    triggers: &Triggers,
    now: Timestamp,
) -> Row {
    let (record, attributes) = (&instance.record, &instance.record.attributes);
    let (state, since, attempts, cause) = match &attributes.state {
        StateAttribute::Absent => ("none", None, None, None),
        StateAttribute::Unreadable => ("unreadable", None, None, None),
        StateAttribute::Known(State::Restarted { at, .. }) => ("restarted", Some(*at), None, None),
        StateAttribute::Known(State::Mapped { since, .. }) => ("mapped", Some(*since), None, None),
        StateAttribute::Known(State::Doubtful { since, cause, .. }) => {
            ("doubtful", Some(*since), None, Some(cause))
        }
        StateAttribute::Known(State::Unmapped { attempts, cause, failing_since, .. }) => {
            ("unmapped", Some(*failing_since), Some(*attempts), Some(cause))
        }
    };
    let last_proof = instance.answers.iter().rev().find_map(|answer| match &answer.result {
        Some(InvocationResult::Mapped(proof)) => proof.privacy,
        _ => None,
    });
    Row {
        cluster: record.cluster.name().to_owned(),
        instance: instance.id.to_string(),
        container_instance: record.arn.to_string(),
        status: record.status,
        connected: record.is_connected,
        gate: attributes.gate.as_str(),
        state,
        since: since.map(time::format),
        judged: attributes.state.state().map(|state| time::format(state.judged())),
        attempts,
        cause: cause.map(|cause| {
            let (meaning, remedy) = explain(cause);
            CauseRow { code: cause.to_string(), class: cause.class(), meaning, remedy }
        }),
        next_try: next_attempt(instance, triggers, policy).map(|(at, _)| time::format(at)),
        in_flight: instance.is_in_flight(),
        unreachable: instance.agent != AgentState::Unasked && is_unreachable(policy, instance, now),
        drain: match attributes.drain {
            Drain::Absent => "none",
            Drain::Requested { .. } => "requested",
            Drain::Done { .. } => "ours",
            Drain::Released { .. } => "released",
            Drain::Foreign => "not-ours",
        },
        ownership_unproven: is_unproven(record),
        hold: attributes.hold,
        without_privacy: last_proof == Some(false),
        stale_credential: is_stale(instance, triggers),
        not_drained_because: plan.withheld.get(&record.arn).copied(),
    }
}
