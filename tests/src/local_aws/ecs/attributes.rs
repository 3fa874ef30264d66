//! Attributes of container instances: at most ten a call, at most ten custom ones an instance.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::described::Attribute;
use super::instances::{answer_with_token, is_custom};
use super::{ACCOUNT, REGION, Status, page_size, page_start, short_id};
use crate::local_aws::reply::{ApiError, Outcome, answer, request};
use crate::local_aws::{LocalAws, page};

/// Attributes in one `PutAttributes` or `DeleteAttributes`, and custom ones on one instance.
const MOST: usize = 10;

#[derive(Deserialize)]
struct Change {
    cluster: Option<String>,
    attributes: Option<Vec<Asked>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    value: Option<String>,
    target_type: Option<String>,
    target_id: Option<String>,
}

struct Refused {
    error: ApiError,
    before: Vec<Target>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, before: Vec::new() }
    }
}

struct Target {
    id: Arc<str>,
    name: String,
    value: Option<String>,
}

/// All targets, or the error that refuses the whole call, with what stood before the target that is not there.
fn targets(aws: &LocalAws, cluster: &str, attributes: Vec<Asked>) -> Result<Vec<Target>, Refused> {
    if attributes.is_empty() {
        return Err(ApiError::parameter("Attributes cannot be empty.").into());
    }
    if attributes.len() > MOST {
        return Err(ApiError::parameter(format!("Attributes cannot exceed {MOST} elements.")).into());
    }
    let mut targets = Vec::with_capacity(attributes.len());
    for asked in attributes {
        let name = asked.name.unwrap_or_default();
        check_name(&name)?;
        if let Some(value) = &asked.value {
            check_value(value)?;
        }
        let target = asked.target_id.unwrap_or_default();
        if target.is_empty() {
            return Err(ApiError::parameter("Target ID cannot be empty.").into());
        }
        match asked.target_type.as_deref() {
            None if target.starts_with("arn:") => {}
            Some("container-instance") => {}
            None => return Err(ApiError::parameter("Target type is required with a short target ID.").into()),
            Some(other) => {
                return Err(ApiError::parameter(format!("Target type {other} is not supported.")).into());
            }
        }
        let own = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/{cluster}/");
        let foreign = target.starts_with("arn:") && !target.starts_with(&own);
        let instance = aws.ecs.instance(cluster, short_id(&target));
        let Some(instance) = instance.filter(|one| one.status != Status::Inactive && !foreign) else {
            let error = ApiError::new("TargetNotFoundException", format!("Target {target} was not found."));
            return Err(Refused { error, before: targets });
        };
        targets.push(Target { id: instance.id.clone(), name, value: asked.value });
    }
    Ok(targets)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./\\".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(allowed) {
        return Err(ApiError::parameter(format!(
            "Attribute name {name:?} must be 1 to 128 characters of letters, digits, - _ . / \\"
        )));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./\\@: ".contains(c);
    let outer_space = value.starts_with(' ') || value.ends_with(' ');
    if value.is_empty() || value.len() > 128 || !value.chars().all(allowed) || outer_space {
        return Err(ApiError::parameter(format!(
            "Attribute value {value:?} must be 1 to 128 characters of letters, digits, - _ . / \\ @ : and inner spaces"
        )));
    }
    Ok(())
}

pub(super) fn put_attributes(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: Change = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    // One target that is gone refuses the whole call: there is no `failures`.
    let targets = match targets(aws, &cluster, asked.attributes.unwrap_or_default()) {
        Ok(targets) => targets,
        Err(Refused { error, before }) => {
            if aws.partial_puts {
                put(aws, &cluster, &before);
            }
            return Err(error);
        }
    };
    for target in &targets {
        let instance = aws.ecs.instance(&cluster, &target.id).expect("looked up");
        let custom = instance.attributes.keys().filter(|name| is_custom(name)).count();
        let new = targets
            .iter()
            .filter(|other| other.id == target.id && !instance.attributes.contains_key(other.name.as_str()))
            .filter(|other| is_custom(&other.name))
            .count();
        if custom + new > MOST {
            return Err(ApiError::new(
                "AttributeLimitExceededException",
                format!("{} would have more than {MOST} custom attributes.", instance.arn),
            ));
        }
    }
    put(aws, &cluster, &targets);
    answer(&json!({ "attributes": shown(&aws.ecs.clusters[&cluster], &targets) }))
}

fn put(aws: &mut LocalAws, cluster: &str, targets: &[Target]) {
    for target in targets {
        aws.remember(cluster, &target.id);
        let instances = &mut aws.ecs.cluster_mut(cluster).instances;
        let instance = instances.get_mut(&target.id).expect("looked up");
        instance.attributes.insert(Arc::from(target.name.as_str()), target.value.as_deref().map(Arc::from));
    }
}

pub(super) fn delete_attributes(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: Change = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let targets =
        targets(aws, &cluster, asked.attributes.unwrap_or_default()).map_err(|refused| refused.error)?;
    for target in &targets {
        aws.remember(&cluster, &target.id);
        let instances = &mut aws.ecs.cluster_mut(&cluster).instances;
        instances.get_mut(&target.id).expect("looked up").attributes.remove(target.name.as_str());
    }
    answer(&json!({ "attributes": shown(&aws.ecs.clusters[&cluster], &targets) }))
}

fn shown(cluster: &super::Cluster, targets: &[Target]) -> Vec<Value> {
    let show = |target: &Target| {
        let attribute = Attribute {
            name: &target.name,
            value: target.value.as_deref(),
            target_id: Some(&cluster.instances[&target.id].arn),
        };
        serde_json::to_value(attribute).expect("plain data")
    };
    targets.iter().map(show).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    cluster: Option<String>,
    target_type: Option<String>,
    attribute_name: Option<String>,
    attribute_value: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

pub(super) fn list_attributes(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: List = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    if asked.target_type.as_deref() != Some("container-instance") {
        return Err(ApiError::parameter("Target type must be container-instance."));
    }
    if asked.attribute_value.is_some() && asked.attribute_name.is_none() {
        return Err(ApiError::parameter("An attribute value needs an attribute name."));
    }
    let size = page_size(asked.max_results, 100)?;
    let start = page_start("attributes", asked.next_token.as_deref())?;
    let (from, after) = match start.as_deref().and_then(|at| at.split_once('\n')) {
        Some((id, name)) => (id.to_owned(), Some(name.to_owned())),
        None => (String::new(), None),
    };
    let wanted = |name: &str, value: Option<&str>| {
        asked.attribute_name.as_deref().is_none_or(|asked| asked == name)
            && asked.attribute_value.as_deref().is_none_or(|asked| Some(asked) == value)
    };
    let mut listed = aws
        .seen_from(&cluster, std::ops::Bound::Included(from.as_str()))
        .filter(|instance| instance.status != Status::Inactive)
        .flat_map(|instance| instance.attributes.iter().map(move |(name, value)| (instance, name, value)))
        .filter(|(instance, name, _)| {
            *instance.id != *from || after.as_deref().is_none_or(|after| &***name > after)
        })
        .filter(|(_, name, value)| wanted(name, value.as_deref()));
    let page: Vec<_> = listed.by_ref().take(size).collect();
    let next = listed.next().and(page.last());
    let token =
        next.map(|(instance, name, _)| page::token("attributes", &format!("{}\n{name}", instance.id)));
    let attributes: Vec<_> = page
        .iter()
        .map(|(instance, name, value)| Attribute {
            name,
            value: value.as_deref(),
            target_id: Some(&instance.arn),
        })
        .collect();
    answer_with_token(json!({ "attributes": attributes }), token)
}
