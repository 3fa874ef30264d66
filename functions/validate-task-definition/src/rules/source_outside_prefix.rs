//! `source-outside-prefix`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD018",
    name: "source-outside-prefix",
    level: Level::Warning,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source on the share that is not below `ALLOWED_SOURCE_PREFIX`, where that is set.",
    why: "Whoever operates the share keeps applications below one directory, for access lists and backups. The path is \
          compared as the agent resolves it: without regard to case, and with every `..` resolved.",
    level: "The task runs, and reaches data that it should not.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\Directory\\..\\Payroll"»}}]
}"#,
    instead: (r#""G:\\Directory\\..\\Payroll""#, r#""G:\\Directory\\app-state""#),
    setting: Setting::AllowedPrefix(r"G:\Directory"),
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HostVolumeProperties.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let Some(prefix) = &context.requirements.allowed_prefix else { return Vec::new() };
    let letter = context.requirements.drive.letter();
    let mut found = Vec::new();
    for (_, source) in context.share_volumes() {
        let Some(components) = source.path.below_drive(letter) else { continue };
        if components.starts_with(&prefix.components) {
            continue;
        }
        found.push(Violation::at(
            &source.text.at,
            format!("{} is not below `{}`, where sources on the share have to be", source.quoted(), prefix.text),
            format!("write a path below it, such as `{}`", context.example_source()),
        ));
    }
    found
}
