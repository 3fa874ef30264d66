//! How commands are sent, and what happens to those that cannot be.

use serde_json::json;
use tests::fleet::{Agent, Power};
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::throttles::Bucket;

use super::*;

/// `count` new instances beside one that proves the password: hosts 2 and up.
fn new_instances(count: usize) -> Story {
    Story::new(world().windows_instance("apps", mapped).windows_instances("apps", count))
}

fn sends(calls: &[String]) -> usize {
    calls.iter().filter(|call| *call == "SendCommand").count()
}

/// Hands over events of hosts 2 to `last`; after the first look-up of the agents the world changes.
async fn batch_with_change(
    story: &Story,
    last: u64,
    change: impl Fn(&mut LocalAws) + Send + 'static,
) -> Vec<String> {
    let mut looked_up = false;
    let process = Process::new(&story.local, CALLER).observe(move |aws, _| {
        if !looked_up && aws.calls().last().unwrap().operation == "DescribeInstanceInformation" {
            looked_up = true;
            change(aws);
        }
    });
    let answer = story.invoke_as(&process, sqs(&story.events(2..=last))).await.unwrap();
    failures(&answer)
}

#[tokio::test(start_paused = true)]
async fn groups_hold_fifty_and_are_sent_with_pinned_options() {
    let story = new_instances(120);
    assert!(story.batch(&story.events(2..=121)).await.is_empty());
    let commands = story.commands();
    assert_eq!(commands.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    let aws = story.local.aws();
    let requests =
        aws.calls().iter().filter(|call| call.operation == "SendCommand").map(|call| call.request());
    let mut comments = Vec::new();
    for mut request in requests {
        let request = request.as_object_mut().unwrap();
        request.remove("InstanceIds");
        comments.push(request.remove("Comment").unwrap().as_str().unwrap().to_owned());
        let pinned = json!({
            "DocumentName": "ecs-smb-mapper-G", "DocumentVersion": "$DEFAULT", "TimeoutSeconds": 120,
            "MaxConcurrency": "50", "MaxErrors": "100%", "Parameters": {"Action": ["map"]},
        });
        assert_eq!(Value::Object(request.clone()), pinned);
    }
    assert!(comments.iter().all(|comment| comment.starts_with("smb-g ") && comment.len() <= 100));
    assert_ne!(comments[0], comments[1], "a nonce");
}

#[tokio::test(start_paused = true)]
async fn of_fifty_targets_ten_that_went_offline_cost_two_calls_more() {
    let story = new_instances(50);
    let failed = batch_with_change(&story, 51, |aws| {
        for n in 2..=11 {
            aws.world.host(&id(n)).agent = Agent::Absent;
        }
    });
    assert!(failed.await.is_empty(), "left to the reconcile run");
    assert_eq!(story.commands(), [(12..=51).map(id).collect::<Vec<_>>()]);
    let calls = story.calls();
    let sending = calls.iter().skip_while(|call| *call != "SendCommand").count();
    assert_eq!(sending, 3, "one live group, and two more: {calls:?}");
    assert_eq!(story.metrics()["LeftToReconcile"], 10.0);
    assert_eq!(story.metrics()["EventsHandled"], 40.0);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_refused_though_shown_online_is_found_by_halves() {
    for culprit in [2, 3, 26, 27, 40, 51] {
        let story = new_instances(50);
        let failed = batch_with_change(&story, 51, move |aws| {
            aws.world.host(&id(culprit)).power = Power::ShuttingDown;
        });
        assert!(failed.await.is_empty());
        let calls = story.calls();
        let sending = calls.iter().skip_while(|call| *call != "SendCommand").count();
        assert!(sending <= 15, "{sending} calls for culprit {culprit}");
        let mut sent: Vec<String> = story.commands().into_iter().flatten().collect();
        sent.sort();
        let others: Vec<String> = (2..=51).filter(|n| *n != culprit).map(id).collect();
        assert_eq!(sent, others, "everybody else, once");
        assert_eq!(story.metrics()["LeftToReconcile"], 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_left_online_ends_the_bisection() {
    let story = new_instances(50);
    let failed = batch_with_change(&story, 51, |aws| {
        for n in 2..=51 {
            aws.world.host(&id(n)).agent = Agent::Absent;
        }
    });
    assert!(failed.await.is_empty());
    assert_eq!(sends(&story.calls()), 1);
    assert_eq!(story.metrics()["LeftToReconcile"], 50.0);
}

#[tokio::test(start_paused = true)]
async fn a_short_throttle_is_waited_out() {
    for operation in [
        "ListCommands",
        "DescribeContainerInstances",
        "DescribeInstanceInformation",
        "DescribeParameters",
        "ListContainerInstances",
        "ListCommandInvocations",
        "SendCommand",
    ] {
        let story = new_instances(2);
        story.local.aws().faults.add(FaultRule::once(operation, Fault::Throttle).times(2));
        assert!(story.batch(&story.events(2..=3)).await.is_empty(), "{operation}");
        assert_eq!(story.commands(), [[id(2), id(3)]], "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_throttle_gives_back_the_records_that_it_cost_and_no_others() {
    for operation in
        ["ListCommands", "DescribeContainerInstances", "DescribeInstanceInformation", "SendCommand"]
    {
        let story = new_instances(2);
        let mut events = story.events(1..=3);
        events.push(json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {}}));
        let before = story.local.clock().now();
        story.local.aws().faults.add(FaultRule::once(operation, Fault::Throttle).times(1000));
        assert_eq!(story.batch(&events).await, ["m1", "m2"], "{operation}");
        assert!(story.commands().is_empty());
        assert_eq!(story.metrics()["Throttles"], 1.0, "{operation}");
        assert_eq!(story.metrics()["EventsFailed"], 2.0, "{operation}");
        assert!(story.local.clock().now().duration_since(before).as_secs() < 60, "within its time");

        story.local.aws().faults.clear();
        assert!(story.batch(&events).await.is_empty());
        assert_eq!(story.commands(), [[id(2), id(3)]], "{operation}: once it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_outlives_the_deadline() {
    let story = new_instances(60);
    // Every answer is slow, and so is every retry of it.
    story.local.aws().lag.answer = Duration::from_secs(4);
    let app = story.app(&Process::new(&story.local, CALLER));
    let before = story.local.clock().now();
    let events = story.events(2..=61);
    let answer = map_share::handle(&app, sqs(&events), before + Duration::from_secs(31)).await.unwrap();
    let took = story.local.clock().now().duration_since(before).as_secs_f64();
    assert!((29.0..31.0).contains(&took), "{took}");
    // The first group's answer came, the second's did not: both commands exist, and only the second group returns.
    assert_eq!(story.commands().len(), 2);
    assert_eq!(failures(&answer).len(), 10);

    let again: Vec<Value> = events[50..].to_vec();
    story.local.aws().lag.answer = Duration::from_millis(40);
    assert!(story.batch(&again).await.is_empty());
    assert_eq!(story.commands().len(), 2, "found by the look at the history, not sent again");
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_gives_everything_back() {
    let story = new_instances(2);
    let app = story.app(&Process::new(&story.local, CALLER));
    let events = story.events(1..=3);
    let answer = map_share::handle(&app, sqs(&events), story.local.clock().now()).await.unwrap();
    assert_eq!(failures(&answer), ["m1", "m2"], "the mapped one needs no time");
    assert!(story.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_sent_again_blindly_and_redelivery_finds_the_command() {
    for fault in [
        Fault::AnswerLost,
        Fault::ErrorAfter(500),
        Fault::ErrorAfter(503),
        Fault::Late(Duration::from_secs(30)),
    ] {
        let story = new_instances(3);
        let events = story.events(2..=4);
        story.local.aws().faults.add(FaultRule::once("SendCommand", fault.clone()));
        assert_eq!(story.batch(&events).await, ["m0", "m1", "m2"], "{fault:?}");
        assert_eq!(sends(&story.calls()), 1, "{fault:?}");
        for minutes in [0, 6, 12] {
            story.local.wait(Duration::from_secs(minutes * 60)).await;
            assert!(story.batch(&events).await.is_empty(), "{fault:?}");
        }
        assert_eq!(story.commands(), [[id(2), id(3), id(4)]], "one command per instance after {fault:?}");
    }
    // What did not arrive is sent when it comes again.
    for fault in [Fault::NotReached, Fault::ErrorBefore(500)] {
        let story = new_instances(3);
        let events = story.events(2..=4);
        story.local.aws().faults.add(FaultRule::once("SendCommand", fault));
        assert_eq!(story.batch(&events).await.len(), 3);
        assert!(story.commands().is_empty());
        assert!(story.batch(&events).await.is_empty());
        assert_eq!(story.commands().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_by_hand_says_that_the_command_may_be_on_its_way() {
    let story = new_instances(1);
    story.local.aws().faults.add(FaultRule::once("SendCommand", Fault::AnswerLost));
    let answer = story.by_hand(&[&id(2)]).await;
    let reason = answer["failed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("it may have been taken"), "{reason}");
    let again = story.by_hand(&[&id(2)]).await;
    assert_eq!(again["skipped"][0]["reason"], "a command for it is in flight");
    assert_eq!(story.commands().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_poison_record_in_a_hundred_costs_nothing_but_itself() {
    let poison = [
        "\u{0}",
        "{\"detail-type\":\"ECS Container Instance State Change\",\"source\":\"aws.ecs\",\"detail\":{\"version\":\"x\"}}",
        r#"{"Records": [{"body": "{}"}]}"#,
        "[[[[[[[[",
    ];
    for body in poison {
        let story = new_instances(99);
        let mut bodies: Vec<String> = story.events(2..=100).iter().map(Value::to_string).collect();
        bodies.insert(50, body.to_owned());
        let answer = story.invoke(sqs_of(bodies)).await.unwrap();
        assert!(failures(&answer).is_empty());
        assert_eq!(story.commands().iter().map(Vec::len).sum::<usize>(), 99, "{body}");
        assert_eq!(story.metrics()["EventsUnreadable"], 1.0, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_allows_is_a_function_error() {
    let events = |story: &Story| {
        let mut events = story.events(2..=3);
        events.push(state_change(&id(1), "stopped", base() - Duration::from_secs(60)));
        sqs(&events)
    };
    for operation in [
        "ListContainerInstances",
        "DescribeContainerInstances",
        "PutAttributes",
        "ListCommands",
        "DescribeInstanceInformation",
        "DescribeParameters",
        "ListCommandInvocations",
        "SendCommand",
    ] {
        let story = new_instances(2);
        // So that a command would be sent but for the refusal.
        story.local.aws().faults.add(FaultRule::once(operation, Fault::Denied).times(1000));
        let payload = if operation == "SendCommand" { sqs(&story.events(2..=3)) } else { events(&story) };
        let error = story.invoke(payload).await.unwrap_err();
        assert!(error.contains(operation) && error.contains("AccessDenied"), "{operation}: {error}");
        // What could be done without that call was done.
        assert_eq!(story.commands().len(), usize::from(operation == "PutAttributes"), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_does_not_exist_spoils_no_other() {
    let story = new_instances(1).with("CLUSTERS", "gone,apps");
    let answer = story.by_hand(&[&id(2), &id(9)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(2)]), "{answer}");
    assert_eq!(answer["skipped"][0]["reason"], "not registered in a watched cluster");
}

#[tokio::test(start_paused = true)]
async fn the_accounts_rate_is_spared_by_pacing_writes() {
    let story = Story::new((0..60).fold(world(), |world, _| world.windows_instance("apps", mapped)));
    {
        let mut aws = story.local.aws();
        let now = aws.now();
        aws.throttles.limit(Bucket::ClusterResourceModify, 2, 10, now);
    }
    let events: Vec<Value> =
        (1..=60).map(|n| state_change(&id(n), "stopping", base() - Duration::from_secs(9))).collect();
    assert!(story.batch(&events).await.is_empty());
    let calls = story.calls();
    assert_eq!(
        calls.iter().filter(|call| *call == "PutAttributes").count(),
        12,
        "five instances a call, no retry"
    );
    for n in 1..=60 {
        assert_eq!(story.attributes(&id(n)).0.as_deref(), Some("shut"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_gone_spoils_no_write_of_its_group() {
    let story = Story::new((0..5).fold(world(), |world, _| world.windows_instance("apps", mapped)));
    let mut described = false;
    let process = Process::new(&story.local, CALLER).observe(move |aws, _| {
        if !described && aws.calls().last().unwrap().operation == "DescribeContainerInstances" {
            described = true;
            aws.terminate(&id(3));
            let gone = aws.now() + Duration::from_secs(60);
            aws.advance(gone);
        }
    });
    let events: Vec<Value> =
        (1..=5).map(|n| state_change(&id(n), "stopping", base() - Duration::from_secs(9))).collect();
    let answer = story.invoke_as(&process, sqs(&events)).await.unwrap();
    assert!(failures(&answer).is_empty());
    for n in [1, 2, 4, 5] {
        assert_eq!(story.attributes(&id(n)).0.as_deref(), Some("shut"), "host {n}");
    }
    assert_eq!(story.metrics()["EventsHandled"], 4.0);
    assert_eq!(story.metrics()["EventsSkipped"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_write_gives_back_its_own_records_only() {
    let story = Story::new(world().windows_instance("apps", mapped).windows_instances("apps", 1));
    story.local.aws().faults.add(FaultRule::once("PutAttributes", Fault::Throttle).times(1000));
    let events = [state_change(&id(1), "stopped", base() - Duration::from_secs(9)), story.event(&id(2))];
    assert_eq!(story.batch(&events).await, ["m0"]);
    assert_eq!(story.commands(), [[id(2)]]);
    assert_eq!(story.attributes(&id(1)).0.as_deref(), Some("mapped"), "not shut yet");
    story.local.aws().faults.clear();
    assert!(story.batch(&events[..1]).await.is_empty());
    assert_eq!(story.attributes(&id(1)).0.as_deref(), Some("shut"));
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_message_id_is_left_to_the_sweep_when_its_call_fails() {
    let story = new_instances(2);
    let mut batch = sqs(&story.events(2..=3));
    batch["Records"][0].as_object_mut().unwrap().remove("messageId");
    story.local.aws().faults.add(FaultRule::once("SendCommand", Fault::Throttle).times(1000));
    let answer = story.invoke(batch).await.unwrap();
    assert_eq!(failures(&answer), ["m1"], "an empty id would give back the whole batch");
    assert_eq!(story.metrics()["LeftToReconcile"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn in_report_mode_only_a_call_by_hand_acts() {
    let story = new_instances(2).with("MODE", "report");
    let events = [story.event(&id(2)), state_change(&id(1), "stopped", base() - Duration::from_secs(9))];
    assert!(story.batch(&events).await.is_empty());
    let calls = story.calls();
    assert!(!calls.iter().any(|call| ["SendCommand", "PutAttributes"].contains(&call.as_str())), "{calls:?}");
    assert_eq!(story.metrics()["EventsSkipped"], 2.0);
    let answer = story.by_hand(&[&id(3)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(3)]));
    assert_eq!(story.commands(), [[id(3)]]);
}

#[tokio::test(start_paused = true)]
async fn a_ghost_registration_is_not_taken_for_the_instance() {
    let story = new_instances(1);
    let ghost = story.event(&id(2));
    story.local.aws().register_again(&id(2));
    let real = story.event(&id(2));
    assert!(story.batch(&[ghost, real]).await.is_empty());
    assert_eq!(story.commands(), [[id(2)]]);
    let answer = story.by_hand(&[&id(2)]).await;
    assert_eq!(answer["skipped"][0]["reason"], "a command for it is in flight");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_hides_its_registration_is_held_against_live_state() {
    let story = new_instances(1);
    let mut event = story.event(&id(2));
    event["detail"]["registeredAt"] = Value::Null;
    assert!(story.batch(std::slice::from_ref(&event)).await.is_empty());
    assert!(story.batch(&[event]).await.is_empty());
    assert_eq!(story.commands(), [[id(2)]], "the second is in flight");
}
