//! `validate-task-definition` with the real ECS client over the local AWS: its responses, calls and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::config::ValidatorConfig;
use shared::metrics::Metrics;
use tests::fleet::{World, task_definition};
use tests::local_aws::LocalAws;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::in_process::{Ended, Local, Moment, Process};
use validate_task_definition::{CheckError, Validator};

const GATE: &str = "attribute:smb.G == mapped";

/// The function, the local AWS, and the metrics that were written.
pub(super) struct Setup {
    validator: Validator,
    pub(super) local: Local,
    metrics: Arc<Mutex<Vec<u8>>>,
}

pub(super) fn set_up(world: World, variables: &[(&str, &str)]) -> Setup {
    let local = Local::new(LocalAws::new(world));
    let process = Process::new(&local, "validate-task-definition");
    set_up_as(&process, local, variables)
}

/// The same, as that process.
fn set_up_as(process: &Process, local: Local, variables: &[(&str, &str)]) -> Setup {
    let metrics = Arc::new(Mutex::new(Vec::new()));
    let minimal =
        [("CLUSTERS", "windows"), ("STACK", "smb-g"), ("REMOTE_PATH", r"\\fs.corp.example.com\share")];
    let config = ValidatorConfig::read(|name| {
        let found = variables.iter().chain(&minimal).find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    let writer = Metrics::to_writer("EcsSmbMapper", "smb-g", metrics.clone());
    Setup {
        validator: Validator::new(&config.expect("the variables are right"), process.clients(), writer),
        local,
        metrics,
    }
}

impl Setup {
    pub(super) async fn answer(&self, event: Value) -> Value {
        json!(self.validator.handle(&event, Timestamp::MAX).await.expect("a response"))
    }

    /// The number of calls of each operation.
    fn calls(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.local.aws().calls() {
            *counts.entry(call.operation.to_string()).or_default() += 1;
        }
        counts
    }

    /// The values of one metric with their clusters, in the order of writing.
    pub(super) fn metric(&self, name: &str) -> Vec<(Option<String>, f64)> {
        let written = self.metrics.lock().expect("nothing panicked").clone();
        let written = String::from_utf8(written).expect("text");
        let lines =
            written.lines().map(|line| serde_json::from_str::<Value>(line).expect("metrics are JSON"));
        lines
            .filter_map(|line| Some((line["Cluster"].as_str().map(str::to_owned), line[name].as_f64()?)))
            .collect()
    }
}

fn world() -> World {
    World::new(1, "2026-03-01T12:00:00Z".parse().expect("a time")).cluster("windows").cluster("legacy")
}

pub(super) fn event(file: &str) -> Value {
    let path = tests::events::folder("validate-task-definition").join(file);
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("events are JSON")
}

/// A definition with one bind mount.
pub(super) fn definition(family: &str, source: &str, has_gate: bool) -> Value {
    let mut definition = task_definition(family, has_gate);
    definition["volumes"][0]["host"]["sourcePath"] = json!(source);
    definition
}

fn service(name: &str, task_definition: &str) -> Value {
    json!({"serviceName": name, "taskDefinition": task_definition})
}

/// A world with a service for each definition, whose family is its name.
pub(super) fn with_services(definitions: impl IntoIterator<Item = Value>) -> World {
    definitions.into_iter().fold(world(), |world, definition| {
        let family = definition["family"].as_str().expect("a family").to_owned();
        world.task_definition(definition).service("windows", service(&family, &format!("{family}:1")))
    })
}

fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a report").iter();
    findings.map(|finding| finding["rule"].as_str().expect("a name")).collect()
}

#[tokio::test(start_paused = true)]
async fn every_sample_event_gets_the_response_that_its_name_tells() {
    let world = with_services([definition("orders", r"G:\Directory\app-state", true)]);
    let setup = set_up(world, &[("CLUSTERS", "windows,legacy")]);
    for (file, event) in tests::events::of("validate-task-definition") {
        let answer = setup.answer(event).await;
        let report = |valid: bool, expected: &[&str]| {
            let got = (answer["valid"].as_bool(), rules(&answer));
            assert_eq!(got, (Some(valid), expected.to_vec()), "{file}: {answer:#}");
        };
        let says = |key: &str, text: &str| {
            assert!(answer[key].as_str().is_some_and(|value| value.contains(text)), "{file}: {answer:#}");
        };
        match file.as_str() {
            "registered-valid" | "described" | "by-name" => report(true, &[]),
            "registered-linux" => {
                report(true, &[]);
                assert_eq!(
                    [&answer["applies"], &answer["operatingSystem"]],
                    [&json!(false), &json!("linux")]
                );
            }
            "registered-unc-source" => {
                report(false, &["unc-source-path"]);
                let help = answer["findings"][0]["help"].as_str().unwrap();
                assert!(help.contains(r"write `G:\Directory\invoices`"), "{help}");
            }
            "registered-named-volume" => report(false, &["relative-source-path"]),
            "registered-container-path-on-absent-drive" => report(false, &["container-path-on-absent-drive"]),
            "registered-whole-share-without-constraint" => {
                report(true, &["whole-share-exposed", "missing-readiness-constraint"]);
            }
            "registered-native-fsx-volume" => report(true, &["native-fsx-volume-on-same-letter-pool"]),
            "registered-denied" => says("skipped", "the call was refused (AccessDenied)"),
            "registered-body-omitted" => says("error", "RegisterTaskDefinition without the definition"),
            "task-definition" => report(
                false,
                &[
                    "unknown-source-volume",
                    "volume-never-mounted",
                    "volume-never-mounted",
                    "drive-relative-source-path",
                    "read-only-in-path",
                ],
            ),
            "cloudformation-resource" => report(true, &["unresolved-value"]),
            "mount-points-at-the-top" => {
                let expected = ["no-container-definitions", "volume-never-mounted", "misplaced-mount-points"];
                report(false, &expected);
            }
            "container-definition" => says("error", "a bare container definition"),
            "cluster" => {
                assert_eq!(
                    [&answer["taskDefinitions"], &answer["invalid"]],
                    [&json!(1), &json!(0)],
                    "{answer:#}"
                );
            }
            "schedule" => assert_eq!(answer["clusters"].as_array().unwrap().len(), 2, "{answer:#}"),
            other => panic!("no expectation for {other}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_checked_without_a_call_and_counted() {
    let setup = set_up(world(), &[]);
    let report = setup.answer(event("registered-unc-source.json")).await;
    assert_eq!(report["taskDefinition"], "arn:aws:ecs:eu-west-1:111122223333:task-definition/invoices:3");
    assert_eq!(report["foundAt"], "/detail/responseElements/taskDefinition");
    assert_eq!(report["findings"][0]["path"], "/volumes/0/host/sourcePath");
    setup.answer(event("registered-valid.json")).await;
    setup.answer(event("registered-linux.json")).await;
    setup.answer(event("registered-denied.json")).await;
    assert_eq!(setup.calls(), BTreeMap::new());
    let values: Vec<f64> =
        setup.metric("TaskDefinitionsInvalidRegistered").into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [1.0, 0.0, 0.0], "a refused call registered nothing");
    assert!(setup.metric("TaskDefinitionsInvalidInUse").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_definition_given_by_hand_is_not_counted_as_registered() {
    let setup = set_up(world(), &[]);
    setup.answer(event("task-definition.json")).await;
    assert!(setup.metric("TaskDefinitionsInvalidRegistered").is_empty());
    assert_eq!(setup.metric("TaskDefinitionsChecked"), [(None, 1.0)]);
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_described_by_its_name() {
    let setup =
        set_up(world().task_definition(definition("orders", r"\\fs.corp.example.com\share\x", false)), &[]);
    let report = setup.answer(json!({"taskDefinition": "orders"})).await;
    assert_eq!(rules(&report), ["unc-source-path", "missing-readiness-constraint"]);
    assert!(report["taskDefinition"].as_str().unwrap().ends_with(":task-definition/orders:1"), "{report}");
    let answer = setup.answer(json!({"taskDefinition": "unheard-of:7"})).await;
    assert!(
        answer["error"].as_str().unwrap().contains("does not know the task definition `unheard-of:7`"),
        "{answer}"
    );
    assert_eq!(setup.calls(), BTreeMap::from([("DescribeTaskDefinition".to_owned(), 2)]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_read_fails_the_function() {
    let setup = set_up(world(), &[]);
    setup.local.aws().faults.add(FaultRule::once("DescribeTaskDefinition", Fault::Denied));
    let failure =
        setup.validator.handle(&json!({"taskDefinition": "orders:1"}), Timestamp::MAX).await.unwrap_err();
    assert!(matches!(&failure, CheckError::Describe { name, .. } if name == "orders:1"), "{failure}");
    let text = shared::logs::with_causes(&failure);
    assert!(text.contains("AccessDeniedException"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_audit_after_one_that_was_killed_at_any_call_is_complete() {
    let world =
        || with_services([definition("gated", r"G:\gated", true), definition("unc", r"\\fs1\share", false)]);
    let audit = json!({"cluster": "windows"});
    let undisturbed = set_up(world(), &[]);
    let expected = undisturbed.answer(audit.clone()).await;
    assert!(expected.to_string().contains("unc-source-path"), "{expected:#}");
    let calls: usize = undisturbed.calls().values().sum();
    for call in 1..=u32::try_from(calls).unwrap() {
        for moment in [Moment::Before, Moment::After] {
            let local = Local::new(LocalAws::new(world()));
            let process = Process::new(&local, "validate-task-definition").kill_at(call, moment);
            let killed = set_up_as(&process, local.clone(), &[]);
            let ended = process.run(killed.validator.handle(&audit, Timestamp::MAX)).await;
            assert!(matches!(ended, Ended::Killed), "call {call}");
            let next = set_up_as(&Process::new(&local, "validate-task-definition"), local, &[]);
            assert_eq!(next.answer(audit.clone()).await, expected, "killed {moment:?} call {call}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_audit_reads_the_constraints_of_services() {
    let gated = json!([{"type": "memberOf", "expression": GATE}]);
    let with = |name: &str, task_definition: &str, extra: Value| {
        let mut service = service(name, task_definition);
        service.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        service
    };
    let world = world()
        .task_definition(definition("gated", r"G:\gated", true))
        .task_definition(definition("by-service", r"G:\by-service", false))
        .task_definition(definition("open", r"G:\open", false))
        .task_definition(definition("elsewhere", r"C:\elsewhere", false))
        .service("windows", service("gated", "gated:1"))
        .service("windows", with("by-service", "by-service:1", json!({"placementConstraints": gated})))
        .service("windows", with("open-gated", "open:1", json!({"placementConstraints": gated})))
        .service("windows", service("open", "open:1"))
        .service("windows", with("daemon", "gated:1", json!({"schedulingStrategy": "DAEMON"})))
        .service("windows", service("elsewhere", "elsewhere:1"));
    for (required, level) in [("false", "warning"), ("true", "error")] {
        let setup = set_up(world.clone(), &[("REQUIRE_READINESS_CONSTRAINT", required)]);
        let summary = setup.answer(json!({"cluster": "windows"})).await;
        let family = |report: &'_ Value| {
            report["taskDefinition"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        };
        let by_family: BTreeMap<String, &Value> =
            summary["reports"].as_array().unwrap().iter().map(|report| (family(report), report)).collect();
        assert!(by_family.keys().eq(["by-service:1", "gated:1", "open:1"]), "{by_family:?}");
        assert_eq!(rules(by_family["by-service:1"]), [""; 0]);
        assert_eq!(rules(by_family["gated:1"]), ["daemon-with-readiness-constraint"]);
        let open = by_family["open:1"];
        assert_eq!(rules(open), ["missing-readiness-constraint"]);
        assert_eq!(open["findings"][0]["level"], level);
        let message = open["findings"][0]["message"].as_str().unwrap();
        assert!(message.contains("nor does the service `open`"), "{message}");
        let invalid = u32::from(required == "true");
        assert_eq!(summary["invalid"], invalid);
        assert_eq!((&summary["services"], &summary["taskDefinitions"]), (&json!(6), &json!(4)));
        assert_eq!((&summary["applying"], &summary["complete"]), (&json!(3), &json!(true)));
        let gauge = [(Some("windows".to_owned()), f64::from(invalid))];
        assert_eq!(setup.metric("TaskDefinitionsInvalidInUse"), gauge);
    }
}

#[tokio::test(start_paused = true)]
async fn definitions_of_running_deployments_are_in_use() {
    let mut rolling = service("web", "new:1");
    rolling["deployments"] = json!([
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": arn("new")},
        {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": arn("old")},
    ]);
    let world = world()
        .task_definition(definition("new", r"G:\web", true))
        .task_definition(definition("old", "web", true))
        .service("windows", rolling);
    let setup = set_up(world, &[]);
    let summary = setup.answer(json!({"cluster": "windows"})).await;
    assert_eq!((&summary["taskDefinitions"], &summary["invalid"]), (&json!(2), &json!(1)), "{summary:#}");
}

fn arn(family: &str) -> String {
    use tests::local_aws::{ACCOUNT, REGION};
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:1")
}

#[tokio::test(start_paused = true)]
async fn a_large_audit_is_paged_and_stays_within_the_accounts_read_rates() {
    let setup = set_up(
        with_services((0..120).map(|n| {
            let source = if n % 10 == 0 { "named-volume" } else { r"G:\apps" };
            definition(&format!("app-{n:03}"), source, true)
        })),
        &[],
    );
    let began = tokio::time::Instant::now();
    let summary = setup.answer(json!({"cluster": "windows"})).await;
    let took = began.elapsed();
    assert_eq!((&summary["checked"], &summary["invalid"]), (&json!(120), &json!(12)));
    let expected = [("DescribeServices", 12), ("DescribeTaskDefinition", 120), ("ListServices", 2)];
    let expected = expected.map(|(operation, count)| (operation.to_owned(), count));
    assert_eq!(setup.calls(), BTreeMap::from(expected), "no call was throttled and retried");
    // 132 descriptions at ten per second.
    assert!(took > Duration::from_secs(13) && took < Duration::from_secs(40), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_schedule_audits_every_watched_cluster_and_reads_a_shared_definition_once() {
    let world = world()
        .task_definition(definition("shared", "named-volume", true))
        .task_definition(definition("own", r"G:\own", true))
        .service("windows", service("a", "shared:1"))
        .service("windows", service("b", "own:1"))
        .service("legacy", service("c", "shared:1"));
    let setup = set_up(world, &[("CLUSTERS", "windows,legacy")]);
    let answer = setup.answer(event("schedule.json")).await;
    let invalid: Vec<u64> =
        answer["clusters"].as_array().unwrap().iter().map(|one| one["invalid"].as_u64().unwrap()).collect();
    assert_eq!(invalid, [1, 1]);
    assert_eq!((&answer["invalid"], &answer["complete"]), (&json!(1), &json!(true)));
    assert_eq!(setup.metric("TaskDefinitionsChecked"), [(None, 2.0), (None, 1.0)]);
    assert_eq!(setup.calls()["DescribeTaskDefinition"], 2);
    let gauge = setup.metric("TaskDefinitionsInvalidInUse");
    let expected = [(Some("windows".to_owned()), 1.0), (Some("legacy".to_owned()), 1.0), (None, 1.0)];
    assert_eq!(gauge, expected, "the stack's own number counts a definition once");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_read_does_not_affect_the_others() {
    let world = world()
        .task_definition(definition("bad", "named-volume", true))
        .service("legacy", service("bad", "bad:1"));
    let setup = set_up(world, &[("CLUSTERS", "windows,legacy")]);
    setup.local.aws().faults.add(FaultRule::once("ListServices", Fault::Denied));
    let failure = setup.validator.handle(&event("schedule.json"), Timestamp::MAX).await.unwrap_err();
    assert!(matches!(failure, CheckError::Audit(_)), "{failure}");
    assert_eq!(
        setup.metric("TaskDefinitionsInvalidInUse"),
        [(Some("legacy".to_owned()), 1.0)],
        "an incomplete count is not reported"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_cluster_is_reported_in_the_response() {
    let setup = set_up(world(), &[("CLUSTERS", "windows,gone")]);
    let summary = setup.answer(json!({"cluster": "gone"})).await;
    assert_eq!(summary["complete"], false);
    assert!(
        summary["unread"][0]["error"].as_str().unwrap().contains("ClusterNotFoundException"),
        "{summary}"
    );
    let answer = setup.answer(json!({"cluster": "legacy"})).await;
    assert!(
        answer["error"].as_str().unwrap().contains("`legacy` is not one of the watched clusters"),
        "{answer}"
    );
    assert!(answer["help"].as_str().unwrap().contains("`windows`, `gone`"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_reaches_its_deadline_reports_what_it_left_out() {
    let definitions = (0..30).map(|n| definition(&format!("app-{n}"), r"G:\apps", true));
    let setup = set_up(with_services(definitions), &[]);
    let deadline = setup.local.clock().now() + Duration::from_secs(11);
    let answer = setup.validator.handle(&json!({"cluster": "windows"}), deadline).await.unwrap();
    let summary = serde_json::to_value(answer).unwrap();
    assert_eq!(summary["complete"], false);
    let checked = summary["checked"].as_u64().unwrap();
    assert!(checked > 0 && checked < 30, "{checked}");
    let error = summary["unread"][0]["error"].as_str().unwrap();
    assert_eq!(error, format!("the time is up after {checked} of 30"));
    assert!(setup.metric("TaskDefinitionsInvalidInUse").is_empty());
}
