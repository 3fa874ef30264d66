//! The number of AWS calls. The bench `map_share_calls` has larger bursts.

use serde_json::json;
use tests::burst::{scale_out, task_noise};
use tests::fleet::Scripted;
use tests::local_aws::Caller;
use tests::local_aws::throttles::Bucket;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_scale_out_needs_few_calls() {
    for (instances, records) in [(1, 10), (50, 10), (50, 100), (500, 100), (500, 1_000)] {
        let burst = scale_out(instances, records).await;
        assert!(burst.ratio() <= 1.15, "{burst:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_about_tasks_of_mapped_instances_need_no_call() {
    assert_eq!(task_noise(1_000).await, 0);
}

#[tokio::test(start_paused = true)]
async fn in_the_outage_of_a_large_fleet_a_batch_is_left_to_the_reconcile_run() {
    // Ten waves of a hundred commands, all of which failed.
    let setup = Setup::new(world().windows_instances("apps", 60));
    let line = r#"{"smbMapping":"failed","v":1,"cause":"53","step":"read","refused":0,"message":"the network path was not found"}"#;
    for wave in 0..10 {
        for _ in 0..100 {
            let mut aws = setup.local.aws();
            let now = aws.now();
            aws.throttles.limit(Bucket::SendCommand, 10_000, 10_000, now);
            let ids: Vec<String> = (1..=50).map(id).collect();
            for id in &ids {
                aws.world.host(id).scripted.push_back(Scripted::new("Failed", 75, line));
            }
            let body = json!({"DocumentName": "ecs-smb-mapper-G", "InstanceIds": ids, "Parameters": {"Action": ["map"]}});
            let caller = Caller::named("operator");
            assert_eq!(
                aws.handle(now, &caller, "SendCommand", body.to_string().as_bytes()).status,
                200,
                "{wave}"
            );
        }
        setup.local.wait(Duration::from_secs(300)).await;
    }
    setup.calls();
    // A warm function, whose batches follow each other.
    let app = setup.app(&Process::new(&setup.local, CALLER));
    for n in 51..=60 {
        setup.local.aws().forget_calls();
        let deadline = setup.local.clock().now() + Duration::from_secs(60);
        let answer = map_share::handle(&app, sqs(&[setup.event(&id(n))]), deadline).await.unwrap();
        assert!(failures(&answer).is_empty(), "{answer}");
        let calls = setup.calls();
        assert!(calls.len() <= 20, "{calls:?}");
    }
    assert!(setup.metrics()["LeftToReconcile"] > 0.0);
}
