//! The state of the fleet, and changes of the file server, the account and the parameters.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{duration, parse};
use crate::fleet::{Letter, LockOut, Presented, Readable};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::is_custom;

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
                let custom = instance.attributes.iter().filter(|(name, _)| is_custom(name));
                custom
                    .map(|(name, value)| (name.to_string(), value.as_deref().into()))
                    .collect::<serde_json::Map<_, _>>()
            });
            json!({
                "instanceId": &*host.id,
                "platform": host.platform.as_str().to_lowercase(),
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
    let log_ons = |by: Presented| json!({"good": account.count(by, true), "bad": account.count(by, false)});
    json!({
        "now": format!("{:.3}", aws.now()),
        "hosts": hosts,
        "account": {
            "locked": account.is_locked(aws.now()),
            "logOns": {"parameters": log_ons(Presented::Parameters), "kept": log_ons(Presented::Kept)},
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedShare {
    up: Option<bool>,
    resolves: Option<bool>,
    name: Option<String>,
    read_error: Option<u32>,
    readable: Option<bool>,
}

pub(super) fn change_share(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: AskedShare = parse(body)?;
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
struct AskedAccount {
    password: Option<String>,
    refuses_with: Option<u32>,
    accepts: Option<bool>,
    unlock: Option<bool>,
    lock_after: Option<usize>,
    lock_seconds: Option<f64>,
}

pub(super) fn change_account(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: AskedAccount = parse(body)?;
    let lock_for = duration(asked.lock_seconds.unwrap_or(1800.0))?;
    if let Some(password) = &asked.password {
        aws.world.change_password_in_directory(password);
    }
    let account = &mut aws.world.account;
    account.refuses_with = match asked.accepts {
        Some(true) => None,
        _ => asked.refuses_with.or(account.refuses_with),
    };
    if let Some(threshold) = asked.lock_after {
        account.lock_out = Some(LockOut { threshold, window: lock_for, duration: lock_for });
    }
    if asked.unlock == Some(true) {
        account.unlock();
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedParameters {
    user: Option<String>,
    password: Option<String>,
    password_readable: Option<Readable>,
}

pub(super) fn change_parameters(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: AskedParameters = parse(body)?;
    if let Some(user) = &asked.user {
        aws.write_parameter("domainUserName", user);
    }
    if let Some(password) = &asked.password {
        aws.write_parameter("domainUserPassword", password);
    }
    if let Some(readable) = asked.password_readable {
        aws.world.parameters.password.readable = readable;
    }
    Ok(json!({}))
}
