//! `volume-never-mounted`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD003",
    name: "volume-never-mounted",
    level: Level::Warning,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A volume of the share, or a native FSx volume, that no container mounts.",
    why: "The task starts, and what it writes stays in the container. A container that takes over another one's volumes \
          with `volumesFrom` counts by that other one's mount points.",
    level: "The task runs; nobody declares a volume to leave it unused.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{"name": "app", "image": "app", "mountPoints": []}],
  "volumes": [{"name": «"app-state"», "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (
        r#""mountPoints": []"#,
        r#""mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\app"}]"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let letter = context.requirements.drive.letter();
    let concerns = |source: Option<&crate::model::Located>| {
        source.is_some_and(|source| source.path.names_drive(letter) || !source.path.is_valid_source())
    };
    let volumes = context.definition.volumes.iter();
    let unused = volumes.filter(|volume| volume.fsx.is_some() || concerns(volume.source.as_ref()));
    // No mount point can refer to a volume without a name.
    let unused = unused.filter(|volume| !context.is_mounted(volume)).filter_map(|volume| volume.name.as_ref());
    let unused = unused.filter(|name| name.function.is_none());
    unused
        .map(|name| {
            let value = crate::json::shortened(&name.value);
            Violation::at(
                &name.at,
                format!("no container mounts the volume `{value}`"),
                format!("add a mount point with `\"sourceVolume\": \"{value}\"` to a container, or drop the volume"),
            )
        })
        .collect()
}
