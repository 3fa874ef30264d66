//! Requests by hand: the report, the release, and what is refused.

use serde_json::json;
use shared::config::Mode;
use shared::state::Drain;
use tests::local_aws::ecs::instances::Status;
use tests::stack::Stack;

use super::{DISK, calls, fleet, with_disk};

/// A fleet with one drained instance.
async fn with_drained() -> Stack {
    let stack = Stack::new(with_disk(51, 19));
    stack.minutes(40).await;
    stack
}

#[tokio::test(start_paused = true)]
async fn the_report_has_causes_and_remedies_and_changes_nothing() {
    let stack = with_drained().await;
    stack.local.aws().forget_calls();
    let report = stack.ask(json!({ "report": true })).await.unwrap();
    let rows = report["instances"].as_array().unwrap();
    assert_eq!(rows.len(), 20);
    let row = rows.iter().find(|row| row["instance"] == DISK).unwrap();
    assert_eq!(row["cause"]["code"], "drive-in-use");
    assert!(row["cause"]["remedy"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!((&row["drain"], &row["status"]), (&json!("ours"), &json!("DRAINING")));
    let credentials = &report["credentials"];
    assert_eq!([&credentials["spent"], &credentials["of"]], [&json!(0), &json!(3)]);
    assert_eq!(credentials.get("why"), None, "nothing waits for the budget: {credentials}");
    for writing in ["SendCommand", "PutAttributes", "DeleteAttributes", "UpdateContainerInstancesState"] {
        assert_eq!(calls(&stack, writing), 0);
    }
    let one = stack.ask(json!({ "report": true, "cluster": "apps" })).await.unwrap();
    assert_eq!(one["instances"].as_array().unwrap().len(), 20);
    let error = stack.ask(json!({ "report": true, "cluster": "other" })).await.unwrap_err();
    assert!(error.to_string().contains("other"));
}

#[tokio::test(start_paused = true)]
async fn release_gives_back_what_is_ours_and_removes_every_attribute() {
    let mut stack = with_drained().await;
    let refused = stack.ask(json!({ "release": true })).await.unwrap_err();
    assert!(refused.to_string().contains("MODE=report"));
    stack.deploy(|config| config.policy.mode = Mode::Report);
    let answer = stack.ask(json!({ "release": true })).await.unwrap();
    assert_eq!(
        [&answer["done"], &answer["givenBack"], &answer["cleaned"]],
        [&json!(true), &json!(1), &json!(20)]
    );
    assert_eq!(stack.status(DISK), Status::Active);
    for id in stack.instances("apps") {
        let attributes = stack.attributes(&id);
        assert!(!attributes.any() && attributes.drain == Drain::Absent, "{id}");
    }
    let again = stack.ask(json!({ "release": true })).await.unwrap();
    assert_eq!([&again["done"], &again["cleaned"]], [&json!(true), &json!(0)]);
}

#[tokio::test(start_paused = true)]
async fn every_sample_payload_gets_the_response_that_its_name_tells() {
    let stack = Stack::new(fleet(52, 2));
    for (file, mut payload) in tests::events::of("drain-unmapped") {
        if file == "report-one-cluster" {
            // The file names the README's cluster.
            payload["cluster"] = json!("apps");
        }
        let answer = stack.ask(payload).await;
        match file.split('-').next().unwrap() {
            "tick" | "ticks" => assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }), "{file}"),
            "report" => assert!(answer.unwrap()["instances"].is_array(), "{file}"),
            // A release is refused outside MODE=report.
            "release" | "refused" => assert!(answer.is_err(), "{file}"),
            other => panic!("{other}: no expectation"),
        }
    }
}
