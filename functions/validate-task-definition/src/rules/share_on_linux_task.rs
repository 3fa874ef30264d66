//! `share-on-linux-task`

use crate::finding::Level;
use crate::os::OperatingSystem;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD022",
    name: "share-on-linux-task",
    level: Level::Error,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source on the mapped drive in a task that says it runs on Linux.",
    why: "Linux has no drives: Docker there takes `G:\\Directory` for the name of something else, or refuses it.",
    level: "The data would miss the share.",
    fails: r#"{
  "family": "app",
  "runtimePlatform": {"operatingSystemFamily": "LINUX"},
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "/app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\Directory\\app-state"»}}]
}"#,
    instead: (r#""G:\\Directory\\app-state""#, r#""/mnt/app-state""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    if context.os.os != OperatingSystem::Linux {
        return Vec::new();
    }
    let volumes = context.share_volumes();
    volumes
        .map(|(_, source)| {
            Violation::at(
                &source.text.at,
                format!("{} is a path of Windows, and the task runs on Linux: {}", source.quoted(), context.os.from),
                "set `runtimePlatform.operatingSystemFamily` to the instances' Windows Server, such as \
                 `WINDOWS_SERVER_2022_CORE`, or mount a path of Linux",
            )
        })
        .collect()
}
