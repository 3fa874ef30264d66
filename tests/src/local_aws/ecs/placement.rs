//! Task placement: by constraints, by status and agent connection, by remaining CPU and memory.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ContainerInstance, Status, cluster_arn, elements, query};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::ApiError;

/// A placement constraint of a request.
#[derive(Deserialize)]
pub(super) struct Constraint {
    #[serde(rename = "type")]
    kind: Option<String>,
    expression: Option<String>,
}

/// What a task requires of its container instance.
pub(super) struct Placement {
    constraints: Vec<query::Query>,
    distinct: bool,
    /// CPU units and MiB.
    pub(super) needs: (i64, i64),
}

/// The requirements of a task definition and a request together.
pub(super) fn placement(definition: &Value, asked: Vec<Constraint>) -> Result<Placement, ApiError> {
    let own = elements(definition, "placementConstraints");
    if own.len() + asked.len() > 10 {
        return Err(ApiError::parameter("Placement constraints cannot exceed 10 elements."));
    }
    let own = own.iter().map(|one| Constraint {
        kind: one["type"].as_str().map(str::to_owned),
        expression: one["expression"].as_str().map(str::to_owned),
    });
    let (mut constraints, mut distinct) = (Vec::new(), false);
    for constraint in own.chain(asked) {
        match constraint.kind.as_deref() {
            Some("distinctInstance") => distinct = true,
            Some("memberOf") => {
                let expression = constraint.expression.unwrap_or_default();
                let parsed = query::parse(&expression).map_err(|error| {
                    ApiError::parameter(format!("Invalid expression {expression:?}: {error}"))
                })?;
                constraints.push(parsed);
            }
            _ => return Err(ApiError::parameter("A placement constraint is memberOf or distinctInstance.")),
        }
    }
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    // The task's own size, else the sum over its containers, where a reservation counts before a limit.
    let size = |member: &str, reservation: &str| -> i64 {
        let one = |container: &Value| number(&container[reservation]).or_else(|| number(&container[member]));
        let sum = || elements(definition, "containerDefinitions").iter().filter_map(one).sum();
        number(&definition[member]).unwrap_or_else(sum)
    };
    let needs = (size("cpu", "cpu"), size("memory", "memoryReservation"));
    Ok(Placement { constraints, distinct, needs })
}

/// The eligible instance with the fewest tasks, as the default spread strategy chooses; or the failure with its reason.
pub(super) fn place(
    aws: &LocalAws,
    cluster: &str,
    placement: &Placement,
    group: &str,
) -> Result<Arc<str>, Value> {
    let cluster_state = &aws.ecs.clusters[cluster];
    let taken = |instance: &ContainerInstance| {
        let mut tasks = cluster_state.tasks.values();
        placement.distinct && tasks.any(|task| task.takes(&instance.id, group))
    };
    let open = cluster_state
        .instances
        .values()
        .filter(|instance| instance.status == Status::Active && instance.agent_connected);
    let fit = |instance: &&ContainerInstance| {
        instance.remaining.0 >= placement.needs.0 && instance.remaining.1 >= placement.needs.1
    };
    let meets = |instance: &&ContainerInstance| {
        placement.constraints.iter().all(|query| query.matches(instance)) && !taken(instance)
    };
    let best = open
        .clone()
        .filter(meets)
        .filter(fit)
        .min_by_key(|instance| (instance.running + instance.pending, &instance.ec2_instance_id));
    if let Some(instance) = best {
        return Ok(instance.id.clone());
    }
    let failure = |arn: &str, reason: &str| Err(json!({"arn": arn, "reason": reason}));
    // ECS reports one failure for the task, with the reason of the first instance that it considered.
    if let Some(full) = open.clone().find(|instance| meets(instance)) {
        let lacks_cpu = full.remaining.0 < placement.needs.0;
        return failure(&full.arn, if lacks_cpu { "RESOURCE:CPU" } else { "RESOURCE:MEMORY" });
    }
    if let Some(refused) = open.clone().next() {
        return failure(&refused.arn, "MemberOf placement constraint unsatisfied.");
    }
    match cluster_state.instances.values().find(|one| one.status == Status::Active) {
        Some(disconnected) => failure(&disconnected.arn, "AGENT"),
        None => failure(&cluster_arn(cluster), "No Container Instances were found in your cluster."),
    }
}
