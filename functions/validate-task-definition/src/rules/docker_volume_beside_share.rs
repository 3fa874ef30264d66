//! `docker-volume-beside-share`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD025",
    name: "docker-volume-beside-share",
    level: Level::Warning,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A volume with `dockerVolumeConfiguration` in a Windows task that uses the share.",
    why: "AWS lists the parameter as not supported on Windows, and elsewhere limits it there to the driver `local`. Such \
          a volume is on the instance's own disk: what is written to it does not reach the share.",
    level: "AWS's texts disagree on whether it works.",
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
    {"name": "app-logs", "dockerVolumeConfiguration": «{"scope": "shared"}»}
  ]
}"#,
    instead: (
        r#""dockerVolumeConfiguration": {"scope": "shared"}"#,
        r#""host": {"sourcePath": "G:\\Directory\\app-logs"}"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Volume.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let volumes = context.definition.volumes.iter();
    let volumes = volumes.filter_map(|volume| volume.docker.as_ref().map(|at| (volume, at)));
    volumes
        .map(|(volume, at)| {
            Violation::at(
                at,
                format!("`dockerVolumeConfiguration` of the volume `{}` is not for Windows tasks", volume.label()),
                format!(
                    "for data that must last use a directory of the share, `\"host\": {{\"sourcePath\": \"{}\"}}`; for \
                     scratch data leave the configuration out",
                    context.example_source().replace('\\', r"\\")
                ),
            )
        })
        .collect()
}
