//! Attributes of container instances: at most ten per call and ten custom ones per instance.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::described::Attribute;
use super::{ACCOUNT, REGION, Status, answer_with_token, is_custom, page, short_id};
use crate::local_aws::LocalAws;
use crate::local_aws::reply::{ApiError, Outcome, answer, request};

/// The limit of attributes per `PutAttributes` or `DeleteAttributes`, and of custom attributes per instance.
const MOST: usize = 10;

/// The request of `PutAttributes` and `DeleteAttributes`.
#[derive(Deserialize)]
struct ChangeAttributes {
    cluster: Option<String>,
    attributes: Option<Vec<AskedAttribute>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskedAttribute {
    name: Option<String>,
    value: Option<String>,
    target_type: Option<String>,
    target_id: Option<String>,
}

/// An attribute of an existing instance.
struct Target {
    id: Arc<str>,
    name: String,
    value: Option<String>,
}

/// Checks the attributes into `targets`. An error refuses the whole call, and leaves the attributes before the
/// offending one in `targets`.
fn read_targets(
    aws: &LocalAws,
    cluster: &str,
    attributes: Vec<AskedAttribute>,
    targets: &mut Vec<Target>,
) -> Result<(), ApiError> {
    if attributes.is_empty() || attributes.len() > MOST {
        return Err(ApiError::parameter(format!("Attributes must be 1 to {MOST} elements.")));
    }
    for asked in attributes {
        let name = asked.name.unwrap_or_default();
        check_text("name", &name, "-_./\\")?;
        if let Some(value) = &asked.value {
            check_text("value", value, "-_./\\@: ")?;
        }
        let target = asked.target_id.unwrap_or_default();
        let is_arn = target.starts_with("arn:");
        match asked.target_type.as_deref() {
            _ if target.is_empty() => return Err(ApiError::parameter("Target ID cannot be empty.")),
            Some("container-instance") => {}
            None if is_arn => {}
            None => return Err(ApiError::parameter("Target type is required with a short target ID.")),
            Some(other) => {
                return Err(ApiError::parameter(format!("Target type {other} is not supported.")));
            }
        }
        let own = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/{cluster}/");
        let foreign = is_arn && !target.starts_with(&own);
        let instance = aws.ecs.instance(cluster, short_id(&target));
        let Some(instance) = instance.filter(|one| one.status != Status::Inactive && !foreign) else {
            return Err(ApiError::new("TargetNotFoundException", format!("Target {target} was not found.")));
        };
        targets.push(Target { id: instance.id.clone(), name, value: asked.value });
    }
    Ok(())
}

fn check_text(what: &str, text: &str, special: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || special.contains(c);
    if text.is_empty() || text.len() > 128 || !text.chars().all(allowed) || text.trim() != text {
        return Err(ApiError::parameter(format!(
            "Attribute {what} {text:?} must be 1 to 128 letters, digits or inner {special}"
        )));
    }
    Ok(())
}

fn is_denied(aws: &LocalAws, cluster: &str, target: &Target) -> bool {
    let host =
        aws.ecs.instance(cluster, &target.id).and_then(|one| aws.world.hosts.get(&one.ec2_instance_id));
    host.is_some_and(|host| host.denies_attributes)
}

pub(super) fn put_attributes(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: ChangeAttributes = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let mut targets = Vec::new();
    // One missing target refuses the whole call: the response has no `failures`.
    if let Err(error) = read_targets(aws, &cluster, asked.attributes.unwrap_or_default(), &mut targets) {
        if aws.partial_puts && error.code == "TargetNotFoundException" {
            change(aws, &cluster, &targets, put);
        }
        return Err(error);
    }
    if let Some(denied) = targets.iter().find(|target| is_denied(aws, &cluster, target)) {
        let message = format!("not authorized to perform ecs:PutAttributes on {}", denied.id);
        return Err(ApiError::new("AccessDeniedException", message));
    }
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
    change(aws, &cluster, &targets, put);
    shown(&aws.ecs.clusters[&cluster], &targets)
}

pub(super) fn delete_attributes(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: ChangeAttributes = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let mut targets = Vec::new();
    read_targets(aws, &cluster, asked.attributes.unwrap_or_default(), &mut targets)?;
    change(aws, &cluster, &targets, |attributes, target| {
        attributes.remove(target.name.as_str());
    });
    shown(&aws.ecs.clusters[&cluster], &targets)
}

type Attributes = BTreeMap<Arc<str>, Option<Arc<str>>>;

fn put(attributes: &mut Attributes, target: &Target) {
    attributes.insert(Arc::from(target.name.as_str()), target.value.as_deref().map(Arc::from));
}

fn change(aws: &mut LocalAws, cluster: &str, targets: &[Target], change: fn(&mut Attributes, &Target)) {
    for target in targets {
        aws.keep_version(cluster, &target.id);
        let instances = &mut aws.ecs.cluster_mut(cluster).instances;
        change(&mut instances.get_mut(&target.id).expect("looked up").attributes, target);
    }
}

fn shown(cluster: &super::Cluster, targets: &[Target]) -> Outcome {
    let show = |target: &Target| {
        let target_id = Some(&*cluster.instances[&target.id].arn);
        json!(Attribute { name: &target.name, value: target.value.as_deref(), target_id })
    };
    answer(&json!({ "attributes": targets.iter().map(show).collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListAttributes {
    cluster: Option<String>,
    target_type: Option<String>,
    attribute_name: Option<String>,
    attribute_value: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

pub(super) fn list_attributes(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: ListAttributes = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    if asked.target_type.as_deref() != Some("container-instance") {
        return Err(ApiError::parameter("Target type must be container-instance."));
    }
    if asked.attribute_value.is_some() && asked.attribute_name.is_none() {
        return Err(ApiError::parameter("An attribute value needs an attribute name."));
    }
    let page =
        page("attributes", asked.max_results, 100, asked.next_token.as_deref())?.at_most(aws.most_a_page);
    let (from, after) = match page.start.as_deref().and_then(|at| at.split_once('\n')) {
        Some((id, name)) => (id.to_owned(), Some(name.to_owned())),
        None => (String::new(), None),
    };
    let wanted = |name: &str, value: Option<&str>| {
        asked.attribute_name.as_deref().is_none_or(|asked| asked == name)
            && asked.attribute_value.as_deref().is_none_or(|asked| Some(asked) == value)
    };
    let listed = aws
        .visible_from(&cluster, std::ops::Bound::Included(from.as_str()))
        .filter(|instance| instance.status != Status::Inactive)
        .flat_map(|instance| instance.attributes.iter().map(move |(name, value)| (instance, name, value)))
        .filter(|(instance, name, _)| {
            *instance.id != *from || after.as_deref().is_none_or(|after| &***name > after)
        })
        .filter(|(_, name, value)| wanted(name, value.as_deref()));
    let (listed, token) = page.take(listed, |(instance, name, _)| format!("{}\n{name}", instance.id));
    let attributes: Vec<_> = listed
        .iter()
        .map(|(instance, name, value)| Attribute {
            name,
            value: value.as_deref(),
            target_id: Some(&instance.arn),
        })
        .collect();
    answer_with_token(json!({ "attributes": attributes }), token)
}
