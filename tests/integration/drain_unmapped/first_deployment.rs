//! First deployments: canaries, hosts that were mapped by hand, and a wrong password.

use std::time::Duration;

use serde_json::json;
use tests::fleet::{Hang, InstanceId, MappingSettings, PASSWORD, Platform, Presented, REMOTE, USER};
use tests::local_aws::LocalAws;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::scenarios::base;
use tests::stack::Stack;

use super::{DISK, calls, cause, fleet, open, status_calls, write_password_parameter};

#[tokio::test(start_paused = true)]
async fn a_first_deployment_maps_every_host_within_four_minutes_after_one_canary() {
    let stack = Stack::new(fleet(1, 40));
    stack.minutes(4).await;
    assert_eq!(open(&stack).len(), 40);
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, true), 40);
    assert_eq!(stack.metrics()["Mapped"], 40);
    let first = stack.local.aws().world.account.log_ons.clone();
    let gap = first[1].at.duration_since(first[0].at);
    assert!(gap.as_secs() >= 1, "the canary succeeded before any other host tried: {gap}");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_was_mapped_by_hand_is_adopted_within_four_minutes_without_a_log_on_of_ours() {
    let stack = Stack::new((0..40).fold(fleet(2, 0), |world, _| {
        world.windows_instance("apps", |host| host.mapped_by_hand(REMOTE, USER, PASSWORD))
    }));
    stack.minutes(4).await;
    assert_eq!(open(&stack).len(), 40);
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, true), 0, "checks are enough");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_by_two_canaries_in_a_row_and_a_correction_at_once() {
    let stack = Stack::new(fleet(3, 40).with(|world| world.parameters.password.write("wrong", base())));
    stack.minutes(31).await;
    let tried: Vec<_> =
        stack.local.aws().world.account.log_ons.iter().map(|log_on| log_on.instance.clone()).collect();
    assert!(tried.len() == 2 && tried[0] != tried[1], "the last refusal is kept for a correction: {tried:?}");
    assert_eq!(open(&stack).len(), 0);
    let metrics = stack.metrics();
    let [refused, spent, waiting] =
        ["CredentialsRefused", "RefusalsSpent", "HostsWaiting"].map(|name| &metrics[name]);
    assert_eq!([refused, spent, waiting], [&json!(1), &json!(2), &json!(40)]);
    assert_eq!(status_calls(&stack), 0);
    let refused = stack.metric_history("CredentialsRefused");
    let first = refused.iter().find(|(_, value)| *value == 1.0).expect("the metric of the alarm rises");
    assert!(first.0.duration_since(base()).as_secs() < 180, "within two runs of the refusal: {}", first.0);

    write_password_parameter(&stack, "correct horse");
    stack.minutes(2).await;
    assert_eq!(open(&stack).len(), 40, "healed once the parameter changed");
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, false), 2);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_changes_within_a_run_is_tried_by_a_canary_first() {
    let stack = Stack::new(fleet(3, 0));
    for _ in 0..11 {
        stack.local.aws().launch(Platform::Windows, Some("apps"), |host| host);
    }
    let tried = || stack.local.aws().world.account.log_ons.len();
    let change = async {
        while tried() == 0 {
            stack.local.wait(Duration::from_millis(100)).await;
        }
        write_password_parameter(&stack, "wrong");
    };
    tokio::join!(stack.minutes(10), change);
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, true), 1, "the first canary");
    assert_eq!(
        stack.local.aws().world.account.count(Presented::Parameters, false),
        2,
        "two canaries in a row"
    );
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_script_hangs_delays_the_others_by_the_overlap_only() {
    let stack = Stack::new(fleet(4, 0));
    for _ in 0..11 {
        stack.local.aws().launch(Platform::Windows, Some("apps"), |host| host);
    }
    stack.local.wait(Duration::from_secs(120)).await;
    // Of instances about which nothing is known, the canary is the first by ARN.
    let first = |aws: &LocalAws| {
        let instances = aws.container_instances("apps");
        instances.min_by_key(|one| one.id.clone()).expect("one of eleven").ec2_instance_id.clone()
    };
    let hung = first(&stack.local.aws());
    stack.local.aws().world.host(&hung).hang = Some(Hang::Child);
    stack.minutes(4).await;
    let open = open(&stack);
    assert!(open.len() == 10 && !open.contains(&hung.to_string()), "{open:?}");
    stack.minutes(16).await;
    // It mapped the share. But the agent reports a failure, so this proves nothing.
    assert_eq!(cause(&stack, &hung).as_deref(), Some("no-result"));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_in_its_first_check_delays_those_behind_it_by_two_deadlines() {
    // Instances that are older than the deployment are checked first, one at a time, since nobody knows their credentials.
    // Who is behind the one that hangs is drawn anew each time.
    let world = fleet(4, 0).windows_instance("apps", |host| host.with(|host| host.hang = Some(Hang::Child)));
    let stack = Stack::new(world.windows_instances("apps", 40));
    stack.minutes(30).await;
    assert_eq!(open(&stack).len(), 40);
}

#[tokio::test(start_paused = true)]
async fn linux_and_foreign_instances_are_sent_no_command() {
    let world = fleet(5, 3)
        .linux_instance("apps", |host| host.named("i-0000000000000linx"))
        .foreign_instance(|host| host.named("i-000000000000forgn"));
    let stack = Stack::new(world);
    stack.minutes(6).await;
    assert_eq!(open(&stack).len(), 3);
    let aws = stack.local.aws();
    let sends = || aws.calls().iter().filter(|call| call.operation == "SendCommand");
    assert!(sends().count() > 0);
    for body in sends().map(|call| call.request().to_string()) {
        assert!(!body.contains("linx") && !body.contains("forgn"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_bad_host_among_sixty_makes_no_other_unmapped() {
    for mapped_by_hand in [false, true] {
        let world = (0..59).fold(fleet(21, 0), |world, _| {
            world.windows_instance("apps", |host| {
                if mapped_by_hand { host.mapped_by_hand(REMOTE, USER, PASSWORD) } else { host }
            })
        });
        let stack = Stack::new(world.windows_instance("apps", |host| host.named(DISK).disk_on_letter()));
        for minute in 1..=20 {
            stack.minutes(1).await;
            let ids: Vec<_> = stack.local.aws().world.hosts.keys().cloned().collect();
            // `not-mapped` is what a check truly finds before the first `map`.
            let is_failed = |id: &&InstanceId| cause(&stack, id).is_some_and(|cause| cause != "not-mapped");
            let unmapped: Vec<_> = ids.iter().filter(is_failed).collect();
            assert!(unmapped.iter().all(|id| ***id == *DISK), "minute {minute}: {unmapped:?}");
        }
        assert_eq!(open(&stack).len(), 59);
        assert_eq!(cause(&stack, DISK).as_deref(), Some("drive-in-use"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_the_tag_of_the_policy_does_not_block_the_others() {
    let id = "i-00000000000untagd";
    let world = fleet(22, 12).windows_instance("apps", |host| host.named(id).untagged());
    let stack = Stack::new(world.with(|world| world.only_tagged = true));
    stack.minutes(6).await;
    assert_eq!(open(&stack).len(), 12);
    assert_eq!(cause(&stack, id).as_deref(), Some("refused-by-ssm"));
    let report = stack.ask(json!({ "report": true })).await.unwrap();
    let row = report["instances"].as_array().unwrap().iter().find(|row| row["instance"] == id).unwrap();
    assert_eq!(row["cause"]["code"], "refused-by-ssm");

    stack.local.aws().world.host(id).is_tagged = true;
    stack.minutes(20).await;
    assert_eq!(open(&stack).len(), 13);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_send_to_nobody_costs_a_handful_of_calls_a_run() {
    for names_a_target in [true, false] {
        let world = fleet(23, 500).with(|world| {
            world.only_tagged = true;
            world.hosts.values_mut().for_each(|host| host.is_tagged = !names_a_target);
        });
        let stack = Stack::new(world);
        if !names_a_target {
            let denied = FaultRule::once("SendCommand", Fault::Denied).times(u32::MAX);
            stack.local.aws().faults.add(denied);
        }
        for minute in 1..=10 {
            let before = calls(&stack, "SendCommand");
            stack.minutes(1).await;
            let made = calls(&stack, "SendCommand") - before;
            assert!(made <= 7, "minute {minute}: {made} calls");
        }
        assert!(open(&stack).is_empty());
        assert!(stack.metrics()["Errors"].as_f64() > Some(0.0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_version_of_the_document_is_sent_though_an_older_one_is_the_default() {
    let world = fleet(24, 5).with(|world| {
        let document = world.documents.values_mut().find(|one| one.settings(1).is_some()).unwrap();
        let settings = document.settings(1).unwrap().clone();
        document.versions[0] =
            Some(MappingSettings { remote: r"\\old.corp.example.com\share".to_owned(), ..settings.clone() });
        document.update(settings);
    });
    let stack = Stack::new(world);
    stack.minutes(4).await;
    assert_eq!(open(&stack).len(), 5);
    let report = stack.ask(json!({ "report": true })).await.unwrap();
    let versions = report["instances"].as_array().unwrap().iter().map(|row| &row["scriptVersion"]);
    assert!(versions.eq([&report["scriptVersion"]; 5]), "{report}");
}
