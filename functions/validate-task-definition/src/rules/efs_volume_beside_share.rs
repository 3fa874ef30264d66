//! `efs-volume-beside-share`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD026",
    name: "efs-volume-beside-share",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A volume with `efsVolumeConfiguration` in a Windows task that uses the share.",
    why: "EFS speaks NFS, and the agent on Windows has no support for it: no Windows instance can take the task.",
    level: "The task is never placed on a Windows instance.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [
      {"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"},
      {"sourceVolume": "app-logs", "containerPath": "C:\\dotnetapp\\logs"}
    ]
  }],
  "volumes": [
    {"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}},
    {"name": "app-logs", "efsVolumeConfiguration": «{"fileSystemId": "fs-0a1b2c3d4e5f60718"}»}
  ]
}"#,
    instead: (
        r#""efsVolumeConfiguration": {"fileSystemId": "fs-0a1b2c3d4e5f60718"}"#,
        r#""host": {"sourcePath": "G:\\Directory\\app-logs"}"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/efs-volumes.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let volumes = context.definition.volumes.iter();
    let volumes = volumes.filter_map(|volume| volume.efs.as_ref().map(|at| (volume, at)));
    volumes
        .map(|(volume, at)| {
            Violation::at(
                at,
                format!("the volume `{}` is on EFS, which Windows tasks cannot mount", volume.label()),
                format!(
                    "use a directory of the share: `\"host\": {{\"sourcePath\": \"{}\"}}`",
                    context.example_source().replace('\\', r"\\")
                ),
            )
        })
        .collect()
}
