//! `unsupported-network-mode`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD024",
    name: "unsupported-network-mode",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A network mode that Windows tasks do not have: `host`, `none`, or an unknown one.",
    why: "On Windows a task uses Docker's `nat`, which is what it gets without `networkMode`, or `awsvpc`. `bridge` is \
          passed over here: the agent turns it into `nat`.",
    level: "The task does not start.",
    fails: r#"{
  "family": "app",
  "networkMode": «"host"»,
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""networkMode": "host""#, r#""networkMode": "awsvpc""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mode = context.definition.network_mode.as_ref().filter(|mode| mode.function.is_none());
    let Some(mode) = mode else { return Vec::new() };
    let known = ["awsvpc", "bridge", "nat", "default", "<default>", ""];
    if known.contains(&mode.value.to_ascii_lowercase().as_str()) {
        return Vec::new();
    }
    vec![Violation::at(
        &mode.at,
        format!("Windows tasks have no network mode `{}`", crate::json::shortened(&mode.value)),
        "leave `networkMode` out, or write `awsvpc`",
    )]
}
