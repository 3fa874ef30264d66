//! Events that AWS did not send, and events that it sent before.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Generator;
use crate::local_aws::ecs::cluster_arn;
use crate::local_aws::{ACCOUNT, REGION};
use crate::simulation::world_event::{HostNumber, WorldEvent, id_of};

/// A Linux instance, one of another cluster, one of none, and one that does not exist.
const OTHERS: [&str; 4] =
    ["i-0bee0000000000001", "i-0bee0000000000002", "i-0bee0000000000003", "i-0bee0000000000fff"];

impl Generator {
    /// An event of somebody else, or one that was sent before.
    pub(super) fn forged(&mut self, now: Timestamp) -> WorldEvent {
        let state = self.one_of(&["stopping", "stopped", "running", "terminated", "exploded"]);
        let id = self.id();
        match self.rng.u8(0..8) {
            0..=2 => {
                let detail = json!({"instance-id": id, "state": state});
                self.event("EC2 Instance State-change Notification", "aws.ec2", now, detail)
            }
            3 => {
                let detail = json!({"instance-id": id, "instance-action": "terminate"});
                self.event("EC2 Spot Instance Interruption Warning", "aws.ec2", now, detail)
            }
            4 => {
                let detail = json!({"EC2InstanceId": id, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"});
                self.event("EC2 Instance-terminate Lifecycle Action", "aws.autoscaling", now, detail)
            }
            5 | 6 => self.false_change(now, &id),
            _ => WorldEvent::Replay(self.rng.usize(0..100)),
        }
    }

    /// A change of one registration, with the id of another instance and any other member false.
    fn false_change(&mut self, now: Timestamp, id: &str) -> WorldEvent {
        let host = self.host();
        let mut attributes =
            vec![json!({"name": "ecs.os-type", "value": self.one_of(&["windows", "linux"])})];
        if self.rng.bool() {
            attributes.push(json!({"name": "smb.G", "value": self.one_of(&["mapped", "shut"])}));
        }
        let detail = json!({
            "clusterArn": cluster_arn(self.one_of(&["apps", "apps", "batch", "others"])),
            "ec2InstanceId": id,
            "status": self.one_of(&["ACTIVE", "ACTIVE", "DRAINING", "INACTIVE"]),
            "agentConnected": self.rng.bool(),
            "registeredAt": self.time(now),
            "version": self.one_of(&[0, 1, i64::MAX, i64::MIN]),
            "attributes": attributes,
        });
        match self.event("ECS Container Instance State Change", "aws.ecs", now, detail) {
            WorldEvent::Forge { event, .. } => WorldEvent::Forge { event, registration_of: Some(host) },
            other => other,
        }
    }

    fn event(&mut self, kind: &str, source: &str, now: Timestamp, detail: Value) -> WorldEvent {
        let event = json!({
            "version": "0",
            "id": format!("{:032x}", self.rng.u128(..)),
            "detail-type": kind,
            "source": source,
            "account": ACCOUNT,
            "time": self.time(now),
            "region": REGION,
            "resources": [],
            "detail": detail,
        });
        WorldEvent::Forge { event, registration_of: None }
    }

    fn id(&mut self) -> String {
        let host: HostNumber = self.host();
        if self.rng.u8(0..6) == 0 { self.one_of(&OTHERS).to_owned() } else { id_of(host).to_string() }
    }
}
