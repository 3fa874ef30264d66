//! `ambiguous-operating-system`

use crate::finding::Level;
use crate::os::OperatingSystem;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD039",
    name: "ambiguous-operating-system",
    level: Level::Info,
    scope: Scope::Every,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A task definition with mount points of which nothing says whether they are for Windows or for Linux.",
    why: "`/data` is a path on Linux and an error on Windows, so that paths were not checked. A drive letter in a path, \
          a named pipe, an image of Windows, or a placement constraint on `ecs.os-type` tell it; best does \
          `runtimePlatform`.",
    level: "Most such tasks run on Linux and are fine.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": «[{"sourceVolume": "data", "containerPath": "/data"}]»
  }],
  "volumes": [{"name": "data"}]
}"#,
    instead: (r#""/data""#, r#""C:\\data""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    if context.os.os != OperatingSystem::Ambiguous || context.is_in(Scope::Windows) {
        return Vec::new();
    }
    let Some(mount) = context.definition.mounts().next() else { return Vec::new() };
    let list = mount.at.rsplit_once('/').map_or("", |(list, _)| list);
    vec![Violation::at(
        list,
        "nothing says whether this task runs on Windows or on Linux, so its paths were not checked",
        "set `runtimePlatform.operatingSystemFamily`, such as `WINDOWS_SERVER_2022_CORE` or `LINUX`",
    )]
}
