//! `host-path-on-fargate`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD021",
    name: "host-path-on-fargate",
    level: Level::Error,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source on the share in a task definition that requires Fargate.",
    why: "Fargate has no instances of yours, so there is no drive to bind from.",
    level: "ECS refuses a source path on Fargate.",
    fails: r#"{
  "family": "app",
  "requiresCompatibilities": ["FARGATE"],
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\Directory\\app-state"»}}]
}"#,
    instead: (r#""FARGATE""#, r#""EC2""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HostVolumeProperties.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    if context.fargate().is_none() {
        return Vec::new();
    }
    let volumes = context.share_volumes();
    volumes
        .map(|(_, source)| {
            Violation::at(
                &source.text.at,
                format!("{} is on the instance's drive, and `requiresCompatibilities` holds `FARGATE`", source.quoted()),
                "require `EC2` instead: the share is mapped on EC2 instances only",
            )
        })
        .collect()
}
