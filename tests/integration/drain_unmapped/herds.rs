//! Some runs of the scenarios in [`tests::scenarios`]; `make scenarios` runs more.

use std::collections::BTreeMap;

use tests::fleet::{Host, Presented, Scripted};
use tests::scenarios::{self, Herd, Silence, herd, silence};
use tests::stack::Stack;

use super::{calls, fleet, open, status_calls, write_password_parameter};

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_whole_fleet_drains_no_instance_and_heals_within_ten_minutes() {
    for kind in Herd::ALL {
        for seed in 1..=2 {
            herd(kind, seed, 40).await.unwrap_or_else(|wrong| panic!("{kind:?}, seed {seed}: {wrong}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn missing_results_shut_no_gate() {
    for kind in [Silence::AgentsSilent, Silence::NothingDelivered, Silence::NoResultLine] {
        silence(kind, 3, 40).await.unwrap_or_else(|wrong| panic!("{kind:?}: {wrong}"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_host_that_is_always_refused_stops_no_other() {
    for code in [1326, 1312] {
        let line =
            format!(r#"{{"smbMapping":"failed","v":1,"cause":"{code}","step":"create","message":""}}"#);
        let refused = |host: Host| {
            host.named("i-0000000000refused")
                .with(|host| host.always = Some(Scripted::new("Failed", 78, &line)))
        };
        let stack = Stack::new(fleet(61, 20).windows_instance("apps", refused));
        stack.minutes(35).await;
        assert_eq!(open(&stack).len(), 20, "{code}: once the row is over");
        let before = calls(&stack, "SendCommand");
        stack.minutes(60).await;
        assert!(calls(&stack, "SendCommand") > before, "checks continue");
        assert_eq!((open(&stack).len(), status_calls(&stack)), (20, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn three_hours_of_a_refused_password_shut_no_gate_and_heal_in_ten_minutes() {
    let stack = scenarios::mapped_fleet(62, 100).await;
    write_password_parameter(&stack, "wrong horse");
    stack.minutes(180).await;
    assert_eq!(open(&stack).len(), 100);
    write_password_parameter(&stack, "correct horse");
    stack.minutes(10).await;
    assert_eq!(open(&stack).len(), 100);
    let bad = stack.local.aws().world.account.count(Presented::Parameters, false);
    assert_eq!(bad, 0, "no host needed to log on");
}

#[tokio::test(start_paused = true)]
async fn a_third_of_the_fleet_blocked_for_three_hours_gets_at_most_forty_commands_per_host() {
    let stack = Stack::new(
        (0..33)
            .fold(fleet(63, 66), |world, _| world.windows_instance("apps", |host| host.port_445_blocked())),
    );
    stack.minutes(180).await;
    assert_eq!(open(&stack).len(), 66);
    let aws = stack.local.aws();
    let mut sends = BTreeMap::<String, usize>::new();
    for call in aws.calls().iter().filter(|call| call.operation == "SendCommand") {
        for id in call.request()["InstanceIds"].as_array().expect("a list") {
            *sends.entry(id.to_string()).or_default() += 1;
        }
    }
    let most = sends.values().max().copied().unwrap_or_default();
    assert!((1..=40).contains(&most), "{most}");
    drop(aws);
    assert_eq!(status_calls(&stack), 0, "the breaker is open");
}
