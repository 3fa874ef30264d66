//! `doubled-directory`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD020",
    name: "doubled-directory",
    level: Level::Info,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source that starts with the last component of `REMOTE_PATH`, which the drive already is.",
    why: "With `\\\\fs\\share\\Directory` mapped to `G:`, the source `G:\\Directory\\app-state` is \
          `\\\\fs\\share\\Directory\\Directory\\app-state`. Often `G:\\app-state` is meant.",
    level: "Such a directory may well exist.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\Directory\\app-state"»}}]
}"#,
    instead: (r#""G:\\Directory\\app-state""#, r#""G:\\app-state""#),
    setting: Setting::RemotePath(r"\\fs.example.com\share\Directory"),
    source: "https://learn.microsoft.com/en-us/powershell/module/smbshare/new-smbglobalmapping",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let Some(remote) = &context.requirements.remote else { return Vec::new() };
    let drive = context.requirements.drive;
    let last = remote.last_component().to_lowercase();
    let mut found = Vec::new();
    for (_, source) in context.share_volumes() {
        let Some([first, rest @ ..]) = source.path.below_drive(drive.letter()) else { continue };
        if *first != last {
            continue;
        }
        let below = rest.join(r"\");
        found.push(Violation::at(
            &source.text.at,
            format!(
                r"`{drive}` is `{remote}` already, so {} is `{remote}\{}`",
                source.quoted(),
                [remote.last_component(), &below].join(r"\").trim_end_matches('\\'),
            ),
            format!(r"if the directory is not there twice, write `{drive}\{below}`"),
        ));
    }
    found
}
