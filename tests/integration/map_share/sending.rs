//! Sending commands, and failures of calls.

use serde_json::json;
use tests::fleet::{Agent, Power};
use tests::local_aws::Call;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::throttles::Bucket;

use super::*;

/// `count` new instances beside a mapped one: hosts 2 and up. The password is fresh.
async fn new_instances(count: usize) -> Setup {
    Setup::fresh(world().windows_instance("apps", mapped).windows_instances("apps", count)).await
}

fn sends(calls: &[String]) -> usize {
    calls.iter().filter(|call| *call == "SendCommand").count()
}

/// Delivers a batch; after the first call of `operation` the world changes.
async fn batch_with_change(
    setup: &Setup,
    events: &[Value],
    operation: &'static str,
    change: impl Fn(&mut LocalAws) + Send + 'static,
) -> Vec<String> {
    let mut changed = false;
    let process = Process::new(&setup.local, CALLER).observe(move |aws, _| {
        if !changed && aws.calls().last().unwrap().operation == operation {
            changed = true;
            change(aws);
        }
    });
    failures(&setup.invoke_as(&process, sqs(events)).await.unwrap())
}

/// Delivers the events of hosts 2 to 51; after the first look-up of their SSM agents the world changes.
async fn fifty_with_change(setup: &Setup, change: impl Fn(&mut LocalAws) + Send + 'static) {
    let events = setup.events(2..=51);
    let failed = batch_with_change(setup, &events, "DescribeInstanceInformation", change).await;
    assert!(failed.is_empty(), "left to the reconcile run");
}

/// The calls from the first `SendCommand` on.
fn from_first_send(calls: &[String]) -> usize {
    calls.iter().skip_while(|call| *call != "SendCommand").count()
}

/// That many mapped hosts, and the events of their stops.
fn stopping(count: u64) -> (Setup, Vec<Value>) {
    let setup = Setup::new((0..count).fold(world(), |world, _| world.windows_instance("apps", mapped)));
    let stop = |n| state_change(&id(n), "stopping", base() - Duration::from_secs(9));
    (setup, (1..=count).map(stop).collect())
}

#[tokio::test(start_paused = true)]
async fn a_command_has_up_to_fifty_targets_and_fixed_options() {
    let setup = new_instances(120).await;
    assert!(setup.batch(&setup.events(2..=121)).await.is_empty());
    let commands = setup.commands();
    assert_eq!(commands.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    let aws = setup.local.aws();
    let is_ours = |call: &&Call| call.operation == "SendCommand" && &*call.caller.0 == CALLER;
    let requests = aws.calls().iter().filter(is_ours).map(|call| call.request());
    let mut comments = Vec::new();
    for mut request in requests {
        let request = request.as_object_mut().unwrap();
        request.remove("InstanceIds");
        comments.push(request.remove("Comment").unwrap().as_str().unwrap().to_owned());
        let pinned = json!({
            "DocumentName": "ecs-smb-mapper-G", "DocumentVersion": "$LATEST", "TimeoutSeconds": 120,
            "MaxConcurrency": "50", "MaxErrors": "100%", "Parameters": {"Action": ["map"]},
        });
        assert_eq!(Value::Object(request.clone()), pinned);
    }
    assert!(comments.iter().all(|comment| comment.starts_with("smb-g ") && comment.len() <= 100));
    assert_ne!(comments[0], comments[1], "a nonce");
}

#[tokio::test(start_paused = true)]
async fn ten_of_fifty_targets_that_went_offline_cost_two_more_calls() {
    let setup = new_instances(50).await;
    fifty_with_change(&setup, |aws| {
        for n in 2..=11 {
            aws.world.host(&id(n)).agent = Agent::Absent;
        }
    })
    .await;
    assert_eq!(setup.commands(), [(12..=51).map(id).collect::<Vec<_>>()]);
    let calls = setup.calls();
    assert_eq!(from_first_send(&calls), 3, "one for the group, and two more: {calls:?}");
    assert_eq!(setup.metrics()["LeftToReconcile"], 10.0);
    assert_eq!(setup.metrics()["EventsHandled"], 40.0);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_refused_though_listed_as_online_is_found_by_bisection() {
    for refused in [2, 3, 26, 27, 40, 51] {
        let setup = new_instances(50).await;
        fifty_with_change(&setup, move |aws| aws.world.host(&id(refused)).power = Power::ShuttingDown).await;
        let sending = from_first_send(&setup.calls());
        assert!(sending <= 15, "{sending} calls for host {refused}");
        let mut sent: Vec<String> = setup.commands().into_iter().flatten().collect();
        sent.sort();
        let others: Vec<String> = (2..=51).filter(|n| *n != refused).map(id).collect();
        assert_eq!(sent, others, "each of the others once");
        assert_eq!(setup.metrics()["LeftToReconcile"], 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_target_is_left_when_all_went_offline() {
    let setup = new_instances(50).await;
    fifty_with_change(&setup, |aws| {
        for n in 2..=51 {
            aws.world.host(&id(n)).agent = Agent::Absent;
        }
    })
    .await;
    assert_eq!(sends(&setup.calls()), 1);
    assert_eq!(setup.metrics()["LeftToReconcile"], 50.0);
}

#[tokio::test(start_paused = true)]
async fn a_short_throttle_is_retried() {
    for operation in [
        "ListCommands",
        "DescribeContainerInstances",
        "DescribeInstanceInformation",
        "DescribeParameters",
        "ListCommandInvocations",
        "SendCommand",
    ] {
        let setup = new_instances(2).await;
        setup.local.aws().faults.add(FaultRule::once(operation, Fault::Throttle).times(2));
        assert!(setup.batch(&setup.events(2..=3)).await.is_empty(), "{operation}");
        assert_eq!(setup.commands(), [[id(2), id(3)]], "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_throttle_returns_only_the_records_of_the_throttled_calls() {
    for operation in
        ["ListCommands", "DescribeContainerInstances", "DescribeInstanceInformation", "SendCommand"]
    {
        let setup = new_instances(2).await;
        let mut events = setup.events(1..=3);
        events.push(json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {}}));
        let before = setup.local.clock().now();
        setup.local.aws().faults.add(FaultRule::once(operation, Fault::Throttle).times(1000));
        assert_eq!(setup.batch(&events).await, ["m1", "m2"], "{operation}");
        assert!(setup.commands().is_empty());
        assert_eq!(setup.metrics()["Throttles"], 1.0, "{operation}");
        assert_eq!(setup.metrics()["EventsFailed"], 2.0, "{operation}");
        assert!(setup.local.clock().now().duration_since(before).as_secs() < 60, "before its deadline");

        setup.local.aws().faults.clear();
        setup.let_in().await;
        assert!(setup.batch(&events).await.is_empty());
        assert_eq!(setup.commands(), [[id(2), id(3)]], "{operation}: after the throttle");
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_outlives_the_deadline() {
    let setup = new_instances(60).await;
    setup.local.aws().lag.answer = Duration::from_secs(4);
    let app = setup.app(&Process::new(&setup.local, CALLER));
    let before = setup.local.clock().now();
    let events = setup.events(2..=61);
    let answer = map_share::handle(&app, sqs(&events), before + Duration::from_secs(31)).await.unwrap();
    let took = setup.local.clock().now().duration_since(before).as_secs_f64();
    assert!((29.0..31.0).contains(&took), "{took}");
    // Both commands exist. Only the second group is returned, because its response did not arrive in time.
    assert_eq!(setup.commands().len(), 2);
    assert_eq!(failures(&answer).len(), 10);

    let again: Vec<Value> = events[50..].to_vec();
    setup.local.aws().lag.answer = Duration::from_millis(40);
    assert!(setup.batch(&again).await.is_empty());
    assert_eq!(setup.commands().len(), 2, "found in the command history, not sent again");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_returns_every_record_that_needs_a_call() {
    let setup = new_instances(2).await;
    let app = setup.app(&Process::new(&setup.local, CALLER));
    let events = setup.events(1..=3);
    let answer = map_share::handle(&app, sqs(&events), setup.local.clock().now()).await.unwrap();
    assert_eq!(failures(&answer), ["m1", "m2"], "the mapped host needs no call");
    assert!(setup.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_response_was_lost_is_found_in_the_history_and_not_sent_again() {
    for fault in [
        Fault::AnswerLost,
        Fault::ErrorAfter(500),
        Fault::ErrorAfter(503),
        Fault::ErrorAfter(408),
        Fault::ErrorAfter(502),
        Fault::ErrorAfter(504),
        Fault::Late(Duration::from_secs(30)),
    ] {
        let setup = new_instances(3).await;
        let events = setup.events(2..=4);
        setup.local.aws().faults.add(FaultRule::once("SendCommand", fault.clone()));
        assert_eq!(setup.batch(&events).await, ["m0", "m1", "m2"], "{fault:?}");
        assert_eq!(sends(&setup.calls()), 1, "{fault:?}");
        for minutes in [0, 6, 12] {
            setup.local.wait(Duration::from_secs(minutes * 60)).await;
            assert!(setup.batch(&events).await.is_empty(), "{fault:?}");
        }
        assert_eq!(setup.commands(), [[id(2), id(3), id(4)]], "one command per instance after {fault:?}");
    }
    // A command that did not arrive is sent when the batch is received again.
    for fault in [Fault::NotReached, Fault::ErrorBefore(500)] {
        let setup = new_instances(3).await;
        let events = setup.events(2..=4);
        setup.local.aws().faults.add(FaultRule::once("SendCommand", fault));
        assert_eq!(setup.batch(&events).await.len(), 3);
        assert!(setup.commands().is_empty());
        assert!(setup.batch(&events).await.is_empty());
        assert_eq!(setup.commands().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn by_hand_a_lost_response_is_reported_as_such() {
    let setup = new_instances(1).await;
    setup.local.aws().faults.add(FaultRule::once("SendCommand", Fault::AnswerLost));
    let answer = setup.by_hand(&[&id(2)]).await;
    let reason = answer["failed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("it may have been taken"), "{reason}");
    let again = setup.by_hand(&[&id(2)]).await;
    assert_eq!(again["skipped"][0]["reason"], "a command for it is in flight");
    assert_eq!(setup.commands().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_unreadable_record_in_a_hundred_does_not_affect_the_others() {
    let unreadable = [
        "\u{0}",
        "{\"detail-type\":\"ECS Container Instance State Change\",\"source\":\"aws.ecs\",\"detail\":{\"version\":\"x\"}}",
        r#"{"Records": [{"body": "{}"}]}"#,
        "[[[[[[[[",
    ];
    for body in unreadable {
        let setup = new_instances(99).await;
        let mut bodies: Vec<String> = setup.events(2..=100).iter().map(Value::to_string).collect();
        bodies.insert(50, body.to_owned());
        let answer = setup.invoke(sqs_of(bodies)).await.unwrap();
        assert!(failures(&answer).is_empty());
        assert_eq!(setup.commands().iter().map(Vec::len).sum::<usize>(), 99, "{body}");
        assert_eq!(setup.metrics()["EventsUnreadable"], 1.0, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_a_function_error() {
    let events = |setup: &Setup| {
        let mut events = setup.events(2..=3);
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
        let setup = new_instances(2).await;
        setup.local.aws().faults.add(FaultRule::once(operation, Fault::Denied).times(1000));
        let payload = if operation == "SendCommand" { sqs(&setup.events(2..=3)) } else { events(&setup) };
        let error = setup.invoke(payload).await.unwrap_err();
        assert!(error.contains(operation) && error.contains("AccessDenied"), "{operation}: {error}");
        // The command depends neither on the registrations of the restarted instance nor on the write.
        let is_sent = ["ListContainerInstances", "PutAttributes"].contains(&operation);
        assert_eq!(setup.commands().len(), usize::from(is_sent), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_iam_does_not_allow_is_left_out_of_the_command() {
    let setup = new_instances(3).await;
    {
        let mut aws = setup.local.aws();
        aws.world.only_tagged = true;
        aws.world.host(&id(3)).is_tagged = false;
    }
    let answer = setup.invoke(sqs(&setup.events(2..=4))).await.unwrap();
    assert!(failures(&answer).is_empty(), "{answer}");
    assert_eq!(setup.commands(), [[id(2), id(4)]]);
    assert_eq!(setup.metrics()["LeftToReconcile"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_missing_cluster_does_not_affect_the_others() {
    let setup = new_instances(1).await.with("CLUSTERS", "gone,apps");
    let answer = setup.by_hand(&[&id(2), &id(9)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(2)]), "{answer}");
    assert_eq!(answer["skipped"][0]["reason"], "not registered in a watched cluster");
}

#[tokio::test(start_paused = true)]
async fn paced_writes_stay_within_the_accounts_rate() {
    let (setup, events) = stopping(60);
    setup.local.aws().throttles.limit(Bucket::ClusterResourceModify, 2, 10, base());
    assert!(setup.batch(&events).await.is_empty());
    let puts = setup.calls().iter().filter(|call| *call == "PutAttributes").count();
    assert_eq!(puts, 12, "five instances per call, no retry");
    for n in 1..=60 {
        assert_eq!(setup.attributes(&id(n)).0.as_deref(), Some("shut"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_terminated_does_not_affect_the_other_writes_of_its_group() {
    let (setup, events) = stopping(5);
    let failed = batch_with_change(&setup, &events, "DescribeContainerInstances", |aws| {
        aws.terminate(&id(3));
        let gone = aws.now() + Duration::from_secs(60);
        aws.advance(gone);
    })
    .await;
    assert!(failed.is_empty());
    for n in [1, 2, 4, 5] {
        assert_eq!(setup.attributes(&id(n)).0.as_deref(), Some("shut"), "host {n}");
    }
    assert_eq!(setup.metrics()["EventsHandled"], 4.0);
    assert_eq!(setup.metrics()["EventsSkipped"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_write_returns_only_its_own_records() {
    let setup = new_instances(1).await;
    setup.local.aws().faults.add(FaultRule::once("PutAttributes", Fault::Throttle).times(1000));
    let events = [state_change(&id(1), "stopped", base() - Duration::from_secs(9)), setup.event(&id(2))];
    assert_eq!(setup.batch(&events).await, ["m0"]);
    assert_eq!(setup.commands(), [[id(2)]]);
    assert_eq!(setup.attributes(&id(1)).0.as_deref(), Some("mapped"), "not shut yet");
    setup.local.aws().faults.clear();
    assert!(setup.batch(&events[..1]).await.is_empty());
    assert_eq!(setup.attributes(&id(1)).0.as_deref(), Some("shut"));
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_message_id_is_left_to_the_reconcile_run_when_its_call_fails() {
    let setup = new_instances(2).await;
    let mut batch = sqs(&setup.events(2..=3));
    batch["Records"][0].as_object_mut().unwrap().remove("messageId");
    setup.local.aws().faults.add(FaultRule::once("SendCommand", Fault::Throttle).times(1000));
    let answer = setup.invoke(batch).await.unwrap();
    assert_eq!(failures(&answer), ["m1"], "an empty id would return the whole batch");
    assert_eq!(setup.metrics()["LeftToReconcile"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn in_report_mode_only_an_invocation_by_hand_acts() {
    let setup = new_instances(2).await.with("MODE", "report");
    let events = [setup.event(&id(2)), state_change(&id(1), "stopped", base() - Duration::from_secs(9))];
    assert!(setup.batch(&events).await.is_empty());
    let calls = setup.calls();
    assert!(!calls.iter().any(|call| ["SendCommand", "PutAttributes"].contains(&call.as_str())), "{calls:?}");
    assert_eq!(setup.metrics()["EventsSkipped"], 2.0);
    let answer = setup.by_hand(&[&id(3)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(3)]));
    assert_eq!(setup.commands(), [[id(3)]]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_registration_counts() {
    let setup = new_instances(1).await;
    let stale = setup.event(&id(2));
    setup.local.aws().register_again(&id(2));
    let newest = setup.event(&id(2));
    assert!(setup.batch(&[stale, newest]).await.is_empty());
    assert_eq!(setup.commands(), [[id(2)]]);
    let answer = setup.by_hand(&[&id(2)]).await;
    assert_eq!(answer["skipped"][0]["reason"], "a command for it is in flight");
}

#[tokio::test(start_paused = true)]
async fn an_event_without_the_time_of_registration_is_compared_with_the_current_state() {
    let setup = new_instances(1).await;
    let mut event = setup.event(&id(2));
    event["detail"]["registeredAt"] = Value::Null;
    assert!(setup.batch(std::slice::from_ref(&event)).await.is_empty());
    assert!(setup.batch(&[event]).await.is_empty());
    assert_eq!(setup.commands(), [[id(2)]], "the second is in flight");
}
