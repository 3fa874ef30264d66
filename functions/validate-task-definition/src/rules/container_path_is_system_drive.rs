//! `container-path-is-system-drive`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD010",
    name: "container-path-is-system-drive",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A container path that is the root of `C:`, the container's own system drive.",
    why: "It would hide the container's Windows. A directory on `C:` is the usual thing, and so is the root of another \
          drive.",
    level: "Docker refuses `C:` and `C:\\` by name.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «"C:\\"»}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""C:\\""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let roots = context.mount_paths().filter(|(_, path)| path.drive_root() == Some('c'));
    roots
        .map(|(_, path)| {
            Violation::at(
                &path.text.at,
                format!("{} is the container's system drive, which Docker does not mount over", path.quoted()),
                r"write a directory, such as `C:\dotnetapp\app-state`, or the root of another drive, such as `D:\`",
            )
        })
        .collect()
}
