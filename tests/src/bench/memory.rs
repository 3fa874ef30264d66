//! The memory of the controller after a long outage of a large fleet.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::scene::environment;
use crate::fleet::{Pace, Scripted, World, instance_id};
use crate::local_aws::server::Server;
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};
use crate::runtime_api::function::wall_clock;
use crate::runtime_api::{Function, FunctionSettings};
use crate::stack::{RUN_TIMEOUT, tick};

/// Hosts, all of which fail.
const HOSTS: u64 = 5_000;

/// Commands to each of them.
const WAVES: u32 = 10;

/// Runs after which every result has been read.
const RUNS: u32 = 5;

/// The function has 128 MB, and the fleet may be larger.
pub const MIB_AT_MOST: f64 = 48.0;

/// The peak of a cold function's resident memory, in MiB, over the runs in which it reads ten waves of failures with long
/// messages.
///
/// # Errors
/// When the process cannot be started or does not answer.
pub async fn peak_mib(program: &Path) -> Result<f64, Box<dyn Error>> {
    let server = Server::start(after_outage(), "127.0.0.1:0").await?;
    let mut environment = environment();
    environment.insert("MODE".to_owned(), "report".to_owned());
    environment.insert("AWS_ENDPOINT_URL".to_owned(), server.url());
    let settings = FunctionSettings {
        name: "drain-unmapped".to_owned(),
        program: program.to_owned(),
        environment,
        timeout: RUN_TIMEOUT,
    };
    let function = Function::new(settings, wall_clock());
    for _ in 0..RUNS {
        function.invoke(&tick()).await.outcome?;
    }
    let process = function.process_id().await.ok_or("the process has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024.0)
}

/// An account in which every host has failed ten times in the last hour.
fn after_outage() -> LocalAws {
    let began = Server::wall_clock() - Duration::from_secs(65 * 60);
    let at = format!("{began:.3}");
    let world = World::new(9, began).pace(Pace { steady: true, ..Pace::default() }).cluster("apps");
    let world = (0..HOSTS).fold(world, |world, _| {
        world.windows_instance("apps", |host| {
            host.attribute("smb.G", "shut").attribute("smb.G.state", &format!("unmapped 5 {at} - 53 {at}"))
        })
    });
    let mut aws = LocalAws::new(world);
    aws.keep_events = false;
    let line = json!({"smbMapping": "failed", "v": 1, "cause": "53", "step": "read", "refused": 0, "message": "m".repeat(800)});
    let failure = Scripted::new("Failed", 75, &line.to_string());
    let ids: Vec<String> = (1..=HOSTS).map(|n| instance_id(n).to_string()).collect();
    for wave in 1..=WAVES {
        let now = began + Duration::from_secs(u64::from(wave) * 300);
        aws.advance(now);
        aws.throttles.limit(Bucket::SendCommand, 10_000, 10_000, now);
        for ids in ids.chunks(50) {
            for id in ids {
                aws.world.host(id).scripted.push_back(failure.clone());
            }
            let body = json!({"DocumentName": "ecs-smb-mapper-G", "InstanceIds": ids, "Parameters": {"Action": ["map"]}});
            let reply =
                aws.handle(now, &Caller::named("operator"), "SendCommand", body.to_string().as_bytes());
            assert_eq!(reply.status, 200, "the command is accepted");
        }
    }
    aws
}
