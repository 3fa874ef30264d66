//! The local Lambda, with a small function.

use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tests::runtime_api::{
    BatchSettings, DeliveredBatch, EventSource, Function, FunctionSettings, InvocationFailure, Queue,
    QueueKind, Stream,
};
use tokio::sync::mpsc;

/// Much longer than a response takes. A passing test never waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
const NOW_MS: u64 = 1_795_500_000_000;

fn echo_settings() -> FunctionSettings {
    FunctionSettings {
        name: "echo".to_owned(),
        program: PathBuf::from(env!("CARGO_BIN_EXE_echo-lambda")),
        environment: Default::default(),
        timeout: PATIENCE,
    }
}

fn function(settings: FunctionSettings) -> Function {
    Function::new(
        settings,
        SharedTimeSource::new(StaticTimeSource::new(UNIX_EPOCH + Duration::from_millis(NOW_MS))),
    )
}

async fn answer(function: &Function, payload: Value) -> Value {
    function.invoke(&payload).await.outcome.expect("a response")
}

/// A standard queue before that function.
fn source(program: FunctionSettings, visibility: Duration, batch_size: usize) -> EventSource {
    let queue = Queue::new("events", QueueKind::Standard, visibility, 2);
    let settings = BatchSettings { batch_size, window: visibility };
    EventSource::new(queue, Arc::new(function(program)), settings)
}

fn printed(function: &Function) -> Vec<String> {
    function.lines(0).into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn a_function_gets_its_event_request_id_arn_and_deadline() {
    let function = function(echo_settings());
    let first = function.invoke(&json!({"n": 1})).await;
    assert!(first.cold_start);
    assert_eq!(
        first.outcome.unwrap(),
        json!({
            "payload": {"n": 1},
            "requestId": first.request_id,
            "arn": "arn:aws:lambda:eu-west-1:111122223333:function:echo",
            "deadlineMs": NOW_MS + 30_000,
            "function": "echo",
        })
    );
    let second = function.invoke(&json!({"n": 2})).await;
    assert!(!second.cold_start, "the process is reused");
    assert_ne!(second.request_id, first.request_id);
}

#[tokio::test]
async fn concurrent_invocations_share_one_process() {
    let function = function(echo_settings());
    let pid = || answer(&function, json!({"do": "pid"}));
    let (a, b, c) = tokio::join!(pid(), pid(), pid());
    assert_eq!((&a, &b), (&b, &c));
}

#[tokio::test]
async fn an_error_and_a_panic_fail_their_invocation_and_leave_the_process_warm() {
    let function = function(echo_settings());
    let pid = answer(&function, json!({"do": "pid"})).await;
    for (action, message) in [("fail", "told to fail"), ("panic", "told to panic")] {
        let invocation = function.invoke(&json!({"do": action})).await;
        match invocation.outcome {
            Err(InvocationFailure::Handler(error)) => {
                assert!(error.error_message.contains(message), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answer(&function, json!({"do": "pid"})).await, pid);
}

#[tokio::test]
async fn a_crash_fails_its_invocation_with_the_output_and_the_next_one_gets_a_new_process() {
    let function = function(echo_settings());
    let pid = answer(&function, json!({"do": "pid"})).await;
    let Err(InvocationFailure::Crashed { status, printed }) =
        function.invoke(&json!({"do": "exit"})).await.outcome
    else {
        panic!("the process ends during the invocation")
    };
    assert_eq!(status.code(), Some(7));
    let texts: Vec<(Stream, &str)> = printed.iter().map(|line| (line.stream, line.text.as_str())).collect();
    assert!(texts.contains(&(Stream::Out, r#"{"saw":{"do":"exit"}}"#)), "{texts:?}");
    assert!(texts.contains(&(Stream::Err, "told to exit")), "{texts:?}");
    assert!(!texts.iter().any(|(_, text)| text.contains("pid")), "only this invocation's output: {texts:?}");
    let next = function.invoke(&json!({"do": "pid"})).await;
    assert!(next.cold_start);
    assert_ne!(next.outcome.unwrap(), pid);
}

#[tokio::test]
async fn a_function_that_hangs_is_killed_at_its_timeout() {
    let function = function(FunctionSettings { timeout: Duration::from_millis(300), ..echo_settings() });
    let outcome = function.invoke(&json!({"do": "hang"})).await.outcome;
    assert!(matches!(outcome, Err(InvocationFailure::TimedOut { .. })), "{outcome:?}");
    assert_eq!(printed(&function), [r#"{"saw":{"do":"hang"}}"#]);
    assert!(function.invoke(&json!({"do": "pid"})).await.cold_start);
}

#[tokio::test]
async fn a_function_that_cannot_start_fails_with_the_reason() {
    let mut settings = echo_settings();
    settings.environment.insert("REFUSE_TO_START".to_owned(), "CLUSTERS is missing".to_owned());
    let failure = function(settings).invoke(&json!({})).await.outcome.unwrap_err();
    assert!(
        matches!(&failure, InvocationFailure::Init { status: Some(status), .. } if status.code() == Some(1)),
        "{failure:?}"
    );
    assert!(failure.to_string().contains("CLUSTERS is missing"), "{failure}");

    let nowhere = FunctionSettings { program: PathBuf::from("/nonexistent/bootstrap"), ..echo_settings() };
    let failure = function(nowhere).invoke(&json!({})).await.outcome.unwrap_err();
    assert!(failure.to_string().starts_with("cannot start /nonexistent/bootstrap: "), "{failure}");
}

#[tokio::test]
async fn an_abandoned_invocation_ends_its_process() {
    let function = function(echo_settings());
    let pid = answer(&function, json!({"do": "pid"})).await;
    let hang = json!({"do": "hang"});
    tokio::select! {
        biased;
        _ = function.invoke(&hang) => panic!("it hangs"),
        () = seen(&function, r#"{"saw":{"do":"hang"}}"#) => {}
    }
    assert_ne!(answer(&function, json!({"do": "pid"})).await, pid);
}

/// Waits until the function has printed `text`.
async fn seen(function: &Function, text: &str) {
    while !printed(function).iter().any(|line| line == text) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stopped_or_dropped_function_leaves_no_process() {
    let stopped = function(echo_settings());
    let pid = answer(&stopped, json!({"do": "pid"})).await;
    stopped.stop().await;
    assert!(!runs(&pid));

    let dropped = function(echo_settings());
    let pid = answer(&dropped, json!({"do": "pid"})).await;
    assert!(runs(&pid));
    drop(dropped);
    while runs(&pid) {
        tokio::task::yield_now().await;
    }
}

/// Whether a process is running; a zombie is not.
fn runs(pid: &Value) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_function_gets_no_variable_of_the_machine() {
    let function = function(FunctionSettings {
        program: PathBuf::from("/usr/bin/env"),
        environment: [("STACK".to_owned(), "demo".to_owned())].into(),
        ..echo_settings()
    });
    // `env` prints its variables and ends without asking for an invocation.
    let outcome = function.invoke(&json!({})).await.outcome;
    assert!(matches!(outcome, Err(InvocationFailure::Init { .. })), "{outcome:?}");
    let printed = printed(&function);
    assert!(printed.contains(&"STACK=demo".to_owned()));
    assert!(printed.contains(&"AWS_LAMBDA_FUNCTION_NAME=echo".to_owned()));
    assert!(printed.iter().any(|line| line.starts_with("AWS_LAMBDA_RUNTIME_API=127.0.0.1:")));
    assert!(
        !printed.iter().any(|line| line.starts_with("CARGO") || line.starts_with("HOME=")),
        "{printed:?}"
    );
}

#[tokio::test]
async fn records_that_failed_are_received_again_and_become_dead_letters() {
    let source = source(echo_settings(), Duration::ZERO, 10);
    for body in ["fine", "fail", "fine too"] {
        source.send("", body);
    }
    let first = source.pump().await.unwrap();
    assert_eq!((first.size, first.kept), (3, 1));
    let second = source.pump().await.unwrap();
    assert_eq!((second.size, second.kept), (1, 1));
    assert!(source.pump().await.is_none());
    let queue = source.queue();
    assert_eq!(queue.dead_letters().iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["fail"]);
}

#[tokio::test]
async fn a_batch_whose_function_crashed_is_received_again() {
    let broken = FunctionSettings { program: PathBuf::from("/bin/false"), ..echo_settings() };
    let source = source(broken, Duration::ZERO, 10);
    source.send("", "a");
    source.send("", "b");
    for _ in 0..2 {
        let batch = source.pump().await.unwrap();
        assert_eq!((batch.size, batch.kept), (2, 2));
    }
}

#[tokio::test]
async fn a_running_event_source_delivers_messages_as_they_arrive() {
    let queue = Queue::new("reconcile.fifo", QueueKind::Fifo, PATIENCE, 5);
    let settings = BatchSettings { batch_size: 10, window: Duration::from_millis(1) };
    let source = EventSource::new(queue, Arc::new(function(echo_settings())), settings);
    let (sender, mut batches) = mpsc::unbounded_channel::<DeliveredBatch>();
    let work = async {
        for tick in ["one", "two"] {
            source.send("reconcile", tick);
            let batch = batches.recv().await.unwrap();
            assert_eq!((batch.size, batch.kept), (1, 0));
        }
    };
    tokio::select! {
        () = source.run(sender) => panic!("it runs for ever"),
        () = work => {}
    }
    assert!(source.queue().is_empty());
}

#[tokio::test]
async fn a_full_batch_does_not_wait_for_the_window() {
    let source = source(echo_settings(), PATIENCE, 3);
    let (sender, mut batches) = mpsc::unbounded_channel::<DeliveredBatch>();
    for body in ["a", "b", "c"] {
        source.send("", body);
    }
    tokio::select! {
        () = source.run(sender) => panic!("it runs for ever"),
        batch = batches.recv() => assert_eq!(batch.unwrap().size, 3),
        () = tokio::time::sleep(PATIENCE / 2) => panic!("it waited"),
    }
}
