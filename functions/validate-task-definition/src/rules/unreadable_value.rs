//! `unreadable-value`

use crate::finding::Level;
use crate::json::ProblemKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD033",
    name: "unreadable-value",
    level: Level::Error,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A value of another type than ECS takes: a text where a list should be, `null` in a list of containers.",
    why: "What cannot be read cannot be checked, and a definition is never called valid with a part unread. Numbers \
          written as texts, and `null` for something left out, are normal. A CloudFormation function in the place of a \
          whole list or object cannot be read either: check the resolved definition.",
    level: "ECS refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": «"G:\\Directory\\app-state"»}]
}"#,
    instead: (r#""G:\\Directory\\app-state""#, r#"{"sourcePath": "G:\\Directory\\app-state"}"#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let problems = context.definition.problems.iter();
    let wrong = problems.filter_map(|problem| match &problem.kind {
        ProblemKind::WrongType { expected, found } => Some((&problem.at, expected, found)),
        _ => None,
    });
    wrong
        .map(|(at, expected, found)| {
            let name = at.rsplit('/').next().filter(|name| name.parse::<usize>().is_err() && !name.is_empty());
            let place = name.map_or_else(|| "this".to_owned(), |name| format!("`{name}`"));
            Violation::at(at, format!("{place} is {found}, and ECS takes {expected} here"), format!("write {expected}"))
        })
        .collect()
}
