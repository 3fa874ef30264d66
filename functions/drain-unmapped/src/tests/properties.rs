//! What must hold of every plan, on random fleets.
//!
//! The simulation checks the invariants of docs/architecture.md. Here is what it cannot check exactly, because a run of
//! its may have read late or failed halfway.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use shared::budget::Parameters;
use shared::cause::Class;
use shared::config::Policy;
use shared::ecs::Status;
use shared::history::{self, Action};
use shared::invocation::InvocationResult;
use shared::send::MaxErrors;
use shared::state::{Drain, Gate, State, StateAttribute};

use super::build::{NOW, lines};
use super::random::{fleets, policies};
use crate::decide::{DrainAction, GateWrite, Plan, PlannedCommand, PlannedDrain, Why, decide};
use crate::fleet::{AgentState, CommandResult, Fleet, Instance};

const CASES: u32 = 20_000;

/// The same cases in every run. `PROPTEST_RNG_SEED` sets another seed; `PROPTEST_CASES` multiplies the cases, relative to
/// proptest's default of 256.
fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    config.cases = CASES.saturating_mul(config.cases) / 256;
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(20_261_122);
    }
    config
}

#[test]
fn every_plan_is_consistent() {
    let seen: RefCell<BTreeMap<&str, u32>> = RefCell::default();
    let config = config();
    let least = config.cases / 1_000;
    let result = TestRunner::new(config).run(&(fleets(), policies()), |(fleet, policy)| {
        let plan = decide(&fleet, &policy, NOW);
        if let Err(broken) = check(&fleet, &policy, &plan) {
            return Err(TestCaseError::fail(format!("{broken}; decided: {:#?}", lines(&plan))));
        }
        for kind in kinds(&plan) {
            *seen.borrow_mut().entry(kind).or_default() += 1;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    println!("{seen:?}");
    assert!(seen.len() == KINDS && seen.values().all(|&n| n >= least), "hardly occurs: {seen:?}");
}

/// The kinds of steps in a plan. A property proves something only of kinds that occur.
fn kinds(plan: &Plan) -> Vec<&'static str> {
    let writes = plan.shut_or_kept.iter().chain(&plan.opened).map(|write| match write {
        GateWrite { why: Why::Silent, .. } => "shut for silence",
        GateWrite { verdict, .. } if verdict.gate == Gate::Mapped => "opened or kept open",
        GateWrite { .. } => "shut or kept shut",
    });
    let commands = plan.commands.iter().map(|command| match command.action {
        Action::Check => "checks",
        Action::Map if command.rate_control.max_concurrency == 3 => "renewals",
        Action::Map if command.reason == "canary" => "canaries",
        Action::Map if command.reason.starts_with("refused") => "refused alone",
        Action::Map => "maps",
    });
    let drains = plan.drains.iter().map(|drain| match drain.action {
        DrainAction::Drain(_) => "drains",
        DrainAction::GiveBack => "given back",
        DrainAction::MarkReleased => "released",
        DrainAction::Forget => "forgotten",
    });
    writes.chain(commands).chain(drains).collect()
}

/// How many kinds there are.
const KINDS: usize = 12;

/// `Err` says what does not hold.
type CheckResult = Result<(), &'static str>;

fn ensure(holds: bool, otherwise: &'static str) -> CheckResult {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn check(before: &Fleet, policy: &Policy, plan: &Plan) -> CheckResult {
    check_writes(before, policy, plan)?;
    check_no_result_is_judged_twice(policy, plan)?;
    for instance in before.instances.values() {
        check_failure_shuts(instance, &plan.fleet.instances[&instance.record.arn])?;
    }
    check_targets(plan)?;
    check_passwords(plan)?;
    check_rate_control(plan, policy)?;
    plan.drains.iter().try_for_each(|drain| check_drain_attribute(before, plan, drain))
}

fn check_writes(before: &Fleet, policy: &Policy, plan: &Plan) -> CheckResult {
    let mut written = BTreeSet::new();
    for GateWrite { arn, verdict, .. } in plan.shut_or_kept.iter().chain(&plan.opened) {
        ensure(written.insert(arn), "an instance is written once")?;
        let before = &before.instances[arn];
        let attributes = &before.record.attributes;
        ensure(before.record.is_connected, "nothing is written to a disconnected instance")?;
        let changes = Some(&verdict.state) != before.state() || verdict.gate != attributes.gate;
        ensure(changes, "every write changes something")?;
        if let State::Mapped { judged, .. } = &verdict.state
            && newest_script_result(before).is_none_or(|result| result.requested_at != *judged)
        {
            let is_due = policy.verify_every.is_none_or(|period| *judged <= NOW - period);
            ensure(is_due || *judged == before.record.registered_at, "an unproven state is checked at once")?;
        }
    }
    ensure(plan.opened.iter().all(GateWrite::opens), "what is opened was shut")
}

fn check_no_result_is_judged_twice(policy: &Policy, plan: &Plan) -> CheckResult {
    let again = decide(&plan.fleet, policy, NOW);
    let is_settled = again.shut_or_kept.iter().chain(&again.opened).all(|write| {
        let judged = plan.fleet.instances[&write.arn].state().map(State::judged);
        write.why == Why::Silent || judged.is_none_or(|judged| write.verdict.state.judged() > judged)
    });
    ensure(is_settled, "a result is judged once")
}

/// A failure shuts the gate; the first one that may pass makes it doubtful.
fn check_failure_shuts(before: &Instance, after: &Instance) -> CheckResult {
    let Some(CommandResult { result: Some(InvocationResult::Failed(failure)), .. }) =
        newest_script_result(before).filter(|_| before.record.is_connected)
    else {
        return Ok(());
    };
    let may_pass = matches!(failure.cause.class(), Class::Network | Class::Directory);
    let is_first = before.is_open()
        && (before.is_mapped() || before.record.attributes.state == StateAttribute::Unreadable);
    ensure(after.is_open() == (may_pass && is_first), "a failure shuts the gate, or makes it doubtful once")?;
    ensure(!after.is_open() || matches!(after.state(), Some(State::Doubtful { .. })), "doubt is recorded")
}

/// The newest result of the script itself that is not judged yet. `busy` does not count.
fn newest_script_result(instance: &Instance) -> Option<&CommandResult> {
    let mut newest_first = instance.fresh_results().rev();
    newest_first.find(|result| match &result.result {
        Some(InvocationResult::Mapped(_)) => true,
        Some(InvocationResult::Failed(failure)) => failure.cause.as_str() != "busy",
        _ => false,
    })
}

fn check_targets(plan: &Plan) -> CheckResult {
    let mut seen = BTreeSet::new();
    for command in &plan.commands {
        ensure((1..=50).contains(&command.targets.len()), "SSM takes 1 to 50 targets")?;
        for id in &command.targets {
            ensure(seen.insert(id), "an instance is sent one command")?;
            let target = plan.fleet.instances.values().find(|instance| instance.id == *id);
            let can_run = target.is_some_and(|target| {
                target.counts() && target.agent == AgentState::Online && !target.is_in_flight()
            });
            ensure(
                can_run,
                "commands go to connected instances with an agent and without a command in flight",
            )?;
        }
    }
    Ok(())
}

fn of_action(plan: &Plan, action: Action) -> impl Iterator<Item = &PlannedCommand> + Clone {
    plan.commands.iter().filter(move |command| command.action == action)
}

fn is_open(fleet: &Fleet, id: &shared::ids::InstanceId) -> bool {
    fleet.instances.values().any(|instance| instance.id == *id && instance.is_open())
}

/// Only a fresh password is presented by more than one instance; and nothing goes beyond the budget.
fn check_passwords(plan: &Plan) -> CheckResult {
    let budget = &plan.budget;
    let is_unread = plan.fleet.is_partial || plan.fleet.parameters == Parameters::Unread;
    ensure(
        !is_unread || plan.commands.is_empty(),
        "nothing is sent while parameters or a cluster are unread",
    )?;
    let targets: Vec<_> = of_action(plan, Action::Map).flat_map(|command| &command.targets).collect();
    ensure(budget.is_fresh || targets.len() <= 1, "one canary at a time")?;
    let refused = targets.iter().filter(|id| budget.refused_instances.contains(**id)).count();
    ensure(refused <= 1, "one instance at a time that was refused")?;
    ensure(
        refused == 0 || (budget.spent() == 0 && budget.possible == 0),
        "that one only where nothing counts",
    )?;
    let checks = of_action(plan, Action::Check).map(|command| command.rate_control.max_concurrency);
    let maps = if budget.is_fresh { 0 } else { u32::try_from(targets.len()).unwrap_or(u32::MAX) };
    let possible = maps + checks.sum::<u32>();
    let is_within = possible == 0 || budget.spent() + budget.possible + possible <= budget.of;
    ensure(is_within, "no more than the budget may be refused")
}

/// Checks and renewals log on with credentials, and so are few at a time.
fn check_rate_control(plan: &Plan, policy: &Policy) -> CheckResult {
    let fleet = &plan.fleet;
    let in_flight = |action: Action| {
        let listed = fleet.commands.iter().filter(move |command| {
            let is_late = NOW.duration_since(command.requested_at) > history::DEADLINE;
            command.action == action && !command.is_final && !is_late
        });
        let unconfirmed = fleet
            .unconfirmed_sends
            .iter()
            .filter(move |send| send.action == action && NOW.duration_since(send.at) < policy.base * 2);
        listed.map(|command| &command.instances).chain(unconfirmed.map(|send| &send.targets))
    };
    let checks = of_action(plan, Action::Check);
    let all_checks = checks.clone().count() + in_flight(Action::Check).count();
    ensure(checks.clone().next().is_none() || all_checks <= 1, "one `check` at a time")?;
    let renews = |targets: &[shared::ids::InstanceId]| targets.iter().any(|id| is_open(fleet, id));
    let renewals = of_action(plan, Action::Map).filter(|command| command.rate_control.max_concurrency == 3);
    let all_renewals =
        renewals.clone().count() + in_flight(Action::Map).filter(|targets| renews(targets)).count();
    ensure(renewals.clone().next().is_none() || all_renewals <= 1, "one renewal at a time")?;
    ensure(renewals.clone().all(|command| command.targets.len() <= 9), "a renewal has nine targets at most")?;
    checks.chain(renewals).try_for_each(|command| {
        let errors = u32::from(command.action == Action::Map);
        let rate = command.rate_control;
        let targets = u32::try_from(command.targets.len()).unwrap_or(u32::MAX);
        ensure(rate.max_errors == MaxErrors::Count(errors), "an end after errors")?;
        ensure(targets <= 25 * rate.max_concurrency, "as many as end within minutes")
    })
}

fn check_drain_attribute(
    before: &Fleet,
    plan: &Plan,
    PlannedDrain { arn, action }: &PlannedDrain,
) -> CheckResult {
    let (before, after) = (&before.instances[arn], &plan.fleet.instances[arn]);
    let status = before.record.status;
    let is_proven_after = |at| after.is_mapped() && after.state().is_some_and(|state| state.judged() > at);
    ensure(before.counts(), "drains are for instances that count")?;
    let fits = match (action, &before.record.attributes.drain) {
        (DrainAction::Drain(_), Drain::Absent | Drain::Requested { .. }) => status == Status::Active,
        (DrainAction::GiveBack, Drain::Done { at, .. }) => status == Status::Draining && is_proven_after(*at),
        // An operator made it active again.
        (DrainAction::MarkReleased, Drain::Done { .. }) => status == Status::Active,
        (DrainAction::MarkReleased, Drain::Requested { .. }) => status == Status::Active && after.is_mapped(),
        (DrainAction::Forget, Drain::Released { at }) => status == Status::Active && is_proven_after(*at),
        _ => false,
    };
    ensure(fits, "a drain's attribute allows what is done")
}
