//! The three binaries in the local Lambda, with every payload in `events/`, over the local AWS.

use std::time::Duration;

use serde_json::Value;
use tests::demo::deployment::{NAMES, Waits, environment};
use tests::demo::fleet_setup::CLUSTER;
use tests::fleet::{Pace, World};
use tests::local_aws::LocalAws;
use tests::local_aws::server::Server;
use tests::runtime_api::binaries::build_functions;
use tests::runtime_api::function::wall_clock;
use tests::runtime_api::{Function, FunctionSettings, InvocationFailure};

/// The expected response to a payload.
enum Expected {
    /// An object with this key.
    Key(&'static str),
    /// An error that contains this.
    Error(&'static str),
}

/// By the file's name. Other tests check the effects of the payloads.
fn expected(function: &str, file: &str) -> Expected {
    match (function, file) {
        ("map-share", name) if name.starts_with("sqs-") => Expected::Key("batchItemFailures"),
        ("map-share", _) => Expected::Key("sent"),
        ("drain-unmapped", name) if name.starts_with("tick") => Expected::Key("batchItemFailures"),
        ("drain-unmapped", "report-one-cluster") => Expected::Error("is not watched"),
        ("drain-unmapped", name) if name.starts_with("report") => Expected::Key("instances"),
        ("drain-unmapped", "release") => Expected::Error("MODE"),
        ("drain-unmapped", _) => Expected::Error("report"),
        (_, "schedule") => Expected::Key("clusters"),
        // The first two name something that this account does not have.
        (_, "by-name" | "cluster" | "container-definition" | "registered-body-omitted") => {
            Expected::Key("error")
        }
        (_, "registered-denied") => Expected::Key("skipped"),
        _ => Expected::Key("valid"),
    }
}

#[tokio::test]
async fn one_process_of_a_function_handles_all_its_payloads() {
    let binaries = build_functions();
    let millis = Duration::from_millis;
    let pace = Pace { pick_up: millis(10), check: millis(20), map: millis(50), ..Pace::default() };
    let world = World::new(1, Server::wall_clock()).pace(pace).cluster(CLUSTER).windows_instances(CLUSTER, 2);
    let server = Server::start(LocalAws::new(world), "127.0.0.1:0").await.expect("a free port");
    let waits = Waits { base: millis(100), verify_every: Duration::from_secs(1800) };
    for name in NAMES {
        let function = Function::new(
            FunctionSettings {
                name: name.to_owned(),
                program: binaries.join(name),
                environment: environment(name, &server.url(), waits),
                timeout: Duration::from_secs(30),
            },
            wall_clock(),
        );
        for (position, (file, payload)) in tests::events::of(name).into_iter().enumerate() {
            let invocation = function.invoke(&payload).await;
            assert_eq!(invocation.cold_start, position == 0, "{name} {file}: the process ended before");
            match (expected(name, &file), invocation.outcome) {
                (Expected::Key(key), Ok(answer)) => {
                    assert!(!answer[key].is_null(), "{name} {file}: {answer:#}");
                    assert_eq!(
                        answer.get("batchItemFailures").and_then(Value::as_array).map_or(0, Vec::len),
                        0
                    );
                }
                (Expected::Error(text), Err(InvocationFailure::Handler(error))) => {
                    assert!(error.error_message.contains(text), "{name} {file}: {error:?}");
                }
                (_, outcome) => panic!("{name} {file}: {outcome:?}"),
            }
        }
        function.stop().await;
    }
}
