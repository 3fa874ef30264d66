//! The credential brake in every sending path.

use serde_json::json;
use tests::fleet::{Letter, Platform, Presented, Readable, Scripted};
use tests::local_aws::faults::{Fault, FaultRule};

use super::*;

const UNPROVEN: &str = "no instance has logged on with the password since it last changed";
const REFUSED: &str = "the password was refused; nothing is sent until it changes";

/// Starts a reconcile run every minute, as deployed.
async fn reconcile(setup: &Setup, minutes: u64) {
    let process = Process::new(&setup.local, "drain-unmapped");
    let metrics = Metrics::to_writer("Reconcile", "smb-g", Arc::new(Mutex::new(Vec::<u8>::new())));
    let app = drain_unmapped::App::new(setup.config(), process.clients(), metrics);
    for _ in 0..minutes {
        let began = setup.local.clock().now();
        let tick = sqs(&[json!({"detail-type": "Scheduled Event"})]);
        let _ = Box::pin(drain_unmapped::handle(&app, &tick, began + Duration::from_secs(50))).await;
        let took = setup.local.clock().now().duration_since(began).unsigned_abs();
        setup.local.wait(Duration::from_secs(60).saturating_sub(took)).await;
    }
}

/// One of two concurrent workers: delivers the events of every second host, each in a batch of its own, several times.
async fn worker(setup: &Setup, first: u64, last: u64, rounds: u64) {
    for _ in 0..rounds {
        for n in (first..=last).step_by(2) {
            let _ = setup.batch(&[setup.event(&id(n))]).await;
            setup.local.wait(Duration::from_secs(2)).await;
        }
    }
}

/// The log-ons with the parameters' password.
fn log_ons(setup: &Setup, good: bool) -> usize {
    setup.local.aws().world.account.count(Presented::Parameters, good)
}

/// `count` new hosts beside one that proves the password: hosts 2 and up.
fn proven(count: usize) -> Setup {
    Setup::new(world().windows_instance("apps", mapped).windows_instances("apps", count))
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_at_a_first_deployment_is_used_at_most_twice_in_the_first_fifteen_minutes() {
    let setup = Setup::new(world().windows_instances("apps", 50));
    setup.local.aws().world.change_password_in_directory("another");
    tokio::join!(worker(&setup, 1, 50, 16), worker(&setup, 2, 50, 16), reconcile(&setup, 15));
    assert_eq!(log_ons(&setup, true), 0);
    let bad = log_ons(&setup, false);
    assert!((1..=2).contains(&bad), "{bad} bad log-ons");
    assert!(!setup.calls().contains(&"SendCommand".to_owned()), "drain-unmapped's canary is the first");
}

#[tokio::test(start_paused = true)]
async fn a_correct_password_at_a_first_deployment_maps_every_host() {
    let setup = Setup::new(world().windows_instances("apps", 50));
    tokio::join!(worker(&setup, 1, 50, 4), worker(&setup, 2, 50, 4), reconcile(&setup, 4));
    assert_eq!(log_ons(&setup, false), 0);
    for n in 1..=50 {
        assert_eq!(setup.attributes(&id(n)).0.as_deref(), Some("mapped"), "host {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_went_wrong_stops_a_scale_out_after_two_log_ons() {
    let setup = Setup::new((0..3).fold(world(), |world, _| world.windows_instance("apps", mapped)));
    {
        // A wrong password is written to the parameter; then fifty instances are launched.
        let mut aws = setup.local.aws();
        let now = aws.now();
        aws.world.write_password_parameter("a typing error", now);
        for _ in 0..50 {
            aws.launch(Platform::Windows, Some("apps"), |host| host);
        }
    }
    setup.local.wait(Duration::from_secs(180)).await;
    tokio::join!(worker(&setup, 4, 53, 14), worker(&setup, 5, 53, 14), reconcile(&setup, 14));
    let bad = log_ons(&setup, false);
    assert!((1..=2).contains(&bad), "{bad} bad log-ons");
}

/// Runs a command on one instance, as `drain-unmapped` would.
async fn run(setup: &Setup, action: &str, n: u64) {
    let process = Process::new(&setup.local, "drain-unmapped");
    let send = process.ssm().send_command().document_name("ecs-smb-mapper-G").instance_ids(id(n));
    send.parameters("Action", vec![action.to_owned()]).send().await.unwrap();
    setup.local.wait(Duration::from_secs(90)).await;
}

#[tokio::test(start_paused = true)]
async fn by_hand_one_instance_may_try_an_unproven_password_but_none_a_refused_one() {
    let setup = Setup::new(world().windows_instances("apps", 4));
    setup.local.aws().world.change_password_in_directory("another");
    let many = setup.by_hand(&[&id(1), &id(2)]).await;
    assert_eq!(many["leftToReconcile"][0]["reason"], UNPROVEN);
    assert!(setup.commands().is_empty());

    let one = setup.by_hand(&[&id(1)]).await;
    assert_eq!(one["sent"][0]["instanceIds"], json!([id(1)]));
    let other = setup.by_hand(&[&id(2)]).await;
    assert_eq!(other["leftToReconcile"][0]["reason"], "another instance is trying the unproven password");

    setup.local.wait(Duration::from_secs(60)).await;
    assert_eq!(log_ons(&setup, false), 1);
    let refused = setup.by_hand(&[&id(2)]).await;
    assert_eq!(refused["leftToReconcile"][0]["reason"], REFUSED);
    assert_eq!(setup.metrics()["BudgetWithheld"], 1.0);
    assert!(setup.batch(&setup.events(3..=4)).await.is_empty(), "acknowledged");
    assert_eq!(setup.metrics()["BudgetWithheld"], 2.0);
    assert_eq!(setup.commands().len(), 1);

    // A changed parameter makes the password unproven again.
    let now = setup.local.clock().now();
    setup.local.aws().world.write_password_parameter("another", now);
    let changed = setup.by_hand(&[&id(2)]).await;
    assert_eq!(changed["sent"][0]["instanceIds"], json!([id(2)]), "{changed}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_alone_while_others_log_on_stops_no_other() {
    let setup = proven(3);
    setup.local.aws().world.account.refuses_with = Some(1385);
    run(&setup, "map", 2).await;
    let refused = setup.by_hand(&[&id(3)]).await;
    assert_eq!(refused["leftToReconcile"][0]["reason"], REFUSED, "no host has logged on since");

    setup.local.aws().world.account.refuses_with = None;
    let logon = format!("{:.3}", setup.local.clock().now());
    let state = format!("mapped {logon} {logon} {logon}");
    setup.local.aws().operator_sets_attribute(&id(1), "smb.G.state", Some(&state));
    assert!(setup.batch(&[setup.event(&id(3))]).await.is_empty());
    assert_eq!(setup.commands().last().unwrap(), &[id(3)], "one has");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_alone_is_sent_to_by_hand() {
    // It has failed since 11:40; another logged on at 11:50.
    let state = "unmapped 3 2026-03-01T11:58:00.000Z - 1385 2026-03-01T11:40:00.000Z";
    let failing = |host: Host| host.attribute("smb.G", "shut").attribute("smb.G.state", state);
    let setup = Setup::new(world().windows_instance("apps", mapped).windows_instance("apps", failing));
    let answer = setup.by_hand(&[&id(2)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(2)]), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_kept_credential_that_is_refused_makes_the_password_unproven() {
    let setup = proven(2);
    let line = r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"root","message":""}"#;
    setup.local.aws().world.host(&id(2)).scripted.push_back(Scripted::new("Failed", 75, line));
    run(&setup, "check", 2).await;
    assert!(setup.batch(&[setup.event(&id(3))]).await.is_empty());
    assert_eq!(setup.commands().len(), 1, "the check alone");
    let answer = setup.by_hand(&[&id(3)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(3)]), "one may be sent to by hand");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_was_mapped_by_hand_does_not_prove_the_password() {
    let at = "2026-03-01T11:50:00.000Z";
    let adopted = |host: Host| {
        host.attribute("smb.G", "mapped").attribute("smb.G.state", &format!("mapped {at} {at} -"))
    };
    let setup = Setup::new(world().windows_instance("apps", adopted).windows_instances("apps", 1));
    assert!(setup.batch(&setup.events(2..=2)).await.is_empty());
    assert!(setup.commands().is_empty());
    assert_eq!(setup.metrics()["BudgetWithheld"], 1.0);
}

#[tokio::test(start_paused = true)]
async fn without_evidence_nothing_is_sent_and_the_records_are_acknowledged() {
    for operation in ["DescribeParameters", "ListContainerInstances", "ListCommandInvocations"] {
        for fault in [Fault::Throttle, Fault::ErrorBefore(500), Fault::NotReached] {
            let setup = proven(2);
            setup.local.aws().faults.add(FaultRule::once(operation, fault.clone()).times(1000));
            assert!(setup.batch(&setup.events(2..=3)).await.is_empty(), "{operation} {fault:?}");
            assert!(setup.commands().is_empty(), "{operation} {fault:?}");
            assert_eq!(setup.metrics()["BudgetWithheld"], 2.0, "{operation} {fault:?}");
        }
    }
    let setup = proven(1);
    setup.local.aws().world.parameters.password.readable = Readable::Missing;
    assert!(setup.batch(&setup.events(2..=2)).await.is_empty());
    assert!(setup.commands().is_empty(), "a missing parameter proves nothing");
}

#[tokio::test(start_paused = true)]
async fn a_mapped_host_that_is_sent_to_by_hand_keeps_its_mapping() {
    let setup = proven(1);
    run(&setup, "map", 2).await;
    assert!(matches!(setup.local.aws().world.host(&id(2)).letter, Letter::Smb(_)));
    let answer = setup.by_hand(&[&id(2)]).await;
    assert_eq!(answer["sent"].as_array().unwrap().len(), 1);
    setup.local.wait(Duration::from_secs(60)).await;
    assert_eq!(log_ons(&setup, true), 1, "`map` on a readable mapping does not use the parameters");
}
