//! A run's metrics and its log line.

use shared::brake::Password;
use shared::cause::Class;

use super::summary::summary;
use super::survey::{Survey, survey};
use crate::app::App;
use crate::decide::Plan;
use crate::fleet::Fleet;
use crate::statistics::RunStatistics;

/// Writes the run's metrics and its log line.
pub fn publish(app: &App, fleet: &Fleet, plan: &Plan, statistics: &RunStatistics) {
    let now = app.clients.now();
    let whole = survey(&app.config.policy, fleet, None, now);
    let mut values = gauges(&whole);
    let flag = |is: bool| f64::from(u8::from(is));
    values.extend([
        ("ReconcileRuns", 1.0),
        ("BreakerOpen", flag(!plan.breakers.is_empty())),
        ("CredentialsRefused", flag(plan.credentials.brake.password == Password::Refused)),
        ("CredentialsUnproven", flag(plan.credentials.brake.password == Password::Unproven)),
        ("ChecksWithheld", flag(plan.credentials.brake.checks_withheld)),
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
    let slowest = statistics.slowest_opening_seconds;
    values.extend(slowest.map(|seconds| ("RegistrationToMappedSeconds", seconds)));
    app.metrics.emit(now, None, &values);
    for cluster in &app.config.clusters {
        let here = survey(&app.config.policy, fleet, Some(cluster), now);
        let mut values = gauges(&here);
        values.push(("BreakerOpen", flag(plan.breakers.contains_key(cluster))));
        app.metrics.emit(now, Some(cluster.name()), &values);
    }
    tracing::info!(summary = summary(&whole, plan, statistics), "reconcile run done");
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
