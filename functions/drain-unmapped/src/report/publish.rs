//! A run's metrics and its log line.

use shared::ids::ClusterRef;
use shared::metrics::Scope;

use super::metrics::{Figures, VALUES};
use super::summary::summary;
use super::survey::survey;
use crate::app::App;
use crate::decide::Plan;
use crate::fleet::Fleet;
use crate::statistics::RunStatistics;

/// Writes the run's metrics and its log line.
pub fn publish(app: &App, fleet: &Fleet, plan: &Plan, statistics: &RunStatistics) {
    let now = app.clients.now();
    let emit = |cluster: Option<&ClusterRef>| {
        let survey = survey(&app.config.policy, fleet, cluster, now);
        let figures = Figures { cluster, survey: &survey, plan, statistics };
        let shown =
            VALUES.iter().filter(|(metric, _)| cluster.is_none() || metric.scope == Scope::StackAndCluster);
        let values: Vec<_> =
            shown.filter_map(|(metric, value)| value(&figures).map(|value| (*metric, value))).collect();
        app.metrics.emit(now, cluster.map(ClusterRef::name), &values);
        survey
    };
    let whole = emit(None);
    for cluster in &app.config.clusters {
        emit(Some(cluster));
    }
    tracing::info!(
        summary = summary(&whole, plan, statistics, &app.config.policy, now),
        "reconcile run done"
    );
}
