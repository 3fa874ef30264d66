//! The order of writes and sends, and runs that are killed between any two calls.

use tests::local_aws::in_process::{Ended, Moment};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_restart_is_written_before_a_command_is_sent() {
    let setup = Setup::fresh(
        world()
            .windows_instance("apps", mapped)
            .windows_instance("apps", mapped)
            .windows_instances("apps", 1),
    )
    .await;
    let process = Process::new(&setup.local, CALLER);
    // The new host's event is the first of the batch; the restarted host's registration event is the last.
    let mut reconnected = setup.event(&id(2));
    reconnected["detail"]["attributes"]
        .as_array_mut()
        .unwrap()
        .retain(|a| !a["name"].as_str().unwrap().starts_with("smb."));
    let events =
        [setup.event(&id(3)), state_change(&id(2), "running", base() - Duration::from_secs(5)), reconnected];
    let answer = setup.invoke_as(&process, sqs(&events)).await.unwrap();
    assert!(failures(&answer).is_empty());
    let calls = setup.calls();
    let position = |operation: &str| calls.iter().position(|call| call == operation).unwrap();
    assert!(position("PutAttributes") < position("ListCommands"), "{calls:?}");
    assert_eq!(
        setup.commands(),
        [[id(3)]],
        "the reconcile run sends to the restarted host when its agent is back"
    );
    let (gate, state) = setup.attributes(&id(2));
    assert_eq!(gate.as_deref(), Some("shut"));
    assert_eq!(
        state.unwrap(),
        "restarted 2026-03-01T11:59:55.000Z 2026-03-01T11:50:00.000Z",
        "the log-on is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_run_was_killed_has_its_full_effect_when_it_is_received_again() {
    // Two new hosts, one restarted host, and one terminating host that we drained. Every call is killed at, before and
    // after its effect.
    let setup = || {
        Setup::fresh(
            world()
                .windows_instance("apps", mapped)
                .windows_instance("apps", mapped)
                .windows_instance("apps", drained_by_us)
                .windows_instances("apps", 2),
        )
    };
    let events = |setup: &Setup| {
        vec![
            state_change(&id(2), "stopping", base() - Duration::from_secs(5)),
            spot_warning(&id(3), base()),
            setup.event(&id(4)),
            setup.event(&id(5)),
        ]
    };
    let end = |setup: &Setup| {
        let drain =
            setup.local.aws().container_instance(&id(3)).unwrap().attribute("smb.G.drain").map(str::to_owned);
        (setup.commands(), (1..=5).map(|n| setup.attributes(&id(n))).collect::<Vec<_>>(), drain)
    };
    let undisturbed = setup().await;
    let events_once = events(&undisturbed);
    assert!(undisturbed.batch(&events_once).await.is_empty());
    let (expected, calls) = (end(&undisturbed), undisturbed.calls().len());
    assert_eq!(expected.0, [[id(4), id(5)]]);
    assert!(expected.2.as_deref().unwrap().starts_with("released"));
    assert!(calls >= 10, "{calls}");
    for call in 1..=u32::try_from(calls).unwrap() {
        for moment in [Moment::Before, Moment::After] {
            let setup = setup().await;
            let events = events(&setup);
            let process = Process::new(&setup.local, CALLER).kill_at(call, moment);
            let killed = process.run(setup.invoke_as(&process, sqs(&events))).await;
            assert_eq!(killed, Ended::Killed, "call {call}");
            // SQS delivers the batch again.
            assert!(setup.batch(&events).await.is_empty(), "call {call} {moment:?}");
            assert_eq!(end(&setup), expected, "killed {moment:?} call {call}");
        }
    }
}
