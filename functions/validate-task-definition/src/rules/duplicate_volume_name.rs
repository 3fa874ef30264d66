//! `duplicate-volume-name`

use std::collections::BTreeSet;

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD037",
    name: "duplicate-volume-name",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "Two volumes of one name in a task that uses the share.",
    why: "Mount points name volumes, and the agent takes the first of that name: the other directory is never mounted.",
    level: "The data of one of them would go elsewhere.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [
    {"name": "app-state", "host": {"sourcePath": "C:\\scratch"}},
    {"name": «"app-state"», "host": {"sourcePath": "G:\\Directory\\app-state"}}
  ]
}"#,
    instead: (
        r#"{"name": "app-state", "host": {"sourcePath": "C:\\scratch"}}"#,
        r#"{"name": "app-scratch", "host": {"sourcePath": "C:\\scratch"}}"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Volume.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut seen = BTreeSet::new();
    let names = context.definition.volumes.iter().filter_map(|volume| volume.name.as_ref());
    let again = names.filter(|name| !name.value.is_empty() && !seen.insert(name.value.as_str()));
    again
        .map(|name| {
            let value = crate::json::shortened(&name.value);
            Violation::at(&name.at, format!("another volume is called `{value}` already"), "give each volume its own name")
        })
        .collect()
}
