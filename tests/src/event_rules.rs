//! The rules of `template.yaml` that send events to `map-share`.

use serde_json::Value;

/// Whether a rule matches the event: an ECS container instance of the watched cluster that is active, connected and runs
/// Windows; any EC2 instance that runs, stops or has stopped; Spot warnings; terminations.
pub fn matches(event: &Value, cluster: &str) -> bool {
    let detail = &event["detail"];
    match event["detail-type"].as_str() {
        Some("ECS Container Instance State Change") => {
            let attributes = detail["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_windows = |one: &Value| one["name"] == "ecs.os-type" && one["value"] == "windows";
            let arn = detail["clusterArn"].as_str().unwrap_or_default();
            let is_watched = arn.rsplit('/').next() == Some(cluster);
            let is_active = detail["status"] == "ACTIVE" && detail["agentConnected"] == true;
            is_watched && is_active && attributes.iter().any(is_windows)
        }
        Some("EC2 Instance State-change Notification") => {
            matches!(detail["state"].as_str(), Some("running" | "stopping" | "stopped"))
        }
        Some("EC2 Spot Instance Interruption Warning" | "EC2 Instance-terminate Lifecycle Action") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_the_templates_rules_match_reaches_map_share() {
        let ecs = |cluster: &str, status: &str, connected: bool, os: &str| {
            json!({"detail-type": "ECS Container Instance State Change", "detail": {
                "clusterArn": format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{cluster}"),
                "status": status, "agentConnected": connected,
                "attributes": [{"name": "ecs.capability.task-eni"}, {"name": "ecs.os-type", "value": os}],
            }})
        };
        let ec2 = |state: &str| json!({"detail-type": "EC2 Instance State-change Notification", "detail": {"state": state}});
        let table = [
            (ecs("apps", "ACTIVE", true, "windows"), true),
            (ecs("apps", "ACTIVE", true, "linux"), false),
            (ecs("apps", "DRAINING", true, "windows"), false),
            (ecs("apps", "ACTIVE", false, "windows"), false),
            (ecs("other", "ACTIVE", true, "windows"), false),
            (ec2("running"), true),
            (ec2("pending"), false),
            (json!({"detail-type": "EC2 Spot Instance Interruption Warning", "detail": {}}), true),
            (json!({"detail-type": "EC2 Command Status-change Notification", "detail": {}}), false),
        ];
        for (event, expected) in table {
            assert_eq!(matches(&event, "apps"), expected, "{event}");
        }
    }
}
