//! The three binaries with the Runtime API of `cargo lambda watch`, invoked by `cargo lambda invoke`.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tests::demo::deployment::{NAMES, Waits, environment};
use tests::demo::fleet_setup::{self, CLUSTER};
use tests::fleet::World;
use tests::local_aws::LocalAws;
use tests::local_aws::server::Server;
use tests::runtime_api::binaries::build_functions;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The pinned cargo-lambda. `make` installs it where it is missing.
async fn cargo_lambda() -> PathBuf {
    let installed = Command::new("make")
        .arg(".venv/cargo-lambda/installed")
        .current_dir(ROOT)
        .status()
        .await
        .expect("it starts");
    assert!(installed.success(), "cargo-lambda cannot be installed");
    Path::new(ROOT).join(".venv/cargo-lambda/bin/cargo-lambda")
}

fn quiet(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

async fn invoke(cargo_lambda: &Path, port: u16, function: &str, event: &Value) -> Value {
    let output = Command::new(cargo_lambda)
        .args(["lambda", "invoke", function, "--invoke-address", "127.0.0.1"])
        .args(["--invoke-port", &port.to_string(), "--data-ascii", &event.to_string()])
        .current_dir(ROOT)
        .output()
        .await
        .expect("it starts");
    let text = String::from_utf8(output.stdout).expect("it prints UTF-8");
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{function}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn the_three_binaries_run_unchanged_under_cargo_lambda_watch() {
    let cargo_lambda = cargo_lambda().await;
    let binaries = build_functions();
    let world = World::new(1, Server::wall_clock()).cluster(CLUSTER).windows_instances(CLUSTER, 2);
    let server = Server::start(LocalAws::new(world), "127.0.0.1:0").await.unwrap();

    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let _watch = quiet(
        Command::new(&cargo_lambda)
            .args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &port.to_string()])
            .current_dir(ROOT),
    );
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    let waits = Waits { base: Duration::from_secs(30), verify_every: Duration::from_secs(1800) };
    let _functions = NAMES.map(|name| {
        quiet(
            Command::new(binaries.join(name))
                .env_clear()
                .envs(environment(name, &server.url(), waits))
                .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/{name}"))
                .env("AWS_LAMBDA_FUNCTION_NAME", name)
                .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
                .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
                .env("AWS_REGION", "eu-west-1")
                .env("AWS_SECRET_ACCESS_KEY", "local"),
        )
    });

    let instance = tests::fleet::instance_id(1);
    let answer = invoke(&cargo_lambda, port, "map-share", &json!({"instanceIds": [&*instance]})).await;
    assert!(answer.to_string().contains(&*instance), "{answer}");
    let sent: Vec<String> = {
        let aws = server.aws();
        aws.commands().flat_map(|command| command.invocations()).map(|one| one.instance.to_string()).collect()
    };
    assert_eq!(sent, [instance.to_string()], "one command, to the named instance");

    let report = invoke(&cargo_lambda, port, "drain-unmapped", &json!({"report": true})).await;
    assert!(report.to_string().contains(&*tests::fleet::instance_id(2)), "the whole fleet: {report}");

    let [good, unc, _] = fleet_setup::samples().try_into().unwrap();
    assert_eq!(invoke(&cargo_lambda, port, "validate-task-definition", &good).await["valid"], true);
    assert_eq!(invoke(&cargo_lambda, port, "validate-task-definition", &unc).await["valid"], false);
}
