//! A queue of the EventBridge events that AWS would emit, as JSON.
//!
//! Delivery is not modelled: the reader of the queue may lose, repeat and reorder events, as EventBridge does.

use serde_json::{Value, json};

use super::{ACCOUNT, LocalAws, REGION};
use crate::fleet::{InstanceId, Power};

impl LocalAws {
    /// Takes all queued events, oldest first.
    pub fn drain_events(&mut self) -> Vec<Value> {
        self.events.drain(..).collect()
    }

    /// Emits an EC2 Spot Instance Interruption Warning.
    pub fn warn_of_spot_interruption(&mut self, id: &str) {
        let detail = json!({"instance-id": id, "instance-action": "terminate"});
        // AWS documents this form, with an Availability Zone and without an account, though it is not a valid ARN.
        let resource = format!("arn:aws:ec2:{REGION}a:instance/{id}");
        self.emit("EC2 Spot Instance Interruption Warning", "aws.ec2", vec![resource], detail);
    }

    /// Emits an EC2 Instance-terminate Lifecycle Action of an Auto Scaling group.
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

    /// Writes one of the two parameters and emits Parameter Store's event, which does not hold the value.
    pub fn write_parameter(&mut self, name: &str, value: &str) {
        let now = self.now;
        let parameters = &mut self.world.parameters;
        let parameter =
            if parameters.user.name == name { &mut parameters.user } else { &mut parameters.password };
        parameter.write(value, now);
        let detail = json!({
            "operation": "Update", "name": parameter.name, "type": parameter.kind(), "description": "",
        });
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
            "time": format!("{:.0}", self.now),
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

    /// ECS emits this event for every task that starts or stops, every connection and every change of status, but not
    /// for `PutAttributes`.
    pub(crate) fn emit_container_instance(&mut self, cluster: &str, id: &str) {
        if !self.keep_events {
            return;
        }
        let Some(instance) = self.ecs.instance(cluster, id) else { return };
        let mut detail = instance.describe();
        if let Value::Object(detail) = &mut detail {
            // Unlike the API, the event writes times as text and adds the cluster.
            detail.insert("registeredAt".into(), format!("{:.3}", instance.registered_at).into());
            detail.insert("updatedAt".into(), format!("{:.3}", self.now).into());
            detail.insert("clusterArn".into(), super::ecs::cluster_arn(cluster).into());
        }
        let resource = instance.arn.to_string();
        self.emit("ECS Container Instance State Change", "aws.ecs", vec![resource], detail);
    }
}
