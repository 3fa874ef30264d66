//! A run's metrics and its log line.

use shared::cause::Class;

use super::summary::summary;
use super::survey::{Survey, survey};
use crate::app::App;
use crate::decide::Plan;
use crate::fleet::Fleet;
use crate::metrics;
use crate::statistics::RunStatistics;

/// Writes the run's metrics and its log line.
pub fn publish(app: &App, fleet: &Fleet, plan: &Plan, statistics: &RunStatistics) {
    let now = app.clients.now();
    let whole = survey(&app.config.policy, fleet, None, now);
    let mut values = gauges(&whole);
    let flag = |is: bool| f64::from(u8::from(is));
    values.extend([
        (metrics::RECONCILE_RUNS, 1.0),
        (metrics::BREAKER_OPEN, flag(!plan.breakers.is_empty())),
        (metrics::REFUSALS_SPENT, f64::from(plan.budget.spent())),
        (metrics::HOSTS_WAITING, plan.waiting.count() as f64),
        (metrics::CREDENTIALS_REFUSED, flag(is_refused(plan))),
        (metrics::REFUSED_ALONE, plan.waiting.refused.len() as f64),
        (metrics::CHECKS_WITHHELD, flag(plan.budget.withholds_checks())),
        (metrics::SSM_UNWELL, flag(plan.is_ssm_unwell)),
        (metrics::DRAINS, f64::from(statistics.drains)),
        (metrics::DRAINS_WITHHELD, plan.withheld.len() as f64),
        (metrics::GIVEN_BACK, f64::from(statistics.given_back)),
        (metrics::RETRIES, f64::from(statistics.retries)),
        (metrics::CHECKS, f64::from(statistics.checks)),
        (metrics::REPAIRS, f64::from(statistics.repairs)),
        (
            metrics::MAPPED_WITHOUT_PRIVACY,
            statistics.privacy.values().filter(|private| !**private).count() as f64,
        ),
        (metrics::THROTTLES, f64::from(statistics.throttles)),
        (metrics::ERRORS, f64::from(statistics.errors)),
    ]);
    let failures = |class: Class| f64::from(statistics.failures.get(&class).copied().unwrap_or_default());
    values.extend([
        (metrics::FAILURES_NETWORK, failures(Class::Network)),
        (metrics::FAILURES_DIRECTORY, failures(Class::Directory)),
        (metrics::FAILURES_CREDENTIALS, failures(Class::Credentials)),
        (metrics::FAILURES_CONFIGURATION, failures(Class::Configuration)),
        (metrics::FAILURES_HOST, failures(Class::Host)),
        (metrics::FAILURES_UNKNOWN, failures(Class::Unknown)),
    ]);
    let slowest = statistics.slowest_opening_seconds;
    values.extend(slowest.map(|seconds| (metrics::REGISTRATION_TO_MAPPED_SECONDS, seconds)));
    app.metrics.emit(now, None, &values);
    for cluster in &app.config.clusters {
        let here = survey(&app.config.policy, fleet, Some(cluster), now);
        let mut values = gauges(&here);
        values.push((metrics::BREAKER_OPEN, flag(plan.breakers.contains_key(cluster))));
        app.metrics.emit(now, Some(cluster.name()), &values);
    }
    tracing::info!(summary = summary(&whole, plan, statistics, now), "reconcile run done");
}

/// Nearly all refusals are spent, instances wait, and nobody was let in since: somebody has to look at the password.
fn is_refused(plan: &Plan) -> bool {
    let is_spent = plan.budget.spent() + 1 >= plan.budget.of;
    is_spent && plan.waiting.count() > 0 && plan.budget.let_in.is_none()
}

fn gauges(survey: &Survey) -> Vec<shared::metrics::Value> {
    vec![
        (metrics::MAPPED, f64::from(survey.mapped)),
        (metrics::UNMAPPED, f64::from(survey.unmapped)),
        (metrics::OLDEST_UNMAPPED_MINUTES, survey.oldest_unmapped_minutes),
        (metrics::UNKNOWN, f64::from(survey.unknown)),
        (metrics::DRAINING, f64::from(survey.draining)),
        (metrics::OWNERSHIP_UNPROVEN, f64::from(survey.unproven)),
        (metrics::UNREACHABLE, f64::from(survey.unreachable)),
        (metrics::DISCONNECTED, f64::from(survey.disconnected)),
        (metrics::STALE_CREDENTIALS, f64::from(survey.stale)),
        (metrics::ATTRIBUTE_LIMIT, f64::from(survey.at_attribute_limit)),
    ]
}
