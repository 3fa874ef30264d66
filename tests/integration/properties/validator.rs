//! Task definitions: nothing is called valid that was not read, and every finding points at something.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use shared::share::{DriveLetter, RemotePath};
use validate_task_definition::finding::Level;
use validate_task_definition::input::{self, Input};
use validate_task_definition::model::TaskDefinition;
use validate_task_definition::requirements::{Requirements, SourcePrefix};
use validate_task_definition::rule::Service;
use validate_task_definition::rules;

use super::{check, edited, files};

fn policy() -> Requirements {
    let drive = DriveLetter::parse("G").expect("a letter from D to Z");
    let mut policy = Requirements::of_drive(drive);
    policy.remote = RemotePath::parse(r"\\fs-0a1b2c3d4e5f60718.example.com\share\Directory");
    policy.allowed_prefix = SourcePrefix::parse(r"G:\Directory", drive);
    policy
}

/// What must hold of every value: findings point at something, `valid` means no error, and a definition with an unread
/// container is never valid. The answer is whether it is valid and uses the share.
fn check_value(value: &Value) -> bool {
    let Ok(Input::Definition { value: definition, .. }) = input::recognise(value) else { return false };
    let read = TaskDefinition::read(definition);
    let service =
        Service { name: "s".to_owned(), is_daemon: true, constraints: vec!["attribute:x == y".to_owned()] };
    let mut is_valid_with_share = false;
    for services in [None, Some(std::slice::from_ref(&service))] {
        let report = rules::check(&read, &policy(), services);
        assert_eq!(report.valid, report.count(Level::Error) == 0);
        for finding in &report.findings {
            let target = definition.pointer(&finding.path);
            assert!(target.is_some(), "{finding:?} points at nothing in {definition}");
            assert!(!finding.message.is_empty() && !finding.help.is_empty());
        }
        if report.valid {
            let containers = read.containers.as_ref().map_or(0, Vec::len);
            let all = all_container_definitions(definition);
            assert_eq!(containers, all, "valid, but not all containers were read: {definition}");
            assert!(containers > 0, "valid without a container: {definition}");
            is_valid_with_share |= report.applies;
        }
    }
    is_valid_with_share
}

/// How many values could be meant as a container definition, in any spelling.
fn all_container_definitions(definition: &Value) -> usize {
    let members = definition.as_object().into_iter().flatten();
    let lists =
        members.filter(|(key, value)| key.eq_ignore_ascii_case("containerDefinitions") && !value.is_null());
    lists.map(|(_, value)| value.as_array().map_or(1, Vec::len)).sum()
}

#[test]
fn any_text_is_checked() {
    let samples =
        [files("tests/integration/properties/task_definitions"), files("events/validate-task-definition")];
    check(4_000, edited(samples.concat()), |bytes| {
        if let Ok(value) = input::parse(&String::from_utf8_lossy(&bytes)) {
            check_value(&value);
        }
    });
}

#[test]
fn any_task_definition_is_checked() {
    let (tried, valid) = (Cell::new(0), Cell::new(0));
    check(4_000, documents(), |value| {
        tried.set(tried.get() + 1);
        valid.set(valid.get() + u32::from(check_value(&value)));
    });
    // If hardly any were valid, only the rules against broken documents would have been tried.
    assert!(valid.get() > tried.get() / 20, "{valid:?} of {tried:?} are valid and use the share");
}

/// Task definitions in which, now and then, anything is something else.
fn documents() -> BoxedStrategy<Value> {
    let definition = definition(&prop_oneof![7 => junk(), 1 => definition(&junk())].boxed());
    prop_oneof![
        1 => definition.clone().prop_map(|definition| json!({"taskDefinition": definition})),
        1 => definition.clone()
            .prop_map(|definition| json!({"Type": "AWS::ECS::TaskDefinition", "Properties": definition})),
        1 => junk(),
        5 => definition,
    ]
    .boxed()
}

fn junk() -> BoxedStrategy<Value> {
    const KEYS: [&str; 8] = [
        "taskDefinition",
        "cluster",
        "image",
        "containerDefinitions",
        "mountPoints",
        "volumes",
        "Ref",
        "a/b~",
    ];
    let leaf = prop_oneof![
        select(vec![Value::Null, json!(true), json!(7), json!({"Fn::Sub": "${Drive}"})]),
        text(),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            (select(&KEYS[..]), inner).prop_map(|(key, value)| json!({key: value})),
        ]
    })
    .boxed()
}

fn text() -> BoxedStrategy<Value> {
    let fragments = [
        r"G:\",
        "g:",
        "C:",
        r"C:\",
        r"\",
        "/",
        "..",
        ".",
        r"\\",
        r"\\.\pipe\",
        r"\\?\",
        "Directory",
        "app-state",
        "a",
        " ",
        "*",
        ":ro",
        "windows",
        "program files",
        "\n",
        "é",
        "İ",
        "Σ",
        "unc",
    ];
    vec(select(fragments.to_vec()), 0..4).prop_map(|fragments| Value::from(fragments.concat())).boxed()
}

/// The first of these, mostly.
fn mostly(values: &[&'static str]) -> BoxedStrategy<Value> {
    prop_oneof![7 => Just(values[0]), 1 => select(values.to_vec())].prop_map(Value::from).boxed()
}

fn or_path(usual: &'static str) -> BoxedStrategy<Value> {
    let paths =
        [r"G:\Directory\app-state", r"C:\app", r"G:\", r"\\fs\share", "state", r"\\.\pipe\x", "/srv/app"];
    prop_oneof![20 => Just(usual).prop_map(Value::from), 7 => select(paths.to_vec()).prop_map(Value::from), 3 => text()]
        .boxed()
}

/// Builds values in which `junk` may replace anything.
struct Builder<'j> {
    junk: &'j BoxedStrategy<Value>,
}

impl Builder<'_> {
    fn or_junk(&self, expected: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
        prop_oneof![1 => self.junk.clone(), 84 => expected].boxed()
    }

    /// An object of these members. Some are left out, some spelt otherwise.
    fn object(&self, members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
        let members = members.into_iter().map(|(key, value)| {
            let key = prop_oneof![
                1 => Just(Some(key.to_lowercase())),
                1 => Just(Some(key[..1].to_uppercase() + &key[1..])),
                8 => Just(None),
                246 => Just(Some(key.to_owned())),
            ];
            (key, self.or_junk(value))
        });
        let members = members.collect::<Vec<_>>();
        let to_map = |members: Vec<(Option<String>, Value)>| {
            members.into_iter().filter_map(|(key, value)| Some((key?, value))).collect::<Map<_, _>>()
        };
        members.prop_map(move |members| Value::Object(to_map(members))).boxed()
    }

    /// Mostly of one element: with several, names that are equal make nearly every definition invalid.
    fn list(&self, element: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
        let element = self.or_junk(element);
        prop_oneof![4 => vec(element.clone(), 1), 1 => vec(element, 0..4)].prop_map(Value::from).boxed()
    }
}

fn definition(junk: &BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let builder = Builder { junk };
    let name = || mostly(&["state", "logs", ""]);
    let mount_points =
        builder.list(builder.object(vec![("sourceVolume", name()), ("containerPath", or_path(r"C:\app"))]));
    let container = builder.object(vec![("name", name()), ("mountPoints", mount_points.clone())]);
    let host = builder.object(vec![("sourcePath", or_path(r"G:\Directory\app-state"))]);
    let other_storage = prop_oneof![
        1 => Just(json!({"fileSystemId": "fs-0a1b2c3d4e5f60718", "rootDirectory": "share"})),
        3 => Just(Value::Null),
    ]
    .boxed();
    let volume =
        |kind| builder.object(vec![("name", name()), ("host", host.clone()), (kind, other_storage.clone())]);
    let volume = prop_oneof![
        volume("dockerVolumeConfiguration"),
        volume("efsVolumeConfiguration"),
        volume("fsxWindowsFileServerVolumeConfiguration"),
        volume("x"),
    ];
    let constraint = mostly(&["attribute:smb.G == mapped", "attribute:smb.G == shut", "attribute:x exists"]);
    let constraint = constraint.prop_map(|text| json!([{"type": "memberOf", "expression": text}]));
    let family = mostly(&["WINDOWS_SERVER_2022_CORE", "WINDOWS_SERVER_2016_FULL", "LINUX", ""]);
    builder.object(vec![
        ("family", Just(json!("app")).boxed()),
        ("containerDefinitions", builder.list(container)),
        ("volumes", builder.list(volume.boxed())),
        ("placementConstraints", constraint.boxed()),
        ("networkMode", mostly(&["awsvpc", "host"])),
        ("runtimePlatform", family.prop_map(|family| json!({"operatingSystemFamily": family})).boxed()),
        ("requiresCompatibilities", mostly(&["EC2", "FARGATE"]).prop_map(|one| json!([one])).boxed()),
        ("mountPoints", prop_oneof![1 => mount_points, 15 => Just(Value::Null)].boxed()),
    ])
}
