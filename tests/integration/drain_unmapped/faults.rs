//! Faults: no healthy instance is drained or changed, and the fleet heals by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use shared::state::State;
use tests::fleet::{Agent, Host, Power, Presented};
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::ssm::Command;
use tests::stack::{Stack, tick};

use super::{
    DISK, cause, change_password_in_directory, fleet, mapped_fleet, open, status_calls, was_locked,
    with_disk, write_password_parameter,
};

#[tokio::test(start_paused = true)]
async fn twenty_minutes_without_the_file_server_drain_no_instance_and_heal_within_ten() {
    for seed in 31..33 {
        let stack = mapped_fleet(seed, 100).await;
        stack.local.wait(Duration::from_secs(seed * 37)).await;
        stack.local.aws().world.file_server.goes_down();
        stack.minutes(20).await;
        stack.local.aws().world.file_server.comes_back();
        stack.minutes(10).await;
        assert_eq!((open(&stack).len(), status_calls(&stack)), (100, 0), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn ninety_minutes_without_the_file_server_open_the_breaker_and_heal_within_ten() {
    let stack = mapped_fleet(41, 40).await;
    stack.local.aws().world.file_server.goes_down();
    stack.minutes(90).await;
    assert_eq!(stack.metrics()["BreakerOpen"], 1);
    stack.local.aws().world.file_server.comes_back();
    stack.minutes(10).await;
    assert_eq!((open(&stack).len(), status_calls(&stack)), (40, 0));
}

#[tokio::test(start_paused = true)]
async fn ninety_minutes_without_delivery_by_ssm_shut_no_gate() {
    let stack = mapped_fleet(42, 40).await;
    for id in stack.instances("apps") {
        stack.local.aws().ssm_agent_falls_silent(&id);
    }
    stack.minutes(90).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["SsmUnwell"]), (40, &json!(1)));
    for id in stack.instances("apps") {
        stack.local.aws().ssm_agent_returns(&id);
    }
    stack.minutes(60).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["SsmUnwell"]), (40, &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn checks_do_not_overlap_where_ssm_refuses_some_of_the_targets() {
    let stack = mapped_fleet(47, 20).await;
    let since = stack.now();
    // These instances are being terminated, but SSM still lists their agents as online.
    for id in stack.instances("apps").iter().step_by(7) {
        stack.local.aws().world.host(id).power = Power::ShuttingDown;
    }
    stack.minutes(55).await;
    let aws = stack.local.aws();
    let is_check = |one: &&Command| one.requested() > since && one.parameter("Action") == Some("check");
    let checks: Vec<&Command> = aws.commands().filter(is_check).collect();
    let checked: BTreeSet<&str> =
        checks.iter().flat_map(|one| one.invocations()).map(|one| &*one.instance).collect();
    assert_eq!(checked.len(), 17, "all others are checked");
    for pair in checks.windows(2) {
        let over = pair[0].invocations().iter().filter_map(|one| one.finished()).max();
        assert!(over.is_some_and(|over| over < pair[1].requested()), "two checks at {over:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_always_refused_does_not_delay_the_checks_of_others() {
    let stack = mapped_fleet(51, 120).await;
    stack.minutes(35).await;
    // The least recently judged host is the first target of every check.
    let judged = |id: &String| stack.attributes(id).state.state().map(State::judged);
    let refused = stack.instances("apps").into_iter().min_by_key(judged).expect("one of many");
    stack.local.aws().world.host(&refused).power = Power::ShuttingDown;
    stack.minutes(60).await;
    let is_old = |id: &String| {
        judged(id).is_none_or(|judged| stack.now().duration_since(judged) > SignedDuration::from_mins(45))
    };
    let old: Vec<String> = stack.instances("apps").into_iter().filter(is_old).collect();
    assert_eq!(old, [refused]);
}

#[tokio::test(start_paused = true)]
async fn no_command_is_sent_for_a_verdict_that_could_not_be_written() {
    let stack = Stack::new(with_disk(50, 9));
    stack.minutes(5).await;
    let since = stack.now();
    let sent = || {
        let aws = stack.local.aws();
        let maps =
            aws.commands().filter(|one| one.requested() > since && one.parameter("Action") == Some("map"));
        maps.flat_map(|one| one.invocations()).filter(|one| &*one.instance == DISK).count()
    };
    // An operator opens the gate by hand, and the write that shuts it is denied.
    stack.local.aws().operator_sets_attribute(DISK, "smb.G", Some("mapped"));
    stack.local.aws().faults.add(FaultRule::once("PutAttributes", Fault::Denied).times(u32::MAX));
    stack.minutes(20).await;
    assert_eq!((open(&stack).len(), sent()), (10, 0));
    stack.local.aws().faults.clear();
    stack.minutes(2).await;
    assert_eq!((open(&stack).len(), sent()), (9, 1));
}

#[tokio::test(start_paused = true)]
async fn a_missing_cluster_is_reported_and_does_not_affect_the_others() {
    let clusters = ["apps", "gone"].map(tests::local_aws::ecs::cluster_arn).join(",");
    let stack = Stack::with(fleet(48, 5), &[("CLUSTERS", &clusters)]);
    stack.minutes(5).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["Errors"]), (5, &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn while_a_cluster_cannot_be_read_no_kept_credential_logs_on() {
    let stack = Stack::new(fleet(49, 20).cluster("batch"));
    stack.minutes(5).await;
    let since = stack.now();
    let mut listed = 0;
    stack.local.aws().faults.random = Some(Box::new(move |_, operation, _| {
        listed += u32::from(operation == "ListContainerInstances");
        let is_second_cluster = operation == "ListContainerInstances" && listed % 2 == 0;
        is_second_cluster.then_some(Fault::Denied)
    }));
    stack.minutes(90).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["Errors"]), (20, &json!(1)));
    assert!(!stack.local.aws().commands().any(|one| one.requested() > since), "failures there are not known");
}

#[tokio::test(start_paused = true)]
async fn the_gate_of_one_silent_agent_among_many_is_shut_after_two_periods() {
    let stack = mapped_fleet(43, 40).await;
    let id = stack.instances("apps")[0].clone();
    stack.local.aws().ssm_agent_falls_silent(&id);
    stack.minutes(95).await;
    assert_eq!(cause(&stack, &id).as_deref(), Some("silent"));
    assert_eq!(stack.metrics()["Unreachable"], 1);
    assert_eq!((open(&stack).len(), status_calls(&stack)), (39, 0));
}

#[tokio::test(start_paused = true)]
async fn a_password_changed_in_the_directory_only_does_not_lock_the_account() {
    for n in [40, 100] {
        let stack = mapped_fleet(44, n).await;
        change_password_in_directory(&stack, "new horse");
        stack.minutes(180).await;
        assert!(!was_locked(&stack), "{n} instances");
        write_password_parameter(&stack, "new horse");
        stack.minutes(10).await;
        let healed = open(&stack).len();
        assert!(healed >= n - 5, "{healed} of {n} open");
        assert_eq!(status_calls(&stack), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_changed_in_both_places_renews_the_log_ons_without_a_lockout() {
    let stack = mapped_fleet(45, 40).await;
    write_password_parameter(&stack, "new horse");
    change_password_in_directory(&stack, "new horse");
    stack.minutes(180).await;
    assert_eq!(open(&stack).len(), 40);
    assert!(!was_locked(&stack));
    assert!(stack.local.aws().world.account.count(Presented::Parameters, true) >= 40);
}

#[tokio::test(start_paused = true)]
async fn a_host_with_a_late_agent_is_mapped_once_the_agent_is_online() {
    let id = "i-0000000000late000";
    let late =
        |host: &mut Host| (host.agent, host.agent_late_by) = (Agent::Starting, Duration::from_secs(600));
    let stack = Stack::new(fleet(46, 5).windows_instance("apps", |host| host.named(id).with(late)));
    stack.minutes(9).await;
    assert_eq!(open(&stack).len(), 5);
    stack.minutes(3).await;
    assert_eq!(open(&stack).len(), 6);
    assert!(matches!(stack.local.aws().world.host(id).agent, Agent::Online));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_calls_do_not_succeed_ends_before_the_functions_timeout() {
    let stack = Stack::new(fleet(47, 3));
    for (operation, fault) in
        [("ListCommands", Fault::Late(Duration::from_secs(4))), ("ListContainerInstances", Fault::Throttle)]
    {
        stack.local.aws().faults.add(FaultRule::once(operation, fault).times(1000));
    }
    let before = stack.now();
    let error = stack.ask(tick()).await.unwrap_err();
    let took = stack.now().duration_since(before);
    assert!(took.as_secs() < 50, "{took}");
    assert!(!error.to_string().is_empty());
}
