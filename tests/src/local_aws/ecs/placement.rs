//! Task placement: by constraints, by status and agent connection, by remaining CPU and memory.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ContainerInstance, Status, cluster_arn, elements, query};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::ApiError;

/// What a task requires of its container instance.
pub(super) struct Placement {
    constraints: Vec<query::Query>,
    /// CPU units and MiB.
    pub(super) needs: (i64, i64),
}

/// The requirements of a registered task definition.
pub(super) fn placement(definition: &Value) -> Result<Placement, ApiError> {
    let expressions = elements(definition, "placementConstraints").iter().map(|one| &one["expression"]);
    let constraints = expressions.map(|one| query::parse(one.as_str().unwrap_or_default()));
    let constraints = constraints.collect::<Result<_, _>>().map_err(ApiError::parameter)?;
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    // The task's own size, else the sum over its containers, where a reservation counts before a limit.
    let size = |member: &str, reservation: &str| -> i64 {
        let one = |container: &Value| number(&container[reservation]).or_else(|| number(&container[member]));
        let sum = || elements(definition, "containerDefinitions").iter().filter_map(one).sum();
        number(&definition[member]).unwrap_or_else(sum)
    };
    let needs = (size("cpu", "cpu"), size("memory", "memoryReservation"));
    Ok(Placement { constraints, needs })
}

/// The eligible instance with the fewest tasks, as the default spread strategy chooses; or the failure with its reason.
pub(super) fn place(aws: &LocalAws, cluster: &str, placement: &Placement) -> Result<Arc<str>, Value> {
    let cluster_state = &aws.ecs.clusters[cluster];
    let open = cluster_state
        .instances
        .values()
        .filter(|instance| instance.status == Status::Active && instance.agent_connected);
    let fit = |instance: &&ContainerInstance| {
        instance.remaining.0 >= placement.needs.0 && instance.remaining.1 >= placement.needs.1
    };
    let meets =
        |instance: &&ContainerInstance| placement.constraints.iter().all(|query| query.matches(instance));
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
