//! What a caller or an event says that is not true.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tests::fleet::Scripted;
use tests::local_aws::Caller;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::in_process::Process;
use tests::local_aws::throttles::Bucket;
use tests::map_share::{mapped_line, sqs, state_change};
use tests::stack::{Stack, tick, tick_with};

use super::{calls, fleet, mapped_fleet, open};

#[tokio::test(start_paused = true)]
async fn nobody_starts_a_run_by_hand() {
    let stack = mapped_fleet(50, 3).await;
    stack.local.aws().forget_calls();
    let mut other_queue = tick();
    other_queue["Records"][0]["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:111122223333:others");
    for payload in
        [json!({"Records": []}), json!({"Records": [{"body": "{}"}]}), other_queue, json!({"run": true})]
    {
        let error = stack.ask(payload.clone()).await.unwrap_err().to_string();
        assert!(error.contains("a person may ask {\"report\": true}"), "{payload}: {error}");
    }
    assert!(stack.local.aws().calls().is_empty());
    assert_eq!(stack.ask(tick_with("any body")).await.unwrap(), json!({"batchItemFailures": []}));
}

#[tokio::test(start_paused = true)]
async fn forged_restarts_shut_gates_until_the_next_proofs() {
    let stack = mapped_fleet(51, 50).await;
    stack.minutes(30).await;
    let metrics =
        shared::metrics::Metrics::to_writer("Test", "smb-g", Arc::new(Mutex::new(Vec::<u8>::new())));
    let process = Process::new(&stack.local, "map-share");
    let app = map_share::App::new(stack.config().clone(), process.clients(), metrics);
    let ids = stack.instances("apps");
    let events = |at| sqs(&ids.iter().map(|id| state_change(id, "running", at)).collect::<Vec<_>>());
    let handle = async |at| {
        let deadline = stack.now() + Duration::from_secs(60);
        map_share::handle(&app, events(at), deadline).await.unwrap();
    };
    // Neither the future nor the time before the registration is believed.
    handle(stack.now() + SignedDuration::from_mins(6)).await;
    handle(stack.now() - SignedDuration::from_hours(24 * 365)).await;
    assert_eq!(open(&stack).len(), 50);
    handle(stack.now()).await;
    assert_eq!(open(&stack).len(), 0);
    let began = stack.now();
    while open(&stack).len() < 50 {
        stack.minutes(1).await;
        assert!(stack.now().duration_since(began).as_mins() <= 5, "{} of 50 open", open(&stack).len());
    }
    assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_a_gateway_answered_with_an_error_is_not_sent_again_at_once() {
    for status in [408, 502, 504] {
        let stack = Stack::new(fleet(52, 20));
        let faults = FaultRule::once("SendCommand", Fault::ErrorAfter(status)).of("drain-unmapped").times(3);
        stack.local.aws().faults.add(faults);
        stack.minutes(12).await;
        let aws = stack.local.aws();
        for id in aws.world.hosts.keys() {
            let named = aws.commands().filter(|one| one.invocations().iter().any(|i| i.instance == *id));
            let maps = named.filter(|one| one.parameter("Action") == Some("map")).count();
            assert!(maps <= 1, "{status}: {maps} commands to {id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_commands_that_name_one_host_cost_few_calls() {
    let stack = mapped_fleet(53, 3).await;
    let id = stack.instances("apps")[0].clone();
    for _ in 0..10 {
        send_a_thousand_checks(&stack, &id);
        stack.local.wait(Duration::from_secs(3)).await;
    }
    stack.local.aws().forget_calls();
    stack.tick().await;
    let listed = calls(&stack, "ListCommandInvocations");
    assert!(listed <= 10, "{listed}");
}

/// As anybody may who may send the document.
fn send_a_thousand_checks(stack: &Stack, id: &str) {
    let mut aws = stack.local.aws();
    let now = aws.now();
    aws.throttles.limit(Bucket::SendCommand, 100_000, 100_000, now);
    let body =
        json!({"DocumentName": "ecs-smb-mapper-G", "InstanceIds": [id], "Parameters": {"Action": ["check"]}});
    for _ in 0..1_000 {
        aws.world.host(id).scripted.push_back(Scripted::success(&mapped_line("false")));
        let reply = aws.handle(now, &Caller::named("somebody"), "SendCommand", body.to_string().as_bytes());
        assert_eq!(reply.status, 200);
    }
}
