//! The metrics of `drain-unmapped`. Gauges are written by every run; the others count what the run did.

shared::metrics! {
    MAPPED = StackAndCluster "Mapped" "instances that are proven and whose gate is open";
    UNMAPPED = StackAndCluster "Unmapped" "instances that failed";
    OLDEST_UNMAPPED_MINUTES = StackAndCluster "OldestUnmappedMinutes" "age of the oldest failure";
    UNKNOWN = StackAndCluster "Unknown" "instances about which nothing is known yet";
    DRAINING = StackAndCluster "Draining" "draining instances, by any actor";
    OWNERSHIP_UNPROVEN = StackAndCluster "OwnershipUnproven" "draining instances of which it cannot be proven who drains them";
    UNREACHABLE = StackAndCluster "Unreachable" "instances without an open gate whose SSM agent is silent for too long";
    DISCONNECTED = StackAndCluster "Disconnected" "instances whose ECS agent is not connected";
    STALE_CREDENTIALS = StackAndCluster "StaleCredentials" "instances that logged on before a parameter last changed";
    ATTRIBUTE_LIMIT = StackAndCluster "AttributeLimit" "instances that have no room for our attributes";
    BREAKER_OPEN = StackAndCluster "BreakerOpen" "1 while the breaker of a cluster is open";
    RECONCILE_RUNS = Stack "ReconcileRuns" "runs that ended";
    REFUSALS_SPENT = Stack "RefusalsSpent" "refused log-ons in a row, of REFUSAL_BUDGET";
    HOSTS_WAITING = Stack "HostsWaiting" "instances that are due and wait for the budget of refused log-ons";
    CREDENTIALS_REFUSED = Stack "CredentialsRefused" "1 while all but one of the refusals are spent, instances wait, and nobody was let in since";
    REFUSED_ALONE = Stack "RefusedAlone" "instances that were refused the password with which others are let in";
    CHECKS_WITHHELD = Stack "ChecksWithheld" "1 while no check is sent, because of refused log-ons or what could not be read";
    SSM_UNWELL = Stack "SsmUnwell" "1 while too many open gates are overdue";
    DRAINS = Stack "Drains" "instances drained by the run";
    DRAINS_WITHHELD = Stack "DrainsWithheld" "instances that failed for long enough and that a rule keeps from being drained";
    GIVEN_BACK = Stack "GivenBack" "instances given back by the run";
    RETRIES = Stack "Retries" "instances that failed before and to which the run sent a map";
    CHECKS = Stack "Checks" "instances to which the run sent a check";
    REPAIRS = Stack "Repairs" "mappings made again on instances that had failed";
    MAPPED_WITHOUT_PRIVACY = Stack "MappedWithoutPrivacy" "proofs in the history of mappings made without RequirePrivacy";
    THROTTLES = Stack "Throttles" "AWS calls that stayed throttled through all retries";
    ERRORS = Stack "Errors" "AWS calls that failed for another reason";
    FAILURES_NETWORK = Stack "FailuresNetwork" "failures judged, of class network";
    FAILURES_DIRECTORY = Stack "FailuresDirectory" "failures judged, of class directory";
    FAILURES_CREDENTIALS = Stack "FailuresCredentials" "failures judged, of class credentials";
    FAILURES_CONFIGURATION = Stack "FailuresConfiguration" "failures judged, of class configuration";
    FAILURES_HOST = Stack "FailuresHost" "failures judged, of class host";
    FAILURES_UNKNOWN = Stack "FailuresUnknown" "failures judged, of class unknown";
    REGISTRATION_TO_MAPPED_SECONDS = Stack "RegistrationToMappedSeconds" "longest time from a registration to the first open gate";
}
