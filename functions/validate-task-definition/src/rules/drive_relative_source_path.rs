//! `drive-relative-source-path`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::MUST_EXIST;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD006",
    name: "drive-relative-source-path",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source path with a drive but without a separator behind it: `G:` or `G:Directory`.",
    why: "To Windows it means the current directory of that drive, whatever that is. `G:\\` is the root.",
    level: "Docker refuses it as a source, also `G:` alone, which it takes inside the container.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:Directory\\app-state"»}}]
}"#,
    instead: (r#""G:Directory\\app-state""#, r#""G:\\Directory\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (_, source) in context.broken_sources() {
        let (PathKind::BareDrive { letter } | PathKind::DriveRelative { letter }) = source.path.kind else { continue };
        let drive = format!("{}:", letter.to_ascii_uppercase());
        let tidy = source.tidy();
        let below = tidy.split_once(':').map_or("", |(_, below)| below);
        found.push(Violation::at(
            &source.text.at,
            format!("{} has no separator after `{drive}`, which Docker refuses", source.quoted()),
            format!(r"write `{drive}\{below}`; {MUST_EXIST}"),
        ));
    }
    found
}
