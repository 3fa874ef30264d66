//! Tasks: they start, run, and stop on request or when their host stops. Nothing runs in them, and no service replaces
//! them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::placement::{Placement, place, placement};
use super::{ACCOUNT, REGION, cluster_arn, elements, short_id};
use crate::local_aws::LocalAws;
use crate::local_aws::advance::Timer;
use crate::local_aws::reply::{ApiError, Outcome, answer, request, seconds};

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// The last part of the ARN.
    pub id: Arc<str>,
    /// The id of the container instance.
    pub instance: Arc<str>,
    instance_arn: Arc<str>,
    definition: String,
    /// The family of the task definition.
    pub family: String,
    group: String,
    containers: Vec<(String, String)>,
    needs: (i64, i64),
    version: u64,
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub last_status: &'static str,
    desired: &'static str,
    /// When it was placed.
    pub created: Timestamp,
    started: Option<Timestamp>,
    stopping: Option<Timestamp>,
    stopped: Option<Timestamp>,
    reason: Option<String>,
}

impl Task {
    fn describe(&self, cluster: &str) -> Value {
        let arn = task_arn(cluster, &self.id);
        let container = |(name, image): &(String, String)| {
            json!({
                "name": name, "image": image, "taskArn": arn, "lastStatus": self.last_status,
                "networkInterfaces": [], "healthStatus": "UNKNOWN",
            })
        };
        let containers: Vec<_> = self.containers.iter().map(container).collect();
        let mut described = json!({
            "taskArn": arn,
            "clusterArn": cluster_arn(cluster),
            "taskDefinitionArn": self.definition,
            "containerInstanceArn": &*self.instance_arn,
            "group": self.group,
            "launchType": "EC2",
            "lastStatus": self.last_status,
            "desiredStatus": self.desired,
            "cpu": self.needs.0.to_string(),
            "memory": self.needs.1.to_string(),
            "containers": containers,
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": []},
            "attachments": [],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": "eu-west-1a",
            "connectivity": "CONNECTED",
            "connectivityAt": seconds(self.created),
            "createdAt": seconds(self.created),
            "enableExecuteCommand": false,
            "healthStatus": "UNKNOWN",
            "tags": [],
            "version": self.version,
        });
        let times = [("startedAt", self.started), ("stoppingAt", self.stopping), ("stoppedAt", self.stopped)];
        for (member, at) in times {
            if let Some(at) = at {
                described[member] = seconds(at).into();
            }
        }
        if let Some(reason) = &self.reason {
            described["stoppedReason"] = reason.as_str().into();
            described["stopCode"] = "UserInitiated".into();
        }
        described
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RunTask {
    cluster: Option<String>,
    task_definition: Option<String>,
    count: Option<i64>,
    group: Option<String>,
    /// boto3 and the AWS CLI send one by themselves.
    #[serde(rename = "clientToken")]
    _client_token: Option<String>,
}

pub(super) fn run_task(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: RunTask = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let count = match asked.count {
        None => 1,
        Some(count @ 1..=10) => count,
        Some(_) => return Err(ApiError::parameter("Count must be between 1 and 10.")),
    };
    let definition = aws.ecs.task_definition(asked.task_definition.as_deref().unwrap_or_default())?.clone();
    let placement = placement(&definition)?;
    let family = definition["family"].as_str().unwrap_or_default().to_owned();
    let group = asked.group.unwrap_or_else(|| format!("family:{family}"));
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for _ in 0..count {
        match place(aws, &cluster, &placement) {
            Ok(instance) => {
                let placed = Task::new(aws, &cluster, instance, &definition, &placement);
                let task = Task { group: group.clone(), ..placed };
                tasks.push(task.describe(&cluster));
                aws.start_task(&cluster, task);
            }
            Err(failure) => failures.push(failure),
        }
    }
    answer(&json!({"tasks": tasks, "failures": failures}))
}

impl Task {
    fn new(
        aws: &mut LocalAws,
        cluster: &str,
        instance: Arc<str>,
        definition: &Value,
        placement: &Placement,
    ) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let containers = elements(definition, "containerDefinitions").iter();
        Self {
            id: Arc::from(aws.hex32()),
            instance_arn: aws.ecs.clusters[cluster].instances[&instance].arn.clone(),
            instance,
            definition: text(&definition["taskDefinitionArn"]),
            family: text(&definition["family"]),
            group: String::new(),
            containers: containers.map(|one| (text(&one["name"]), text(&one["image"]))).collect(),
            needs: placement.needs,
            version: 1,
            last_status: "PENDING",
            desired: "RUNNING",
            created: aws.now,
            started: None,
            stopping: None,
            stopped: None,
            reason: None,
        }
    }
}

impl LocalAws {
    fn start_task(&mut self, cluster: &str, task: Task) {
        let (id, instance, needs) = (task.id.clone(), task.instance.clone(), task.needs);
        self.ecs.cluster_mut(cluster).tasks.insert(id.clone(), task);
        self.change_instance(cluster, &instance, |one| {
            one.pending += 1;
            one.remaining.0 -= needs.0;
            one.remaining.1 -= needs.1;
        });
        let delay = self.world.vary(self.world.pace.task, &id, self.now);
        self.after(delay, Timer::Task(id));
    }

    /// All tasks of a cluster, stopped ones included.
    pub fn tasks(&self, cluster: &str) -> impl Iterator<Item = &Task> {
        self.ecs.clusters.get(cluster).into_iter().flat_map(|cluster| cluster.tasks.values())
    }

    pub(crate) fn task_moves_on(&mut self, id: &str) {
        let found = self.ecs.clusters.iter().find(|(_, cluster)| cluster.tasks.contains_key(id));
        let Some(cluster) = found.map(|(name, _)| name.clone()) else { return };
        let now = self.now;
        let task = self.ecs.cluster_mut(&cluster).tasks.get_mut(id).expect("found");
        let (instance, needs) = (task.instance.clone(), task.needs);
        task.version += 1;
        match (task.last_status, task.desired) {
            ("PENDING", "RUNNING") => {
                (task.last_status, task.started) = ("RUNNING", Some(now));
                self.change_instance(&cluster, &instance, |one| {
                    one.pending -= 1;
                    one.running += 1;
                });
            }
            (before @ ("PENDING" | "RUNNING"), "STOPPED") => {
                (task.last_status, task.stopped) = ("STOPPED", Some(now));
                self.change_instance(&cluster, &instance, |one| {
                    *if before == "PENDING" { &mut one.pending } else { &mut one.running } -= 1;
                    one.remaining.0 += needs.0;
                    one.remaining.1 += needs.1;
                });
            }
            _ => {}
        }
    }

    fn stop_one(&mut self, cluster: &str, id: &Arc<str>, reason: &str) {
        let now = self.now;
        let Some(task) = self.ecs.cluster_mut(cluster).tasks.get_mut(id) else { return };
        if task.desired == "STOPPED" {
            return;
        }
        (task.desired, task.stopping, task.reason) = ("STOPPED", Some(now), Some(reason.to_owned()));
        task.version += 1;
        let delay = self.world.vary(self.world.pace.task, id, now);
        self.after(delay, Timer::Task(id.clone()));
    }

    /// Stops all tasks of a host that goes down.
    pub(crate) fn stop_tasks_of(&mut self, ec2: &str) {
        if let Some((cluster, instance)) = self.ecs.newest_registration(ec2) {
            self.stop_where(&cluster, "Host EC2 terminated or stopped.", |task| task.instance == instance);
        }
    }

    /// Draining stops pending service tasks and leaves standalone tasks.
    pub(crate) fn drain_tasks(&mut self, cluster: &str, instance: &str) {
        self.stop_where(cluster, "Container instance is draining.", |task| {
            *task.instance == *instance && task.group.starts_with("service:") && task.last_status == "PENDING"
        });
    }

    fn stop_where(&mut self, cluster: &str, reason: &str, which: impl Fn(&Task) -> bool) {
        let tasks = self.ecs.clusters.get(cluster).map(|cluster| cluster.tasks.values());
        let ids: Vec<_> =
            tasks.into_iter().flatten().filter(|task| which(task)).map(|task| task.id.clone()).collect();
        for id in ids {
            self.stop_one(cluster, &id, reason);
        }
    }
}

#[derive(Deserialize)]
struct StopTask {
    cluster: Option<String>,
    task: Option<String>,
    reason: Option<String>,
}

pub(super) fn stop_task(aws: &mut LocalAws, body: &[u8]) -> Outcome {
    let asked: StopTask = request(body)?;
    let cluster = aws.ecs.cluster_name(asked.cluster.as_deref())?;
    let id = asked.task.unwrap_or_default();
    let Some(id) = aws.ecs.clusters[&cluster].tasks.get_key_value(short_id(&id)).map(|(id, _)| id.clone())
    else {
        return Err(ApiError::parameter("The referenced task was not found."));
    };
    aws.stop_one(&cluster, &id, asked.reason.as_deref().unwrap_or("Task stopped by user"));
    answer(&json!({"task": aws.ecs.clusters[&cluster].tasks[&id].describe(&cluster)}))
}

fn task_arn(cluster: &str, id: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{id}")
}
