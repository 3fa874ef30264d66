//! Serves the local AWS with a fleet until it is interrupted, and says what to type next.

#![allow(clippy::print_stdout, reason = "what it says is for the person who started it")]

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use tests::fleet::{Host, Pace, Platform, World, samples, task_definition};
use tests::local_aws::LocalAws;
use tests::local_aws::server::Server;

struct Options {
    port: u16,
    instances: usize,
    seed: u64,
    cluster: String,
    quick: bool,
    events: String,
}

const USAGE: &str = "usage: serve-aws [--port 4566] [--instances 6] [--seed 1] [--cluster windows] [--events events] [--real-pace]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let options = options().map_err(|error| format!("{error}\n{USAGE}"))?;
    let address = format!("127.0.0.1:{}", options.port);
    let server = Server::start(LocalAws::new(world(&options)?), &address).await;
    let server = server.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    greet(&server, &options);
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let (cluster, events) = ("windows".to_owned(), "events".to_owned());
    let mut options = Options { port: 4566, instances: 6, seed: 1, cluster, quick: true, events };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("port") => options.port = arguments.value()?.parse()?,
            Long("instances") => options.instances = arguments.value()?.parse()?,
            Long("seed") => options.seed = arguments.value()?.parse()?,
            Long("cluster") => options.cluster = arguments.value()?.string()?,
            Long("events") => options.events = arguments.value()?.string()?,
            Long("real-pace") => options.quick = false,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// Windows hosts, one of them with a disk on the letter, one on Linux, two services, and whatever the sample events name.
fn world(options: &Options) -> Result<World, String> {
    let pace = if options.quick { Pace::quick() } else { Pace::default() };
    let cluster = options.cluster.as_str();
    let mut world = World::new(options.seed, Server::wall_clock()).pace(pace).cluster(cluster);
    if options.instances > 1 {
        world = world.windows_instances(cluster, options.instances - 1);
    }
    world = world
        .windows_instance(cluster, Host::disk_on_letter)
        .linux_instance(cluster, |host| host)
        .task_definition(task_definition("legacy-app", true))
        .task_definition(task_definition("legacy-app-without-gate", false))
        .service(cluster, json!({"serviceName": "legacy-app", "taskDefinition": "legacy-app"}))
        .service(
            cluster,
            json!({"serviceName": "legacy-app-without-gate", "taskDefinition": "legacy-app-without-gate"}),
        );
    for named in samples::named_in(Path::new(&options.events))? {
        if let Some(cluster) =
            named.cluster.as_deref().filter(|name| world.clusters.iter().all(|one| **one != **name))
        {
            world = world.cluster(cluster);
        }
        let host = |host: Host| named.apply_ids(host);
        world = match (named.platform, named.cluster.as_deref()) {
            (Platform::Windows, Some(cluster)) => world.windows_instance(cluster, host),
            (Platform::Linux, Some(cluster)) => world.linux_instance(cluster, host),
            (_, None) => world.foreign_instance(host),
        };
    }
    Ok(world)
}

fn greet(server: &Server, options: &Options) {
    let (url, cluster) = (server.url(), &options.cluster);
    println!(
        r#"local AWS on {url}, {hosts} hosts, cluster {cluster}; Ctrl-C ends it

In another terminal:

  export AWS_ENDPOINT_URL={url} AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1
  export AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=none
  aws ecs list-container-instances --cluster {cluster}
  curl -s {url}/_control/fleet          # hosts, letters, gates; `curl -s {url}/_control/` lists the rest

The functions, unchanged, under cargo lambda:

  export CLUSTERS={cluster} STACK=local DRIVE_LETTER=G DOCUMENT_NAME=ecs-smb-mapper-G
  export QUEUE_ARN=arn:aws:sqs:eu-west-1:111122223333:smb-g-reconcile.fifo  # the queue of tick.json
  export REMOTE_PATH='\\fs1.corp.example.com\share'
  cargo lambda watch

  cargo lambda invoke drain-unmapped --data-file events/drain-unmapped/tick.json
  cargo lambda invoke map-share --data-ascii '{{"instanceIds": ["{first}"]}}'
  cargo lambda invoke drain-unmapped --data-ascii '{{"report": true}}'
"#,
        hosts = server.aws().world.hosts.len(),
        first = tests::fleet::instance_id(1),
    );
}
