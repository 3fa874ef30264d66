//! `unc-source-path`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::MUST_EXIST;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD004",
    name: "unc-source-path",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source path of the form `\\\\server\\share`, or a device path such as `\\\\.\\G:\\`.",
    why: "Docker on Windows binds directories of drives only. The share has to be mapped to a drive, which is done on \
          every instance already, and the source has to start with that drive. A DFS namespace such as \
          `\\\\corp.example.com\\public` cannot be mapped at all: the stack's RemotePath names the file server itself.",
    level: "Docker refuses it; the task stops before the container starts.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{
    "name": "app-state",
    "host": {"sourcePath": «"\\\\fs.example.com\\share\\Directory\\app-state"»}
  }]
}"#,
    instead: (
        r#""\\\\fs.example.com\\share\\Directory\\app-state""#,
        r#""G:\\Directory\\app-state""#,
    ),
    setting: Setting::RemotePath(r"\\fs.example.com\share"),
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let broken = context.broken_sources().filter(|(_, source)| matches!(source.path.kind, PathKind::Unc | PathKind::Device));
    broken
        .map(|(_, source)| {
            let what = match source.path.kind {
                PathKind::Unc => "a UNC path",
                _ => "a device path",
            };
            let message = format!("{} is {what}, and Docker binds directories of drives only", source.quoted());
            let help = match context.requirements.on_drive(&source.text.value) {
                Some(path) => format!("write `{path}`; {MUST_EXIST}"),
                None => format!("write a path on the mapped drive, such as `{}`; {MUST_EXIST}", context.example_source()),
            };
            Violation::at(&source.text.at, message, help)
        })
        .collect()
}
