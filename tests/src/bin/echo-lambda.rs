//! A tiny function for the tests of the local Lambda: does what its event says.
//!
//! `{"do": "echo"}` answers what it saw; `fail`, `panic`, `exit` and `hang` do that; `pid` names the process;
//! `{"Records": …}` fails those whose body says `fail`. The variable `REFUSE_TO_START` makes it end at init.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "a program of its own, with one variable")]
    let refusal = std::env::var("REFUSE_TO_START");
    if let Ok(reason) = refusal {
        return Err(reason.into());
    }
    lambda_runtime::run(service_fn(handle)).await
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is what the tests look for")]
async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    println!("{}", json!({"saw": event.payload}));
    if let Some(records) = event.payload["Records"].as_array() {
        let failed = records.iter().filter(|record| record["body"] == "fail");
        let failures: Vec<Value> =
            failed.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
        return Ok(json!({"batchItemFailures": failures}));
    }
    match event.payload["do"].as_str() {
        Some("fail") => Err("told to fail".into()),
        Some("panic") => panic!("told to panic"),
        Some("exit") => {
            eprintln!("told to exit");
            std::process::exit(7)
        }
        Some("hang") => std::future::pending().await,
        Some("pid") => Ok(json!(std::process::id())),
        _ => Ok(json!({
            "payload": event.payload,
            "requestId": event.context.request_id,
            "arn": event.context.invoked_function_arn,
            "deadlineMs": event.context.deadline,
            "function": event.context.env_config.function_name,
        })),
    }
}
