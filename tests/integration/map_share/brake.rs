//! The credential brake in every sending path.

use serde_json::json;
use tests::fleet::{Letter, Presented};
use tests::local_aws::faults::{Fault, FaultRule};

use super::*;

const UNPROVEN: &str = "no instance has logged on with the password since it last changed";
const REFUSED: &str = "the password was refused; nothing is sent until it changes";

/// Runs the sweep once a minute, as deployed, for so many minutes.
async fn sweep(story: &Story, minutes: u64) {
    let process = Process::new(&story.local, "drain-unmapped");
    let config = Config::read(|name| story.settings.get(name).map(|v| (*v).to_owned())).unwrap();
    let metrics = Metrics::to_writer("Sweep", "smb-g", Arc::new(Mutex::new(Vec::<u8>::new())));
    let app = drain_unmapped::App::new(config, process.clients(), metrics);
    for _ in 0..minutes {
        let began = story.local.clock().now();
        let tick = sqs(&[json!({"detail-type": "Scheduled Event"})]);
        let _ = Box::pin(drain_unmapped::handle(&app, &tick, began + Duration::from_secs(50))).await;
        let took = story.local.clock().now().duration_since(began).unsigned_abs();
        story.local.wait(Duration::from_secs(60).saturating_sub(took)).await;
    }
}

/// One of two workers: every second one of the single-record batches, again and again as ECS repeats itself.
async fn worker(story: &Story, first: u64, last: u64, rounds: u64) {
    for _ in 0..rounds {
        for n in (first..=last).step_by(2) {
            let _ = story.batch(&[story.event(&id(n))]).await;
            story.local.wait(Duration::from_secs(2)).await;
        }
    }
}

fn log_ons(story: &Story, good: bool) -> usize {
    story.local.aws().world.account.count(Presented::Parameters, good)
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_at_a_first_deployment_is_presented_twice_at_most_in_the_first_fifteen_minutes() {
    let story = Story::new(world().windows_instances("apps", 50));
    story.local.aws().world.change_password_in_directory("another");
    tokio::join!(worker(&story, 1, 50, 16), worker(&story, 2, 50, 16), sweep(&story, 15));
    assert_eq!(log_ons(&story, true), 0);
    let bad = log_ons(&story, false);
    assert!((1..=2).contains(&bad), "{bad} bad log-ons");
    let by_us = story
        .local
        .aws()
        .calls()
        .iter()
        .any(|c| c.operation == "SendCommand" && c.caller.0.as_ref() == CALLER);
    assert!(!by_us, "the sweep's canary goes first");
}

#[tokio::test(start_paused = true)]
async fn a_right_password_at_a_first_deployment_reaches_everybody() {
    let story = Story::new(world().windows_instances("apps", 50));
    tokio::join!(worker(&story, 1, 50, 4), worker(&story, 2, 50, 4), sweep(&story, 4));
    assert_eq!(log_ons(&story, false), 0);
    for n in 1..=50 {
        assert_eq!(story.attributes(&id(n)).0.as_deref(), Some("mapped"), "host {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_went_wrong_stops_a_scale_out_after_two_log_ons() {
    let story = Story::new((0..3).fold(world(), |world, _| world.windows_instance("apps", mapped)));
    {
        // The parameter is written, and wrong; afterwards fifty instances arrive.
        let mut aws = story.local.aws();
        let now = aws.now();
        aws.world.write_password_parameter("a typing error", now);
        for _ in 0..50 {
            aws.launch(tests::fleet::Platform::Windows, Some("apps"), |host| host);
        }
    }
    story.local.wait(Duration::from_secs(180)).await;
    tokio::join!(worker(&story, 4, 53, 14), worker(&story, 5, 53, 14), sweep(&story, 14));
    let bad = log_ons(&story, false);
    assert!((1..=2).contains(&bad), "{bad} bad log-ons");
}

/// `map` on one instance, to its end, as the sweep would send it.
async fn canary(story: &Story, n: u64) {
    let process = Process::new(&story.local, "canary");
    let send = process.ssm().send_command().document_name("ecs-smb-mapper-G").instance_ids(id(n));
    send.parameters("Action", vec!["map".to_owned()]).send().await.unwrap();
    story.local.wait(Duration::from_secs(90)).await;
}

#[tokio::test(start_paused = true)]
async fn by_hand_one_instance_may_try_an_unproven_password_and_nobody_a_refused_one() {
    let story = Story::new(world().windows_instances("apps", 4));
    story.local.aws().world.change_password_in_directory("another");
    let many = story.by_hand(&[&id(1), &id(2)]).await;
    assert_eq!(many["leftToReconcile"][0]["reason"], UNPROVEN);
    assert!(story.commands().is_empty());

    let one = story.by_hand(&[&id(1)]).await;
    assert_eq!(one["sent"][0]["instanceIds"], json!([id(1)]));
    let other = story.by_hand(&[&id(2)]).await;
    assert_eq!(other["leftToReconcile"][0]["reason"], "another instance is trying the unproven password");

    story.local.wait(Duration::from_secs(60)).await;
    assert_eq!(log_ons(&story, false), 1);
    let refused = story.by_hand(&[&id(2)]).await;
    assert_eq!(refused["leftToReconcile"][0]["reason"], REFUSED);
    assert_eq!(story.metrics()["BrakeWithheld"], 1.0);
    assert!(story.batch(&story.events(3..=4)).await.is_empty(), "acknowledged");
    assert_eq!(story.metrics()["BrakeWithheld"], 2.0);
    assert_eq!(story.commands().len(), 1);

    // A changed parameter is a new password, unproven again.
    let now = story.local.clock().now();
    story.local.aws().world.write_password_parameter("another", now);
    let changed = story.by_hand(&[&id(2)]).await;
    assert_eq!(changed["sent"][0]["instanceIds"], json!([id(2)]), "{changed}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_alone_while_others_log_on_stops_nobody() {
    let story = Story::new(world().windows_instance("apps", mapped).windows_instances("apps", 3));
    story.local.aws().world.account.refuses_with = Some(1385);
    canary(&story, 2).await;
    let refused = story.by_hand(&[&id(3)]).await;
    assert_eq!(refused["leftToReconcile"][0]["reason"], REFUSED, "nobody has logged on since");

    story.local.aws().world.account.refuses_with = None;
    let logon = format!("{:.3}", story.local.clock().now());
    let state = format!("mapped {logon} {logon} {logon}");
    story.local.aws().operator_sets_attribute(&id(1), "smb.G.state", Some(&state));
    assert!(story.batch(&[story.event(&id(3))]).await.is_empty());
    assert_eq!(story.commands().last().unwrap(), &[id(3)], "somebody has");
}

#[tokio::test(start_paused = true)]
async fn the_lone_failing_host_itself_is_sent_to_by_hand() {
    // It has failed since 11:40; others have logged on at 11:50.
    let state = "unmapped 3 2026-03-01T11:58:00.000Z - 1385 2026-03-01T11:40:00.000Z";
    let failing = |host: Host| host.attribute("smb.G", "shut").attribute("smb.G.state", state);
    let story = Story::new(world().windows_instance("apps", mapped).windows_instance("apps", failing));
    let answer = story.by_hand(&[&id(2)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(2)]), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_kept_credential_that_is_refused_makes_the_password_unproven() {
    let story = Story::new(world().windows_instance("apps", mapped).windows_instances("apps", 2));
    let line = r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"root","message":""}"#;
    story.local.aws().world.host(&id(2)).scripted.push_back(tests::fleet::Scripted::new("Failed", 75, line));
    let process = Process::new(&story.local, "canary");
    let send = process.ssm().send_command().document_name("ecs-smb-mapper-G").instance_ids(id(2));
    send.parameters("Action", vec!["check".to_owned()]).send().await.unwrap();
    story.local.wait(Duration::from_secs(60)).await;
    assert!(story.batch(&[story.event(&id(3))]).await.is_empty());
    assert_eq!(story.commands().len(), 1, "the check alone");
    let answer = story.by_hand(&[&id(3)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(3)]), "one at a person's word");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_was_mapped_by_hand_proves_no_password() {
    let at = "2026-03-01T11:50:00.000Z";
    let adopted = |host: Host| {
        host.attribute("smb.G", "mapped").attribute("smb.G.state", &format!("mapped {at} {at} -"))
    };
    let story = Story::new(world().windows_instance("apps", adopted).windows_instances("apps", 1));
    assert!(story.batch(&story.events(2..=2)).await.is_empty());
    assert!(story.commands().is_empty());
    assert_eq!(story.metrics()["BrakeWithheld"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_sends_nothing_and_comes_back_to_nobody() {
    for operation in ["DescribeParameters", "ListContainerInstances", "ListCommandInvocations"] {
        for fault in [Fault::Throttle, Fault::ErrorBefore(500), Fault::NotReached] {
            let story = Story::new(world().windows_instance("apps", mapped).windows_instances("apps", 2));
            story.local.aws().faults.add(FaultRule::once(operation, fault.clone()).times(1000));
            assert!(story.batch(&story.events(2..=3)).await.is_empty(), "{operation} {fault:?}");
            assert!(story.commands().is_empty(), "{operation} {fault:?}");
            assert_eq!(story.metrics()["BrakeWithheld"], 2.0, "{operation} {fault:?}");
        }
    }
    let story = Story::new(world().windows_instance("apps", mapped).windows_instances("apps", 1));
    story.local.aws().world.parameters.password.readable = tests::fleet::Readable::Missing;
    assert!(story.batch(&story.events(2..=2)).await.is_empty());
    assert!(story.commands().is_empty(), "a missing parameter proves nothing");
}

#[tokio::test(start_paused = true)]
async fn a_mapped_host_that_is_sent_to_by_hand_keeps_its_mapping() {
    let story = Story::new(world().windows_instance("apps", mapped).windows_instances("apps", 1));
    canary(&story, 2).await;
    let mapping = story.local.aws().world.host(&id(2)).letter.clone();
    assert!(matches!(mapping, Letter::Smb(_)));
    let answer = story.by_hand(&[&id(2)]).await;
    assert_eq!(answer["sent"].as_array().unwrap().len(), 1);
    story.local.wait(Duration::from_secs(60)).await;
    assert_eq!(log_ons(&story, true), 1, "`map` on a readable mapping presents nothing");
}
