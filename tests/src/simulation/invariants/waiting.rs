//! Invariant 6, the other side of it: no host with nothing wrong waits long for its `map` or its check because others fail;
//! and a changed parameter is tried within two runs if the budget is not spent.
//!
//! A host waits while it could be mapped at once: it is reachable, and it, the share and the account are in order. Its wait
//! begins anew with each command to it. No wait is longer than the sum of
//! - its own: the longest pause between two attempts, or the period of checks and the turns of all others;
//! - for the fleet, and again for every host that fails: 31 minutes until its refusal no longer counts, and the deadline of
//!   the command that found it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::config::{Mode, Policy, ROW_GAP};
use shared::state::State;

use super::convergence::{gives_no_result, has_a_fault};
use super::refusals::{Refusals, is_map};
use super::{CLOCK_SKEW, CheckResult, Step, ensure};
use crate::fleet::REMOTE;
use crate::fleet::{Agent, Host, Letter, Power, World};
use crate::local_aws::Call;
use crate::simulation::causes::is_refused_logon;
use crate::simulation::ground_truth::{DEADLINE, Registration, Run};

/// Reconcile runs that fail are no others' failures.
const THREE_RECONCILE_RUNS: SignedDuration = SignedDuration::from_mins(3);

#[derive(Default)]
pub(super) struct Waiting {
    looked_at: Option<Timestamp>,
    /// When a `SendCommand` last failed.
    send_failed: Option<Timestamp>,
    /// By registration.
    waits: BTreeMap<Arc<str>, Wait>,
}

/// How long a host has waited, and for how many others.
struct Wait {
    since: Timestamp,
    /// Hosts that failed at one time.
    failing: i32,
    /// How long one check of each host takes.
    turns: SignedDuration,
}

impl Waiting {
    /// Looks twice a minute.
    pub(super) fn check(&mut self, step: &Step<'_>, refusals: &Refusals) -> CheckResult {
        let now = step.aws.now();
        let is_failed =
            |call: &Call| call.operation == "SendCommand" && (call.status != 200 || call.fault.is_some());
        if step.call.is_some_and(|(call, _)| is_failed(call)) {
            self.send_failed = Some(now);
        }
        let is_soon = self.looked_at.is_some_and(|at| now.duration_since(at) < SignedDuration::from_secs(30));
        if step.call.is_some() || is_soon || step.ground_truth.policy.mode == Mode::Report {
            return Ok(());
        }
        self.looked_at = Some(now);
        if !is_shared_in_order(&step.aws.world, now) || last_success(step).is_none() {
            self.waits.clear();
            return Ok(());
        }
        self.measure(step);
        let policy = &step.ground_truth.policy;
        for (id, wait) in &self.waits {
            let one = &step.ground_truth.registrations[id];
            let Some(bound) = bound(one, wait, policy) else { continue };
            let waited = now.duration_since(wait.since);
            ensure(waited <= bound, || {
                let (seconds, most) = (waited.as_secs(), bound.as_secs());
                format!("{} waited {seconds} s, {most} s at most; {:?}", one.ec2, one.attributes)
            })?;
        }
        self.a_change_is_tried(step, refusals)
    }

    /// Brings all waits up to now.
    fn measure(&mut self, step: &Step<'_>) {
        let (ground_truth, world, now) = (step.ground_truth, &step.aws.world, step.aws.now());
        let counted: Vec<&Registration> =
            ground_truth.registrations.values().filter(|one| one.counts()).collect();
        let hosts = || counted.iter().map(|one| &world.hosts[&one.ec2]);
        let failing = hosts().filter(|host| !is_in_order(world, host)).count();
        let failing = i32::try_from(failing).expect("few hosts");
        let turns =
            hosts().map(|host| SignedDuration::from_secs(10 + host.script_delay.as_secs() as i64)).sum();
        let waits = |one: &&&Registration| {
            let is_newest = step.aws.container_instance(&one.ec2).is_some_and(|newest| newest.id == one.id);
            is_newest && is_in_order(world, &world.hosts[&one.ec2])
        };
        let before = std::mem::take(&mut self.waits);
        for one in counted.iter().filter(waits) {
            let began = before.get(&one.id);
            let since = last_turn(step, one).max(began.map_or(now, |wait| wait.since)).min(now);
            let began = began.filter(|wait| wait.since == since);
            let failing = failing.max(began.map_or(0, |wait| wait.failing));
            let turns = began.map_or(turns, |wait| wait.turns.max(turns));
            self.waits.insert(one.id.clone(), Wait { since, failing, turns });
        }
    }

    /// Hosts that were refused are tried by the second run that begins after a parameter changed.
    fn a_change_is_tried(&self, step: &Step<'_>, refusals: &Refusals) -> CheckResult {
        let (ground_truth, now) = (step.ground_truth, step.aws.now());
        let Some(changed) = step.aws.world.parameters.existing().map(|one| one.modified).max() else {
            return Ok(());
        };
        let is_over = now.duration_since(changed) > DEADLINE;
        let spent = refusals.may_be_spent(step);
        let recent = || step.aws.commands().rev().take_while(|one| one.requested() > changed - DEADLINE);
        // Whatever is in flight may be refused.
        let is_tried = recent().any(|one| is_map(one) && one.requested() > changed);
        let ends = || recent().flat_map(|one| one.invocations()).map(|one| one.finished());
        let is_in_flight = ends().any(|end| end.is_none());
        if is_over || is_tried || is_in_flight || spent >= ground_truth.policy.refusal_budget as usize {
            return Ok(());
        }
        let mut ours = self.waits.keys().map(|id| &ground_truth.registrations[id]);
        let is_refused = |one: &&Registration| {
            let cause = match one.state() {
                Some(State::Unmapped { cause, .. }) => cause,
                _ => return false,
            };
            let is_ours = !ground_truth.edited.contains(&one.ec2);
            is_refused_logon(cause.as_str()) && one.connected_since < changed && is_ours
        };
        let Some(one) = ours.find(is_refused) else { return Ok(()) };
        let from = changed.max(one.state_since).max(refusals.budget_returns(step));
        let from = ends().flatten().fold(from, Timestamp::max);
        // Its targets get no other command until SSM would list it.
        let confirmed = self.send_failed.map(|at| at + ground_truth.policy.unconfirmed_send_wait());
        let from = confirmed.map_or(from, |confirmed| from.max(confirmed));
        let from = from + ground_truth.ecs_lag + ground_truth.ssm_lag;
        let after =
            |run: &&Run| run.is_reconcile_run && run.began > from + CLOCK_SKEW && run.ended_well.is_some();
        let runs = ground_truth.runs.iter().rev().take(40).filter(after).count();
        ensure(runs < 2, || format!("{runs} runs did not try the password of {changed} on {}", one.ec2))
    }
}

/// The longest time for which this one may wait; `None` where nothing is due.
fn bound(one: &Registration, wait: &Wait, policy: &Policy) -> Option<SignedDuration> {
    let own = if one.is_mapped() {
        policy.verify_every? * 2 + wait.turns
    } else {
        let pause = policy.retry_wait().max(policy.no_result_wait()).max(policy.shared_cause_wait());
        pause + policy.base * 2 + policy.canary_overlap()
    };
    Some(own + THREE_RECONCILE_RUNS + (ROW_GAP + DEADLINE) * (1 + wait.failing))
}

/// When a command to it last ended, or may end at the latest; when it was judged or registered, if that is later.
fn last_turn(step: &Step<'_>, one: &Registration) -> Timestamp {
    let commands = step.ground_truth.history(step.aws, &one.ec2);
    let ends = commands.map(|(command, target)| {
        let latest = command.requested() + DEADLINE;
        target.finished().map_or(latest, |at| at.min(latest))
    });
    ends.max().unwrap_or(Timestamp::MIN).max(one.state_since).max(one.connected_since)
}

/// When a reconcile run last ended well, if that was lately.
fn last_success(step: &Step<'_>) -> Option<Timestamp> {
    let now = step.aws.now();
    let runs = step.ground_truth.runs.iter().rev().take(40).filter(|run| run.is_reconcile_run);
    runs.filter_map(|run| run.ended_well).find(|at| now.duration_since(*at) <= THREE_RECONCILE_RUNS)
}

/// The share, the account and the parameters.
fn is_shared_in_order(world: &World, now: Timestamp) -> bool {
    let (server, account) = (&world.file_server, &world.account);
    let is_served = server.up && server.resolves && server.share == "share" && server.read_error.is_none();
    is_served
        && account.refuses_with.is_none()
        && !account.is_locked(now)
        && world.parameters.fetch().is_ok_and(|(_, password)| password == account.password)
}

/// A `map` or a check would succeed on it.
fn is_in_order(world: &World, host: &Host) -> bool {
    let is_right = match &host.letter {
        Letter::Smb(mapping) => mapping.names(REMOTE) && mapping.password == world.account.password,
        Letter::Free => true,
        Letter::Disk => false,
    };
    is_right
        && host.power == Power::Running
        && host.agent == Agent::Online
        && host.scripted.is_empty()
        && !has_a_fault(world, host)
        && !gives_no_result(host)
}
