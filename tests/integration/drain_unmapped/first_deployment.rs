//! From nothing known to open gates: canaries, adoption, and a wrong password.

use tests::fleet::{Hang, Presented, World};
use tests::stack::Stack;

use super::{base, calls, cause, open};

#[tokio::test(start_paused = true)]
async fn a_first_deployment_maps_everybody_within_four_minutes_of_one_canary() {
    let stack = Stack::new(World::new(1, base()).cluster("apps").windows_instances("apps", 40));
    stack.minutes(4).await;
    assert_eq!(open(&stack).len(), 40);
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, true), 40);
    assert_eq!(stack.metrics()["Mapped"], 40);
    let first = stack.local.aws().world.account.log_ons.clone();
    let gap = first[1].at.duration_since(first[0].at);
    assert!(gap.as_secs() >= 1, "the canary was let in before anybody else tried: {gap}");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_was_mapped_by_hand_is_adopted_within_three_minutes_and_one_log_on() {
    let world = (0..40).fold(World::new(2, base()).cluster("apps"), |world, _| {
        world.windows_instance("apps", |host| {
            host.mapped_by_hand(r"\\fs1.corp.example.com\share", r"CORP\svc-ecs-share", "correct horse")
        })
    });
    let stack = Stack::new(world);
    stack.minutes(3).await;
    assert_eq!(open(&stack).len(), 40);
    assert!(stack.local.aws().world.account.count(Presented::Parameters, true) <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_by_one_canary_and_then_twice_an_hour() {
    let world = World::new(3, base()).cluster("apps").windows_instances("apps", 40);
    let stack = Stack::new(world.with(|world| world.parameters.password.write("wrong", base())));
    stack.minutes(25).await;
    let tried = stack.local.aws().world.account.log_ons.len();
    assert_eq!(tried, 1, "one canary in the first 2 × REPROBE_MINUTES");
    assert_eq!(open(&stack).len(), 0);
    assert_eq!(stack.metrics()["CredentialsRefused"], 1);
    assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0);
    let refused = stack.metric_history("CredentialsRefused");
    let first = refused.iter().find(|(_, value)| *value == 1.0).expect("the alarm's metric rises");
    assert!(first.0.duration_since(base()).as_secs() < 180, "within two runs of the refusal: {}", first.0);

    let now = stack.now();
    stack.local.aws().world.write_password_parameter("correct horse", now);
    stack.minutes(5).await;
    assert_eq!(open(&stack).len(), 40, "healed once the parameter changed");
    assert_eq!(stack.local.aws().world.account.count(Presented::Parameters, false), 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_host_whose_script_hangs_costs_its_deadline_and_no_more() {
    let world = World::new(4, base())
        .cluster("apps")
        .windows_instance("apps", |host| host.with(|host| host.hang = Some(Hang::Child)))
        .windows_instances("apps", 10);
    let stack = Stack::new(world);
    stack.minutes(20).await;
    assert_eq!(open(&stack).len(), 10);
    let hung = stack.instances("apps").into_iter().find(|id| !open(&stack).contains(id)).expect("one");
    // SSM gives such a command up as undelivered, a minute before we would call it lost.
    assert_eq!(cause(&stack, &hung).as_deref(), Some("undelivered"));
}

#[tokio::test(start_paused = true)]
async fn linux_and_foreign_instances_are_never_sent_anything() {
    let world = World::new(5, base())
        .cluster("apps")
        .windows_instances("apps", 3)
        .linux_instance("apps", |host| host.named("i-0000000000000linx"))
        .foreign_instance(|host| host.named("i-000000000000forgn"));
    let stack = Stack::new(world);
    stack.minutes(6).await;
    assert_eq!(open(&stack).len(), 3);
    let aws = stack.local.aws();
    let sent: Vec<String> = aws
        .calls()
        .iter()
        .filter(|call| call.operation == "SendCommand")
        .map(|call| call.request().to_string())
        .collect();
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|body| !body.contains("linx") && !body.contains("forgn")), "{sent:?}");
}
