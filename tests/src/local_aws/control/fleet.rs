//! The fleet at a glance, and what all hosts share: the file server, the account, the parameters.

use serde::Deserialize;
use serde_json::{Value, json};

use super::parse;
use crate::fleet::{Letter, Platform, Presented, Readable};
use crate::local_aws::LocalAws;

pub(super) fn show(aws: &LocalAws) -> Value {
    let hosts: Vec<_> = aws
        .world
        .hosts
        .values()
        .map(|host| {
            let letter = match &host.letter {
                Letter::Free => "free",
                Letter::Disk => "disk",
                Letter::Smb(mapping) => &mapping.remote,
            };
            let registered = aws.container_instance(&host.id);
            let custom = registered.map(|instance| {
                let custom =
                    instance.attributes.iter().filter(|(name, _)| super::super::ecs::is_custom(name));
                custom
                    .map(|(name, value)| (name.to_string(), value.as_deref().into()))
                    .collect::<serde_json::Map<_, _>>()
            });
            json!({
                "instanceId": &*host.id,
                "platform": if host.platform == Platform::Windows { "windows" } else { "linux" },
                "cluster": host.cluster.as_deref(),
                "power": host.power.as_str(),
                "pingStatus": host.ping_status(aws.now()),
                "letter": letter,
                "containerInstanceArn": registered.map(|instance| &*instance.arn),
                "status": registered.map(|instance| instance.status.as_str()),
                "agentConnected": registered.map(|instance| instance.agent_connected),
                "runningTasksCount": registered.map(|instance| instance.running),
                "attributes": custom,
            })
        })
        .collect();
    let account = &aws.world.account;
    json!({
        "now": format!("{:.3}", aws.now()),
        "hosts": hosts,
        "account": {
            "locked": account.is_locked(aws.now()),
            "logOns": {
                "parameters": {"good": account.count(Presented::Parameters, true), "bad": account.count(Presented::Parameters, false)},
                "kept": {"good": account.count(Presented::Kept, true), "bad": account.count(Presented::Kept, false)},
            },
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Share {
    up: Option<bool>,
    resolves: Option<bool>,
    name: Option<String>,
    read_error: Option<u32>,
    readable: Option<bool>,
}

pub(super) fn change_share(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: Share = parse(body)?;
    let server = &mut aws.world.file_server;
    match asked.up {
        Some(true) => server.comes_back(),
        Some(false) => server.goes_down(),
        None => {}
    }
    server.resolves = asked.resolves.unwrap_or(server.resolves);
    server.share = asked.name.unwrap_or_else(|| server.share.clone());
    server.read_error = match asked.readable {
        Some(true) => None,
        _ => asked.read_error.or(server.read_error),
    };
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Account {
    password: Option<String>,
    refuses_with: Option<u32>,
    accepts: Option<bool>,
    unlock: Option<bool>,
    lock_after: Option<usize>,
    lock_seconds: Option<f64>,
}

pub(super) fn change_account(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: Account = parse(body)?;
    let lock_for = super::duration(asked.lock_seconds.unwrap_or(1800.0))?;
    if let Some(password) = &asked.password {
        aws.world.change_password_in_directory(password);
    }
    let account = &mut aws.world.account;
    account.refuses_with = match asked.accepts {
        Some(true) => None,
        _ => asked.refuses_with.or(account.refuses_with),
    };
    if let Some(threshold) = asked.lock_after {
        account.lock_out = Some(crate::fleet::LockOut { threshold, window: lock_for, duration: lock_for });
    }
    if asked.unlock == Some(true) {
        account.unlock();
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    user: Option<String>,
    password: Option<String>,
    password_readable: Option<String>,
}

pub(super) fn change_parameters(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: Parameters = parse(body)?;
    let readable = match asked.password_readable.as_deref() {
        None => None,
        Some("yes") => Some(Readable::Yes),
        Some("missing") => Some(Readable::Missing),
        Some("denied") => Some(Readable::Denied),
        Some("kms-denied") => Some(Readable::KmsDenied),
        Some("unreachable") => Some(Readable::Unreachable),
        Some(other) => {
            return Err(format!(
                "passwordReadable is {other:?}, it must be yes, missing, denied, kms-denied or unreachable"
            ));
        }
    };
    if let Some(user) = &asked.user {
        aws.write_parameter("domainUserName", user);
    }
    if let Some(password) = &asked.password {
        aws.write_parameter("domainUserPassword", password);
    }
    if let Some(readable) = readable {
        aws.world.parameters.password.readable = readable;
    }
    Ok(json!({}))
}
