//! `empty-container-path`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD008",
    name: "empty-container-path",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A mount point without a container path.",
    why: "Docker does not know where in the container the volume should appear.",
    level: "Docker refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «""»}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MountPoint.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let help = r"say where the volume appears in the container, such as `C:\dotnetapp\app-state`";
    let mut found = Vec::new();
    for mount in context.definition.mounts() {
        match &mount.path {
            None => found.push(Violation::at(&mount.at, "the mount point has no `containerPath`", help)),
            Some(path) if path.path.kind == PathKind::Empty => {
                found.push(Violation::at(&path.text.at, "the container path is empty", help));
            }
            Some(_) => {}
        }
    }
    found
}
