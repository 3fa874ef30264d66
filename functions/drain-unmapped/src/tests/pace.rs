//! How fast a fleet is checked: what was measured, how large commands are, and how the period stretches.

use jiff::SignedDuration;
use shared::cause::Cause;
use shared::config::Policy;
use shared::history::{Action, Command};
use shared::invocation::InvocationResult;

use super::build::{FleetWith, NOW, With, fleet, host, hosts, policy};
use crate::decide::{CheckPace, assess, decide};
use crate::fleet::Fleet;

const HOLDS_IT: &str = "open mapped -9d -1m -1h";

fn pace(fleet: &Fleet, policy: &Policy) -> CheckPace {
    decide(fleet, policy, NOW).pace
}

fn minutes(pace: &CheckPace) -> Option<i64> {
    pace.period.map(|period| period.as_secs() / 60)
}

/// A fleet of so many mapped instances, of which the last check of some took that long, two at a time.
fn measured(n: u32, targets: u32, seconds: i64) -> Fleet {
    let answered = hosts(0..targets, HOLDS_IT).into_iter().map(|host| host.result("check -9m mapped"));
    fleet(answered.chain(hosts(targets..n, HOLDS_IT))).having(|fleet| {
        let commands = std::sync::Arc::make_mut(&mut fleet.commands);
        commands.iter_mut().for_each(|command| command.max_concurrency = 2);
        let attempts = std::sync::Arc::make_mut(&mut fleet.attempts);
        let checks = attempts.iter_mut().filter(|attempt| attempt.action == Action::Check);
        for (i, attempt) in checks.enumerate() {
            let round = i64::try_from(i / 2 + 1).unwrap();
            attempt.ended_at = attempt.requested_at + SignedDuration::from_secs(round * seconds);
        }
    })
}

#[test]
fn the_time_of_a_check_is_measured_from_its_command() {
    assert_eq!(pace(&measured(40, 10, 12), &policy()).each, SignedDuration::from_secs(12));
    assert_eq!(
        pace(&measured(40, 9, 20), &policy()).each,
        SignedDuration::from_secs(20),
        "a place is idle at the end"
    );
    let unmeasured = SignedDuration::from_secs(15);
    assert_eq!(pace(&fleet(hosts(0..40, HOLDS_IT)), &policy()).each, unmeasured);
    let answered_by = |answers: usize| {
        measured(40, 24, 300).having(|fleet| {
            let attempts = std::sync::Arc::make_mut(&mut fleet.attempts);
            let checks = attempts.iter_mut().filter(|attempt| attempt.action == Action::Check);
            checks.skip(answers).for_each(|one| one.result = InvocationResult::NoResult(Cause::UNDELIVERED));
        })
    };
    let of_slow_hosts = SignedDuration::from_secs(300);
    assert_eq!(pace(&answered_by(4), &policy()).each, of_slow_hosts, "SSM delivered no more in time");
    assert_eq!(pace(&answered_by(0), &policy()).each, unmeasured, "nobody answered");
    assert_eq!(
        pace(&measured(40, 2, 0), &policy()).each,
        SignedDuration::from_secs(1),
        "no host is believed to be faster"
    );
    assert_eq!(pace(&measured(40, 2, 400), &policy()).each, SignedDuration::from_mins(6));
}

#[test]
fn the_period_stretches_where_the_budget_allows_no_more_checks() {
    let with = |n: u32, budget: u32| {
        let policy = Policy { refusal_budget: budget, ..policy() };
        minutes(&pace(&measured(n, 10, 12), &policy)).unwrap()
    };
    assert_eq!((with(250, 3), with(300, 3)), (30, 30));
    assert_eq!((with(500, 3), with(500, 4), with(5_000, 3)), (50, 33, 500));
    let unknown = fleet(hosts(0..300, "open mapped -9d -1m -"));
    assert_eq!(
        minutes(&pace(&unknown, &policy())),
        Some(75),
        "one at a time, of which nobody knows the credential"
    );
    let off = Policy { verify_every: None, ..policy() };
    assert_eq!(pace(&measured(500, 10, 12), &off).period, None);
    let shut = fleet(hosts(0..300, "shut unmapped 1 -1m - 53 -5m"));
    assert_eq!(minutes(&pace(&shut, &policy())), Some(30), "shut gates are not checked");
}

#[test]
fn a_command_has_as_many_targets_as_are_checked_within_minutes() {
    let targets = |seconds: i64| {
        let due = measured(200, 10, seconds).having(|fleet| {
            let old = host(1, "open mapped -9d -99m -99m").record.attributes;
            fleet.instances.values_mut().for_each(|one| one.record.attributes = old.clone());
            fleet.instances.values_mut().for_each(|one| one.results = std::sync::Arc::default());
        });
        decide(&due, &policy(), NOW).commands[0].targets.len()
    };
    assert_eq!((targets(2), targets(12), targets(20), targets(60)), (50, 50, 36, 12));
}

#[test]
fn in_a_stretched_period_nobody_is_silent_or_unwell_before_the_turn() {
    // 500 instances at 12 s, two at a time: 50 minutes.
    let old = |minutes: u32| {
        measured(500, 10, 12).having(|fleet| {
            let stands = format!("open mapped -9d -{minutes}m -{minutes}m");
            let old = host(1, &stands).result("check -1m no timeout");
            for instance in fleet.instances.values_mut().skip(10).take(200) {
                instance.record.attributes = old.record.attributes.clone();
                instance.results = old.results.clone();
            }
        })
    };
    assert!(!decide(&old(59), &policy(), NOW).is_ssm_unwell);
    assert!(decide(&old(61), &policy(), NOW).is_ssm_unwell, "the period and ten minutes");
}

#[test]
fn the_rest_of_a_command_is_foretold_from_its_unfinished_targets() {
    let fleet = measured(40, 9, 20);
    let pace = assess(&fleet, &policy(), NOW).plan(&policy(), NOW).pace;
    let mut command = fleet.commands[0].clone();
    let rest = |command: &Command| pace.rest_of(command).as_secs();
    command.completed = 0;
    assert_eq!(rest(&command), 80, "four rounds, and the rest of another");
    command.completed = command.instances.len() - 3;
    assert_eq!(rest(&command), 20, "one round, and the rest of another");
}
