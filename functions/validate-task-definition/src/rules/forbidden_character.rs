//! `forbidden-character`

use crate::finding::Level;
use crate::path::PathKind;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD015",
    name: "forbidden-character",
    level: Level::Error,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A character in a path that Windows does not allow in names: one of `: * ? \" < > |`, or a control character.",
    why: "An unescaped backslash is a common reason: JSON reads `G:\\new` as `G:`, a line feed and `ew`. In JSON every \
          backslash is written twice.",
    level: "Docker refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\Directory\\app*state"»}}]
}"#,
    instead: (r#""G:\\Directory\\app*state""#, r#""G:\\Directory\\app-state""#),
    setting: Setting::Plain,
    source: "https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in context.share_paths() {
        // Other rules report paths without a drive. A drive-relative path can be `G:` with an unescaped `\n`.
        let components: Vec<&str> = match &path.path.kind {
            PathKind::Drive { components, .. } => components.iter().map(String::as_str).collect(),
            PathKind::DriveRelative { .. } => vec![path.text.value.get(2..).unwrap_or_default()],
            _ => continue,
        };
        let Some(bad) = components.into_iter().flat_map(str::chars).find(|c| is_forbidden(*c)) else { continue };
        let (shown, help) = if bad.is_control() {
            let help = "write every backslash twice in JSON: `\\\\n` is a backslash and an n, `\\n` is a line feed";
            (format!("the control character U+{:04X}", u32::from(bad)), help)
        } else {
            (format!("`{bad}`"), "leave it out: Windows does not allow it in names")
        };
        let message = format!("{} contains {shown}, which Windows does not allow", escaped(&path.text.value));
        found.push(Violation::at(&path.text.at, message, help));
    }
    found
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || ":*?\"<>|".contains(c)
}

fn escaped(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(200)
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    format!("`{shown}`")
}
