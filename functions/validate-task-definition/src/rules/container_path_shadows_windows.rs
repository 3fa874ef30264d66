//! `container-path-shadows-windows`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD012",
    name: "container-path-shadows-windows",
    level: Level::Warning,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A container path on `C:\\Windows`, or on a whole directory such as `C:\\Program Files` or `C:\\Users`.",
    why: "What the image has there disappears behind the volume. The container rarely starts.",
    level: "Docker takes it, and an image may be made for it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «"C:\\Windows\\System32\\config"»}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""C:\\Windows\\System32\\config""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://learn.microsoft.com/en-us/virtualization/windowscontainers/manage-containers/persistent-storage",
};

/// Only these directories themselves are reported: mounts below them are common.
const WHOLE: [&str; 4] = ["program files", "program files (x86)", "programdata", "users"];

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (_, path) in context.mount_paths() {
        let PathKind::Drive { letter: 'c', components } = &path.path.kind else { continue };
        let shadows = match components.as_slice() {
            [first, ..] if first == "windows" => true,
            [only] => WHOLE.contains(&only.as_str()),
            _ => false,
        };
        if shadows {
            found.push(Violation::at(
                &path.text.at,
                format!("{} hides what the image has there", path.quoted()),
                r"mount to a directory of the application, such as `C:\dotnetapp\app-state`",
            ));
        }
    }
    found
}
