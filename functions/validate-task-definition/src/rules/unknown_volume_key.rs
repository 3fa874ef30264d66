//! `unknown-volume-key`

use crate::finding::Level;
use crate::json::{ProblemKind, shortened};
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD036",
    name: "unknown-volume-key",
    level: Level::Info,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A key of a volume that this validator does not know.",
    why: "What it configures was not looked at. ECS gains kinds of volumes from time to time, and proposals circulate \
          that never became one.",
    level: "It may be a kind of volume that is newer than this validator.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "smbVolumeConfiguration": «{"share": "\\\\fs.example.com\\share"}»}]
}"#,
    instead: (
        r#""smbVolumeConfiguration": {"share": "\\\\fs.example.com\\share"}"#,
        r#""host": {"sourcePath": "G:\\Directory\\app-state"}"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Volume.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let problems = context.definition.problems.iter();
    let unknown = problems.filter_map(|problem| match &problem.kind {
        ProblemKind::UnknownVolumeKey { found } => Some((&problem.at, found)),
        _ => None,
    });
    unknown
        .map(|(at, found)| {
            Violation::at(
                at,
                format!("`{}` is no kind of volume known here, and was not checked", shortened(found)),
                format!("a directory of the share is bound with `\"host\": {{\"sourcePath\": \"{}\"}}`",
                    context.example_source().replace('\\', r"\\")),
            )
        })
        .collect()
}
