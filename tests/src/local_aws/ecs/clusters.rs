//! Clusters.

use serde::Deserialize;
use serde_json::{Value, json};

use super::instances::{Status, answer_with_token};
use super::{Cluster, cluster_arn, page_size, page_start, short_id};
use crate::local_aws::reply::{ApiError, Outcome, answer, request};
use crate::local_aws::{LocalAws, page};

#[derive(Deserialize)]
struct Describe {
    clusters: Option<Vec<String>>,
    include: Option<Vec<String>>,
}

pub(super) fn describe_clusters(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: Describe = request(body)?;
    let references = asked.clusters.unwrap_or_else(|| vec!["default".to_owned()]);
    if references.len() > 100 {
        return Err(ApiError::parameter("Clusters cannot exceed 100 elements."));
    }
    let include = asked.include.unwrap_or_default();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in &references {
        match aws.ecs.cluster_name(Some(reference)) {
            Ok(name) => clusters.push(describe(&name, &aws.ecs.clusters[&name], &include)),
            Err(_) => {
                failures.push(json!({"arn": cluster_arn(short_id(reference)), "reason": "MISSING"}));
            }
        }
    }
    answer(&json!({"clusters": clusters, "failures": failures}))
}

fn describe(name: &str, cluster: &Cluster, include: &[String]) -> Value {
    let instances = cluster.instances.values().filter(|one| one.status != Status::Inactive);
    let (running, pending) = instances
        .clone()
        .fold((0, 0), |(running, pending), one| (running + one.running, pending + one.pending));
    let asked = |field: &str| include.iter().any(|one| one == field);
    let statistic = |name: &str, value: usize| json!({"name": name, "value": value.to_string()});
    let mut described = json!({
        "clusterArn": cluster_arn(name),
        "clusterName": name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": instances.count(),
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": cluster.services.len(),
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    });
    if asked("STATISTICS") {
        described["statistics"] = json!([
            statistic("runningEC2TasksCount", running as usize),
            statistic("pendingEC2TasksCount", pending as usize),
            statistic("activeEC2ServiceCount", cluster.services.len()),
        ]);
    }
    if asked("SETTINGS") {
        described["settings"] = json!([{"name": "containerInsights", "value": "disabled"}]);
    }
    described
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    next_token: Option<String>,
    max_results: Option<i64>,
}

pub(super) fn list_clusters(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: List = request(body)?;
    let size = page_size(asked.max_results, 100)?;
    let start = page_start("clusters", asked.next_token.as_deref())?;
    let mut names =
        aws.ecs.clusters.keys().filter(|name| start.as_deref().is_none_or(|start| &***name > start));
    let page: Vec<_> = names.by_ref().take(size).collect();
    let token = names.next().and(page.last()).map(|last| page::token("clusters", last));
    let arns: Vec<_> = page.iter().map(|name| cluster_arn(name)).collect();
    answer_with_token(json!({ "clusterArns": arns }), token)
}
