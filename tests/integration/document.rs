//! The mapping script: embedded in the template, run by a real PowerShell on a modelled host, and its result line as
//! `shared` parses it.
//!
//! The script's own tests are PowerShell (`shared/document/tests/`). They run in the PowerShell 7 of `PWSH`, or else in
//! `pwsh` from the PATH. Without PowerShell 7 these tests print a warning and pass, unless `CI` is true or `PWSH` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use shared::cause::{self, Cause, Source};
use shared::fingerprint::SCRIPT_VERSION;
use shared::history::Deadline;
use shared::invocation::{InvocationResult, ResultLine, Step, interpret};
use shared::share::{DriveLetter, RemotePath, ShareMapping};
use shared::text;
use tests::document;
use tests::fleet::{Host, PASSWORD, Pace, Presented, REMOTE, USER, World};
use tests::local_aws::server::Server;
use tests::local_aws::{Caller, LocalAws};
use tests::powershell;
use tests::repository::{files_below, read, root};

pub(super) const PARAMETERS: [(&str, &str); 6] = [
    ("DriveLetter", "G"),
    ("RemotePath", r"\\fs.corp.example.com\share"),
    ("UserNameParameterName", "domainUserName"),
    ("PasswordParameterName", "domainUserPassword"),
    ("RequireDomain", "true"),
    ("ProbeDirectory", ""),
];

fn folder() -> PathBuf {
    root().join("shared/document")
}

pub(super) fn script() -> String {
    read("shared/document/map-share.ps1")
}

pub(super) fn template() -> String {
    read("template.yaml")
}

fn cases() -> Vec<Value> {
    let table: Value = serde_json::from_str(&read("shared/document/tests/cases.json")).expect("JSON");
    table["cases"].as_array().expect("a list of cases").clone()
}

/// Every run of every case: name, action and expectation.
fn runs() -> Vec<(String, String, Value)> {
    let mut runs = Vec::new();
    for case in cases() {
        let steps = case["steps"].as_array().cloned().unwrap_or_else(|| vec![case.clone()]);
        for step in steps.iter().filter(|step| step["action"].is_string()) {
            let name = case["name"].as_str().expect("a name").to_owned();
            let action = step["action"].as_str().expect("an action").to_owned();
            runs.push((name, action, step["expect"].clone()));
        }
    }
    runs
}

/// The cause and the step of an expected failure.
fn failure(expect: &Value) -> Option<(String, String)> {
    let (cause, step) = expect["failed"].as_str()?.split_once(' ')?;
    Some((cause.to_owned(), step.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "the environment chooses the PowerShell")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The PowerShell 7 for the tests. Where it is missing, this fails if it is required, and prints a warning otherwise.
fn pwsh() -> Option<String> {
    let named = variable("PWSH");
    let required = named.is_some() || variable("CI").as_deref() == Some("true");
    let program = named.unwrap_or_else(|| "pwsh".to_owned());
    let runs = Command::new(&program).args(["-NoProfile", "-Command", "exit 0"]).status();
    if runs.as_ref().is_ok_and(|status| status.success()) {
        return Some(program);
    }
    assert!(!required, "{program} does not run: {runs:?}");
    // Written directly, because the test harness hides the output of a passing test.
    let text = "\n*** NO POWERSHELL 7 HERE: the mapping script was not run, only its syntax was checked.\n\
                *** Put pwsh on the PATH, or name one in PWSH.\n\n";
    std::io::stderr().write_all(text.as_bytes()).expect("standard error is open");
    None
}

#[test]
fn the_template_holds_the_current_script() {
    let embedded = document::embed(&template(), &script()).unwrap();
    assert!(embedded == template(), "template.yaml differs from map-share.ps1: run `make embed-document`");
}

#[test]
fn the_document_has_the_settings_on_its_first_line_and_one_placeholder() {
    let text = document::run_command(&template(), &BTreeMap::from(PARAMETERS)).unwrap();
    assert!(text.is_ascii());
    assert_eq!(text.matches("{{").count(), 1, "SSM replaces any text between double braces");
    assert_eq!(text.matches(document::ACTION_PLACEHOLDER).count(), 1);
    let (settings, rest) = text.split_once('\n').unwrap();
    assert!(settings.starts_with("$EncodedSettings = '") && settings.ends_with('\''), "{settings}");
    assert_eq!(rest, format!("$ScriptVersion = '{SCRIPT_VERSION}'\n{}", script()));
    // SSM's limit is 64 KB for the document with its parameters as JSON.
    let size = json!({ "runCommand": [settings, rest] }).to_string().len();
    assert!(size < 60_000, "the document has {size} bytes");
}

#[test]
fn every_cause_of_the_script_has_a_case() {
    let covered: BTreeSet<String> =
        runs().iter().filter_map(|(_, _, expect)| failure(expect)).map(|(cause, _)| cause).collect();
    // `busy` needs two processes, and constrained language mode a runspace of its own.
    let elsewhere = ["busy", "constrained-language"];
    let missing: Vec<&Cause> = cause::known()
        .filter(|row| row.source == Source::Script)
        .map(|row| &row.cause)
        .filter(|cause| !elsewhere.contains(&cause.as_str()) && !covered.contains(cause.as_str()))
        .collect();
    assert!(missing.is_empty(), "no case gives {missing:?}");
}

#[test]
fn exit_codes_agree_with_the_retries_of_the_cause() {
    for (name, action, expect) in runs() {
        let Some((cause, step)) = failure(&expect) else { continue };
        let heals = Cause::new(&cause).quick_retries(4) > 1;
        let may_be_refused = Cause::new(&cause).may_be_refused_logon() || cause == "call-hung";
        let exit = match action.as_str() {
            "check" if !(["read", "script"].contains(&step.as_str()) && may_be_refused) => 0,
            _ if heals => 75,
            _ => 78,
        };
        assert_eq!(expect["exit"], exit, "{name}: {cause}");
    }
}

#[test]
fn every_accepted_survivor_of_a_mutation_names_a_function_and_a_reason() {
    let table: Value = serde_json::from_str(&read("shared/document/tests/survivors.json")).unwrap();
    let mut seen = BTreeSet::new();
    for entry in table["survivors"].as_array().unwrap() {
        let function = entry["function"].as_str().unwrap();
        assert!(
            function == "script" || script().contains(&format!("function {function}")),
            "{function} is not in the script"
        );
        assert!(entry["why"].as_str().is_some_and(|why| !why.is_empty()), "{entry} has no reason");
        assert!(seen.insert((function, entry["mutation"].as_str())), "{entry} is there twice");
    }
}

#[test]
fn every_script_parses() {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).unwrap();
    let files = files_below(folder(), &["ps1", "psm1"]);
    assert!(files.len() >= 2);
    let broken: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let tree = parser.parse(read(file), None).unwrap();
            let root = tree.root_node();
            root.has_error().then(|| format!("{}: {}", file.display(), first_error(root)))
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(parser.parse("function f { if (", None).unwrap().root_node().has_error());
}

fn first_error(node: tree_sitter::Node) -> String {
    if node.is_error() || node.is_missing() {
        return format!("line {}", node.start_position().row + 1);
    }
    let mut cursor = node.walk();
    node.children(&mut cursor).find(|child| child.has_error()).map_or_else(String::new, first_error)
}

#[test]
fn the_shipped_scripts_are_written_for_windows_powershell_5_1() {
    let Some(pwsh) = pwsh() else { return };
    for name in ["map-share.ps1", "harden-share-directory.ps1"] {
        let path = folder().join(name);
        assert!(read(&path).is_ascii(), "{name}: 5.1 reads other characters in the system's code page");
        // Some hosts of the engine have this switch, which lists what 5.1 does not support. pwsh refuses it.
        let known = Command::new(&pwsh).args(["-check51", "/dev/null"]).output().unwrap();
        if !known.status.success() {
            continue;
        }
        let output = Command::new(&pwsh).arg("-check51").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A running part of the script's tests.
struct Part {
    child: Child,
    report: PathBuf,
}

fn start_bench(pwsh: &str, part: &str, report: PathBuf) -> Part {
    let mut command = Command::new(pwsh);
    command.args(["-NoProfile", "-File"]).arg(folder().join("tests/run.ps1"));
    command.args(["-Part", part, "-Report"]).arg(&report);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it ran before");
    Part { child, report }
}

#[test]
fn every_case_passes_in_a_real_powershell_and_the_parser_agrees_with_it() {
    let Some(pwsh) = pwsh() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let parts: Vec<Part> = ["1/2", "2/2"]
        .iter()
        .enumerate()
        .map(|(index, part)| start_bench(&pwsh, part, scratch.path().join(format!("report{index}"))))
        .collect();
    let mut lines = Vec::new();
    let mut failures = String::new();
    for part in parts {
        let output = part.child.wait_with_output().unwrap();
        if !output.status.success() {
            failures.push_str(&String::from_utf8_lossy(&output.stdout));
            failures.push_str(&String::from_utf8_lossy(&output.stderr));
            continue;
        }
        lines.extend(read(&part.report).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert!(failures.is_empty(), "{failures}");
    // A PowerShell before 7.5 cannot make stub assemblies and skips their cases.
    let reported: BTreeSet<&str> = lines.iter().map(|run| run["case"].as_str().expect("a name")).collect();
    for case in cases() {
        let needs_assemblies = case["aws"].as_str().is_some_and(|aws| aws.starts_with("assemblies"));
        let name = case["name"].as_str().unwrap();
        assert!(needs_assemblies || reported.contains(name), "{name}: wrote no line");
    }
    for run in lines {
        agree(run["case"].as_str().unwrap(), &run["expect"], run["line"].as_str().unwrap(), &run["exit"]);
    }
}

/// The same cases without a PowerShell, with the lines that they expect.
#[test]
fn the_parser_reads_every_expected_line() {
    for (name, _, expect) in runs() {
        let line = match failure(&expect) {
            Some((cause, step)) => json!({"smbMapping": "failed", "v": 1, "cause": cause, "step": step}),
            None => {
                let mut line = json!({"smbMapping": "mapped", "v": 1, "changed": false, "drive": "G:",
                    "remote": r"\\fs.corp.example.com\share", "status": "OK", "privacy": true});
                for (key, value) in expect["mapped"].as_object().unwrap() {
                    line[key] = value.clone();
                }
                line
            }
        };
        // serde_json sorts the keys, but the script writes `smbMapping` first.
        let text = line.to_string();
        let kind = &line["smbMapping"];
        let rest = text.replacen(&format!("\"smbMapping\":{kind},"), "", 1);
        let exit = expect.get("exit").cloned().unwrap_or(json!(0));
        agree(&name, &expect, &format!("{{\"smbMapping\":{kind},{}", &rest[1..]), &exit);
    }
}

/// Checks that `drain-unmapped` would interpret SSM's report of such a run as expected.
fn agree(case: &str, expect: &Value, line: &str, exit: &Value) {
    let details = if *exit == 0 { "Success" } else { "Failed" };
    let output = format!("{line}\r\n");
    assert!(output.len() <= 1_002, "{case}: {} bytes", output.len());
    let Some((cause, step)) = failure(expect) else {
        let expected = |key: &str, default: &str| {
            expect["mapped"][key].as_str().map_or_else(|| default.to_owned(), ToOwned::to_owned)
        };
        let share = ShareMapping {
            drive: DriveLetter::parse(&expected("drive", "G:")).expect("a letter"),
            remote: RemotePath::parse(&expected("remote", r"\\fs.corp.example.com\share")).expect("a path"),
        };
        let InvocationResult::Mapped(proof) = interpret(&share, Some(details), &output, Deadline::Ahead)
        else {
            panic!("{case}: not mapped: {line}")
        };
        assert_eq!(json!(proof.changed), expect["mapped"].get("changed").cloned().unwrap_or(json!(false)));
        assert_eq!(proof.status, Some(expected("status", "OK")), "{case}");
        let privacy = expect["mapped"].get("privacy").cloned().unwrap_or(json!(true));
        assert_eq!(json!(proof.privacy), privacy, "{case}");
        return;
    };
    let Ok(ResultLine::Failed(failed)) = ResultLine::find(&output) else {
        panic!("{case}: no failure: {line}")
    };
    assert_eq!((failed.said.as_str(), failed.step.as_str()), (cause.as_str(), step.as_str()), "{case}");
    assert_eq!(failed.cause.as_str(), cause, "{case}: the cause is stored in another form");
    // What the script counts is what the budget takes for refused.
    let may_log_on = matches!(failed.step, Step::Read | Step::Create | Step::Proof);
    if let Some(refused) = failed.refused.filter(|_| may_log_on && failed.cause.is_refused_logon()) {
        assert!(refused > 0, "{case}: {line}");
    }
    if let (Some(says), false) = (expect["says"].as_str(), failed.message.is_empty()) {
        let says = text::clean(says, text::MOST_CHARACTERS);
        assert!(failed.message.contains(&says), "{case}: {}", failed.message);
    }
}

/// As in `make demo SCRIPT=real`.
#[tokio::test]
async fn a_real_powershell_runs_the_document_on_the_hosts_of_the_local_aws() {
    let Some(pwsh) = pwsh() else { return };
    let world = World::new(1, Server::wall_clock())
        .cluster("web")
        .pace(Pace::quick())
        .windows_instance("web", |host| host)
        .windows_instance("web", Host::disk_on_letter)
        .windows_instance("web", |host| host.mapped_by_hand(REMOTE, USER, "an old one"))
        .windows_instance("web", |host| host.mapped_by_hand(r"\\nas\other", USER, PASSWORD))
        .windows_instance("web", Host::port_445_blocked)
        .windows_instance("web", Host::outside_domain);
    let ids: Vec<String> = world.hosts.keys().map(ToString::to_string).collect();
    let server = Server::start(LocalAws::new(world), "127.0.0.1:0").await.unwrap();
    let _agents = powershell::carry_out(&server, &pwsh).await.unwrap();

    call(
        &server,
        "SendCommand",
        json!({"DocumentName": "ecs-smb-mapper-G", "InstanceIds": ids, "MaxConcurrency": "50",
            "MaxErrors": "100%", "TimeoutSeconds": 600, "Parameters": {"Action": ["map"]}}),
    );
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let invocations = loop {
        look.tick().await;
        let listed = call(&server, "ListCommandInvocations", json!({"Details": true}));
        let listed = listed["CommandInvocations"].as_array().unwrap().clone();
        let is_over = |one: &Value| one["StatusDetails"] == "Success" || one["StatusDetails"] == "Failed";
        if listed.len() == ids.len() && listed.iter().all(is_over) {
            break listed;
        }
    };
    let share =
        ShareMapping { drive: DriveLetter::parse("G").unwrap(), remote: RemotePath::parse(REMOTE).unwrap() };
    let results: BTreeMap<String, String> = invocations
        .iter()
        .map(|one| {
            let output = one["CommandPlugins"][0]["Output"].as_str().unwrap();
            let result = match interpret(&share, one["StatusDetails"].as_str(), output, Deadline::Ahead) {
                InvocationResult::Mapped(proof) => format!("mapped, changed: {}", proof.changed),
                InvocationResult::Failed(failure) => {
                    format!("{} at {}", failure.cause, failure.step.as_str())
                }
                other => format!("{other:?}: {output}"),
            };
            (one["InstanceId"].as_str().unwrap().to_owned(), result)
        })
        .collect();
    let expected = [
        "mapped, changed: true",
        "drive-in-use at look",
        "mapped, changed: true",
        "mapped-elsewhere at look",
        "port-445 at port",
        "not-domain-joined at domain",
    ];
    for (id, expected) in ids.iter().zip(expected) {
        assert_eq!(results[id], expected, "{id}");
    }
    let aws = server.aws();
    let mapped: Vec<bool> = ids.iter().map(|id| aws.world.hosts[id.as_str()].is_mapped_to(REMOTE)).collect();
    assert_eq!(mapped, [true, false, true, false, false, false]);
    let account = &aws.world.account;
    assert_eq!(account.count(Presented::Parameters, true), 2);
    assert_eq!(account.count(Presented::Kept, false), 1, "an old kept password is used once");
}

fn call(server: &Server, operation: &str, body: Value) -> Value {
    let now = server.now();
    let reply = server.aws().handle(now, &Caller::named("test"), operation, body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).expect("JSON")
}
