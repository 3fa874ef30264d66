//! The histories of [`tests::scenarios`], a few moments each; `make scenarios` runs more.

use tests::fleet::{Presented, World};
use tests::scenarios::{Herd, Silence, calls, herd, mapped_fleet, open, silence};
use tests::stack::Stack;

use super::base;

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_whole_fleet_drains_nobody_and_heals_within_ten_minutes() {
    for kind in Herd::ALL {
        for seed in 1..=2 {
            herd(kind, seed, 40).await.unwrap_or_else(|wrong| panic!("{kind:?}, seed {seed}: {wrong}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_shuts_no_gate() {
    for kind in [Silence::AgentsSilent, Silence::NothingDelivered, Silence::NoResultLine] {
        silence(kind, 3, 40).await.unwrap_or_else(|wrong| panic!("{kind:?}: {wrong}"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_host_that_is_always_refused_stops_nobody_else() {
    for code in [1326, 1312] {
        let line =
            format!(r#"{{"smbMapping":"failed","v":1,"cause":"{code}","step":"create","message":""}}"#);
        let refused = tests::fleet::Scripted::new("Failed", 78, &line);
        let world = World::new(61, base())
            .cluster("apps")
            .windows_instance("apps", |host| {
                host.named("i-0000000000refused").with(|host| host.always = Some(refused))
            })
            .windows_instances("apps", 20);
        let stack = Stack::new(world);
        stack.minutes(33).await;
        assert_eq!(open(&stack).len(), 20, "{code}: within 2 × REPROBE_MINUTES");
        let before = calls(&stack, "SendCommand");
        stack.minutes(60).await;
        assert!(calls(&stack, "SendCommand") > before, "checks go on");
        assert_eq!((open(&stack).len(), calls(&stack, "UpdateContainerInstancesState")), (20, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn three_hours_of_a_refused_password_shut_no_gate_and_heal_in_ten_minutes() {
    let stack = mapped_fleet(62, 100).await;
    let now = stack.now();
    stack.local.aws().world.write_password_parameter("wrong horse", now);
    stack.minutes(180).await;
    let unjust = 100 - open(&stack).len();
    let now = stack.now();
    stack.local.aws().world.write_password_parameter("correct horse", now);
    stack.minutes(10).await;
    assert_eq!((unjust, open(&stack).len()), (0, 100));
    assert_eq!(
        stack.local.aws().world.account.count(Presented::Parameters, false),
        0,
        "nobody needed to log on"
    );
}

#[tokio::test(start_paused = true)]
async fn a_third_of_the_fleet_blocked_for_three_hours_costs_at_most_forty_sends_a_host() {
    let world = (0..33)
        .fold(World::new(63, base()).cluster("apps").windows_instances("apps", 66), |world, _| {
            world.windows_instance("apps", |host| host.port_445_blocked())
        });
    let stack = Stack::new(world);
    stack.minutes(180).await;
    assert_eq!(open(&stack).len(), 66);
    let aws = stack.local.aws();
    let mut sends = std::collections::BTreeMap::<String, usize>::new();
    for call in aws.calls().iter().filter(|call| call.operation == "SendCommand") {
        for id in call.request()["InstanceIds"].as_array().expect("a list") {
            *sends.entry(id.to_string()).or_default() += 1;
        }
    }
    let most = sends.values().max().copied().unwrap_or_default();
    assert!(most <= 40, "{most}");
    assert!(
        !aws.calls().iter().any(|call| call.operation == "UpdateContainerInstancesState"),
        "the breaker is open"
    );
}
