//! The local AWS for `make e2e`: one cluster with one Windows instance, over TCP, told by lines on standard input what
//! happens next. Each line is answered with one line of JSON; it ends with its input.
//!
//! | line | does | answers |
//! |---|---|---|
//! | (start) `e2e-aws DOCUMENT` | serves the mapping document under that name | `{"url", "instance"}` |
//! | `launch` | starts another Windows instance | its id |
//! | `events` | | what EventBridge would have got since the last time |
//! | `throttle OPERATION` | throttles that operation from now on | `null` |
//! | `recover` | ends all throttling | `null` |

use std::process::ExitCode;

use serde_json::{Value, json};
use tests::fleet::{Document, MappingSettings, Pace, Platform, World, instance_id};
use tests::local_aws::LocalAws;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::server::Server;
use tokio::sync::mpsc;

const CLUSTER: &str = "windows";

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is what it answers")]
async fn main() -> ExitCode {
    let Some(document) = std::env::args().nth(1) else {
        eprintln!("usage: e2e-aws DOCUMENT");
        return ExitCode::from(2);
    };
    let server = match Server::start(LocalAws::new(world(&document)), "127.0.0.1:0").await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("e2e-aws: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", json!({"url": server.url(), "instance": &*instance_id(1)}));
    let mut lines = lines_of_stdin();
    while let Some(line) = lines.recv().await {
        println!("{}", obey(&server, &line));
    }
    ExitCode::SUCCESS
}

/// Standard input blocks whoever reads it, so a thread does.
fn lines_of_stdin() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn world(document: &str) -> World {
    let remote = r"\\fs1.corp.example.com\share".to_owned();
    let mapping = MappingSettings { drive: "G:".to_owned(), remote, require_domain: true };
    World::new(9, Server::wall_clock())
        .cluster(CLUSTER)
        .windows_instances(CLUSTER, 1)
        .document(document, Document::mapping(mapping))
        .pace(Pace::quick())
}

fn obey(server: &Server, line: &str) -> Value {
    let mut aws = server.aws();
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["launch"] => json!(&*aws.launch(Platform::Windows, Some(CLUSTER), |host| host)),
        ["events"] => Value::Array(aws.drain_events()),
        ["throttle", operation] => {
            aws.faults.add(FaultRule::once(operation, Fault::Throttle).times(u32::MAX));
            Value::Null
        }
        ["recover"] => {
            aws.faults.clear();
            Value::Null
        }
        _ => json!({"error": format!("not understood: {line}")}),
    }
}
