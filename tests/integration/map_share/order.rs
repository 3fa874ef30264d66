//! The order of the writes and sends, and that a death between any two of them does no harm.

use serde_json::json;
use tests::local_aws::in_process::{Ended, Moment};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_restart_is_on_record_before_anything_is_sent() {
    let story = Story::new(
        world()
            .windows_instance("apps", mapped)
            .windows_instance("apps", mapped)
            .windows_instances("apps", 1),
    );
    let process = Process::new(&story.local, CALLER);
    // The batch holds the newcomer first, and the restarted host's own registration event last.
    let mut reconnected = story.event(&id(2));
    reconnected["detail"]["attributes"]
        .as_array_mut()
        .unwrap()
        .retain(|a| !a["name"].as_str().unwrap().starts_with("smb."));
    let events =
        [story.event(&id(3)), state_change(&id(2), "running", base() - Duration::from_secs(5)), reconnected];
    let answer = story.invoke_as(&process, sqs(&events)).await.unwrap();
    assert!(failures(&answer).is_empty());
    let calls = story.calls();
    let position = |operation: &str| calls.iter().position(|call| call == operation).unwrap();
    assert!(position("PutAttributes") < position("ListCommands"), "{calls:?}");
    assert_eq!(story.commands(), [[id(3)]], "the sweep sends to the restarted one when its agent is back");
    let (gate, state) = story.attributes(&id(2));
    assert_eq!(gate.as_deref(), Some("shut"));
    assert_eq!(
        state.unwrap(),
        "restarted 2026-03-01T11:59:55.000Z 2026-03-01T11:50:00.000Z",
        "the log-on is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn a_killed_function_leaves_nothing_half_done() {
    // Two newcomers, one restarted host, one dying host that we drained, over every call on either side of its effect.
    let drained = |host: Host| {
        host.attribute("smb.G.drain", "done 1130 2026-03-01T11:55:00.000Z").drained_by_operator()
    };
    let story = || {
        Story::new(
            world()
                .windows_instance("apps", mapped)
                .windows_instance("apps", mapped)
                .windows_instance("apps", drained)
                .windows_instances("apps", 2),
        )
    };
    let events = |story: &Story| {
        let warning = json!({"instance-id": id(3), "instance-action": "terminate"});
        vec![
            state_change(&id(2), "stopping", base() - Duration::from_secs(5)),
            envelope("aws.ec2", "EC2 Spot Instance Interruption Warning", base(), warning),
            story.event(&id(4)),
            story.event(&id(5)),
        ]
    };
    let end = |story: &Story| {
        let drain =
            story.local.aws().container_instance(&id(3)).unwrap().attribute("smb.G.drain").map(str::to_owned);
        (story.commands(), (1..=5).map(|n| story.attributes(&id(n))).collect::<Vec<_>>(), drain)
    };
    let undisturbed = story();
    let events_once = events(&undisturbed);
    assert!(undisturbed.batch(&events_once).await.is_empty());
    let (expected, calls) = (end(&undisturbed), undisturbed.calls().len());
    assert_eq!(expected.0, [[id(4), id(5)]]);
    assert!(expected.2.as_deref().unwrap().starts_with("released"));
    assert!(calls >= 10, "{calls}");
    for call in 1..=u32::try_from(calls).unwrap() {
        for moment in [Moment::Before, Moment::After] {
            let story = story();
            let events = events(&story);
            let process = Process::new(&story.local, CALLER).kill_at(call, moment);
            let killed = process.run(story.invoke_as(&process, sqs(&events))).await;
            assert_eq!(killed, Ended::Killed, "call {call}");
            // SQS hands the batch over again.
            assert!(story.batch(&events).await.is_empty(), "call {call} {moment:?}");
            assert_eq!(end(&story), expected, "killed {moment:?} call {call}");
        }
    }
}
