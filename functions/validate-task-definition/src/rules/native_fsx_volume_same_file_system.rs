//! `native-fsx-volume-same-file-system`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD028",
    name: "native-fsx-volume-same-file-system",
    level: Level::Warning,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A native FSx volume on the file system whose share is mapped already.",
    why: "Windows refuses a second mapping to the same server with other credentials, and one of a directory below a \
          mapped share even with the same: error 1219. Which of the two comes first then decides which one works. It is \
          seen where `REMOTE_PATH` names the file system by its id (`\\\\fs-….domain\\share`); an alias, or a name of the \
          form `amznfsx…`, cannot be compared with an id.",
    level: "It may work, and fails by the order in which things start.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{
    "name": "app-state",
    "fsxWindowsFileServerVolumeConfiguration": {
      "fileSystemId": «"fs-0a1b2c3d4e5f60718"»,
      "rootDirectory": "share\\Directory\\app-state",
      "authorizationConfig": {
        "domain": "example.com",
        "credentialsParameter": "arn:aws:ssm:eu-west-1:111122223333:parameter/fsx"
      }
    }
  }]
}"#,
    instead: (r#""fs-0a1b2c3d4e5f60718""#, r#""fs-0ffffffffffffffff""#),
    setting: Setting::RemotePath(r"\\fs-0a1b2c3d4e5f60718.example.com\share"),
    source: "https://github.com/kubernetes-csi/csi-driver-smb/issues/219",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let Some(remote) = &context.requirements.remote else { return Vec::new() };
    let host = remote.server().split('.').next().unwrap_or_default();
    let native = context.definition.volumes.iter().filter_map(|volume| volume.fsx.as_ref());
    let mut found = Vec::new();
    for fsx in native {
        let Some(id) = fsx.file_system.as_ref().filter(|id| id.value.eq_ignore_ascii_case(host)) else { continue };
        let drive = context.requirements.drive;
        let root = fsx.root.as_ref().map_or("", |root| root.value.as_str());
        let below = format!(r"\\{}\{}", remote.server(), root.trim_matches(['\\', '/']));
        let help = match context.requirements.on_drive(&below) {
            Some(path) => format!("bind `{path}` instead: it is the same directory"),
            None => format!("bind a directory of `{drive}` instead, or use another file system"),
        };
        found.push(Violation::at(
            &id.at,
            format!(
                "`{}` is the file system of `{remote}`, and Windows may refuse to map it beside `{drive}` (error 1219)",
                id.value
            ),
            help,
        ));
    }
    found
}
