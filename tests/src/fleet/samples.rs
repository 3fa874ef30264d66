//! The hosts that the sample events name, so that a served fleet has them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{Host, Platform};

/// A host that a sample event names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleHost {
    /// The EC2 instance id.
    pub id: String,
    /// The operating system in the events; Windows where they name none.
    pub platform: Platform,
    /// The cluster name in an event of ECS.
    pub cluster: Option<String>,
    /// The last part of the container instance's ARN.
    pub container_instance_id: Option<String>,
}

impl SampleHost {
    /// Gives a host this one's ids.
    pub fn apply_ids(&self, host: Host) -> Host {
        let mut host = host.named(&self.id);
        host.container_instance_id = self.container_instance_id.as_deref().map(Arc::from);
        host
    }
}

/// The hosts that the payloads in a folder name, by id. A missing folder names none.
///
/// # Errors
/// A file cannot be read or is not JSON.
pub fn named_in(folder: &Path) -> Result<Vec<SampleHost>, String> {
    let mut found = BTreeMap::new();
    walk_folder(folder, &mut found)?;
    Ok(found.into_values().collect())
}

fn walk_folder(folder: &Path, found: &mut BTreeMap<String, SampleHost>) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            walk_folder(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "json") {
            let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let text = fs::read_to_string(&path).map_err(|error| fail(&error))?;
            walk(&serde_json::from_str(&text).map_err(|error| fail(&error))?, found);
        }
    }
    Ok(())
}

fn walk(value: &Value, found: &mut BTreeMap<String, SampleHost>) {
    match value {
        Value::Object(members) => {
            note(value, found);
            members.values().for_each(|member| walk(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        // The body of an SQS record is an event as text.
        Value::String(text) if text.starts_with('{') => {
            if let Ok(inner) = serde_json::from_str(text) {
                walk(&inner, found);
            }
        }
        _ => {}
    }
}

fn note(object: &Value, found: &mut BTreeMap<String, SampleHost>) {
    let text = |member: &str| object[member].as_str();
    let last = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    let by_hand = object["instanceIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let ids = ["ec2InstanceId", "instance-id", "EC2InstanceId"].into_iter().filter_map(text).chain(by_hand);
    for id in ids.filter(|id| crate::local_aws::ssm::is_instance_id(id) && id.starts_with("i-")) {
        let named = found.entry(id.to_owned()).or_insert_with(|| SampleHost {
            id: id.to_owned(),
            platform: Platform::Windows,
            cluster: None,
            container_instance_id: None,
        });
        if let (Some(cluster), Some(arn)) = (text("clusterArn"), text("containerInstanceArn")) {
            named.cluster = Some(last(cluster));
            named.container_instance_id = Some(last(arn));
            let attributes = object["attributes"].as_array().into_iter().flatten();
            let windows =
                attributes.filter(|one| one["name"] == "ecs.os-type").any(|one| one["value"] == "windows");
            named.platform = if windows { Platform::Windows } else { Platform::Linux };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_plain_and_in_queued_events() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("map-share");
        fs::create_dir(&inner).unwrap();
        let registered = serde_json::json!({"detail": {
            "ec2InstanceId": "i-0aaaaaaaaaaaaaaaa",
            "clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/apps",
            "containerInstanceArn": "arn:aws:ecs:eu-west-1:111122223333:container-instance/apps/f00",
            "attributes": [{"name": "ecs.os-type", "value": "windows"}],
        }});
        let queued = serde_json::json!({"Records": [{"body": registered.to_string()}]});
        fs::write(inner.join("queued.json"), queued.to_string()).unwrap();
        fs::write(inner.join("stopped.json"), r#"{"detail": {"instance-id": "i-0aaaaaaaaaaaaaaaa"}}"#)
            .unwrap();
        fs::write(folder.path().join("foreign.json"), r#"{"instanceIds": ["i-0bbbbbbbbbbbbbbbb", "x"]}"#)
            .unwrap();
        let named = named_in(folder.path()).unwrap();
        assert_eq!(named.len(), 2);
        assert_eq!((named[0].cluster.as_deref(), named[0].platform), (Some("apps"), Platform::Windows));
        assert_eq!(named[0].container_instance_id.as_deref(), Some("f00"));
        assert_eq!((named[1].id.as_str(), named[1].cluster.as_deref()), ("i-0bbbbbbbbbbbbbbbb", None));
        assert_eq!(named_in(Path::new("no such folder")), Ok(Vec::new()));
        fs::write(inner.join("broken.json"), "{").unwrap();
        assert!(named_in(folder.path()).unwrap_err().contains("broken.json"));
    }
}
