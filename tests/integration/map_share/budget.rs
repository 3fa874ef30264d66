//! The budget of refused log-ons: what is sent automatically, what is sent by hand, and what the reconcile run's canaries
//! do meanwhile.

use jiff::SignedDuration;
use serde_json::json;
use shared::config::ROW_GAP;
use tests::fleet::{Letter, Platform, Presented, Readable, Scripted};
use tests::local_aws::faults::{Fault, FaultRule};
use tests::stack::tick;

use super::*;

/// Starts a reconcile run every minute, as deployed.
async fn reconcile(setup: &Setup, minutes: u64) {
    let process = Process::new(&setup.local, "drain-unmapped");
    let metrics = Metrics::to_writer("Reconcile", "smb-g", Arc::new(Mutex::new(Vec::<u8>::new())));
    let app = drain_unmapped::App::new(setup.config(), process.clients(), metrics);
    for _ in 0..minutes {
        let began = setup.local.clock().now();
        let _ = Box::pin(drain_unmapped::handle(&app, &tick(), began + Duration::from_secs(50))).await;
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

fn write_parameter(setup: &Setup, password: &str) {
    let now = setup.local.clock().now();
    setup.local.aws().world.write_password_parameter(password, now);
}

/// The next command to the host ends with that result line.
async fn run_scripted(setup: &Setup, action: &str, n: u64, line: &str) {
    let details = if line.contains("failed") { "Failed" } else { "Success" };
    setup.local.aws().world.host(&id(n)).scripted.push_back(Scripted::new(details, 0, line));
    setup.run(action, &id(n)).await;
    setup.local.wait(Duration::from_secs(5)).await;
}

const REFUSED: &str =
    r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"create","refused":1,"message":""}"#;

/// `count` new hosts beside a mapped one: hosts 2 and up.
fn new_hosts(count: usize) -> World {
    world().windows_instance("apps", mapped).windows_instances("apps", count)
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_at_a_first_deployment_is_used_at_most_twice_in_the_first_fifteen_minutes() {
    let setup = Setup::new(world().windows_instances("apps", 50));
    setup.local.aws().world.change_password_in_directory("another");
    tokio::join!(worker(&setup, 1, 50, 16), worker(&setup, 2, 50, 16), reconcile(&setup, 15));
    assert_eq!(log_ons(&setup, true), 0);
    let bad = log_ons(&setup, false);
    assert!((1..=2).contains(&bad), "{bad} bad log-ons");
    assert!(!setup.calls().contains(&"SendCommand".to_owned()), "only drain-unmapped sends");
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
    // A wrong password is written to the parameter; then fifty instances are launched.
    write_parameter(&setup, "a typing error");
    for _ in 0..50 {
        setup.local.aws().launch(Platform::Windows, Some("apps"), |host| host);
    }
    setup.local.wait(Duration::from_secs(180)).await;
    tokio::join!(worker(&setup, 5, 54, 14), worker(&setup, 6, 54, 14), reconcile(&setup, 14));
    let bad = log_ons(&setup, false);
    assert!((1..=2).contains(&bad), "{bad} bad log-ons");
}

#[tokio::test(start_paused = true)]
async fn events_are_sent_for_only_within_a_minute_after_an_instance_was_let_in() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Then {
        Nothing,
        AMinutePasses,
        TheParameterChanges,
        AnotherIsRefused(&'static str),
        TheParameterIsMissing,
    }
    use Then::*;
    let table = [
        (Nothing, true),
        (AMinutePasses, false),
        (TheParameterChanges, false),
        (AnotherIsRefused("map"), false),
        // A check logs on with the credential that Windows keeps.
        (AnotherIsRefused("check"), false),
        (TheParameterIsMissing, false),
    ];
    for (then, is_sent) in table {
        let setup = Setup::fresh(new_hosts(2)).await;
        match then {
            Nothing => {}
            AMinutePasses => setup.local.wait(Duration::from_secs(60)).await,
            TheParameterChanges => write_parameter(&setup, "another"),
            AnotherIsRefused(action) => run_scripted(&setup, action, 1, REFUSED).await,
            TheParameterIsMissing => {
                setup.local.aws().world.parameters.password.readable = Readable::Missing;
            }
        }
        assert!(setup.batch(&setup.events(2..=3)).await.is_empty(), "{then:?}: acknowledged");
        assert_eq!(setup.commands().len(), usize::from(is_sent), "{then:?}");
        let withheld = setup.metrics().get("BudgetWithheld").copied().unwrap_or_default();
        assert_eq!(withheld, if is_sent { 0.0 } else { 2.0 }, "{then:?}");
        setup.let_in().await;
        assert!(setup.batch(&setup.events(2..=3)).await.is_empty());
        let is_missing = then == TheParameterIsMissing;
        assert_eq!(setup.commands().len(), usize::from(!is_missing), "{then:?}: once another is let in");
    }
}

#[tokio::test(start_paused = true)]
async fn what_made_no_log_on_makes_no_password_fresh() {
    // `map` found the mapping; a check never logs on with the parameters' password, whatever it says.
    for (action, changed) in [("map", "false"), ("check", "false"), ("check", "true")] {
        let setup = Setup::new(new_hosts(1));
        run_scripted(&setup, action, 1, &mapped_line(changed)).await;
        assert!(setup.batch(&setup.events(2..=2)).await.is_empty());
        assert!(setup.commands().is_empty(), "{action} {changed}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_hand_one_instance_is_sent_to_until_the_budget_is_spent() {
    let setup = Setup::new(world().windows_instances("apps", 6));
    setup.local.aws().world.change_password_in_directory("another");
    let many = setup.by_hand(&[&id(1), &id(2)]).await;
    let reason = "no instance was let in a moment ago, so only one may be named by hand";
    assert_eq!(many["leftToReconcile"][0]["reason"], reason);
    assert!(setup.commands().is_empty());

    // What is in flight may be refused, twice where it is not known that the instance has no mapping.
    let send = async |n| {
        let one = setup.by_hand(&[&id(n)]).await;
        assert_eq!(one["sent"][0]["instanceIds"], json!([id(n)]), "{one}");
    };
    send(1).await;
    send(2).await;
    let answer = setup.by_hand(&[&id(3)]).await;
    let why = answer["leftToReconcile"][0]["reason"].as_str().unwrap();
    assert!(why.contains("0 of 3 refused log-ons spent; 4 more are possible; next try when the commands in flight have ended"), "{why}");
    assert_eq!(setup.metrics()["BudgetWithheld"], 1.0);

    setup.local.wait(Duration::from_secs(60)).await;
    send(3).await;
    setup.local.wait(Duration::from_secs(60)).await;
    assert_eq!(log_ons(&setup, false), 3);
    let spent = |answer: &Value| {
        let why = answer["leftToReconcile"][0]["reason"].as_str().unwrap().to_owned();
        assert!(why.starts_with("3 of 3 refused log-ons spent (i-"), "{why}");
        assert!((1..=3).all(|n| why.contains(&format!("{} 2026-03-01T12:0", id(n)))), "{why}");
        why
    };
    let why = spent(&setup.by_hand(&[&id(4)]).await);
    assert!(why.contains(" map create 1326") && why.contains("0 more are possible"), "{why}");
    // Neither a changed parameter nor another instance ends the row.
    write_parameter(&setup, "another");
    assert_eq!(spent(&setup.by_hand(&[&id(5)]).await), why);
    assert_eq!(setup.commands().len(), 3);

    let next = why.split("next try ").nth(1).unwrap().split(',').next().unwrap();
    let next: Timestamp = next.parse().unwrap();
    let ended = setup.local.aws().world.account.log_ons.last().unwrap().at;
    let off = next.duration_since(ended + ROW_GAP).abs();
    assert!(off <= SignedDuration::from_secs(1), "31 minutes after the last, {off} off");
    setup
        .local
        .wait((next + Duration::from_secs(1)).duration_since(setup.local.clock().now()).unsigned_abs())
        .await;
    let answer = setup.by_hand(&[&id(4)]).await;
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(4)]), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_refused_alone_is_sent_to_by_hand_only() {
    let setup = Setup::new(new_hosts(3));
    run_scripted(&setup, "map", 2, REFUSED).await;
    setup.local.aws().register_again(&id(2));
    setup.let_in().await;
    assert!(setup.batch(&setup.events(2..=3)).await.is_empty(), "acknowledged");
    assert_eq!(setup.commands(), [[id(3)]]);
    assert_eq!(setup.metrics()["BudgetWithheld"], 1.0);

    let several = setup.by_hand(&[&id(2), &id(4)]).await;
    assert_eq!(several["sent"][0]["instanceIds"], json!([id(4)]), "{several}");
    let reason = "it was refused the password; it is tried again when no other refusal counts";
    assert_eq!(several["leftToReconcile"], json!([{"instanceId": id(2), "reason": reason}]));
    let alone = setup.by_hand(&[&id(2)]).await;
    assert_eq!(alone["sent"][0]["instanceIds"], json!([id(2)]), "{alone}");
}

#[tokio::test(start_paused = true)]
async fn without_evidence_nothing_is_sent_and_the_records_are_acknowledged() {
    for operation in ["DescribeParameters", "ListCommandInvocations"] {
        for fault in [Fault::Throttle, Fault::ErrorBefore(500), Fault::NotReached] {
            let setup = Setup::fresh(new_hosts(2)).await;
            setup.local.aws().faults.add(FaultRule::once(operation, fault.clone()).times(1000));
            assert!(setup.batch(&setup.events(2..=3)).await.is_empty(), "{operation} {fault:?}");
            assert!(setup.commands().is_empty(), "{operation} {fault:?}");
            assert_eq!(setup.metrics()["BudgetWithheld"], 2.0, "{operation} {fault:?}");
            setup.let_in().await;
            let answer = setup.by_hand(&[&id(2)]).await;
            let reason = "it could not be read whether the password may be presented";
            assert_eq!(answer["leftToReconcile"][0]["reason"], reason, "{operation} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapped_host_that_is_sent_to_by_hand_keeps_its_mapping() {
    let setup = Setup::new(new_hosts(1));
    setup.run("map", &id(2)).await;
    setup.local.wait(Duration::from_secs(60)).await;
    assert!(matches!(setup.local.aws().world.host(&id(2)).letter, Letter::Smb(_)));
    let answer = setup.by_hand(&[&id(2)]).await;
    assert_eq!(answer["sent"].as_array().unwrap().len(), 1);
    setup.local.wait(Duration::from_secs(60)).await;
    assert_eq!(log_ons(&setup, true), 1, "`map` on a readable mapping does not use the parameters");
}
