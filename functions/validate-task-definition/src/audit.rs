//! Checks every task definition that the services of a cluster use, with the services' own constraints.
//!
//! Tasks that were started without a service are not checked. The audit changes nothing.
//!
//! An account may read 20 task definitions and 20 services per second, and the customer's deployments use the same rate:
//! the audit uses half of it. A definition that several services or clusters use is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecs::Client;
use jiff::Timestamp;
use serde::Serialize;
use shared::aws::AwsError;
use shared::ids::ClusterRef;
use shared::task_definitions::{SERVICES_A_CALL, describe_services, describe_task_definition, list_services};

use crate::described;
use crate::finding::Report;
use crate::model::TaskDefinition;
use crate::requirements::Requirements;
use crate::rule::Service;
use crate::rules::check;

/// The pause between two calls: 10 per second of the account's 20.
const PACE: Duration = Duration::from_millis(100);

/// An audit stops this long before its deadline, and reports that it is incomplete.
const RESERVE: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// Further valid reports are left out: a response of Lambda holds 6 MB, and a report rarely more than 2 KB.
const MOST_REPORTS: usize = 500;

/// After how many definitions the log shows the progress.
const PROGRESS_EVERY: usize = 50;

/// What an audit of one cluster found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// The configured cluster.
    pub cluster: String,
    /// The number of services.
    pub services: usize,
    /// The number of task definitions that they use, each counted once.
    pub task_definitions: usize,
    /// How many of them were checked.
    pub checked: usize,
    /// How many of those checked use the share.
    pub applying: usize,
    /// How many of those checked have an error.
    pub invalid: usize,
    /// Whether everything was read. Otherwise `invalid` is a lower bound.
    pub complete: bool,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// The reports of the definitions that use the share or have a finding.
    pub reports: Vec<Report>,
    /// The number of valid reports that do not fit into the response. The log has them all.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// What an audit of all watched clusters found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditSummary {
    /// The number of definitions with an error, each counted once.
    pub invalid: usize,
    /// Whether everything was read. Otherwise `invalid` is a lower bound.
    pub complete: bool,
    /// The summary of each cluster.
    pub clusters: Vec<ClusterSummary>,
}

impl AuditSummary {
    /// The summary over these clusters.
    pub fn new(clusters: Vec<ClusterSummary>) -> AuditSummary {
        let reports = clusters.iter().flat_map(|summary| &summary.reports);
        let invalid = reports.filter(|report| !report.valid).map(|report| &report.task_definition);
        AuditSummary {
            invalid: invalid.collect::<BTreeSet<_>>().len(),
            complete: clusters.iter().all(|summary| summary.complete),
            clusters,
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl ClusterSummary {
    fn keep(&mut self, report: Report) {
        if !report.applies && report.findings.is_empty() {
            return;
        }
        if report.valid && self.reports.len() >= MOST_REPORTS {
            self.left_out += 1;
        } else {
            self.reports.push(report);
        }
    }
}

/// Something that an audit could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The services, or a task definition's ARN.
    pub what: String,
    /// The error.
    pub error: String,
}

/// An audit in progress.
pub struct Audit<'a> {
    client: &'a Client,
    requirements: &'a Requirements,
    now: &'a (dyn Fn() -> Timestamp + Sync),
    /// When the audit has to stop.
    end: Timestamp,
    /// The definitions that were read.
    read: BTreeMap<String, TaskDefinition>,
    calls: usize,
    /// The first failure that is not about the request: no permission, throttled, no connection.
    pub failure: Option<AwsError>,
}

impl<'a> Audit<'a> {
    /// An audit that ends before the deadline.
    pub fn new(
        client: &'a Client,
        requirements: &'a Requirements,
        now: &'a (dyn Fn() -> Timestamp + Sync),
        deadline: Timestamp,
    ) -> Audit<'a> {
        let end = deadline.checked_sub(RESERVE).unwrap_or(deadline);
        Audit { client, requirements, now, end, read: BTreeMap::new(), calls: 0, failure: None }
    }

    /// Checks the definitions that the services of one cluster use. The summary lists what could not be read.
    pub async fn cluster(&mut self, cluster: &ClusterRef) -> ClusterSummary {
        let mut summary =
            ClusterSummary { cluster: cluster.as_str().to_owned(), ..ClusterSummary::default() };
        let uses = match self.uses(cluster).await {
            Ok((services, uses)) => {
                summary.services = services;
                uses
            }
            Err(error) => {
                self.unread(&mut summary, "services", error);
                return summary;
            }
        };
        summary.task_definitions = uses.len();
        let requirements = self.requirements;
        tracing::info!(
            cluster = cluster.name(),
            services = summary.services,
            task_definitions = uses.len(),
            "audit started"
        );
        for (index, (arn, services)) in uses.iter().enumerate() {
            if self.is_late() {
                let error = format!("the time is up after {} of {}", summary.checked, uses.len());
                summary.unread.push(Unread { what: "the remaining task definitions".to_owned(), error });
                break;
            }
            match self.definition(arn).await {
                Ok(definition) => {
                    let report = check(definition, requirements, Some(services));
                    report.log(Some(cluster.name()));
                    summary.checked += 1;
                    summary.applying += usize::from(report.applies);
                    summary.invalid += usize::from(!report.valid);
                    summary.keep(report);
                }
                Err(error) => self.unread(&mut summary, arn, error),
            }
            if (index + 1) % PROGRESS_EVERY == 0 {
                tracing::info!(
                    cluster = cluster.name(),
                    done = index + 1,
                    of = uses.len(),
                    "audit in progress"
                );
            }
        }
        summary.complete = summary.unread.is_empty();
        tracing::info!(
            cluster = cluster.name(),
            checked = summary.checked,
            invalid = summary.invalid,
            complete = summary.complete,
            "audit ended"
        );
        summary
    }

    /// The number of services of a cluster, and the services by the task definitions that they use: the current one, and
    /// those of running deployments and task sets.
    async fn uses(
        &mut self,
        cluster: &ClusterRef,
    ) -> Result<(usize, BTreeMap<String, Vec<Service>>), AwsError> {
        let arns = list_services(self.client, cluster).await?;
        let mut uses: BTreeMap<String, Vec<Service>> = BTreeMap::new();
        for chunk in arns.chunks(SERVICES_A_CALL) {
            self.pace().await;
            for described in describe_services(self.client, cluster, chunk).await? {
                let service = read_service(&described);
                for arn in task_definitions(&described) {
                    let services = uses.entry(arn).or_default();
                    if !services.contains(&service) {
                        services.push(service.clone());
                    }
                }
            }
        }
        Ok((arns.len(), uses))
    }

    async fn definition(&mut self, arn: &str) -> Result<&TaskDefinition, AwsError> {
        if !self.read.contains_key(arn) {
            self.pace().await;
            let described = describe_task_definition(self.client, arn).await?;
            self.read.insert(arn.to_owned(), TaskDefinition::read(&described::to_json(&described)));
        }
        Ok(&self.read[arn])
    }

    async fn pace(&mut self) {
        if self.calls > 0 {
            tokio::time::sleep(PACE).await;
        }
        self.calls += 1;
    }

    fn is_late(&self) -> bool {
        (self.now)() >= self.end
    }

    fn unread(&mut self, summary: &mut ClusterSummary, what: &str, error: AwsError) {
        tracing::warn!(cluster = summary.cluster, what, error = %error, "not read");
        summary.unread.push(Unread { what: what.to_owned(), error: error.to_string() });
        if !is_about_the_request(&error) && self.failure.is_none() {
            self.failure = Some(error);
        }
    }
}

/// Whether an error says that what was asked for does not exist, and so is an answer and no failure of ours.
pub fn is_about_the_request(error: &AwsError) -> bool {
    ["ClientException", "InvalidParameterException", "ClusterNotFoundException"]
        .contains(&error.code.as_str())
}

fn read_service(service: &aws_sdk_ecs::types::Service) -> Service {
    let constraints = service.placement_constraints().iter().filter_map(|constraint| constraint.expression());
    Service {
        name: service.service_name().unwrap_or("(no name)").to_owned(),
        is_daemon: service.scheduling_strategy() == Some(&aws_sdk_ecs::types::SchedulingStrategy::Daemon),
        constraints: constraints.filter(|expression| !expression.is_empty()).map(str::to_owned).collect(),
    }
}

fn task_definitions(service: &aws_sdk_ecs::types::Service) -> impl Iterator<Item = String> {
    let deployments = service.deployments().iter().filter_map(|deployment| deployment.task_definition());
    let task_sets = service.task_sets().iter().filter_map(|set| set.task_definition());
    service.task_definition().into_iter().chain(deployments).chain(task_sets).map(str::to_owned)
}
