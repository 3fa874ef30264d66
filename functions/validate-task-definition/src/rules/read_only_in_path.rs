//! `read-only-in-path`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD016",
    name: "read-only-in-path",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "`:ro` or `:rw` at the end of a path, as `docker run -v` takes it.",
    why: "In a task definition the path is a path only; whether the container may write is said by `readOnly`.",
    level: "A colon is not allowed in a path.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «"C:\\dotnetapp\\app-state:ro"», "readOnly": true}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""C:\\dotnetapp\\app-state:ro""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MountPoint.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in context.share_paths() {
        let Some(mode) = path.path.mode else { continue };
        let value = &path.text.value;
        let without = value.get(..value.len() - mode.len() - 1).unwrap_or(value);
        let read_only = mode == "ro";
        found.push(Violation::at(
            &path.text.at,
            format!("{} ends in `:{mode}`, which is no part of a path", path.quoted()),
            format!("write `{}`, and `\"readOnly\": {read_only}` in the mount point", crate::json::shortened(without)),
        ));
    }
    found
}
