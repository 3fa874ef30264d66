//! `parent-traversal`

use crate::finding::Level;
use crate::path::resolve;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD017",
    name: "parent-traversal",
    level: Level::Warning,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A `..` in a path.",
    why: "The agent resolves it, so the task mounts another directory than the one that is read first. Whether that one \
          is allowed is decided on the resolved path, by source-outside-prefix.",
    level: "The task runs.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\Directory\\..\\Other\\app-state"»}}]
}"#,
    instead: (r#""G:\\Directory\\..\\Other\\app-state""#, r#""G:\\Other\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/aws/amazon-ecs-agent/blob/master/agent/api/task/task_windows.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let paths = context.share_paths().filter(|path| path.path.traverses);
    paths
        .map(|path| {
            let resolved = resolve(&path.text.value);
            let resolved = crate::json::shortened(&resolved);
            let message = format!("{} contains `..` and means `{resolved}`", path.quoted());
            Violation::at(&path.text.at, message, format!("write `{resolved}`, if that is what is meant"))
        })
        .collect()
}
