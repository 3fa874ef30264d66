//! `unsupported-windows-release`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD023",
    name: "unsupported-windows-release",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A task that uses the share on Windows Server 2016.",
    why: "SMB global mappings came with Windows Server 1709: on 2016 no container can see the mapped drive.",
    level: "There is no drive to bind from.",
    fails: r#"{
  "family": "app",
  "runtimePlatform": {"operatingSystemFamily": «"WINDOWS_SERVER_2016_FULL"»},
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""WINDOWS_SERVER_2016_FULL""#, r#""WINDOWS_SERVER_2022_CORE""#),
    setting: Setting::Plain,
    source: "https://learn.microsoft.com/en-us/virtualization/windowscontainers/manage-containers/persistent-storage",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let help = "run it on Windows Server 2019 or later, such as `WINDOWS_SERVER_2022_CORE`";
    let no_mapping = "Windows Server 2016 has no SMB global mapping";
    let family = context.definition.os_family.iter().filter(|family| family.value.to_ascii_uppercase().contains("2016"));
    let family = family.map(|text| Violation::at(&text.at, format!("`{}`: {no_mapping}", text.value), help));
    // ECS runs an image of 2016 on instances of 2016 only.
    let images = context.definition.containers.iter().flatten().filter_map(|container| container.image.as_ref());
    let images = images.filter(|text| text.value.to_ascii_lowercase().contains("ltsc2016"));
    let images = images.map(|text| Violation::at(&text.at, format!("the image `{}`: {no_mapping}", text.value), help));
    family.chain(images).collect()
}
