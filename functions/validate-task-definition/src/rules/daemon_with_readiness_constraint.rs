//! `daemon-with-readiness-constraint`

use crate::constraint::attributes;
use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD031",
    name: "daemon-with-readiness-constraint",
    level: Level::Warning,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A daemon service whose tasks are constrained to instances with the mapped share. Seen in an audit of a cluster.",
    why: "For daemon services ECS evaluates constraints again and again: when an instance's gate shuts, be it for a \
          minute, ECS stops the daemon's task there. Tasks of replica services keep running.",
    level: "It works until the first time that a gate shuts.",
    fails: r#"{
  "family": "app",
  "placementConstraints": [{"type": "memberOf", "expression": «"attribute:smb.G == mapped"»}],
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""attribute:smb.G == mapped""#, r#""attribute:ecs.os-type == windows""#),
    setting: Setting::Service { is_daemon: true },
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let gate = context.requirements.gate();
    let names_gate = |expression: &str| attributes(expression).contains(&gate);
    let own = context.definition.constraints.iter().find(|text| names_gate(&text.value));
    let mut found = Vec::new();
    for service in context.services.into_iter().flatten().filter(|service| service.is_daemon) {
        if own.is_none() && !service.constraints.iter().any(|expression| names_gate(expression)) {
            continue;
        }
        let at = own.map(|text| text.at.as_str()).or(context.definition.constraints_at.as_deref());
        found.push(Violation::at(
            at.unwrap_or_default(),
            format!(
                "`{}` is a daemon service: ECS stops its task on an instance as soon as `{gate}` is no longer `mapped` there",
                service.name
            ),
            "run it as a replica service; or drop the constraint and let the daemon wait for the directory by itself",
        ));
    }
    found
}
