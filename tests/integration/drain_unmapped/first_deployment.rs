//! First deployments: canaries, hosts that were mapped by hand, and a wrong password.

use tests::fleet::{Hang, PASSWORD, Presented, REMOTE, USER};
use tests::scenarios::base;
use tests::stack::Stack;

use super::{cause, fleet, open, status_calls, write_password_parameter};

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
async fn a_fleet_that_was_mapped_by_hand_is_adopted_within_three_minutes_with_at_most_one_log_on() {
    let stack = Stack::new((0..40).fold(fleet(2, 0), |world, _| {
        world.windows_instance("apps", |host| host.mapped_by_hand(REMOTE, USER, PASSWORD))
    }));
    stack.minutes(3).await;
    assert_eq!(open(&stack).len(), 40);
    assert!(stack.local.aws().world.account.count(Presented::Parameters, true) <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_by_one_canary_every_half_hour() {
    let stack = Stack::new(fleet(3, 40).with(|world| world.parameters.password.write("wrong", base())));
    stack.minutes(25).await;
    let tried = stack.local.aws().world.account.log_ons.len();
    assert_eq!(tried, 1, "one canary in the first 2 × REPROBE_MINUTES");
    assert_eq!(open(&stack).len(), 0);
    assert_eq!(stack.metrics()["CredentialsRefused"], 1);
    assert_eq!(status_calls(&stack), 0);
    let refused = stack.metric_history("CredentialsRefused");
    let first = refused.iter().find(|(_, value)| *value == 1.0).expect("the metric of the alarm rises");
    assert!(first.0.duration_since(base()).as_secs() < 180, "within two runs of the refusal: {}", first.0);

    write_password_parameter(&stack, "correct horse");
    stack.minutes(5).await;
    assert_eq!(open(&stack).len(), 40, "healed once the parameter changed");
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, false), 1);
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_script_hangs_delays_the_others_by_its_deadline_only() {
    let world = fleet(4, 0).windows_instance("apps", |host| host.with(|host| host.hang = Some(Hang::Child)));
    let stack = Stack::new(world.windows_instances("apps", 10));
    stack.minutes(20).await;
    assert_eq!(open(&stack).len(), 10);
    let hung = stack.instances("apps").into_iter().find(|id| !open(&stack).contains(id)).expect("one");
    // SSM ends such a command as undelivered, a minute before its deadline here would call it lost.
    assert_eq!(cause(&stack, &hung).as_deref(), Some("undelivered"));
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
