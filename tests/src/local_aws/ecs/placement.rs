//! Where a task may land: by constraint, by status and connection, by CPU and memory left.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ContainerInstance, Status, cluster_arn, query};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::ApiError;

/// A placement constraint as it is asked for.
#[derive(Deserialize)]
pub(super) struct Constraint {
    #[serde(rename = "type")]
    kind: Option<String>,
    expression: Option<String>,
}

/// What a task asks of its container instance.
pub(super) struct Placement {
    constraints: Vec<query::Query>,
    distinct: bool,
    /// CPU units and MiB.
    pub(super) needs: (i64, i64),
}

/// What a definition and a request together ask of the container instance.
pub(super) fn placement(definition: &Value, asked: Vec<Constraint>) -> Result<Placement, ApiError> {
    let own = definition["placementConstraints"].as_array().cloned().unwrap_or_default();
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
    let containers = definition["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let whole = |member: &str| number(&definition[member]);
    let sum = |member: &str| -> i64 {
        let one = |container: &Value| {
            let reserved = if member == "memory" { number(&container["memoryReservation"]) } else { None };
            reserved.or_else(|| number(&container[member])).unwrap_or(0)
        };
        containers.iter().map(one).sum()
    };
    let needs =
        (whole("cpu").unwrap_or_else(|| sum("cpu")), whole("memory").unwrap_or_else(|| sum("memory")));
    Ok(Placement { constraints, distinct, needs })
}

/// The instance with the fewest tasks among those that may take it, as the default spread does; or the failure that
/// names what stood in the way.
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
    let failure = |arn: String, reason: &str| json!({"arn": arn, "reason": reason});
    // One failure for the task, with the reason of the first instance that was looked at.
    match open.clone().find(|instance| meets(instance)) {
        Some(full) => {
            let reason =
                if full.remaining.0 < placement.needs.0 { "RESOURCE:CPU" } else { "RESOURCE:MEMORY" };
            Err(failure(full.arn.to_string(), reason))
        }
        None => match open.clone().next() {
            Some(refused) => {
                Err(failure(refused.arn.to_string(), "MemberOf placement constraint unsatisfied."))
            }
            None => match cluster_state.instances.values().find(|one| one.status == Status::Active) {
                Some(disconnected) => Err(failure(disconnected.arn.to_string(), "AGENT")),
                None => {
                    Err(failure(cluster_arn(cluster), "No Container Instances were found in your cluster."))
                }
            },
        },
    }
}
