//! Faults that the whole fleet shares: nobody is drained, nothing healthy is touched, and everything heals by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use shared::state::State;

use tests::fleet::{Agent, LockOut, Power, Presented, World};
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::ssm::Command;
use tests::stack::Stack;

use super::{base, calls, open};

async fn mapped_fleet(seed: u64, n: usize) -> Stack {
    // What refused groups are halved by, and the SDK's jitter: this thread's generator.
    fastrand::seed(seed);
    let stack = Stack::new(World::new(seed, base()).cluster("apps").windows_instances("apps", n));
    stack.minutes(5).await;
    assert_eq!(open(&stack).len(), n);
    stack
}

#[tokio::test(start_paused = true)]
async fn twenty_minutes_without_the_file_server_drain_nobody_and_heal_within_ten() {
    for seed in 31..33 {
        let stack = mapped_fleet(seed, 100).await;
        stack.local.wait(Duration::from_secs(seed * 37)).await;
        stack.local.aws().world.file_server.goes_down();
        stack.minutes(20).await;
        stack.local.aws().world.file_server.comes_back();
        stack.minutes(10).await;
        assert_eq!(open(&stack).len(), 100, "seed {seed}");
        assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0, "seed {seed}");
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
    assert_eq!(open(&stack).len(), 40);
    assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0);
}

#[tokio::test(start_paused = true)]
async fn ssm_that_delivers_nothing_for_ninety_minutes_shuts_no_gate() {
    let stack = mapped_fleet(42, 40).await;
    for id in stack.instances("apps") {
        stack.local.aws().ssm_agent_falls_silent(&id);
    }
    stack.minutes(90).await;
    assert_eq!(open(&stack).len(), 40);
    assert_eq!(stack.metrics()["SsmUnwell"], 1);
    for id in stack.instances("apps") {
        stack.local.aws().ssm_agent_returns(&id);
    }
    stack.minutes(60).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["SsmUnwell"]), (40, &serde_json::json!(0)));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_refused_for_some_of_its_targets_stays_one_command() {
    let stack = mapped_fleet(47, 20).await;
    let since = stack.now();
    // EC2 ends them, and SSM still shows their agents as online.
    for id in stack.instances("apps").iter().step_by(7) {
        stack.local.aws().world.host(id).power = Power::ShuttingDown;
    }
    stack.minutes(55).await;
    let aws = stack.local.aws();
    let is_check = |one: &&Command| one.requested() > since && one.parameter("Action") == Some("check");
    let checks: Vec<&Command> = aws.commands().filter(is_check).collect();
    let asked: BTreeSet<&str> =
        checks.iter().flat_map(|one| one.invocations()).map(|one| &**one.instance()).collect();
    assert_eq!(asked.len(), 17, "everybody else is looked at");
    for pair in checks.windows(2) {
        let over = pair[0].invocations().iter().filter_map(|one| one.finished()).max();
        assert!(over.is_some_and(|over| over < pair[1].requested()), "two at work since {over:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_refused_time_and_again_keeps_nobody_waiting() {
    let stack = mapped_fleet(51, 120).await;
    stack.minutes(35).await;
    // It was looked at longest ago, so every check begins with it.
    let oldest = |id: &String| stack.attributes(id).state.state().map(State::judged);
    let refused = stack.instances("apps").into_iter().min_by_key(oldest).expect("one of many");
    stack.local.aws().world.host(&refused).power = Power::ShuttingDown;
    stack.minutes(60).await;
    let old = |id: &String| {
        oldest(id).is_none_or(|judged| stack.now().duration_since(judged) > SignedDuration::from_mins(45))
    };
    let waiting: Vec<String> = stack.instances("apps").into_iter().filter(old).collect();
    assert_eq!(waiting, [refused]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_a_command_for_a_verdict_that_could_not_be_written() {
    let world = World::new(50, base()).cluster("apps").windows_instances("apps", 9);
    let stack =
        Stack::new(world.windows_instance("apps", |host| host.named("i-0000000000disk000").disk_on_letter()));
    stack.minutes(5).await;
    let since = stack.now();
    let sent = |stack: &Stack| {
        let aws = stack.local.aws();
        let ours =
            aws.commands().filter(|one| one.requested() > since && one.parameter("Action") == Some("map"));
        ours.flat_map(|one| one.invocations())
            .filter(|one| &**one.instance() == "i-0000000000disk000")
            .count()
    };
    // An operator opens its gate by hand; that it is shut again does not come through.
    stack.local.aws().operator_sets_attribute("i-0000000000disk000", "smb.G", Some("mapped"));
    stack.local.aws().faults.add(FaultRule::once("PutAttributes", Fault::Denied).times(u32::MAX));
    stack.minutes(20).await;
    assert_eq!((open(&stack).len(), sent(&stack)), (10, 0));
    stack.local.aws().faults.clear();
    stack.minutes(2).await;
    assert_eq!((open(&stack).len(), sent(&stack)), (9, 1));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_is_reported_and_holds_nobody_up() {
    let clusters = ["apps", "gone"].map(tests::local_aws::ecs::cluster_arn).join(",");
    let world = World::new(48, base()).cluster("apps").windows_instances("apps", 5);
    let stack = Stack::with(world, &[("CLUSTERS", &clusters)]);
    stack.minutes(5).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["Errors"]), (5, &serde_json::json!(1)));
}

#[tokio::test(start_paused = true)]
async fn while_a_cluster_is_unread_no_kept_credential_logs_on() {
    let world = World::new(49, base()).cluster("apps").cluster("batch").windows_instances("apps", 20);
    let stack = Stack::new(world);
    stack.minutes(5).await;
    let since = stack.now();
    let mut listed = 0;
    stack.local.aws().faults.chance = Some(Box::new(move |_, operation, _| {
        listed += u32::from(operation == "ListContainerInstances");
        let is_second_cluster = operation == "ListContainerInstances" && listed % 2 == 0;
        is_second_cluster.then_some(Fault::Denied)
    }));
    stack.minutes(90).await;
    assert_eq!((open(&stack).len(), &stack.metrics()["Errors"]), (20, &serde_json::json!(1)));
    assert!(!stack.local.aws().commands().any(|one| one.requested() > since), "who fails there is not known");
}

#[tokio::test(start_paused = true)]
async fn one_silent_agent_among_many_shuts_its_gate_in_two_periods() {
    let stack = mapped_fleet(43, 40).await;
    let id = stack.instances("apps")[0].clone();
    stack.local.aws().ssm_agent_falls_silent(&id);
    stack.minutes(95).await;
    assert_eq!(super::cause(&stack, &id).as_deref(), Some("silent"));
    assert_eq!(stack.metrics()["Unreachable"], 1);
    assert_eq!(open(&stack).len(), 39);
    assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_password_changed_in_the_directory_only_locks_no_account() {
    for n in [40, 100] {
        let stack = mapped_fleet(44, n).await;
        let policy =
            LockOut { threshold: 5, window: Duration::from_secs(1800), duration: Duration::from_secs(1800) };
        {
            let mut aws = stack.local.aws();
            aws.world.account.lock_out = Some(policy);
            aws.world.change_password_in_directory("new horse");
            // Every session ends, so that each next look logs on again.
            aws.world.file_server.goes_down();
            aws.world.file_server.comes_back();
        }
        stack.minutes(180).await;
        let locked = {
            let aws = stack.local.aws();
            aws.world.account.log_ons.iter().filter(|one| one.result == Err(1909)).count()
        };
        assert_eq!(locked, 0, "{n} instances");
        let now = stack.now();
        stack.local.aws().world.write_password_parameter("new horse", now);
        stack.minutes(10).await;
        let healed = open(&stack).len();
        assert!(healed >= n - 5, "{healed} of {n} open");
        assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_in_both_places_renews_the_log_ons_a_few_at_a_time() {
    let stack = mapped_fleet(45, 40).await;
    let now = stack.now();
    {
        let mut aws = stack.local.aws();
        aws.world.account.lock_out = Some(LockOut {
            threshold: 5,
            window: Duration::from_secs(1800),
            duration: Duration::from_secs(1800),
        });
        aws.world.change_password_in_directory("new horse");
        aws.world.write_password_parameter("new horse", now);
        aws.world.file_server.goes_down();
        aws.world.file_server.comes_back();
    }
    stack.minutes(180).await;
    assert_eq!(open(&stack).len(), 40);
    let aws = stack.local.aws();
    assert!(!aws.world.account.log_ons.iter().any(|one| one.result == Err(1909)), "locked");
    assert!(aws.world.account.count(Presented::Parameters, true) >= 40);
}

#[tokio::test(start_paused = true)]
async fn a_late_agent_is_mapped_once_it_is_online() {
    let world = World::new(46, base())
        .cluster("apps")
        .windows_instances("apps", 5)
        .windows_instance("apps", |host| {
            host.named("i-0000000000late000").agent_late(Duration::from_secs(600))
        });
    let stack = Stack::new(world);
    stack.minutes(9).await;
    assert_eq!(open(&stack).len(), 5);
    stack.minutes(3).await;
    assert_eq!(open(&stack).len(), 6);
    assert!(matches!(stack.local.aws().world.host("i-0000000000late000").agent, Agent::Online));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_calls_never_get_through_ends_before_lambda_ends_it() {
    let stack = Stack::new(World::new(47, base()).cluster("apps").windows_instances("apps", 3));
    stack
        .local
        .aws()
        .faults
        .add(FaultRule::once("ListCommands", Fault::Late(Duration::from_secs(4))).times(1000));
    stack.local.aws().faults.add(FaultRule::once("ListContainerInstances", Fault::Throttle).times(1000));
    let before = stack.now();
    let error = stack.ask(serde_json::json!({ "Records": [] })).await.unwrap_err();
    let took = stack.now().duration_since(before);
    assert!(took.as_secs() < 50, "{took}");
    assert!(!error.to_string().is_empty());
}
