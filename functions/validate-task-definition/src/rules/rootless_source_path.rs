//! `rootless-source-path`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::MUST_EXIST;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD007",
    name: "rootless-source-path",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source path of a Windows task that starts with a separator but names no drive.",
    why: "`/Directory` is a path of Linux. On Windows it does not say on which drive, and Docker does not guess.",
    level: "Docker refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"/Directory/app-state"»}}]
}"#,
    instead: (r#""/Directory/app-state""#, r#""G:\\Directory\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let broken = context.broken_sources().filter(|(_, source)| source.path.kind == PathKind::Rootless);
    broken
        .map(|(_, source)| {
            let message = format!("{} names no drive, which Docker on Windows refuses", source.quoted());
            let help = format!(r"write `{}\{}`; {MUST_EXIST}", context.requirements.drive, source.tidy());
            Violation::at(&source.text.at, message, help)
        })
        .collect()
}
