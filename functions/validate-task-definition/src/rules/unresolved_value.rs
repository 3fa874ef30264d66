//! `unresolved-value`

use crate::finding::Level;
use crate::json::ProblemKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD034",
    name: "unresolved-value",
    level: Level::Info,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A path or placement expression that is a CloudFormation function.",
    why: "Its value is known when CloudFormation has resolved it. The definition is checked again when it is registered.",
    level: "Nothing is known to be wrong.",
    fails: r#"{
  "Family": "app",
  "ContainerDefinitions": [{
    "Name": "app",
    "Image": "app",
    "MountPoints": [{"SourceVolume": "app-state", "ContainerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "Volumes": [{"Name": "app-state", "Host": {"SourcePath": «{"Fn::Sub": "${Drive}\\Directory\\app-state"}»}}]
}"#,
    instead: (
        r#"{"Fn::Sub": "${Drive}\\Directory\\app-state"}"#,
        r#""G:\\Directory\\app-state""#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let problems = context.definition.problems.iter();
    let unresolved = problems.filter_map(|problem| match &problem.kind {
        ProblemKind::Unresolved { function } => Some((&problem.at, function)),
        _ => None,
    });
    unresolved
        .map(|(at, function)| {
            Violation::at(
                at,
                format!("the value is the CloudFormation function `{function}` and was not checked"),
                "check the definition with the value in its place, or wait for the check when it is registered",
            )
        })
        .collect()
}
