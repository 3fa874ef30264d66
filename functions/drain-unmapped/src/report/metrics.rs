//! The metrics of `drain-unmapped`, each with its value. Gauges are written by every run; the others count what the run did.

use jiff::SignedDuration;
use shared::cause::Class;
use shared::ids::ClusterRef;

use super::survey::Survey;
use crate::decide::Plan;
use crate::statistics::RunStatistics;

/// What the metrics of a run are taken from: of the stack, or of one cluster.
pub(crate) struct Figures<'r> {
    pub(super) cluster: Option<&'r ClusterRef>,
    pub(super) survey: &'r Survey,
    pub(super) plan: &'r Plan,
    pub(super) statistics: &'r RunStatistics,
}

shared::metrics! {
    &Figures<'_>;
    StackAndCluster "Mapped" "instances that are proven and whose gate is open" =
        |run| count(run.survey.mapped);
    StackAndCluster "Unmapped" "instances that failed" =
        |run| count(run.survey.unmapped);
    StackAndCluster "OldestUnmappedMinutes" "age of the oldest failure of an instance that this stack has not drained" =
        |run| Some(run.survey.oldest_unmapped_minutes);
    StackAndCluster "Unknown" "instances about which nothing is known yet" =
        |run| count(run.survey.unknown);
    StackAndCluster "Draining" "draining instances, by any actor" =
        |run| count(run.survey.draining);
    StackAndCluster "DrainedByUs" "draining instances that this stack drained" =
        |run| count(run.survey.drained_by_us);
    StackAndCluster "OwnershipUnproven" "draining instances of which it cannot be proven who drains them" =
        |run| count(run.survey.unproven);
    StackAndCluster "Unreachable" "instances without an open gate whose SSM agent is silent for too long" =
        |run| count(run.survey.unreachable);
    StackAndCluster "Disconnected" "instances whose ECS agent is not connected" =
        |run| count(run.survey.disconnected);
    StackAndCluster "StaleCredentials" "instances that logged on before a parameter last changed" =
        |run| count(run.survey.stale);
    StackAndCluster "OtherStack" "instances whose state or drain another stack wrote" =
        |run| count(run.survey.other_stack);
    StackAndCluster "AttributeLimit" "instances that have no room for gate and state" =
        |run| count(run.survey.at_attribute_limit);
    StackAndCluster "BreakerOpen" "1 while the breaker of a cluster is open" =
        |run| count(run.is_breaker_open());
    Stack "ReconcileRuns" "runs that ended" =
        |_| count(1);
    Stack "RefusalsSpent" "refused log-ons in a row, of REFUSAL_BUDGET" =
        |run| count(run.plan.budget.spent());
    Stack "HostsWaiting" "instances that are due and wait for the budget of refused log-ons" =
        |run| count(run.plan.waiting.count());
    Stack "CredentialsRefused" "1 while all but one of the refusals are spent, instances wait, and nobody was let in since" =
        |run| count(run.is_password_refused());
    Stack "RefusedAlone" "instances that were refused the password with which others are let in" =
        |run| count(run.plan.waiting.refused.len());
    Stack "ChecksWithheld" "1 while no check is sent, because of refused log-ons or what could not be read" =
        |run| count(run.plan.budget.withholds_checks());
    Stack "CheckPeriodMinutes" "time in which every open gate is checked once: VERIFY_EVERY_MINUTES, or longer where the budget allows no more" =
        |run| run.plan.pace.period.map(minutes);
    Stack "SsmUnwell" "1 while too many open gates are overdue though their instances were asked" =
        |run| count(run.plan.is_ssm_unwell);
    Stack "Drains" "instances drained by the run" =
        |run| count(run.statistics.drains);
    Stack "DrainsWithheld" "instances that failed for long enough and that a rule keeps from being drained" =
        |run| count(run.statistics.count_withheld(run.plan));
    Stack "GivenBack" "instances given back by the run" =
        |run| count(run.statistics.given_back);
    Stack "Retries" "instances that failed before and to which the run sent a map" =
        |run| count(run.statistics.retries);
    Stack "Checks" "instances to which the run sent a check" =
        |run| count(run.statistics.checks);
    Stack "Repairs" "mappings made again on instances that had failed" =
        |run| count(run.statistics.repairs);
    Stack "MappedWithoutPrivacy" "proofs in the history of mappings made without RequirePrivacy" =
        |run| count(run.statistics.privacy.values().filter(|private| !**private).count());
    Stack "Throttles" "AWS calls that stayed throttled through all retries" =
        |run| count(run.statistics.throttles);
    Stack "Errors" "AWS calls that failed for another reason" =
        |run| count(run.statistics.errors);
    Stack "FailuresNetwork" "failures judged, of class network" =
        |run| run.failures(Class::Network);
    Stack "FailuresDirectory" "failures judged, of class directory" =
        |run| run.failures(Class::Directory);
    Stack "FailuresCredentials" "failures judged, of class credentials" =
        |run| run.failures(Class::Credentials);
    Stack "FailuresConfiguration" "failures judged, of class configuration" =
        |run| run.failures(Class::Configuration);
    Stack "FailuresHost" "failures judged, of class host" =
        |run| run.failures(Class::Host);
    Stack "FailuresUnknown" "failures judged, of class unknown" =
        |run| run.failures(Class::Unknown);
    Stack "RegistrationToMappedSeconds" "longest time from a registration to the first open gate" =
        |run| run.statistics.slowest_opening_seconds;
}

impl Figures<'_> {
    fn is_breaker_open(&self) -> bool {
        let breakers = &self.plan.breakers;
        self.cluster.map_or(!breakers.is_empty(), |cluster| breakers.contains_key(cluster))
    }

    /// Nearly all refusals are spent, instances wait, and nobody was let in since: somebody has to look at the password.
    fn is_password_refused(&self) -> bool {
        let Plan { budget, waiting, .. } = self.plan;
        budget.spent() + 1 >= budget.of && waiting.count() > 0 && budget.let_in.is_none()
    }

    fn failures(&self, class: Class) -> Option<f64> {
        count(self.statistics.failures.get(&class).copied().unwrap_or_default())
    }
}

fn minutes(time: SignedDuration) -> f64 {
    time.as_secs_f64() / 60.0
}

/// A number, or a flag as 0 or 1.
fn count(n: impl TryInto<u32>) -> Option<f64> {
    Some(f64::from(n.try_into().unwrap_or(u32::MAX)))
}
