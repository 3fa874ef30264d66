//! `contradictory-readiness-constraint`

use crate::constraint::{Known, Truth, all_hold, holds};
use crate::finding::Level;
use crate::rule::Service;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD030",
    name: "contradictory-readiness-constraint",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "Placement constraints that no Windows instance with the mapped share can meet.",
    why: "The task is placed only where the share is *not* mapped, and fails there, or nowhere at all.",
    level: "The task cannot run where its data is.",
    fails: r#"{
  "family": "app",
  "placementConstraints": [{"type": "memberOf", "expression": «"attribute:smb.G != mapped"»}],
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""attribute:smb.G != mapped""#, r#""attribute:smb.G == mapped""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let ready = context.requirements.readiness_expression();
    let help = format!("write `{ready}`");
    let gate = context.requirements.gate();
    let instance = ready_instance(&gate);
    let single = context.definition.constraints.iter().filter(|text| holds(&text.value, &instance) == Truth::False);
    let mut found: Vec<Violation> = single
        .map(|text| {
            let value = crate::json::shortened(&text.value);
            let drive = context.requirements.drive;
            let message = format!("`{value}` never holds on a Windows instance where `{drive}` is mapped");
            Violation::at(&text.at, message, help.clone())
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    for service in context.services.into_iter().flatten().filter(|service| contradicts(context, Some(service))) {
        let at = context.definition.constraints_at.as_deref().unwrap_or_default();
        let message = format!(
            "the placement constraints of the service `{}` never hold on a Windows instance where `{}` is mapped: `{}`",
            service.name,
            context.requirements.drive,
            crate::json::shortened(&service.constraints.join("` and `")),
        );
        found.push(Violation::at(at, message, format!("{help} in the service")));
    }
    found
}

/// Whether the constraints of the definition and a service cannot hold where the share is mapped.
pub(super) fn contradicts(context: &Context<'_>, service: Option<&Service>) -> bool {
    let gate = context.requirements.gate();
    let own = service.into_iter().flat_map(|service| &service.constraints).map(String::as_str);
    all_hold(context.constraints().chain(own), &ready_instance(&gate)) == Truth::False
}

fn ready_instance(gate: &str) -> [(&str, Known<'static>); 2] {
    [(gate, Known::Value("mapped")), ("ecs.os-type", Known::Value("windows"))]
}
