//! `miscased-key`

use crate::finding::Level;
use crate::json::ProblemKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD035",
    name: "miscased-key",
    level: Level::Error,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A key that differs from ECS's in upper and lower case only, such as `sourcepath`.",
    why: "Keys are compared exactly. A volume whose `sourcePath` is not recognised is one without a source: Docker keeps \
          it on the instance's own disk.",
    level: "The command line and the SDKs refuse it; whatever passes it over lets the data miss the share.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcepath": «"G:\\Directory\\app-state"»}}]
}"#,
    instead: (r#""sourcepath""#, r#""sourcePath""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HostVolumeProperties.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let problems = context.definition.problems.iter();
    let miscased = problems.filter_map(|problem| match &problem.kind {
        ProblemKind::Miscased { found, expected } => Some((&problem.at, found, expected)),
        _ => None,
    });
    miscased
        .map(|(at, found, expected)| {
            Violation::at(at, format!("ECS does not know the key `{found}`"), format!("write `{expected}`"))
        })
        .collect()
}
