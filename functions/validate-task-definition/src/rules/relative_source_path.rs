//! `relative-source-path`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::MUST_EXIST;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD005",
    name: "relative-source-path",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source path that starts neither with a drive nor with a separator.",
    why: "Docker takes a single word for the name of a volume of its own and creates that volume on the instance's \
          disk: the task runs, and its data never reaches the share. It refuses anything longer.",
    level: "The data would miss the share, or Docker refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"app-state"»}}]
}"#,
    instead: (r#""sourcePath": "app-state""#, r#""sourcePath": "G:\\app-state""#),
    setting: Setting::Plain,
    source: "https://github.com/moby/moby/blob/v28.0.0/volume/mounts/windows_parser.go",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (_, source) in context.broken_sources() {
        let value = source.quoted();
        let message = match source.path.kind {
            PathKind::Relative { single_word: true } => format!(
                "{value} is no path: Docker creates a volume of that name on the instance's own disk, and the data never \
                 reaches the share"
            ),
            PathKind::Relative { single_word: false } => format!("{value} is a relative path, which Docker refuses"),
            PathKind::Empty => format!("{value} is white space, and no path"),
            _ => continue,
        };
        let trimmed = source.text.value.trim().trim_matches(['"', '\'']);
        let tidy = source.tidy();
        let help = if trimmed != source.text.value && crate::path::WindowsPath::parse(trimmed).is_valid_source() {
            format!("write `{trimmed}`, without spaces or quotes around it")
        } else if tidy.is_empty() || tidy.contains(':') || source.path.traverses {
            format!("write an absolute path, such as `{}`; {MUST_EXIST}", context.example_source())
        } else {
            format!(r"write an absolute path, such as `{}\{tidy}`; {MUST_EXIST}", context.requirements.drive)
        };
        found.push(Violation::at(&source.text.at, message, help));
    }
    found
}
