//! The fleet as JSON, for a person: what is mapped, what is not and why, and what happens next. Changes nothing.
//!
//! `publish` writes the same facts as metrics and as a log line after each reconcile run.

mod credentials;
pub mod metrics;
mod publish;
mod rows;
mod summary;
mod survey;

pub use credentials::{Credentials, RowEntry};
pub use publish::publish;
pub use rows::{CauseRow, Row};
pub use summary::summary;
pub use survey::{Survey, survey};
#[cfg(test)]
pub(crate) use {credentials::credentials, rows::row, survey::is_unreachable};

use serde::Serialize;
use serde_json::Value;
use shared::config::Mode;
use shared::fingerprint::SCRIPT_VERSION;
use shared::ids::ClusterRef;
use shared::time;

use crate::app::App;
use crate::decide::{CheckPace, Plan, Rule, Triggers};
use crate::fleet::{Fleet, Instance};
use crate::observe::Registrations;
use crate::statistics::RunStatistics;

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
    /// The version of the mapping script that belongs to this version of the functions.
    pub script_version: String,
    /// The fleet in one sentence.
    pub summary: String,
    /// Why nothing is sent now that could be refused, and when something will be.
    pub credentials: Credentials,
    /// When one of the parameters last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_changed: Option<String>,
    /// How fast the fleet is checked.
    pub checks: Checks,
    /// Too many open gates are overdue though their instances were asked.
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

/// How fast the fleet is checked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checks {
    /// What one check takes, as measured.
    pub seconds_each: f64,
    /// How many run at a time, of instances that hold the current password, while no log-on is refused.
    pub at_a_time: u32,
    /// The time in which every open gate is checked once. It is longer than `VERIFY_EVERY_MINUTES` where the budget of refused
    /// log-ons allows no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_minutes: Option<f64>,
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

/// What one look saw and decided.
pub struct Look<'l> {
    /// What ECS answered.
    pub registrations: &'l Registrations,
    /// The fleet as it was read.
    pub fleet: &'l Fleet,
    /// What would be done.
    pub plan: &'l Plan,
    /// What was noted.
    pub statistics: &'l RunStatistics,
}

/// The report on a look, about one cluster or about all of them.
pub fn report(app: &App, look: &Look<'_>, only: Option<&ClusterRef>) -> Value {
    let Look { fleet, plan, .. } = look;
    let (config, now) = (&app.config, app.clients.now());
    let is_shown = |cluster: &ClusterRef| only.is_none_or(|only| only == cluster);
    let report = Report {
        at: time::format(now),
        stack: config.stack.clone(),
        mode: config.policy.mode,
        drive: config.share.drive.to_string(),
        remote_path: config.share.remote.to_string(),
        script_version: SCRIPT_VERSION.to_string(),
        summary: summary(
            &survey(&config.policy, fleet, only, now),
            plan,
            look.statistics,
            &config.policy,
            now,
        ),
        credentials: credentials::credentials(plan, now),
        parameters_changed: fleet.parameters.changed().map(time::format),
        checks: checks(&plan.pace),
        ssm_unwell: plan.is_ssm_unwell,
        breakers: breakers(plan, is_shown),
        unread_clusters: unread_clusters(look.registrations),
        instances: rows(app, look, is_shown),
        stale_registrations: fleet
            .stale_registrations
            .iter()
            .filter(|record| is_shown(&record.cluster))
            .map(|record| record.arn.to_string())
            .collect(),
    };
    serde_json::to_value(report).expect("a report has no maps with keys that are not text")
}

fn checks(pace: &CheckPace) -> Checks {
    let tenths = |number: f64| (number * 10.0).round() / 10.0;
    Checks {
        seconds_each: tenths(pace.each.as_secs_f64()),
        at_a_time: pace.at_a_time,
        period_minutes: pace.period.map(|period| tenths(period.as_secs_f64() / 60.0)),
    }
}

fn breakers(plan: &Plan, is_shown: impl Fn(&ClusterRef) -> bool) -> Vec<Breaker> {
    let shown = plan.breakers.iter().filter(|(cluster, _)| is_shown(cluster));
    shown.map(|(cluster, rule)| Breaker { cluster: cluster.name().to_owned(), rule: *rule }).collect()
}

fn unread_clusters(found: &Registrations) -> Vec<UnreadCluster> {
    let failed = found.failed.iter();
    failed
        .map(|(cluster, error)| UnreadCluster { cluster: cluster.to_string(), error: error.to_string() })
        .collect()
}

fn rows(app: &App, look: &Look<'_>, is_shown: impl Fn(&ClusterRef) -> bool) -> Vec<Row> {
    let now = app.clients.now();
    let triggers = Triggers::of(look.fleet, &look.plan.budget, now);
    let mut instances: Vec<&Instance> =
        look.fleet.instances.values().filter(|instance| is_shown(&instance.record.cluster)).collect();
    instances.sort_by(|a, b| (&a.record.cluster, &a.record.arn).cmp(&(&b.record.cluster, &b.record.arn)));
    instances
        .into_iter()
        .map(|instance| rows::row(&app.config.policy, instance, look.plan, &triggers, now))
        .collect()
}
