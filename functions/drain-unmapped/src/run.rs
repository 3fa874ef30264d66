//! What one reconcile run carries along.

use jiff::{SignedDuration, Timestamp};
use shared::aws::AwsError;
use shared::ecs::ContainerInstance;
use shared::ids::{ContainerInstanceArn, InstanceId};
use shared::pace::Pace;
use shared::send::Denials;

use crate::app::App;
use crate::decide::Rule;
use crate::memory::Memory;
use crate::statistics::RunStatistics;

/// Kept back at the end of a run for its last answers, its metrics and its log line.
const MARGIN: SignedDuration = SignedDuration::from_secs(4);

/// One reconcile run.
pub struct Run<'a> {
    /// Configuration and AWS.
    pub app: &'a App,
    /// What the sandbox remembers.
    pub memory: &'a mut Memory,
    /// The spacing of its ECS writes.
    pub pace: Pace,
    /// Commands that IAM refused in a row.
    pub denials: Denials,
    /// What it did so far.
    pub statistics: RunStatistics,
    /// When it stops acting.
    pub end: Timestamp,
}

impl<'a> Run<'a> {
    /// A run in an invocation that ends at `deadline`.
    pub fn new(app: &'a App, memory: &'a mut Memory, deadline: Timestamp) -> Self {
        Run {
            app,
            memory,
            pace: Pace::new(app.config.policy.ecs_writes_per_second),
            denials: Denials::default(),
            statistics: RunStatistics::default(),
            end: deadline.checked_sub(MARGIN).unwrap_or(deadline),
        }
    }

    /// Whether its time is up, which it logs: the rest is left to the next run.
    pub fn is_over(&self) -> bool {
        let is_over = self.app.clients.now() >= self.end;
        if is_over {
            tracing::warn!("time is up, the rest is left to the next run");
        }
        is_over
    }

    /// Counts and logs a drain that was planned and that a rule has withheld since.
    pub fn withheld(&mut self, record: &ContainerInstance, rule: Rule) {
        self.statistics.withheld.insert(record.arn.clone(), rule);
        log_withheld(&record.arn, instance_id(record), rule);
    }

    /// Counts and logs a write that failed.
    pub fn failed(&mut self, record: &ContainerInstance, error: &AwsError) {
        self.statistics.failed(error);
        tracing::error!(
            cluster = %record.cluster,
            instance_id = instance_id(record),
            error = %error,
            "write failed, the next run decides anew"
        );
    }
}

/// Logs that a rule withholds a drain.
pub fn log_withheld(arn: &ContainerInstanceArn, instance_id: Option<&str>, rule: Rule) {
    tracing::warn!(container_instance = arn.as_str(), instance_id, rule = rule.as_str(), "drain withheld");
}

/// The EC2 instance's id, for logs.
pub fn instance_id(record: &ContainerInstance) -> Option<&str> {
    record.instance_id.as_ref().map(InstanceId::as_str)
}
