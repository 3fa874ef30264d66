//! The in-process client: the real SDK under paused time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_ssm::types::{InstanceInformationStringFilter, PingStatus};
use tests::local_aws::LocalAws;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::in_process::{Ended, Local, Moment, Process, in_virtual_time};

use super::{id, world};

fn local() -> Local {
    Local::new(LocalAws::new(world().windows_instances("apps", 3)))
}

async fn send(process: &Process) -> Result<String, String> {
    let sent = process
        .ssm()
        .send_command()
        .document_name("ecs-smb-mapper-G")
        .instance_ids(id(1))
        .timeout_seconds(120)
        .parameters("Action", vec!["map".to_owned()])
        .send()
        .await;
    let sent =
        sent.map_err(|error| aws_smithy_types::error::display::DisplayErrorContext(error).to_string())?;
    Ok(sent.command().unwrap().command_id().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_sdk_parses_the_responses_and_shares_the_virtual_time() {
    let local = local();
    let process = Process::new(&local, "map-share");
    let command = send(&process).await.unwrap();
    local.wait(Duration::from_secs(60)).await;
    let listed =
        process.ssm().list_command_invocations().command_id(&command).details(true).send().await.unwrap();
    let invocation = &listed.command_invocations()[0];
    assert_eq!(invocation.status_details(), Some("Success"));
    assert!(invocation.command_plugins()[0].output().unwrap().contains(r#""changed":true"#));
    let filter = InstanceInformationStringFilter::builder().key("InstanceIds").values(id(1)).build().unwrap();
    let known = process.ssm().describe_instance_information().filters(filter).send().await.unwrap();
    assert_eq!(known.instance_information_list()[0].ping_status(), Some(&PingStatus::Online));
    let arns = process.ecs().list_container_instances().cluster("apps").send().await.unwrap();
    let described = process
        .ecs()
        .describe_container_instances()
        .cluster("apps")
        .set_container_instances(arns.container_instance_arns)
        .send()
        .await
        .unwrap();
    assert_eq!(described.container_instances().len(), 3);
    assert_eq!(local.aws().calls().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_sdk_retries_throttles_and_server_errors_and_a_lost_response_sends_twice() {
    for (fault, commands, calls) in [
        (Fault::Throttle, 1, 2),
        (Fault::ErrorBefore(503), 1, 2),
        (Fault::ErrorAfter(500), 2, 2),
        (Fault::NotReached, 1, 2),
        (Fault::AnswerLost, 2, 2),
    ] {
        let local = local();
        local.aws().faults.add(FaultRule::once("SendCommand", fault.clone()));
        send(&Process::new(&local, "map-share")).await.unwrap();
        let aws = local.aws();
        assert_eq!((aws.commands().count(), aws.calls().len()), (commands, calls), "{fault:?}");
        assert_eq!(aws.calls()[0].fault, Some(fault));
    }
}

#[tokio::test(start_paused = true)]
async fn the_sdk_waits_for_a_late_response_in_virtual_time() {
    // The SDK's timeout per attempt is five seconds; then it sends again.
    for (late, commands) in [(4, 1), (6, 2)] {
        let local = local();
        let late = Duration::from_secs(late);
        local.aws().faults.add(FaultRule::once("SendCommand", Fault::Late(late)));
        let before = local.clock().now();
        send(&Process::new(&local, "map-share")).await.unwrap();
        let waited = local.clock().now().duration_since(before).unsigned_abs();
        assert!(waited >= Duration::from_secs(4), "{waited:?}");
        assert_eq!(local.aws().commands().count(), commands);
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_not_retried() {
    let local = local();
    local.aws().faults.add(FaultRule::once("SendCommand", Fault::Denied).of("map-share"));
    let error = send(&Process::new(&local, "map-share")).await.unwrap_err();
    assert!(error.contains("AccessDenied"), "{error}");
    assert_eq!(local.aws().calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_process_is_killed_before_or_after_the_effect_of_a_call() {
    for (moment, commands) in [(Moment::Before, 0), (Moment::After, 1)] {
        let local = local();
        let process = Process::new(&local, "map-share").kill_at(2, moment);
        let function = async {
            process.ssm().describe_parameters().send().await.unwrap();
            send(&process).await
        };
        assert_eq!(process.run(function).await, Ended::Killed);
        assert_eq!(local.aws().commands().count(), commands);
        assert_eq!(process.calls(), 2);
    }
    let local = local();
    let process = Process::new(&local, "map-share").kill_at(3, Moment::Before);
    assert!(matches!(process.run(send(&process)).await, Ended::Done(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_each_call_and_may_change_the_world() {
    let local = local();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let process = Process::new(&local, "map-share").observe(move |aws, _| {
        log.lock().unwrap().push(aws.calls().last().unwrap().operation.clone());
        aws.operator_sets_attribute(&id(1), "smb.hold", Some("yes"));
    });
    send(&process).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["SendCommand"]);
    assert_eq!(local.aws().container_instance(&id(1)).unwrap().attribute("smb.hold"), Some("yes"));
}

#[tokio::test(start_paused = true)]
async fn every_process_has_its_own_retry_budget() {
    let local = local();
    local.aws().faults.add(FaultRule::once("SendCommand", Fault::ErrorBefore(500)).of("greedy").times(1000));
    let greedy = Process::new(&local, "greedy");
    let ssm = greedy.ssm();
    let mut calls = Vec::new();
    for _ in 0..60 {
        let before = greedy.calls();
        let _ = ssm.send_command().document_name("ecs-smb-mapper-G").instance_ids(id(1)).send().await;
        calls.push(greedy.calls() - before);
    }
    assert_eq!((calls[0], calls[59]), (5, 1), "an empty budget allows no retry: {calls:?}");
    let fresh = Process::new(&local, "fresh");
    local.aws().faults.add(FaultRule::once("SendCommand", Fault::ErrorBefore(500)).of("fresh"));
    send(&fresh).await.unwrap();
    assert_eq!(fresh.calls(), 2);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = || {
        in_virtual_time(async {
            fastrand::seed(7);
            let world = world().pace(tests::fleet::Pace::default());
            let local = Local::new(LocalAws::new(world.windows_instances("apps", 20)));
            local.aws().faults.add(FaultRule::once("SendCommand", Fault::Throttle));
            let process = Process::new(&local, "map-share");
            for n in 1..=20 {
                let command =
                    process.ssm().send_command().document_name("ecs-smb-mapper-G").instance_ids(id(n));
                command.parameters("Action", vec!["map".to_owned()]).send().await.unwrap();
            }
            local.wait(Duration::from_secs(90)).await;
            let aws = local.aws();
            let calls = aws.calls().iter().map(|call| (call.at, call.operation.clone(), call.body.clone()));
            let runs = aws.commands().map(|one| (one.id.clone(), one.invocations()[0].finished()));
            (calls.collect::<Vec<_>>(), runs.collect::<Vec<_>>(), aws.world.account.log_ons.clone())
        })
    };
    let (one, other) = (history(), history());
    assert_eq!(one, other);
    assert_eq!(one.2.len(), 20);
}
