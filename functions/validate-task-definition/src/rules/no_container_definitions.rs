//! `no-container-definitions`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD001",
    name: "no-container-definitions",
    level: Level::Error,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A task definition without a container definition.",
    why: "There is nothing to run and nothing to check. It is what remains when the mount points were written beside \
          the container definitions, or when an object stands where the list should.",
    level: "ECS refuses it.",
    fails: r#"«{
  "family": "app",
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}»"#,
    instead: (
        r#""family": "app","#,
        r#""family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    if context.definition.containers.is_some() {
        return Vec::new();
    }
    let help = "list at least one container in `containerDefinitions`; mount points belong into a container";
    let at = context.definition.containers_at.as_deref();
    let message = match at {
        Some(_) => "`containerDefinitions` holds no container definition",
        None => "the task definition has no `containerDefinitions`",
    };
    vec![Violation::at(at.unwrap_or_default(), message, help)]
}
