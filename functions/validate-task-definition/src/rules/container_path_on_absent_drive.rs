//! `container-path-on-absent-drive`

use std::collections::BTreeSet;

use crate::finding::Level;
use crate::model::MountPoint;
use crate::path::PathKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD011",
    name: "container-path-on-absent-drive",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A container path that is a directory on a drive which the container does not have.",
    why: "A container has `C:` and those drives whose root something is mounted to. That the *instance* has `G:` does \
          not matter inside. Docker's parser takes the path; the container then fails to start.",
    level: "The container does not start.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": «"G:\\app-state"»}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""G:\\app-state""#, r#""C:\\dotnetapp\\app-state""#),
    setting: Setting::Plain,
    source: "https://learn.microsoft.com/en-us/virtualization/windowscontainers/manage-containers/persistent-storage",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let definition = context.definition;
    let stray = definition.stray_mounts.iter().map(|stray| &stray.mounts);
    let lists = definition.containers.iter().flatten().map(|container| &container.mounts).chain(stray);
    lists.flat_map(|mounts| in_one_container(mounts)).collect()
}

fn in_one_container(mounts: &[MountPoint]) -> Vec<Violation> {
    let paths = || mounts.iter().filter_map(|mount| mount.path.as_ref());
    let roots: BTreeSet<char> = paths().filter_map(|path| path.drive_root()).collect();
    let mut found = Vec::new();
    for path in paths() {
        let PathKind::Drive { letter, components } = &path.path.kind else { continue };
        if *letter == 'c' || components.is_empty() || roots.contains(letter) {
            continue;
        }
        let drive = letter.to_ascii_uppercase();
        let tidy = path.tidy();
        let below = tidy.split_once(':').map_or("", |(_, below)| below.trim_start_matches('\\'));
        found.push(Violation::at(
            &path.text.at,
            format!("the container has no drive `{drive}:`, so {} cannot be mounted in it", path.quoted()),
            format!(r"write `C:\{below}`, or mount to the root `{drive}:\`"),
        ));
    }
    found
}
