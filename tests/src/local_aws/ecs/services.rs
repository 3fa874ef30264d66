//! Services, as a cluster audit reads them. They schedule no tasks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ACCOUNT, REGION, answer_with_token, cluster_arn, missing, page, short_id};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::{ApiError, Outcome, answer, request, seconds};

impl LocalAws {
    pub(crate) fn create_service(&mut self, cluster: &str, service: Value) {
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListServices {
    cluster: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

pub(super) fn list_services(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: ListServices = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    // The default page size of this operation is 10; that of all others is 100.
    let page = page("services", asked.max_results, 10, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    let names = aws.ecs.clusters[&cluster].services.keys().filter(|name| page.reaches(name));
    let (names, token) = page.take(names, |name| (*name).clone());
    let arns: Vec<_> = names.iter().map(|name| service_arn(&cluster, name)).collect();
    answer_with_token(json!({ "serviceArns": arns }), token)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribeServices {
    cluster: Option<String>,
    services: Option<Vec<String>>,
}

pub(super) fn describe_services(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeServices = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let references = asked.services.unwrap_or_default();
    if references.is_empty() || references.len() > 10 {
        return Err(ApiError::parameter("Services must be 1 to 10 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in &references {
        let name = short_id(reference);
        match aws.ecs.clusters[&cluster].services.get(name) {
            Some(service) => found.push(service),
            None => failures.push(missing(service_arn(&cluster, name))),
        }
    }
    answer(&json!({"services": found, "failures": failures}))
}
