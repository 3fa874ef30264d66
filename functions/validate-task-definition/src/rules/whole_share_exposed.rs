//! `whole-share-exposed`

use crate::finding::Level;
use crate::rule::MUST_EXIST;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD019",
    name: "whole-share-exposed",
    level: Level::Warning,
    scope: Scope::Share,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A source that is the root of the mapped drive.",
    why: "The container sees, and may write, everything that the mapping account may: also the other applications' data. \
          It works, and is seen in production.",
    level: "It works.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": «"G:\\"»}}]
}"#,
    instead: (r#""G:\\""#, r#""G:\\Directory\\app-state""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let letter = context.requirements.drive.letter();
    let roots = context.share_volumes().filter(|(_, source)| source.path.below_drive(letter).is_some_and(<[_]>::is_empty));
    roots
        .map(|(_, source)| {
            Violation::at(
                &source.text.at,
                format!("{} is the whole share, with the data of every other application on it", source.quoted()),
                format!("mount a directory of this application, such as `{}`; {MUST_EXIST}", context.example_source()),
            )
        })
        .collect()
}
