//! The EventBridge events that AWS would emit, as JSON in a queue.
//!
//! Delivery is not modelled: whoever drains the queue may lose, double and reorder them as EventBridge does.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ACCOUNT, LocalAws, REGION};
use crate::fleet::{InstanceId, Power};

impl LocalAws {
    /// Takes all events since the last time, oldest first.
    pub fn drain_events(&mut self) -> Vec<Value> {
        self.events.drain(..).collect()
    }

    /// An EC2 Spot Instance Interruption Warning for that instance.
    pub fn warn_of_spot_interruption(&mut self, id: &str) {
        let detail = json!({"instance-id": id, "instance-action": "terminate"});
        // AWS's own form here: an Availability Zone and no account, which is no valid ARN and documented so.
        let resource = format!("arn:aws:ec2:{REGION}a:instance/{id}");
        self.emit("EC2 Spot Instance Interruption Warning", "aws.ec2", vec![resource], detail);
    }

    /// An EC2 Instance-terminate Lifecycle Action of an Auto Scaling group for that instance.
    pub fn start_terminate_lifecycle_action(&mut self, id: &str) {
        let group = "windows-hosts";
        let detail = json!({
            "LifecycleActionToken": self.uuid(),
            "AutoScalingGroupName": group,
            "LifecycleHookName": "drain-first",
            "EC2InstanceId": id,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "Origin": "AutoScalingGroup",
            "Destination": "EC2",
        });
        let resource = format!(
            "arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:{}:autoScalingGroupName/{group}",
            self.uuid()
        );
        self.emit("EC2 Instance-terminate Lifecycle Action", "aws.autoscaling", vec![resource], detail);
    }

    /// Somebody writes one of the two parameters; Parameter Store tells, without the value.
    pub fn write_parameter(&mut self, name: &str, value: &str) {
        let now = self.now;
        let parameters = &mut self.world.parameters;
        let parameter =
            if parameters.user.name == name { &mut parameters.user } else { &mut parameters.password };
        parameter.write(value, now);
        let kind = if parameter.secure { "SecureString" } else { "String" };
        let detail = json!({"operation": "Update", "name": parameter.name, "type": kind, "description": ""});
        let resource = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}", parameter.name);
        self.emit("Parameter Store Change", "aws.ssm", vec![resource], detail);
    }

    pub(crate) fn emit(&mut self, detail_type: &str, source: &str, resources: Vec<String>, detail: Value) {
        if !self.keep_events {
            return;
        }
        let id = self.uuid();
        self.events.push_back(json!({
            "version": "0",
            "id": id,
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": whole_seconds(self.now),
            "region": REGION,
            "resources": resources,
            "detail": detail,
        }));
    }

    pub(crate) fn emit_power(&mut self, id: &InstanceId, power: Power) {
        let resource = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{id}");
        let detail = json!({"instance-id": &**id, "state": power.as_str()});
        self.emit("EC2 Instance State-change Notification", "aws.ec2", vec![resource], detail);
    }

    /// ECS emits one for every task that starts or stops, every connection and every change of status; not for
    /// attributes that are put.
    pub(crate) fn emit_container_instance(&mut self, cluster: &str, id: &str) {
        if !self.keep_events {
            return;
        }
        let Some(instance) = self.ecs.instance(cluster, id) else { return };
        let mut detail = instance.describe();
        if let Value::Object(detail) = &mut detail {
            // The event writes times as text, and adds its cluster and moment.
            detail.insert("registeredAt".into(), milliseconds(instance.registered_at).into());
            detail.insert("updatedAt".into(), milliseconds(self.now).into());
            detail.insert("clusterArn".into(), super::ecs::cluster_arn(cluster).into());
        }
        let resource = instance.arn.to_string();
        self.emit("ECS Container Instance State Change", "aws.ecs", vec![resource], detail);
    }
}

fn whole_seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

fn milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}
