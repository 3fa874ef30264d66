//! `pipe-directory-mismatch`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD014",
    name: "pipe-directory-mismatch",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A named pipe on one side of a mount and a directory on the other.",
    why: "A pipe can only be mounted as a pipe, and a directory only as a directory.",
    level: "Docker refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «"\\\\.\\pipe\\app-state"»}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""\\\\.\\pipe\\app-state""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (mount, path) in context.mount_paths() {
        let Some(volume) = context.volume_of(mount) else { continue };
        let source = volume.source.as_ref();
        if matches!(path.path.kind, PathKind::Empty | PathKind::Unresolved)
            || source.is_some_and(|source| !source.path.is_valid_source() || source.path.kind == PathKind::Unresolved)
        {
            continue;
        }
        let pipe_inside = path.path.kind == PathKind::Pipe;
        let pipe_outside = source.is_some_and(|source| source.path.kind == PathKind::Pipe);
        let of_source = source.map_or_else(|| format!("the volume `{}`", volume.label()), |source| source.quoted());
        let (message, help) = match (pipe_outside, pipe_inside) {
            (false, true) => (
                format!("{of_source} is no named pipe and cannot be mounted to the pipe {}", path.quoted()),
                r"write a directory in the container, such as `C:\dotnetapp\app-state`".to_owned(),
            ),
            (true, false) => (
                format!("{of_source} is a named pipe and cannot be mounted to the directory {}", path.quoted()),
                format!("write the same pipe: {of_source}"),
            ),
            _ => continue,
        };
        found.push(Violation::at(&path.text.at, message, help));
    }
    found
}
