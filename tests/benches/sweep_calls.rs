//! AWS calls a sweep makes, beside the fewest that pages allow: 5,000 instances in steady state, one of them broken.
//!
//! `cargo bench -p tests --bench sweep_calls` prints the table. It fails above 1.15 × the bound.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use shared::state::State;
use tests::fleet::{Host, Letter, Mapping, World};
use tests::local_aws::ecs::instances::Status;
use tests::scenarios::base;
use tests::stack::Stack;

const INSTANCES: usize = 5_000;
const MINUTES: u64 = 40;

/// A host that has been mapped for hours, with a proof of its own minute.
fn mapped(host: Host, n: usize) -> Host {
    let logon = base() - SignedDuration::from_hours(5);
    let judged = base() - SignedDuration::from_secs(i64::try_from(n % 1_500).expect("it fits"));
    let state = State::Mapped { since: logon, judged, logon: Some(logon) };
    let mapping = Mapping::new(r"\\fs1.corp.example.com\share", r"CORP\svc-ecs-share", "correct horse");
    host.attribute("smb.G", "mapped")
        .attribute("smb.G.state", &state.print())
        .with(|host| host.letter = Letter::Smb(mapping))
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(run());
}

#[allow(clippy::print_stdout, reason = "a bench prints")]
async fn run() {
    let world = (1..INSTANCES).fold(World::new(9, base()).cluster("apps"), |world, n| {
        world.windows_instance("apps", |host| mapped(host, n))
    });
    let world = world.windows_instance("apps", |host| host.named("i-0000000000disk000").disk_on_letter());
    let stack = Stack::new(world);
    stack.local.aws().keep_events = false;
    let (mut made, mut bound) = (BTreeMap::<String, usize>::new(), BTreeMap::<&str, usize>::new());
    for minute in 0..MINUTES {
        stack.local.aws().forget_calls();
        stack.until(base() + SignedDuration::from_mins(i64::try_from(minute + 1).expect("it fits"))).await;
        count(&stack, &mut made, &mut bound);
    }
    assert_eq!(stack.status("i-0000000000disk000"), Status::Draining, "the broken one is drained");
    assert_eq!(made.get("UpdateContainerInstancesState"), Some(&1), "exactly one drain");
    println!("\n{INSTANCES} instances, {MINUTES} sweeps, one broken host\n");
    println!("| call | made | bound |\n|---|---:|---:|");
    for (operation, calls) in &made {
        println!(
            "| {operation} | {calls} | {} |",
            bound.get(operation.as_str()).copied().unwrap_or_default()
        );
    }
    let (made, bound) = (made.values().sum::<usize>(), bound.values().sum::<usize>());
    println!("| **all** | **{made}** | **{bound}** |\n\nratio {:.3}", made as f64 / bound as f64);
    assert!(made * 100 <= bound * 115, "{made} calls, {bound} would do");
}

/// The calls of one sweep, and the fewest that its work allows.
fn count(stack: &Stack, made: &mut BTreeMap<String, usize>, bound: &mut BTreeMap<&'static str, usize>) {
    let aws = stack.local.aws();
    let since: Timestamp = stack.now() - shared::history::WINDOW;
    let commands = aws.commands().filter(|command| command.requested() >= since).count();
    let mut targets = 0;
    let (mut states, mut others, mut drains) = (0_usize, 0_usize, 0_usize);
    let mut looked_at = std::collections::BTreeSet::new();
    for call in aws.calls().iter().filter(|call| &*call.caller.0 == "drain-unmapped") {
        *made.entry(call.operation.clone()).or_default() += 1;
        let request = call.request();
        let length = |member: &str| request[member].as_array().map_or(0, Vec::len);
        match call.operation.as_str() {
            "SendCommand" => targets += length("InstanceIds"),
            "ListCommandInvocations" => {
                looked_at.insert(request["CommandId"].to_string());
            }
            "PutAttributes" => {
                let attributes = request["attributes"].as_array().expect("a list");
                let is_drain = |a: &&serde_json::Value| a["name"] == "smb.G.drain";
                others += attributes.iter().filter(is_drain).count();
                states += attributes.iter().filter(|a| !is_drain(a)).count();
            }
            "UpdateContainerInstancesState" => drains += 1,
            _ => {}
        }
    }
    let pages = INSTANCES.div_ceil(100);
    let mut add = |operation, calls| *bound.entry(operation).or_default() += calls;
    add("ListContainerInstances", pages);
    // The fleet, and every instance that is written to read again just before.
    add("DescribeContainerInstances", pages + states.div_ceil(100));
    add("ListCommands", commands.div_ceil(50).max(1));
    // Each command has at most 50 targets: one page, once, of each that has something to say.
    add("ListCommandInvocations", looked_at.len());
    add("DescribeParameters", 1);
    add("DescribeInstanceInformation", targets.div_ceil(50));
    add("SendCommand", targets.div_ceil(50));
    add("PutAttributes", states.div_ceil(10) + others);
    add("UpdateContainerInstancesState", drains);
}
