//! `native-fsx-volume-on-same-letter-pool`

use crate::finding::Level;
use crate::rule::{Context, Doc, Rule, Scope, Setting, Violation};

pub(super) static RULE: Rule = Rule {
    code: "TD027",
    name: "native-fsx-volume-on-same-letter-pool",
    level: Level::Info,
    scope: Scope::Windows,
    check,
};

pub(super) static DOC: Doc = Doc {
    what: "A volume with `fsxWindowsFileServerVolumeConfiguration`.",
    why: "For each such volume the ECS agent takes a drive letter of the instance, from `Z:` down to `D:`, and gives it \
          back by letter, without a look at whose mapping it is. The share's letter is one of them. Where the share is \
          mapped before the instance takes tasks, the agent passes that letter over; it matters only when letters run \
          out.",
    level: "Both work side by side as long as there are letters.",
    fails: r#"{
  "family": "app",
  "containerDefinitions": [{
    "name": "app",
    "image": "app",
    "mountPoints": [{"sourceVolume": "app-state", "containerPath": "C:\\dotnetapp\\app-state"}]
  }],
  "volumes": [{
    "name": "app-state",
    "fsxWindowsFileServerVolumeConfiguration": «{
      "fileSystemId": "fs-0a1b2c3d4e5f60718",
      "rootDirectory": "share",
      "authorizationConfig": {
        "domain": "example.com",
        "credentialsParameter": "arn:aws:ssm:eu-west-1:111122223333:parameter/fsx"
      }
    }»
  }]
}"#,
    instead: (
        r#""fsxWindowsFileServerVolumeConfiguration": {
      "fileSystemId": "fs-0a1b2c3d4e5f60718",
      "rootDirectory": "share",
      "authorizationConfig": {
        "domain": "example.com",
        "credentialsParameter": "arn:aws:ssm:eu-west-1:111122223333:parameter/fsx"
      }
    }"#,
        r#""host": {"sourcePath": "G:\\Directory\\app-state"}"#,
    ),
    setting: Setting::Plain,
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/wfsx-volumes.html",
};

fn check(context: &Context<'_>) -> Vec<Violation> {
    let drive = context.requirements.drive;
    let native = context.definition.volumes.iter().filter_map(|volume| volume.fsx.as_ref().map(|fsx| (volume, fsx)));
    native
        .map(|(volume, fsx)| {
            Violation::at(
                &fsx.at,
                format!(
                    "for the volume `{}` the ECS agent takes a drive letter from `Z:` down to `D:`, and `{drive}` is one \
                     of those",
                    volume.label()
                ),
                format!(
                    "nothing has to be done while `{drive}` is mapped before tasks arrive; or bind a directory of \
                     `{drive}` instead, such as `{}`",
                    context.example_source()
                ),
            )
        })
        .collect()
}
