//! `duplicate-container-path`

use std::collections::BTreeMap;

use crate::finding::Level;
use crate::model::MountPoint;
use crate::path::{PathKind, clean};
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD013",
    name: "duplicate-container-path",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "Two mount points of one container with the same path, however they are spelt.",
    why: "The agent brings paths to one form before Docker sees them: `C:\\App` and `c:/app/` are the same.",
    level: "Docker refuses it (`Duplicate mount point`).",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [
      {"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"},
      {"sourceVolume": "app-logs", "containerPath": «"c:/dotnetapp/App-State/"»}
    ]
  }],
  "volumes": [
    {"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}},
    {"name": "app-logs", "host": {"sourcePath": "G:\\Directory\\app-logs"}}
  ]
}"#,
    instead: (r#""c:/dotnetapp/App-State/""#, r#""C:\\dotnetapp\\app-logs""#),
    setting: Setting::Plain,
    source: "https://github.com/aws/amazon-ecs-agent/blob/master/agent/api/task/task_windows.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let containers = context.definition.containers.iter().flatten();
    containers.flat_map(|container| in_one_container(&container.name, &container.mounts)).collect()
}

fn in_one_container(container: &str, mounts: &[MountPoint]) -> Vec<Violation> {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for path in mounts.iter().filter_map(|mount| mount.path.as_ref()) {
        if matches!(path.path.kind, PathKind::Empty | PathKind::Unresolved) {
            continue;
        }
        // `D:` and `D:\` are the same path in the container.
        let key = path.drive_root().map_or_else(|| clean(&path.text.value), |letter| format!(r"{letter}:\"));
        match first.get(&key) {
            None => _ = first.insert(key, &path.text.value),
            Some(other) => found.push(Violation::at(
                &path.text.at,
                format!("the container `{container}` already mounts something to `{}`", crate::json::shortened(other)),
                "give each mount point of a container a path of its own",
            )),
        }
    }
    found
}
