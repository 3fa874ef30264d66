//! Services: what a cluster audit reads of them. They schedule nothing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::instances::answer_with_token;
use super::{ACCOUNT, REGION, cluster_arn, page_start, short_id};
use crate::local_aws::reply::{ApiError, Outcome, answer, request, seconds};
use crate::local_aws::{LocalAws, page};

impl LocalAws {
    pub(crate) fn found_service(&mut self, cluster: &str, service: Value) {
        let name = service["serviceName"].as_str().expect("a service has a name").to_owned();
        let reference = service["taskDefinition"].as_str().expect("a service has a task definition");
        let definition =
            self.ecs.task_definition(reference).expect("registered before")["taskDefinitionArn"].clone();
        let mut described = json!({
            "serviceArn": service_arn(cluster, &name),
            "serviceName": name,
            "clusterArn": cluster_arn(cluster),
            "status": "ACTIVE",
            "desiredCount": 1,
            "runningCount": 0,
            "pendingCount": 0,
            "launchType": "EC2",
            "schedulingStrategy": "REPLICA",
            "loadBalancers": [],
            "serviceRegistries": [],
            "deployments": [],
            "events": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "createdAt": seconds(self.now),
        });
        for (member, value) in service.as_object().into_iter().flatten() {
            described[member] = value.clone();
        }
        described["taskDefinition"] = definition;
        self.ecs.cluster_mut(cluster).services.insert(name, described);
    }
}

fn service_arn(cluster: &str, name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/{name}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    cluster: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    launch_type: Option<String>,
    scheduling_strategy: Option<String>,
}

pub(super) fn list_services(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: List = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    // Ten a page unless asked for more, which sets this list apart from all others.
    let size = super::page_size(asked.max_results, 10)?;
    let start = page_start("services", asked.next_token.as_deref())?;
    let is = |service: &Value, member: &str, wanted: &Option<String>| {
        wanted.as_deref().is_none_or(|wanted| service[member] == wanted)
    };
    let mut listed = aws.ecs.clusters[&cluster]
        .services
        .iter()
        .filter(|(name, _)| start.as_ref().is_none_or(|start| *name > start))
        .filter(|(_, service)| is(service, "launchType", &asked.launch_type))
        .filter(|(_, service)| is(service, "schedulingStrategy", &asked.scheduling_strategy));
    let page: Vec<_> = listed.by_ref().take(size).collect();
    let token = listed.next().and(page.last()).map(|(name, _)| page::token("services", name));
    let arns: Vec<_> = page.iter().map(|(name, _)| service_arn(&cluster, name)).collect();
    answer_with_token(json!({ "serviceArns": arns }), token)
}

#[derive(Deserialize)]
struct Describe {
    cluster: Option<String>,
    services: Option<Vec<String>>,
    include: Option<Vec<String>>,
}

pub(super) fn describe_services(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: Describe = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let references = asked.services.unwrap_or_default();
    if references.is_empty() {
        return Err(ApiError::parameter("Services cannot be empty."));
    }
    if references.len() > 10 {
        return Err(ApiError::parameter("Services cannot exceed 10 elements."));
    }
    let tags = asked.include.is_some_and(|include| include.iter().any(|one| one == "TAGS"));
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in &references {
        let name = short_id(reference);
        match aws.ecs.clusters[&cluster].services.get(name) {
            Some(service) => {
                let mut service = service.clone();
                if tags {
                    service["tags"] = json!([]);
                }
                found.push(service);
            }
            None => failures.push(json!({"arn": service_arn(&cluster, name), "reason": "MISSING"})),
        }
    }
    answer(&json!({"services": found, "failures": failures}))
}
