//! The whole demo: the three binaries in a local Lambda before a local AWS, in real time, with its checks.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use tests::runtime_api::binaries::build_functions;
use tokio::process::Command;

async fn demo(program: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(program).args(arguments).kill_on_drop(true).output().await.expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// Runs it, piped, and returns what it printed. All of its checks must hold.
async fn run_successfully(arguments: &[&str]) -> String {
    let program = build_functions().join("demo");
    let report = tempfile::tempdir().expect("there is room");
    let report_argument = report.path().to_str().expect("a plain path");
    let (code, out, err) = demo(&program, &[arguments, &["--report", report_argument]].concat()).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains('\x1b'), "piped output is plain: {out}");
    for (file, end) in [("report.html", "</html>\n"), ("timeline.svg", "</svg>\n")] {
        let text = std::fs::read_to_string(report.path().join(file)).expect("the report is written");
        assert!(text.ends_with(end), "{file}");
    }
    out
}

#[tokio::test]
async fn forty_instances_are_mapped_and_the_one_with_a_disk_is_drained() {
    let out = run_successfully(&[]).await;
    assert!(out.contains("commands were enough for 31 instances of the scale-out"), "{out}");
    assert!(out.contains("drained for drive-in-use: i-"), "{out}");
}

#[tokio::test]
async fn with_five_instances_the_operators_drain_is_the_whole_budget() {
    let out = run_successfully(&["--instances", "5", "--seed", "3"]).await;
    assert!(out.contains("drain withheld (budget): i-"), "{out}");
    assert!(!out.contains("drained for"), "{out}");
}

#[tokio::test]
async fn five_hundred_instances_stay_readable() {
    let out = run_successfully(&["--instances", "500"]).await;
    let longest = out.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(
        longest <= 160 && out.lines().count() < 200,
        "{} lines, the longest {longest}",
        out.lines().count()
    );
}

#[tokio::test]
async fn a_wrong_password_is_presented_by_at_most_two_canaries_and_once_corrected_maps_everything() {
    let out = run_successfully(&["--wrong-password"]).await;
    assert!(out.contains("of 3 refused log-ons spent"), "{out}");
    assert!(out.contains("unmapped, 1326: i-"), "{out}");
}

#[tokio::test]
async fn an_outage_of_the_file_server_drains_nothing() {
    let out = run_successfully(&["--outage", "5"]).await;
    assert!(out.contains("the file server is back"), "{out}");
}

#[tokio::test]
async fn faulty_hosts_end_with_their_true_causes() {
    run_successfully(&["--fail", "20"]).await;
}

#[tokio::test]
async fn a_check_that_does_not_hold_is_named_and_is_an_error() {
    let binaries = build_functions();
    let broken = tempfile::tempdir().unwrap();
    for name in ["map-share", "drain-unmapped"] {
        symlink(binaries.join(name), broken.path().join(name)).unwrap();
    }
    // A copy, since the demo looks for the functions in its own directory.
    let program = broken.path().join("demo");
    std::fs::copy(binaries.join("demo"), &program).unwrap();
    let report = broken.path().join("report");
    let arguments = ["--instances", "5", "--report", report.to_str().unwrap()];

    let (code, _, err) = demo(&program, &arguments).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("validate-task-definition is not there"), "{err}");

    symlink("/bin/false", broken.path().join("validate-task-definition")).unwrap();
    let (code, out, _) = demo(&program, &arguments).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("✗  no function failed"), "{out}");
}

#[tokio::test]
async fn a_wrong_option_says_what_is_allowed() {
    let program = Path::new(env!("CARGO_BIN_EXE_demo"));
    let (code, _, err) = demo(program, &["--instances", "4"]).await;
    assert_eq!(code, Some(2));
    assert!(err.contains("--instances is \"4\": allowed are whole numbers from 5 to 500"), "{err}");
    let (code, out, _) = demo(program, &["--help"]).await;
    assert!(code == Some(0) && out.contains("--wrong-password"), "{out}");
}
