//! The rules of `template.yaml` that send events to `map-share`.

use serde_json::Value;

/// Whether a rule matches the event: an ECS container instance of the watched cluster that is active, connected, runs Windows
/// and is an EC2 instance; any EC2 instance that runs, stops or has stopped; Spot warnings; terminations of an instance.
pub fn matches(event: &Value, cluster: &str) -> bool {
    let detail = &event["detail"];
    let is_ec2 = |id: &Value| id.as_str().is_some_and(|id| id.starts_with("i-"));
    match (event["source"].as_str(), event["detail-type"].as_str()) {
        (Some("aws.ecs"), Some("ECS Container Instance State Change")) => {
            let attributes = detail["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_windows = |one: &Value| one["name"] == "ecs.os-type" && one["value"] == "windows";
            let arn = detail["clusterArn"].as_str().unwrap_or_default();
            let is_watched = arn.rsplit('/').next() == Some(cluster);
            let is_active = detail["status"] == "ACTIVE" && detail["agentConnected"] == true;
            is_watched && is_active && is_ec2(&detail["ec2InstanceId"]) && attributes.iter().any(is_windows)
        }
        (Some("aws.ec2"), Some("EC2 Instance State-change Notification")) => {
            matches!(detail["state"].as_str(), Some("running" | "stopping" | "stopped"))
        }
        (Some("aws.ec2"), Some("EC2 Spot Instance Interruption Warning")) => true,
        (Some("aws.autoscaling"), Some("EC2 Instance-terminate Lifecycle Action")) => {
            is_ec2(&detail["EC2InstanceId"])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_the_templates_rules_match_reaches_map_share() {
        let event = |source: &str, kind: &str, detail: Value| json!({"source": source, "detail-type": kind, "detail": detail});
        let ecs = |cluster: &str, status: &str, connected: bool, os: &str| {
            event(
                "aws.ecs",
                "ECS Container Instance State Change",
                json!({
                    "clusterArn": format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{cluster}"),
                    "status": status, "agentConnected": connected, "ec2InstanceId": "i-0a1b2c3d4e5f60718",
                    "attributes": [{"name": "ecs.capability.task-eni"}, {"name": "ecs.os-type", "value": os}],
                }),
            )
        };
        let mut external = ecs("apps", "ACTIVE", true, "windows");
        external["detail"]["ec2InstanceId"] = json!("mi-0a1b2c3d4e5f60718");
        let state = "EC2 Instance State-change Notification";
        let ends = "EC2 Instance-terminate Lifecycle Action";
        let table = [
            (ecs("apps", "ACTIVE", true, "windows"), true),
            (ecs("apps", "ACTIVE", true, "linux"), false),
            (ecs("apps", "DRAINING", true, "windows"), false),
            (ecs("apps", "ACTIVE", false, "windows"), false),
            (ecs("other", "ACTIVE", true, "windows"), false),
            (external, false),
            (event("aws.ec2", state, json!({"state": "running"})), true),
            (event("aws.ec2", state, json!({"state": "pending"})), false),
            (event("my.app", state, json!({"state": "running"})), false),
            (event("aws.ec2", "EC2 Spot Instance Interruption Warning", json!({})), true),
            (event("aws.autoscaling", ends, json!({"EC2InstanceId": "i-0a1b2c3d4e5f60718"})), true),
            (
                event(
                    "aws.autoscaling",
                    ends,
                    json!({"LifecycleTransition": "autoscaling:TEST_NOTIFICATION"}),
                ),
                false,
            ),
            (event("aws.ssm", "EC2 Command Status-change Notification", json!({})), false),
        ];
        for (event, expected) in table {
            assert_eq!(matches(&event, "apps"), expected, "{event}");
        }
    }
}
