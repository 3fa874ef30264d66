//! What a person may ask: the report, the release, and what is refused.

use serde_json::json;
use shared::config::Mode;
use shared::state::Drain;
use tests::fleet::World;
use tests::local_aws::ecs::instances::Status;
use tests::stack::Stack;

use super::{base, calls};

async fn fleet() -> Stack {
    let world = World::new(51, base())
        .cluster("apps")
        .windows_instances("apps", 19)
        .windows_instance("apps", |host| host.named("i-0000000000disk000").disk_on_letter());
    let stack = Stack::new(world);
    stack.minutes(40).await;
    stack
}

#[tokio::test(start_paused = true)]
async fn the_report_says_why_and_what_to_do_and_changes_nothing() {
    let stack = fleet().await;
    stack.local.aws().forget_calls();
    let report = stack.ask(json!({ "report": true })).await.unwrap();
    let rows = report["instances"].as_array().unwrap();
    assert_eq!(rows.len(), 20);
    let row = rows.iter().find(|row| row["instance"] == "i-0000000000disk000").unwrap();
    assert_eq!(row["cause"]["code"], "drive-in-use");
    assert!(row["cause"]["remedy"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!((&row["drain"], &row["status"]), (&json!("ours"), &json!("DRAINING")));
    assert_eq!(report["password"], "proven");
    for writing in ["SendCommand", "PutAttributes", "DeleteAttributes", "UpdateContainerInstancesState"] {
        assert_eq!(calls(&stack, writing), 0);
    }
    let one = stack.ask(json!({ "report": true, "cluster": "apps" })).await.unwrap();
    assert_eq!(one["instances"].as_array().unwrap().len(), 20);
    let error = stack.ask(json!({ "report": true, "cluster": "other" })).await.unwrap_err();
    assert!(error.to_string().contains("other"));
}

#[tokio::test(start_paused = true)]
async fn release_gives_back_what_is_ours_and_leaves_no_attribute() {
    let mut stack = fleet().await;
    let refused = stack.ask(json!({ "release": true })).await.unwrap_err();
    assert!(refused.to_string().contains("MODE=report"));
    stack.deploy(|config| config.policy.mode = Mode::Report);
    let answer = stack.ask(json!({ "release": true })).await.unwrap();
    assert_eq!(
        (&answer["done"], &answer["givenBack"], &answer["cleaned"]),
        (&json!(true), &json!(1), &json!(20))
    );
    assert_eq!(stack.status("i-0000000000disk000"), Status::Active);
    for id in stack.instances("apps") {
        let attributes = stack.attributes(&id);
        assert!(!attributes.any && attributes.drain == Drain::Absent, "{id}");
    }
    let again = stack.ask(json!({ "release": true })).await.unwrap();
    assert_eq!((&again["done"], &again["cleaned"]), (&json!(true), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn every_payload_of_ours_is_answered_as_its_name_says() {
    let stack = Stack::new(World::new(52, base()).cluster("apps").windows_instances("apps", 2));
    for (file, payload) in tests::events::of("drain-unmapped") {
        let payload = match file.as_str() {
            // The file names a cluster of the README's; here it is called otherwise.
            "report-one-cluster" => json!({ "report": true, "cluster": "apps" }),
            _ => payload,
        };
        let answer = stack.ask(payload).await;
        match file.as_str() {
            name if name.starts_with("tick") => {
                assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }), "{file}");
            }
            name if name.starts_with("report") => assert!(answer.unwrap()["instances"].is_array(), "{file}"),
            name if name.starts_with("release") => {
                assert!(answer.is_err(), "{file}: refused outside MODE=report");
            }
            name if name.starts_with("refused") => assert!(answer.is_err(), "{file}"),
            other => panic!("{other}: no expectation"),
        }
    }
}
