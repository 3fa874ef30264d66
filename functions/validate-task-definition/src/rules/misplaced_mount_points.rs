//! `misplaced-mount-points`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD032",
    name: "misplaced-mount-points",
    level: Level::Error,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "`mountPoints` beside the container definitions instead of in one of them.",
    why: "ECS knows mount points of containers only. AWS's own guide to FSx for ONTAP on Windows containers prints them \
          at the top.",
    level: "The command line and the SDKs refuse it; whatever passes it over leaves the data in the container.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{"name": "app", "image": "app"}],
  "mountPoints": «[{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]»,
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (
        r#""image": "app"}],
  "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}],"#,
        r#""image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let stray = context.definition.stray_mounts.iter();
    stray
        .map(|stray| {
            Violation::at(
                &stray.at,
                "`mountPoints` stands beside the container definitions, where ECS does not look",
                "move it into the container that needs the volume: `\"containerDefinitions\": [{…, \"mountPoints\": […]}]`",
            )
        })
        .collect()
}
