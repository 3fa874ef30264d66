//! The AWS Lambda function `validate-task-definition`. It checks the bind mounts of task definitions: of each definition
//! when it is registered, of any definition by hand, and of all definitions in use by a schedule.
//!
//! | module | what it does |
//! |---|---|
//! | [`input`] | recognises the input |
//! | [`model`], [`json`], [`path`], [`os`], [`constraint`] | read a definition |
//! | [`requirements`] | hold the drive, the share and the customer's settings |
//! | [`rule`], [`rules`] | check the definition; one file per rule |
//! | [`finding`] | the report |
//! | [`audit`], [`described`] | read services and definitions from ECS |
//!
//! It changes nothing. A registered definition is checked from CloudTrail's event, without a call to AWS. The response
//! to any other input is an error that names it; the function fails only when a call to AWS fails.

#![cfg_attr(not(test), warn(clippy::too_many_lines, clippy::fn_params_excessive_bools))]

pub mod audit;
pub mod constraint;
pub mod described;
pub mod finding;
pub mod input;
pub mod json;
pub mod metrics;
pub mod model;
pub mod os;
pub mod path;
pub mod requirements;
pub mod rule;
pub mod rules;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shared::aws::{AwsError, Clients};
use shared::config::ValidatorConfig;
use shared::ids::ClusterRef;
use shared::metrics::Metrics;
use shared::task_definitions::describe_task_definition;

use audit::{Audit, AuditSummary, ClusterSummary, is_about_the_request};
use finding::Report;
use input::{CheckReason, Input, Unrecognised, recognise};
use model::TaskDefinition;
use requirements::Requirements;

/// The AWS API operations that the function calls. Its role allows these and no other of ECS and SSM.
pub const OPERATIONS: &[&str] = &["ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:ListServices"];

/// The function with its clients.
pub struct Validator {
    clusters: Vec<ClusterRef>,
    requirements: Requirements,
    clients: Clients,
    metrics: Metrics,
}

/// The response of the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all = "camelCase")]
pub enum Response {
    /// The report on one definition.
    Report(Report),
    /// The audit of one cluster.
    Cluster(ClusterSummary),
    /// The audit of the watched clusters.
    Audit(AuditSummary),
    /// There was nothing to check.
    Skipped {
        /// The reason.
        skipped: String,
    },
    /// The input could not be checked.
    #[serde(rename_all = "camelCase")]
    Unusable {
        /// What the input looks like, or what ECS does not know.
        error: String,
        /// What to give instead.
        help: String,
    },
}

/// A call to AWS failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A task definition could not be read.
    #[error("the task definition {name:?} was not read")]
    Describe {
        /// The name in the request.
        name: String,
        /// The error of ECS.
        source: AwsError,
    },
    /// An audit could not read everything. What it found is in the log.
    #[error("the audit is incomplete")]
    Audit(#[source] AwsError),
}

impl Validator {
    /// The function with this configuration.
    pub fn new(config: &ValidatorConfig, clients: Clients, metrics: Metrics) -> Validator {
        Validator {
            clusters: config.clusters.clone(),
            requirements: Requirements::new(config),
            clients,
            metrics,
        }
    }

    /// Handles one invocation before its deadline.
    pub async fn handle(&self, event: &Value, deadline: Timestamp) -> Result<Response, CheckError> {
        match recognise(event) {
            Ok(Input::Definition { value, at, reason }) => Ok(self.check_given(value, at, reason)),
            Ok(Input::Named(name)) => self.check_named(name).await,
            Ok(Input::Cluster(name)) => self.audit_one(name, deadline).await,
            Ok(Input::Schedule) => self.audit_all(deadline).await,
            Ok(Input::Nothing(skipped)) => {
                tracing::info!(reason = skipped, "nothing to check");
                Ok(Response::Skipped { skipped })
            }
            Err(unrecognised) => Ok(unusable(&unrecognised)),
        }
    }

    fn check_given(&self, value: &Value, at: String, reason: CheckReason) -> Response {
        let mut report = rules::check(&TaskDefinition::read(value), &self.requirements, None);
        report.found_at = at;
        report.log(None);
        let mut values = vec![(metrics::CHECKED, 1.0)];
        if reason == CheckReason::Registered {
            values.push((metrics::INVALID_REGISTERED, f64::from(u8::from(!report.valid))));
        }
        self.metrics.emit(self.clients.now(), None, &values);
        Response::Report(report)
    }

    async fn check_named(&self, name: &str) -> Result<Response, CheckError> {
        match describe_task_definition(self.clients.ecs(), name).await {
            Ok(described) => {
                let value = described::to_json(&described);
                Ok(self.check_given(&value, String::new(), CheckReason::Requested))
            }
            Err(error) if is_about_the_request(&error) => {
                tracing::warn!(task_definition = name, error = %error, "not read");
                Ok(Response::Unusable {
                    error: format!(
                        "ECS does not know the task definition `{}`: {}",
                        json::shortened(name),
                        error.code
                    ),
                    help: "give an ARN, `family:revision`, or a family for its latest active revision"
                        .to_owned(),
                })
            }
            Err(source) => Err(CheckError::Describe { name: name.to_owned(), source }),
        }
    }

    async fn audit_one(&self, name: &str, deadline: Timestamp) -> Result<Response, CheckError> {
        let is_meant = |cluster: &&ClusterRef| cluster.as_str() == name || cluster.name() == name;
        let Some(cluster) = self.clusters.iter().find(is_meant) else {
            let watched: Vec<String> =
                self.clusters.iter().map(|cluster| format!("`{}`", cluster.as_str())).collect();
            return Ok(Response::Unusable {
                error: format!("`{}` is not one of the watched clusters", json::shortened(name)),
                help: format!("give one of {}", watched.join(", ")),
            });
        };
        let (mut summaries, failure) = self.audit(std::slice::from_ref(cluster), deadline).await;
        match (failure, summaries.pop()) {
            (None, Some(summary)) => Ok(Response::Cluster(summary)),
            (Some(failure), _) => Err(CheckError::Audit(failure)),
            (None, None) => Ok(Response::Audit(AuditSummary::default())),
        }
    }

    async fn audit_all(&self, deadline: Timestamp) -> Result<Response, CheckError> {
        let (clusters, failure) = self.audit(&self.clusters, deadline).await;
        let summary = AuditSummary::new(clusters);
        // The count for the whole stack. An incomplete count would look like an improvement.
        if summary.complete {
            self.metrics.emit(
                self.clients.now(),
                None,
                &[(metrics::INVALID_IN_USE, as_value(summary.invalid))],
            );
        }
        match failure {
            None => Ok(Response::Audit(summary)),
            Some(failure) => Err(CheckError::Audit(failure)),
        }
    }

    /// Audits the clusters one after the other, and goes on when one cannot be read.
    async fn audit(
        &self,
        clusters: &[ClusterRef],
        deadline: Timestamp,
    ) -> (Vec<ClusterSummary>, Option<AwsError>) {
        let now = || self.clients.now();
        let mut audit = Audit::new(self.clients.ecs(), &self.requirements, &now, deadline);
        let mut summaries = Vec::with_capacity(clusters.len());
        for cluster in clusters {
            let summary = audit.cluster(cluster).await;
            let now = self.clients.now();
            self.metrics.emit(now, None, &[(metrics::CHECKED, as_value(summary.checked))]);
            if summary.complete {
                let invalid = as_value(summary.invalid);
                self.metrics.emit(now, Some(cluster.name()), &[(metrics::INVALID_IN_USE, invalid)]);
            }
            summaries.push(summary);
        }
        (summaries, audit.failure)
    }
}

fn unusable(unrecognised: &Unrecognised) -> Response {
    tracing::warn!(error = %unrecognised, "not checked");
    Response::Unusable { error: unrecognised.to_string(), help: unrecognised.help.clone() }
}

/// An `f64` holds every count exactly.
fn as_value(count: usize) -> f64 {
    count as f64
}
