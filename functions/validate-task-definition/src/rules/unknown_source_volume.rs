//! `unknown-source-volume`

use crate::finding::Level;
use crate::json::shortened;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD002",
    name: "unknown-source-volume",
    level: Level::Error,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A mount point names no volume of the task definition.",
    why: "ECS has nothing to mount there. Names are compared exactly, also in upper and lower case. AWS's own guide to \
          FSx volumes had this mistake in its example for years.",
    level: "ECS refuses it.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": «"app-sate"», "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{"name": "app-state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]
}"#,
    instead: (r#""app-sate""#, r#""app-state""#),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MountPoint.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    // A name that is known only at deployment may be any name.
    let names = || context.definition.volumes.iter().filter_map(|volume| volume.name.as_ref());
    if names().any(|name| name.function.is_some()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for mount in context.definition.mounts() {
        let Some(name) = &mount.volume else {
            let help = format!("add `sourceVolume`; {}", declared(context));
            found.push(Violation::at(&mount.at, "the mount point names no volume", help));
            continue;
        };
        if name.function.is_some() || context.volume_of(mount).is_some() {
            continue;
        }
        let close = context.volume_names().take(MOST_NAMES).find(|other| is_close(other, &name.value));
        let help = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => declared(context),
        };
        let message = format!("no volume of this task definition is called `{}`", shortened(&name.value));
        found.push(Violation::at(&name.at, message, help));
    }
    found
}

/// The limit of names that are compared, so that hostile input does not take minutes. ECS accepts far fewer volumes.
const MOST_NAMES: usize = 200;

fn declared(context: &Context<'_>) -> String {
    let names: Vec<String> = context.volume_names().take(10).map(|name| format!("`{}`", shortened(name))).collect();
    match names.len() {
        0 => "no volume is declared: add one to `volumes`".to_owned(),
        1 => format!("the declared volume is {}", names[0]),
        _ => format!("the declared volumes are {}", names.join(", ")),
    }
}

/// Whether two names differ only in case, in one character, or in the order of two neighbouring characters.
fn is_close(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let ahead = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[ahead..], &b[ahead..]);
    let behind = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - behind], &b[..b.len() - behind]);
    // Two different names of one character are not a misspelling.
    ahead + behind > 0
        && (a.len().max(b.len()) <= 1 || a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_those_that_a_slip_makes() {
        for (a, b) in [("app-state", "app-sate"), ("app-state", "app-satte"), ("App", "app"), ("app1", "app2")] {
            assert!(is_close(a, b), "{a} {b}");
        }
        for (a, b) in [("fsx-windows-dir", "fsx-windows-vol"), ("a", "b"), ("", "a"), ("state", "logs")] {
            assert!(!is_close(a, b), "{a} {b}");
        }
    }
}
