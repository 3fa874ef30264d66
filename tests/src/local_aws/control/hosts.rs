//! Hosts: launches, injected faults, and lifecycle actions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{duration, parse};
use crate::fleet::{Hang, Host, Letter, Mapping, Platform};
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::Status;

pub(super) fn find<'a>(aws: &'a mut LocalAws, id: &str) -> Result<&'a mut Host, String> {
    aws.world.hosts.get_mut(id).ok_or_else(|| format!("there is no host {id}"))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    letter: Option<String>,
    port_445_blocked: Option<bool>,
    dns_broken: Option<bool>,
    domain_joined: Option<bool>,
    hang: Option<String>,
    script_delay_seconds: Option<f64>,
    agent_late_by_seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Launch {
    platform: Option<Platform>,
    cluster: Option<String>,
    count: Option<usize>,
    #[serde(default)]
    with: Change,
}

pub(super) fn launch(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: Launch = parse(body)?;
    let platform = asked.platform.unwrap_or(Platform::Windows);
    let is_unknown = |name: &&String| aws.world.clusters.iter().all(|one| **one != ***name);
    if let Some(cluster) = asked.cluster.as_ref().filter(is_unknown) {
        return Err(format!("there is no cluster {cluster:?}"));
    }
    let mut ids = Vec::new();
    for _ in 0..asked.count.unwrap_or(1) {
        let id = aws.launch(platform, asked.cluster.as_deref(), |host| host);
        apply(aws, &id, &asked.with)?;
        ids.push(id.to_string());
    }
    Ok(json!({ "instanceIds": ids }))
}

pub(super) fn change(aws: &mut LocalAws, id: &str, body: &[u8]) -> Result<Value, String> {
    let asked: Change = parse(body)?;
    apply(aws, id, &asked)?;
    Ok(json!({}))
}

fn apply(aws: &mut LocalAws, id: &str, asked: &Change) -> Result<(), String> {
    let (user, password) = (aws.world.account.user.clone(), aws.world.account.password.clone());
    let host = find(aws, id)?;
    let letter = match asked.letter.as_deref() {
        None => host.letter.clone(),
        Some("free") => Letter::Free,
        Some("disk") => Letter::Disk,
        Some(remote) if remote.starts_with(r"\\") => Letter::Smb(Mapping::new(remote, &user, &password)),
        Some(other) => {
            return Err(format!(r"letter is {other:?}, it must be free, disk or a path \\server\share"));
        }
    };
    let hang = match asked.hang.as_deref() {
        None => host.hang,
        Some("none") => None,
        Some("call") => Some(Hang::Call),
        Some("process") => Some(Hang::Process),
        Some("child") => Some(Hang::Child),
        Some(other) => return Err(format!("hang is {other:?}, it must be none, call, process or child")),
    };
    let script_delay = asked.script_delay_seconds.map(duration).transpose()?;
    let late_by = asked.agent_late_by_seconds.map(duration).transpose()?;
    (host.letter, host.hang) = (letter, hang);
    host.script_delay = script_delay.unwrap_or(host.script_delay);
    host.agent_late_by = late_by.unwrap_or(host.agent_late_by);
    host.port_445_blocked = asked.port_445_blocked.unwrap_or(host.port_445_blocked);
    host.dns_broken = asked.dns_broken.unwrap_or(host.dns_broken);
    host.domain_joined = asked.domain_joined.unwrap_or(host.domain_joined);
    Ok(())
}

pub(super) fn act(aws: &mut LocalAws, id: &str, action: &str) -> Result<Value, String> {
    find(aws, id)?;
    match action {
        "stop" => aws.stop(id),
        "start" => aws.start(id),
        "reboot" => aws.reboot(id),
        "terminate" => aws.terminate(id),
        "lose-mapping" => aws.world.host(id).lose_mapping(),
        "register-again" => aws.register_again(id),
        "disconnect-ecs-agent" => aws.set_ecs_connected(id, false),
        "connect-ecs-agent" => aws.set_ecs_connected(id, true),
        "silence-ssm-agent" => aws.ssm_agent_falls_silent(id),
        "return-ssm-agent" => aws.ssm_agent_returns(id),
        "warn-of-spot-interruption" => aws.warn_of_spot_interruption(id),
        "terminate-by-auto-scaling" => aws.start_terminate_lifecycle_action(id),
        "drain" => aws.operator_sets_status(id, Status::Draining),
        "activate" => aws.operator_sets_status(id, Status::Active),
        "hold" => aws.operator_sets_attribute(id, "smb.hold", Some("yes")),
        "release-hold" => aws.operator_sets_attribute(id, "smb.hold", None),
        other => return Err(format!("a host cannot {other}")),
    }
    Ok(json!({}))
}
