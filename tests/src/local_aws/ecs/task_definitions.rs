//! Task definitions, kept as the JSON that registered them. Like ECS, it checks little: a family, containers with names
//! and images, unique volume and container names, ten placement constraints.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ACCOUNT, Ecs, REGION, elements, query};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::{ApiError, Outcome, answer, request, seconds};

pub(super) fn register_task_definition(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: Value = request(body)?;
    let registered = register(aws, &asked)?;
    let tags = asked.get("tags").cloned().unwrap_or_else(|| json!([]));
    answer(&json!({"taskDefinition": registered, "tags": tags}))
}

pub(crate) fn register(aws: &mut LocalAws, asked: &Value) -> Result<Value, ApiError> {
    let family = asked["family"].as_str().unwrap_or_default();
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if family.is_empty() || family.len() > 255 || !family.chars().all(valid) {
        return Err(client("Family must be 1 to 255 letters, digits, hyphens and underscores."));
    }
    check(asked, elements(asked, "containerDefinitions"))?;
    let revisions = aws.ecs.families.entry(family.to_owned()).or_default();
    let revision = revisions.len() + 1;
    let mut registered = json!({
        "taskDefinitionArn": arn(family, revision),
        "family": family,
        "revision": revision,
        "status": "ACTIVE",
        "volumes": [],
        "placementConstraints": [],
        "compatibilities": ["EXTERNAL", "EC2"],
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "registeredAt": seconds(aws.now),
        "registeredBy": format!("arn:aws:iam::{ACCOUNT}:user/developer"),
    });
    let members = asked.as_object().into_iter().flatten();
    for (member, value) in members.filter(|(member, value)| *member != "tags" && !value.is_null()) {
        registered[member] = value.clone();
    }
    for container in registered["containerDefinitions"].as_array_mut().into_iter().flatten() {
        for (member, default) in [
            ("cpu", json!(0)),
            ("portMappings", json!([])),
            ("essential", json!(true)),
            ("environment", json!([])),
            ("mountPoints", json!([])),
            ("volumesFrom", json!([])),
            ("systemControls", json!([])),
        ] {
            if container.get(member).is_none_or(Value::is_null) {
                container[member] = default;
            }
        }
    }
    revisions.push(registered.clone());
    Ok(registered)
}

fn check(asked: &Value, containers: &[Value]) -> Result<(), ApiError> {
    if containers.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    let mut names = BTreeSet::new();
    for container in containers {
        let name = container["name"].as_str().unwrap_or_default();
        if name.is_empty() || container["image"].as_str().unwrap_or_default().is_empty() {
            return Err(client("Container.name and Container.image should not be null or empty."));
        }
        if !names.insert(name) {
            return Err(client(format!("Container name {name} is used twice.")));
        }
        if [&asked["memory"], &container["memory"], &container["memoryReservation"]]
            .iter()
            .all(|one| one.is_null())
        {
            return Err(client(format!(
                "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
            )));
        }
    }
    let volumes = elements(asked, "volumes");
    let declared: BTreeSet<_> = volumes.iter().filter_map(|one| one["name"].as_str()).collect();
    if declared.len() < volumes.len() {
        return Err(client("Volume names must be present and unique."));
    }
    let mut mounts = containers.iter().flat_map(|one| elements(one, "mountPoints"));
    if let Some(source) =
        mounts.find_map(|one| one["sourceVolume"].as_str().filter(|name| !declared.contains(name)))
    {
        return Err(client(format!("Unknown volume '{source}'.")));
    }
    let constraints = elements(asked, "placementConstraints");
    if constraints.len() > 10 {
        return Err(client("Placement constraints cannot exceed 10 elements."));
    }
    for constraint in constraints {
        if constraint["type"] != "memberOf" {
            return Err(client("A task definition's placement constraints are of type memberOf."));
        }
        let expression = constraint["expression"].as_str().unwrap_or_default();
        query::parse(expression)
            .map_err(|error| client(format!("Invalid expression {expression:?}: {error}")))?;
    }
    Ok(())
}

fn client(message: impl Into<String>) -> ApiError {
    ApiError::new("ClientException", message)
}

fn arn(family: &str, revision: usize) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}")
}

impl Ecs {
    /// The definition named by `family`, `family:revision` or an ARN.
    pub(crate) fn task_definition(&self, reference: &str) -> Result<&Value, ApiError> {
        let missing = || client("Unable to describe task definition.");
        let own = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/");
        let name = match reference.strip_prefix("arn:") {
            Some(_) => reference.strip_prefix(own.as_str()).ok_or_else(missing)?,
            None => reference,
        };
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => (family, Some(revision.parse::<usize>().map_err(|_| missing())?)),
            None => (name, None),
        };
        let revisions = self.families.get(family).ok_or_else(missing)?;
        let found = match revision {
            Some(revision) => revision.checked_sub(1).and_then(|index| revisions.get(index)),
            None => revisions.last(),
        };
        found.ok_or_else(missing)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeTaskDefinition {
    task_definition: Option<String>,
}

pub(super) fn describe_task_definition(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: DescribeTaskDefinition = request(body)?;
    let found = aws.ecs.task_definition(asked.task_definition.as_deref().unwrap_or_default())?;
    answer(&json!({ "taskDefinition": found }))
}
