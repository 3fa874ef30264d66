//! The AWS Lambda function `validate-task-definition`: checks the bind mounts of task definitions, and what they depend
//! on, when they are registered, by hand, and by a schedule for all that are in use.
//!
//! | module | what it does |
//! |---|---|
//! | [`input`] | tells what was given |
//! | [`model`], [`json`], [`path`], [`os`], [`constraint`] | read a definition |
//! | [`rules`] | judge it; one file a rule |
//! | [`audit`], [`described`] | read services and definitions from ECS |
//!
//! It changes nothing anywhere. A registered definition is checked from CloudTrail's event alone, without a call to AWS.
//! What is no task definition is answered with an error that says so; the function itself fails only where it cannot do
//! its work.

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
pub mod policy;
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
use finding::{Level, Report};
use input::{Input, Unrecognised, recognise};
use model::TaskDefinition;
use policy::Policy;

/// The AWS API operations that the function calls. Its role allows these and no other of ECS and SSM.
pub const OPERATIONS: &[&str] = &["ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:ListServices"];

/// The function, wired.
pub struct Validator {
    clusters: Vec<ClusterRef>,
    policy: Policy,
    clients: Clients,
    metrics: Metrics,
}

/// What the function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all = "camelCase")]
pub enum Answer {
    /// The verdict on one definition.
    Report(Report),
    /// An audit of one cluster.
    Cluster(ClusterSummary),
    /// An audit of the watched clusters.
    Audit(AuditSummary),
    /// There was nothing to check.
    Skipped {
        /// Why.
        skipped: String,
    },
    /// It could not be checked.
    #[serde(rename_all = "camelCase")]
    Unusable {
        /// What it looked like, or what ECS does not know.
        error: String,
        /// What to give instead.
        help: String,
    },
}

/// The function cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// ECS did not answer, or refused us.
    #[error("the task definition {name:?} was not read")]
    Describe {
        /// What was asked for.
        name: String,
        /// Why.
        source: AwsError,
    },
    /// The same in an audit; what was found all the same is in the log.
    #[error("the audit is incomplete")]
    Audit(#[source] AwsError),
}

impl Validator {
    /// A function of this configuration.
    pub fn new(config: &ValidatorConfig, clients: Clients, metrics: Metrics) -> Validator {
        Validator { clusters: config.clusters.clone(), policy: Policy::new(config), clients, metrics }
    }

    /// Answers one invocation, before its deadline.
    pub async fn handle(&self, event: &Value, deadline: Timestamp) -> Result<Answer, Failure> {
        match recognise(event) {
            Ok(Input::Definition { value, at, is_registration }) => {
                Ok(self.check_given(value, at, is_registration))
            }
            Ok(Input::Named(name)) => self.check_named(name).await,
            Ok(Input::Cluster(name)) => self.audit_one(name, deadline).await,
            Ok(Input::Schedule) => self.audit_all(deadline).await,
            Ok(Input::Nothing(skipped)) => {
                tracing::info!(reason = skipped, "nothing to check");
                Ok(Answer::Skipped { skipped })
            }
            Err(unrecognised) => Ok(unusable(&unrecognised)),
        }
    }

    fn check_given(&self, value: &Value, at: String, is_registration: bool) -> Answer {
        let mut report = rules::check(&TaskDefinition::read(value), &self.policy, None);
        report.found_at = at;
        log_report(&report, None);
        let mut values = vec![(metrics::CHECKED, 1.0)];
        if is_registration {
            values.push((metrics::INVALID_REGISTERED, f64::from(u8::from(!report.valid))));
        }
        self.metrics.emit(self.clients.now(), None, &values);
        Answer::Report(report)
    }

    async fn check_named(&self, name: &str) -> Result<Answer, Failure> {
        match describe_task_definition(self.clients.ecs(), name).await {
            Ok(described) => Ok(self.check_given(&described::to_json(&described), String::new(), false)),
            Err(error) if is_about_the_request(&error) => {
                tracing::warn!(task_definition = name, error = %error, "not read");
                Ok(Answer::Unusable {
                    error: format!(
                        "ECS does not know the task definition `{}`: {}",
                        json::shortened(name),
                        error.code
                    ),
                    help: "give an ARN, `family:revision`, or a family for its latest active revision"
                        .to_owned(),
                })
            }
            Err(source) => Err(Failure::Describe { name: name.to_owned(), source }),
        }
    }

    async fn audit_one(&self, name: &str, deadline: Timestamp) -> Result<Answer, Failure> {
        let is_meant = |cluster: &&ClusterRef| cluster.as_str() == name || cluster.name() == name;
        let Some(cluster) = self.clusters.iter().find(is_meant) else {
            let watched: Vec<String> =
                self.clusters.iter().map(|cluster| format!("`{}`", cluster.as_str())).collect();
            return Ok(Answer::Unusable {
                error: format!("`{}` is not one of the watched clusters", json::shortened(name)),
                help: format!("give one of {}", watched.join(", ")),
            });
        };
        let (mut summaries, failure) = self.audit(std::slice::from_ref(cluster), deadline).await;
        match (failure, summaries.pop()) {
            (None, Some(summary)) => Ok(Answer::Cluster(summary)),
            (Some(failure), _) => Err(Failure::Audit(failure)),
            (None, None) => Ok(Answer::Audit(AuditSummary::default())),
        }
    }

    async fn audit_all(&self, deadline: Timestamp) -> Result<Answer, Failure> {
        let (clusters, failure) = self.audit(&self.clusters, deadline).await;
        let summary = AuditSummary::new(clusters);
        // One number for the whole stack. An incomplete one would look like an improvement.
        if summary.complete {
            self.metrics.emit(
                self.clients.now(),
                None,
                &[(metrics::INVALID_IN_USE, as_value(summary.invalid))],
            );
        }
        match failure {
            None => Ok(Answer::Audit(summary)),
            Some(failure) => Err(Failure::Audit(failure)),
        }
    }

    /// Audits clusters one after the other; one that cannot be read does not cost the others theirs.
    async fn audit(
        &self,
        clusters: &[ClusterRef],
        deadline: Timestamp,
    ) -> (Vec<ClusterSummary>, Option<AwsError>) {
        let now = || self.clients.now();
        let mut audit = Audit::new(self.clients.ecs(), &self.policy, &now, deadline);
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

fn unusable(unrecognised: &Unrecognised) -> Answer {
    tracing::warn!(error = %unrecognised, "not checked");
    Answer::Unusable { error: unrecognised.to_string(), help: unrecognised.help.clone() }
}

/// One line a report: a warning where it is invalid.
fn log_report(report: &Report, cluster: Option<&str>) {
    let findings = serde_json::to_string(&report.findings).unwrap_or_default();
    let (errors, warnings) = (report.count(Level::Error), report.count(Level::Warning));
    let Report { task_definition, applies, valid, .. } = report;
    if *valid {
        tracing::info!(
            task_definition,
            cluster,
            applies,
            valid,
            errors,
            warnings,
            findings,
            "task definition checked"
        );
    } else {
        tracing::warn!(
            task_definition,
            cluster,
            applies,
            valid,
            errors,
            warnings,
            findings,
            "task definition checked"
        );
    }
}

/// Counts stay far below what an `f64` holds exactly.
fn as_value(count: usize) -> f64 {
    count as f64
}
