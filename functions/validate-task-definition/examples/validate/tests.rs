//! The command line, run in this process.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/validate-task-definition");
const RULES_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/RULES.md");

fn validate(arguments: &[&str], stdin: &str) -> (String, u8) {
    validate_bytes(arguments, stdin.as_bytes())
}

fn validate_bytes(arguments: &[&str], mut stdin: &[u8]) -> (String, u8) {
    run(arguments.iter().map(OsString::from).collect(), Renderer::plain(), &mut stdin)
}

fn event(name: &str) -> String {
    PathBuf::from(EVENTS).join(name).to_string_lossy().into_owned()
}

const UNC: &str = r#"{
  "family": "app",
  "containerDefinitions": [{"name": "app", "mountPoints": [{"sourceVolume": "state", "containerPath": "C:\\app"}]}],
  "volumes": [{"name": "state", "host": {"sourcePath": "\\\\fs\\share\\app"}}],
  "placementConstraints": [{"type": "memberOf", "expression": "attribute:smb.G == mapped"}]
}
"#;

#[test]
fn a_finding_is_shown_on_its_line_with_the_value_marked() {
    let (text, code) = validate(&["--remote-path", r"\\fs\share", "-"], UNC);
    let expected = r#"error[TD004]: `\\fs\share\app` is a UNC path, and Docker binds directories of drives only
 --> <stdin>:4:56
  |
4 |   "volumes": [{"name": "state", "host": {"sourcePath": "\\\\fs\\share\\app"}}],
  |                                                        ^^^^^^^^^^^^^^^^^^^^ unc-source-path
  |
  = help: write `G:\app`; the directory must exist before the task starts: Docker on Windows does not create it

<stdin>: app: invalid, uses the share (the path `\\fs\share\app` is one of Windows)

1 task definition checked, 1 invalid, 1 error, 0 warnings, 0 infos
"#;
    assert_eq!((text.as_str(), code), (expected, INVALID));
}

#[test]
fn the_exit_code_distinguishes_errors_from_files_that_were_not_checked() {
    let valid = event("described.json");
    let warning = event("registered-whole-share-without-constraint.json");
    let invalid = event("registered-unc-source.json");
    let unusable = event("container-definition.json");
    let denied = event("registered-denied.json");
    for (files, expected) in [
        (vec![&valid], 0),
        (vec![&warning], 0),
        (vec![&denied], 0),
        (vec![&valid, &invalid], INVALID),
        (vec![&unusable], UNUSABLE),
        (vec![&invalid, &unusable], UNUSABLE),
    ] {
        let files: Vec<&str> = files.into_iter().map(String::as_str).collect();
        for format in ["human", "json", "sarif"] {
            let arguments = [&["--format", format], &files[..]].concat();
            assert_eq!(validate(&arguments, "").1, expected, "{arguments:?}");
        }
    }
}

#[test]
fn several_files_and_globs_are_checked() {
    let (text, code) =
        validate(&["--format", "json", &event("registered-*.json"), &event("described.json")], "");
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(list.len() > 8 && code == UNUSABLE, "{text}");
    assert!(list.last().unwrap()["file"].as_str().unwrap().ends_with("described.json"));
    for (argument, error) in [
        ("no-such-file.json", "there is no such file"),
        ("no-such-*.json", "no file matches"),
        (EVENTS, "it is a directory"),
    ] {
        let (text, code) = validate(&[argument], "");
        assert!(text.contains(error) && code == UNUSABLE, "{text}");
    }
}

#[test]
fn standard_input_is_read_in_the_encodings_of_windows() {
    let mut utf16: Vec<u8> = vec![0xff, 0xfe];
    utf16.extend(UNC.encode_utf16().flat_map(u16::to_le_bytes));
    let marked = [&[0xef, 0xbb, 0xbf][..], UNC.as_bytes()].concat();
    for bytes in [UNC.as_bytes(), &marked, &utf16] {
        assert_eq!(validate_bytes(&["-"], bytes).1, INVALID);
    }
    let (text, code) = validate_bytes(&["-"], &[b'"', 0xc3, 0x28, b'"']);
    assert!(text.contains("not UTF-8") && code == UNUSABLE, "{text}");
}

#[test]
fn broken_json_is_shown_at_its_position() {
    let (text, code) = validate(&["-"], "{\n  \"family\": \"app\",\n  \"command\": [{{command}}]\n}\n");
    assert!(text.contains("not JSON: key must be a string at line 3, column 16"), "{text}");
    assert!(text.contains("3 |   \"command\": [{{command}}]\n  |                ^"), "{text}");
    assert_eq!(code, UNUSABLE);
    assert!(text.contains("0 task definitions checked") && text.contains("1 file not checked"), "{text}");
}

#[test]
fn input_that_needs_aws_is_refused_with_a_command_to_use() {
    let (text, code) = validate(&["-"], r#"{"taskDefinition": "app:3"}"#);
    assert!(text.contains("aws ecs describe-task-definition --task-definition app:3"), "{text}");
    assert_eq!(code, UNUSABLE);
    assert_eq!(validate(&["-"], r#"{"cluster": "windows"}"#).1, UNUSABLE);
}

#[test]
fn pointers_are_located_in_wrappers_and_among_repeated_keys() {
    let text = r#"{"taskDefinition": {"family": "a", "family": "b", "x/y": [1, {"z": "é"}]}}"#;
    let document = Document { name: "x".to_owned(), text: Ok(text.to_owned()) };
    for (pointer, expected) in [
        ("/taskDefinition/family", "\"b\""),
        ("/taskDefinition/x~1y/1/z", "\"é\""),
        ("/taskDefinition/x~1y/0", "1"),
    ] {
        assert_eq!(&text[document.locate(pointer)], expected, "{pointer}");
    }
    assert_eq!(document.locate("/nowhere/0"), 0..0);
}

#[test]
fn sarif_names_rules_levels_and_regions() {
    let (text, _) = validate(&["--format", "sarif", "-"], UNC);
    let sarif: Value = serde_json::from_str(&text).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(
        run["tool"]["driver"]["rules"].as_array().unwrap().len(),
        validate_task_definition::rules::RULES.len()
    );
    let result = &run["results"][0];
    assert_eq!((result["ruleId"].as_str(), result["level"].as_str()), (Some("TD004"), Some("error")));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region["startLine"], &region["startColumn"], &region["endColumn"]),
        (&4.into(), &56.into(), &76.into())
    );
    assert_eq!(
        result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
        "/volumes/0/host/sourcePath"
    );
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let (text, _) = validate(&["--format", "sarif", "-"], "{}");
    let sarif: Value = serde_json::from_str(&text).unwrap();
    let notification = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert!(notification["message"]["text"].as_str().unwrap().contains("an empty object"), "{notification}");
}

#[test]
fn options_are_checked() {
    for (arguments, error) in [
        (&[][..], "no file is given"),
        (&["--format", "xml", "-"], "--format is \"xml\", allowed are human, json and sarif"),
        (&["--drive", "C", "-"], "--drive is \"C\", allowed is one letter from D to Z"),
        (&["--remote-path", "G:", "-"], "--remote-path is \"G:\""),
        (&["--allowed-prefix", r"H:\x", "-"], "--allowed-prefix"),
        (&["--nonsense", "-"], "--nonsense"),
        (&["--explain", "TD999"], "no rule is called"),
    ] {
        let (text, code) = validate(arguments, "");
        assert!(text.contains(error) && code == UNUSABLE, "{arguments:?}: {text}");
    }
    let prefix = ["--allowed-prefix", r"G:\Apps", "--drive", "g:", "-"];
    let (text, _) = validate(&prefix, &UNC.replace(r"\\\\fs\\share\\app", r"G:\\Other"));
    assert!(text.contains(r"`G:\Other` is not below `G:\Apps`"), "{text}");
    assert_eq!(validate(&["--help"], "").1, 0);
    assert!(validate(&["--explain", "td004"], "").0.starts_with("## unc-source-path"));
}

#[test]
fn the_committed_rules_page_is_up_to_date() {
    let committed = std::fs::read_to_string(RULES_PAGE).unwrap_or_default();
    assert!(committed == rules_page::page(), "RULES.md is not what the rules say: run `make rules-doc`");
}
