//! `missing-readiness-constraint`

use crate::constraint::{Known, Truth, all_hold, attributes};
use crate::finding::Level;
use crate::rule::Service;
use crate::rules::contradictory_readiness_constraint::contradicts;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD029",
    name: "missing-readiness-constraint",
    level: Level::Info,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A task that uses the share without a placement constraint that asks for it: neither in the definition nor, in \
           an audit of a cluster, in every service that uses it.",
    why: "A new instance takes tasks before its drive is mapped, and a container that finds no drive fails with `bind \
          source path does not exist`. The attribute `smb.G` is `mapped` only where the share was read. Any expression \
          that cannot hold elsewhere will do.",
    level: "Info when a definition is registered, since its service may have the constraint; a warning in an audit of a \
            cluster, where the services are seen; there an error with `REQUIRE_READINESS_CONSTRAINT`.",
    fails: r#"«{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}»"#,
    instead: (
        r#""family": "app","#,
        r#""family": "app",
  "placementConstraints": [{"type": "memberOf", "expression": "attribute:smb.G == mapped"}],"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    // A definition without containers is never placed, Fargate accepts no constraints, and another rule reports
    // contradictions.
    if context.definition.containers.is_none() || context.fargate().is_some() || is_ensured(context, None) || contradicts(context, None)
    {
        return Vec::new();
    }
    let gate = context.requirements.gate();
    let (level, who) = match context.services {
        None => (Level::Info, String::new()),
        Some(services) => {
            let open = |service: &&Service| !is_ensured(context, Some(service)) && !contradicts(context, Some(service));
            let open: Vec<&Service> = services.iter().filter(open).collect();
            if open.is_empty() {
                return Vec::new();
            }
            let level = if context.requirements.require_readiness { Level::Error } else { Level::Warning };
            (level, format!(", nor does {}", names(&open)))
        }
    };
    let near = near_miss(context, &gate).map_or(String::new(), |near| format!("; {near}"));
    let message = format!(
        "no placement constraint of the task definition keeps it off instances where `{}` is not mapped{who}{near}",
        context.requirements.drive
    );
    let help = format!(
        "add `\"placementConstraints\": [{{\"type\": \"memberOf\", \"expression\": \"{}\"}}]` to the task definition, or to \
         every service that uses it",
        context.requirements.readiness_expression()
    );
    let at = context.definition.constraints_at.as_deref().unwrap_or_default();
    let mut found = Violation::at(at, message, help);
    found.level = Some(level);
    vec![found]
}

/// Whether the constraints cannot hold on an instance whose gate is shut or absent.
fn is_ensured(context: &Context<'_>, service: Option<&Service>) -> bool {
    let gate = context.requirements.gate();
    let own = || service.into_iter().flat_map(|service| &service.constraints).map(String::as_str);
    let all = || context.constraints().chain(own());
    [Known::Absent, Known::Value("shut")].iter().all(|known| all_hold(all(), &[(&gate, *known)]) == Truth::False)
}

fn names(services: &[&Service]) -> String {
    let shown: Vec<String> = services.iter().take(5).map(|service| format!("`{}`", service.name)).collect();
    let more = services.len() - shown.len();
    let kind = if services.len() == 1 { "the service" } else { "each of the services" };
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{kind} {}{rest}", shown.join(", "))
}

/// A constraint on an attribute that differs from the gate in case only.
fn near_miss(context: &Context<'_>, gate: &str) -> Option<String> {
    let named = context.constraints().flat_map(attributes).find(|name| name != gate && name.eq_ignore_ascii_case(gate))?;
    Some(format!("`{named}` is another attribute than `{gate}`"))
}
