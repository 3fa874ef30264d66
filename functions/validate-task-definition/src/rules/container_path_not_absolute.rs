//! `container-path-not-absolute`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD009",
    name: "container-path-not-absolute",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A container path of a Windows task that is not of the form `C:\\directory`: relative, without a drive, or UNC.",
    why: "`/app` and `app` are paths of Linux; Docker on Windows wants the drive. Both kinds of slash will do.",
    level: "Docker refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «"/dotnetapp/app-state"»}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""/dotnetapp/app-state""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (_, path) in context.mount_paths() {
        let why = match path.path.kind {
            PathKind::Relative { .. } => "is a relative path",
            PathKind::Rootless => "names no drive",
            PathKind::DriveRelative { .. } => "has no separator after the drive",
            PathKind::Unc => "is a UNC path",
            PathKind::Device => "is a device path",
            PathKind::Drive { .. } | PathKind::BareDrive { .. } | PathKind::Pipe | PathKind::Empty | PathKind::Unresolved => continue,
        };
        let tidy = path.tidy();
        let below = tidy.split_once(':').map_or(tidy.as_str(), |(_, below)| below);
        let help = match path.path.kind {
            PathKind::DriveRelative { letter } => format!(r"write `{}:\{below}`", letter.to_ascii_uppercase()),
            PathKind::Rootless | PathKind::Relative { .. } if !path.path.traverses && !tidy.contains(':') => {
                format!(r"write `C:\{tidy}`")
            }
            _ => r"write an absolute path in the container, such as `C:\dotnetapp\app-state`".to_owned(),
        };
        let message = format!("the container path {} {why}, which Docker on Windows refuses", path.quoted());
        found.push(Violation::at(&path.text.at, message, help));
    }
    found
}
