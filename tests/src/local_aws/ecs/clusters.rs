//! Clusters.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cluster, Status, answer_with_token, cluster_arn, includes, missing, page, short_id};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::{ApiError, Outcome, answer, request};

#[derive(Deserialize)]
struct DescribeClusters {
    clusters: Option<Vec<String>>,
    include: Option<Vec<String>>,
}

pub(super) fn describe_clusters(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeClusters = request(body)?;
    let references = asked.clusters.unwrap_or_else(|| vec!["default".to_owned()]);
    if references.len() > 100 {
        return Err(ApiError::parameter("Clusters cannot exceed 100 elements."));
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in &references {
        match aws.ecs.cluster_name(Some(reference)) {
            Ok(name) => clusters.push(describe(&name, &aws.ecs.clusters[&name], &asked.include)),
            Err(_) => failures.push(missing(cluster_arn(short_id(reference)))),
        }
    }
    answer(&json!({"clusters": clusters, "failures": failures}))
}

fn describe(name: &str, cluster: &Cluster, include: &Option<Vec<String>>) -> Value {
    let instances = cluster.instances.values().filter(|one| one.status != Status::Inactive);
    let running: u32 = instances.clone().map(|one| one.running).sum();
    let pending: u32 = instances.clone().map(|one| one.pending).sum();
    let statistic = |name: &str, value: &dyn ToString| json!({"name": name, "value": value.to_string()});
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
    if includes(include, "STATISTICS") {
        described["statistics"] = json!([
            statistic("runningEC2TasksCount", &running),
            statistic("pendingEC2TasksCount", &pending),
            statistic("activeEC2ServiceCount", &cluster.services.len()),
        ]);
    }
    if includes(include, "SETTINGS") {
        described["settings"] = json!([{"name": "containerInsights", "value": "disabled"}]);
    }
    described
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListClusters {
    next_token: Option<String>,
    max_results: Option<i64>,
}

pub(super) fn list_clusters(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: ListClusters = request(body)?;
    let page = page("clusters", asked.max_results, 100, asked.next_token.as_deref())?;
    let names = aws.ecs.clusters.keys().filter(|name| page.reaches(name));
    let (names, token) = page.take(names, |name| name.to_string());
    let arns: Vec<_> = names.iter().map(|name| cluster_arn(name)).collect();
    answer_with_token(json!({ "clusterArns": arns }), token)
}
