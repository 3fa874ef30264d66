//! `several-volume-configurations`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD038",
    name: "several-volume-configurations",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A volume with a source on the share and another configuration beside it.",
    why: "A volume is of one kind. Which of the two was meant cannot be told.",
    level: "ECS takes one kind of configuration for each volume.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{
    "name": "app-state",
    "host": {"sourcePath": "G:\\Directory\\app-state"},
    "dockerVolumeConfiguration": «{"scope": "task"}»
  }]
}"#,
    instead: (
        r#""host": {"sourcePath": "G:\\Directory\\app-state"},
    "dockerVolumeConfiguration": {"scope": "task"}"#,
        r#""host": {"sourcePath": "G:\\Directory\\app-state"}"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Volume.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (volume, source) in context.share_volumes() {
        let native = volume.fsx.as_ref().map(|fsx| &fsx.at);
        for at in [volume.docker.as_ref(), volume.efs.as_ref(), native].into_iter().flatten() {
            found.push(Violation::at(
                at,
                format!("the volume `{}` has the source {} already", volume.label(), source.quoted()),
                "keep `host`, and drop this configuration",
            ));
        }
    }
    found
}
