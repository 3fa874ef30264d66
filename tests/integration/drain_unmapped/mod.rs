//! `drain-unmapped` over the local AWS, in virtual time: whole runs of the handler that ships.

mod attribute_limit;
mod crash;
mod drains;
mod faults;
mod first_deployment;
mod forged;
mod herds;
mod overlap;
mod report;
mod shares;

use shared::state::State;
use tests::fleet::World;
use tests::scenarios::{base, calls, lock_out, open};
use tests::stack::Stack;

/// The cluster `apps` with that many Windows instances.
fn fleet(seed: u64, instances: usize) -> World {
    World::new(seed, base()).cluster("apps").windows_instances("apps", instances)
}

const DISK: &str = "i-0000000000disk000";

/// That many plain instances, and one that has a disk on the drive letter.
fn with_disk(seed: u64, others: usize) -> World {
    fleet(seed, others).windows_instance("apps", |host| host.named(DISK).disk_on_letter())
}

/// A fleet in operation, with every gate open. Its instances are older than the deployment, so they are checked before one
/// is sent `map`, one at a time.
async fn mapped_fleet(seed: u64, instances: usize) -> Stack {
    // The SDK's jitter and the halving of refused groups use this thread's generator.
    fastrand::seed(seed);
    let stack = Stack::new(fleet(seed, instances));
    stack.minutes(5 + instances as u64 / 20).await;
    assert_eq!(open(&stack).len(), instances);
    stack
}

/// The cause of an unmapped instance.
fn cause(stack: &Stack, id: &str) -> Option<String> {
    match stack.attributes(id).state.state() {
        Some(State::Unmapped { cause, .. }) => Some(cause.to_string()),
        _ => None,
    }
}

/// The number of calls that drain or re-activate instances.
fn status_calls(stack: &Stack) -> usize {
    calls(stack, "UpdateContainerInstancesState")
}

/// Whether a log-on found the account locked.
fn was_locked(stack: &Stack) -> bool {
    stack.local.aws().world.account.log_ons.iter().any(|one| one.result == Err(1909))
}

/// Changes the password in the directory and ends every session, so that the next check of each host logs on again.
fn change_password_in_directory(stack: &Stack, password: &str) {
    let mut aws = stack.local.aws();
    aws.world.account.lock_out = Some(lock_out(5));
    aws.world.change_password_in_directory(password);
    aws.world.file_server.ends_sessions();
}

fn write_password_parameter(stack: &Stack, password: &str) {
    let now = stack.now();
    stack.local.aws().world.write_password_parameter(password, now);
}
