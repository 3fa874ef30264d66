//! Every rule with its own example, and all rules together.

use serde_json::{Value, json};

use super::*;
use crate::rule::Setting;

fn report(value: &Value, setting: Setting) -> Report {
    check(&TaskDefinition::read(value), &setting.requirements(), None)
}

/// The JSON of an example without its marks, and the pointers to the marked values.
fn unmarked(text: &str) -> (Value, Vec<String>) {
    let wrapped = text.replace('«', r#"{"@": "#).replace('»', "}");
    let mut value: Value = serde_json::from_str(&wrapped).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut marks = Vec::new();
    unwrap(&mut value, "", &mut marks);
    (value, marks)
}

fn unwrap(value: &mut Value, at: &str, marks: &mut Vec<String>) {
    if let Some(inner) = value.as_object_mut().and_then(|map| map.remove("@")) {
        marks.push(at.to_owned());
        *value = inner;
    }
    match value {
        Value::Object(map) => {
            map.iter_mut().for_each(|(key, value)| unwrap(value, &format!("{at}/{key}"), marks));
        }
        Value::Array(list) => {
            list.iter_mut()
                .enumerate()
                .for_each(|(index, value)| unwrap(value, &format!("{at}/{index}"), marks));
        }
        _ => {}
    }
}

#[test]
fn every_rule_reports_the_marked_value_of_its_example() {
    for (rule, doc) in DOCS {
        let (value, marks) = unmarked(doc.fails);
        let report = check_example(doc, &doc.failing());
        let found: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.code == rule.code).collect();
        let paths: Vec<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, marks, "{}: {report:#?}", rule.name);
        for finding in found {
            assert_eq!((finding.rule, finding.level), (rule.name, rule.level));
            assert!(value.pointer(&finding.path).is_some(), "{}: {}", rule.name, finding.path);
        }
    }
}

#[test]
fn no_rule_reports_its_corrected_example() {
    for (rule, doc) in DOCS {
        let (from, _) = doc.instead;
        assert_eq!(doc.failing().matches(from).count(), 1, "{}: {from}", rule.name);
        assert_ne!(doc.failing(), doc.passing(), "{}", rule.name);
        let report = check_example(doc, &doc.passing());
        assert!(
            report.findings.iter().all(|finding| finding.code != rule.code),
            "{}: {report:#?}",
            rule.name
        );
        assert!(report.valid, "{}: {report:#?}", rule.name);
    }
}

#[test]
fn codes_and_names_are_unique_and_names_are_those_of_the_files() {
    for (index, rule) in RULES.iter().enumerate() {
        assert_eq!(rule.code, format!("TD{:03}", index + 1));
        let file = format!("{}/src/rules/{}.rs", env!("CARGO_MANIFEST_DIR"), rule.name.replace('-', "_"));
        assert!(std::path::Path::new(&file).exists(), "{file}");
    }
}

#[test]
fn every_text_of_the_documentation_is_a_sentence() {
    for (rule, doc) in DOCS {
        for text in [doc.what, doc.why, doc.level] {
            assert!(
                text.len() > 8 && text.trim_end_matches(['`', ')']).ends_with(['.', ')', '`']),
                "{}: {text}",
                rule.name
            );
        }
        assert!(doc.source.starts_with("https://"), "{}", rule.name);
    }
}

/// The task definition of the manual procedure, with the constraint added.
fn original() -> Value {
    json!({
        "family": "dotnetapp",
        "containerDefinitions": [{
            "name": "dotnetapp",
            "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/dotnetapp:latest",
            "cpu": 512, "memory": 1024, "essential": true,
            "mountPoints": [{"sourceVolume": "app-state", "containerPath": r"C:\dotnetapp\app-state", "readOnly": false}],
        }],
        "volumes": [{"name": "app-state", "host": {"sourcePath": r"G:\Directory\app-state"}}],
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:smb.G == mapped"}],
    })
}

#[test]
fn the_original_procedures_definition_has_no_error_and_no_warning() {
    let report = report(&original(), Setting::RemotePath(r"\\fs.example.com\share"));
    assert!(report.applies && report.valid);
    assert_eq!(report.findings, []);
}

#[test]
fn doubled_directory_fires_exactly_when_the_remote_path_ends_in_the_directory() {
    for (remote, expected) in [
        (r"\\fs.example.com\share", 0),
        (r"\\fs.example.com\Directory\share", 0),
        (r"\\fs.example.com\share\Directory", 1),
        (r"\\fs.example.com\share\DIRECTORY", 1),
        (r"\\fs.example.com\directory", 1),
        (r"\\fs.example.com\share\MyDirectory", 0),
    ] {
        let report = report(&original(), Setting::RemotePath(remote));
        let codes: Vec<&str> = report.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(codes, vec!["doubled-directory"; expected], "{remote}");
        assert!(report.valid);
    }
}

fn rules_fired(value: &Value, setting: Setting) -> Vec<&'static str> {
    report(value, setting).findings.iter().map(|finding| finding.rule).collect()
}

fn with_source(source: &str) -> Value {
    let mut value = original();
    value["volumes"][0]["host"]["sourcePath"] = json!(source);
    value
}

fn with_container_path(path: &str) -> Value {
    let mut value = original();
    value["containerDefinitions"][0]["mountPoints"][0]["containerPath"] = json!(path);
    value
}

#[test]
fn sources_are_checked_by_their_kind_on_windows() {
    for (source, expected) in [
        (r"G:\", &["whole-share-exposed"][..]),
        ("G:/", &["whole-share-exposed"]),
        (r"g:\", &["whole-share-exposed"]),
        (r"G:\\\", &["whole-share-exposed"]),
        (r"\\?\G:\", &["whole-share-exposed"]),
        ("G:", &["drive-relative-source-path"]),
        ("G:Directory", &["drive-relative-source-path"]),
        (r"G:/Directory\\app-state/", &[]),
        (r"\\?\G:\Directory\app-state", &[]),
        (r"C:\Directory\app-state", &[]),
        (r"H:\", &[]),
        ("H:", &["drive-relative-source-path"]),
        ("", &[]),
        (r"\\fs\share", &["unc-source-path"]),
        ("//fs/share", &["unc-source-path"]),
        (r"\\.\G:\Directory", &["unc-source-path"]),
        (r"\Directory", &["rootless-source-path"]),
        ("/Directory", &["rootless-source-path"]),
        ("app-state", &["relative-source-path"]),
        (r"Directory\app-state", &["relative-source-path"]),
        (r" G:\Directory", &["relative-source-path"]),
        (" ", &["relative-source-path"]),
        (r"G:\Directory\..\..\x", &["parent-traversal"]),
        (r"G:\Directory\..", &["parent-traversal", "whole-share-exposed"]),
        (r"G:\Directory\a|b", &["forbidden-character"]),
        ("G:\\Directory\new", &["forbidden-character"]),
        ("G:\napp", &["drive-relative-source-path", "forbidden-character"]),
        (r"G:\Directory:ro", &["read-only-in-path"]),
        (r"G:\a:b", &["forbidden-character"]),
    ] {
        let mut fired = rules_fired(&with_source(source), Setting::Plain);
        fired.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(fired, expected, "{source:?}");
    }
}

#[test]
fn container_paths_are_checked_by_what_docker_accepts() {
    for (path, expected) in [
        (r"C:\dotnetapp", &[][..]),
        ("C:/dotnetapp/", &[]),
        (r"\\?\C:\dotnetapp", &[]),
        (r"G:\", &[]),
        ("G:", &[]),
        (r"D:\", &[]),
        ("C:", &["container-path-is-system-drive"]),
        (r"c:\", &["container-path-is-system-drive"]),
        ("C:/", &["container-path-is-system-drive"]),
        (r"C:\x\..", &["container-path-is-system-drive", "parent-traversal"]),
        (r"G:\app-state", &["container-path-on-absent-drive"]),
        (r"D:\x", &["container-path-on-absent-drive"]),
        (r"C:\Windows", &["container-path-shadows-windows"]),
        ("c:/windows/system32", &["container-path-shadows-windows"]),
        (r"C:\Program Files", &["container-path-shadows-windows"]),
        (r"C:\Program Files\app", &[]),
        (r"C:\WindowsApps", &[]),
        ("app", &["container-path-not-absolute"]),
        ("/app", &["container-path-not-absolute"]),
        (r"\app", &["container-path-not-absolute"]),
        ("C:app", &["container-path-not-absolute"]),
        (r"\\fs\share", &["container-path-not-absolute"]),
        ("", &["empty-container-path"]),
        ("  ", &["empty-container-path"]),
        (r"C:\app:ro", &["read-only-in-path"]),
        (r"C:\app?", &["forbidden-character"]),
        (r"\\.\pipe\app", &["pipe-directory-mismatch"]),
    ] {
        let mut fired = rules_fired(&with_container_path(path), Setting::Plain);
        fired.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(fired, expected, "{path:?}");
    }
}

#[test]
fn a_path_on_a_drive_whose_root_is_mounted_has_no_finding() {
    let mut value = original();
    let mounts = &mut value["containerDefinitions"][0]["mountPoints"];
    *mounts = json!([
        {"sourceVolume": "app-state", "containerPath": "D:"},
        {"sourceVolume": "app-state", "containerPath": r"D:\logs"},
    ]);
    assert_eq!(rules_fired(&value, Setting::Plain), [""; 0]);
}

#[test]
fn the_prefix_is_compared_with_resolved_paths() {
    let setting = Setting::AllowedPrefix(r"G:\Directory");
    for (source, is_inside) in [
        (r"G:\Directory\app-state", true),
        (r"g:/directory", true),
        (r"G:\Other\..\DIRECTORY\x", true),
        (r"G:\DirectoryOther", false),
        (r"G:\Directory\..\Other", false),
        (r"G:\", false),
        (r"C:\elsewhere", true),
    ] {
        let fired = rules_fired(&with_source(source), setting);
        assert_eq!(!fired.contains(&"source-outside-prefix"), is_inside, "{source}: {fired:?}");
    }
}

#[test]
fn a_task_without_the_share_gets_an_empty_report() {
    for value in [
        json!({"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx"}]}),
        json!({"family": "web", "runtimePlatform": {"operatingSystemFamily": "LINUX"},
            "containerDefinitions": [{"name": "web", "mountPoints": [{"sourceVolume": "x", "containerPath": "relative"}]}],
            "volumes": [{"name": "y", "host": {"sourcePath": "relative"}}]}),
        json!({"family": "agent",
            "containerDefinitions": [{"name": "agent", "mountPoints": [
                {"sourceVolume": "docker", "containerPath": r"\\.\pipe\docker_engine", "readOnly": null}]}],
            "volumes": [{"name": "docker", "host": {"sourcePath": r"\\.\pipe\docker_engine"}}]}),
        json!({"family": "app",
            "containerDefinitions": [{"name": "app", "mountPoints": [
                {"sourceVolume": "data", "containerPath": "C:/Container/Path"}, {"sourceVolume": "own", "containerPath": r"C:\x"}]}],
            "volumes": [{"name": "data", "host": {"sourcePath": "C:/Host/path"}}, {"name": "own", "host": {}}]}),
    ] {
        let report = report(&value, Setting::Plain);
        assert_eq!(report.findings, [], "{value}");
        assert!(report.valid && !report.applies, "{value}");
    }
}

#[test]
fn an_ambiguous_task_gets_no_finding_about_paths() {
    let value = json!({"family": "app",
        "containerDefinitions": [{"name": "app", "mountPoints": [{"sourceVolume": "nowhere", "containerPath": "data"}]}],
        "volumes": [{"name": "data", "host": {"sourcePath": "data"}}]});
    assert_eq!(rules_fired(&value, Setting::Plain), ["ambiguous-operating-system"]);
}

#[test]
fn misplaced_mount_points_get_all_their_findings() {
    let value = json!({
        "volumes": [{"name": "shared-volume", "host": {"sourcePath": "mounted"}}],
        "mountPoints": [{"containerPath": "inside", "sourceVolume": "shared-volume"}],
    });
    let report = report(&value, Setting::Plain);
    assert!(!report.valid);
    let fired: Vec<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    let expected = [
        "no-container-definitions",
        "volume-never-mounted",
        "relative-source-path",
        "container-path-not-absolute",
        "misplaced-mount-points",
    ];
    assert_eq!(fired, expected);
}

#[test]
fn findings_in_cloudformations_spelling_have_its_pointers() {
    let value = json!({
        "Family": "app",
        "ContainerDefinitions": [{"Name": "app", "Cpu": "10", "Essential": "true",
            "MountPoints": [{"SourceVolume": "state", "ContainerPath": r"C:\"}]}],
        "Volumes": [{"Name": "state", "Host": {"SourcePath": r"G:\x"}}],
        "PlacementConstraints": [{"Type": "memberOf", "Expression": "attribute:smb.G == mapped"}],
    });
    let report = report(&value, Setting::Plain);
    assert_eq!(report.task_definition, "app");
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.rule, finding.path.as_str())).collect();
    let expected = ("container-path-is-system-drive", "/ContainerDefinitions/0/MountPoints/0/ContainerPath");
    assert_eq!(found, [expected]);
}

#[test]
fn a_container_that_cannot_be_read_is_an_error() {
    for containers in
        [json!({}), json!("x"), json!([null]), json!([{"name": "a"}, 5]), json!([]), json!({"Fn::If": []})]
    {
        let mut value = original();
        value["containerDefinitions"] = containers.clone();
        assert!(!report(&value, Setting::Plain).valid, "{containers}");
    }
}

fn service(name: &str, constraint: &str) -> Service {
    let constraints = if constraint.is_empty() { Vec::new() } else { vec![constraint.to_owned()] };
    Service { name: name.to_owned(), is_daemon: false, constraints }
}

#[test]
fn an_audit_looks_for_the_constraint_in_every_service() {
    const GATE: &str = "attribute:smb.G == mapped";
    let mut value = original();
    value["placementConstraints"] = json!(null);
    let level = |services: &[Service], require_readiness: bool| {
        let mut requirements = Setting::Plain.requirements();
        requirements.require_readiness = require_readiness;
        let report = check(&TaskDefinition::read(&value), &requirements, Some(services));
        assert!(report.findings.len() <= 1, "{report:#?}");
        report.findings.first().map(|finding| (finding.rule, finding.level))
    };
    let missing = |level| Some(("missing-readiness-constraint", level));
    assert_eq!(level(&[service("a", GATE), service("b", GATE)], true), None);
    assert_eq!(level(&[service("a", GATE), service("b", "")], false), missing(Level::Warning));
    assert_eq!(level(&[service("a", GATE), service("b", "")], true), missing(Level::Error));
    let contradicting = [service("a", "attribute:smb.G == shut")];
    assert_eq!(level(&contradicting, false), Some(("contradictory-readiness-constraint", Level::Error)));
}

#[test]
fn any_expression_that_requires_the_gate_is_accepted_and_a_similar_attribute_is_named() {
    let fired = |expression: &str| {
        let mut value = original();
        value["placementConstraints"][0]["expression"] = json!(expression);
        report(&value, Setting::Plain).findings
    };
    for expression in [
        "attribute:smb.G==mapped",
        "attribute:smb.G in [mapped]",
        "attribute:smb.G == mapped and attribute:ecs.instance-type =~ m5.*",
        "not(attribute:smb.G != mapped) and attribute:smb.G exists",
    ] {
        assert_eq!(fired(expression), [], "{expression}");
    }
    for expression in
        ["attribute:smb.G exists", "attribute:smb.G == mapped or attribute:x == y", "agentConnected == true"]
    {
        let findings = fired(expression);
        assert_eq!((findings.len(), findings[0].rule), (1, "missing-readiness-constraint"), "{expression}");
        assert_eq!(findings[0].level, Level::Info);
        assert_eq!(findings[0].path, "/placementConstraints");
    }
    assert!(
        fired("attribute:smb.g == mapped")[0].message.contains("`smb.g` is another attribute than `smb.G`")
    );
    for expression in [
        "attribute:smb.G == shut",
        "attribute:smb.G !exists",
        "attribute:ecs.os-type == windows and !(attribute:smb.G exists)",
    ] {
        let findings = fired(expression);
        assert_eq!(findings.len(), 1, "{expression}: {findings:#?}");
        assert_eq!(findings[0].rule, "contradictory-readiness-constraint", "{expression}");
    }
}

#[test]
fn many_findings_of_one_rule_are_counted() {
    let mut value = original();
    let mount = json!({"sourceVolume": "nowhere", "containerPath": r"C:\x"});
    value["containerDefinitions"][0]["mountPoints"] = Value::Array(vec![mount; 1000]);
    let report = report(&value, Setting::Plain);
    let unknown: Vec<_> =
        report.findings.iter().filter(|finding| finding.rule == "unknown-source-volume").collect();
    assert_eq!(unknown.len(), 100);
    assert!(unknown[99].message.ends_with("(and 900 more like it)"), "{}", unknown[99].message);
}
