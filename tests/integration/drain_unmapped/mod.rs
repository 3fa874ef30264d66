//! The controller over the local AWS, in virtual time: whole runs of the handler that ships.

mod crash;
mod drains;
mod faults;
mod first_deployment;
mod herds;
mod overlap;
mod report;

use jiff::Timestamp;
use shared::state::{Gate, State};
use tests::stack::Stack;

/// When every world begins.
fn base() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("valid")
}

/// The ids whose gate is open.
fn open(stack: &Stack) -> Vec<String> {
    let ids = stack.instances("apps").into_iter();
    ids.filter(|id| stack.attributes(id).gate == Gate::Mapped).collect()
}

/// The cause that stands on an instance, if it is unmapped.
fn cause(stack: &Stack, id: &str) -> Option<String> {
    match stack.attributes(id).state.state() {
        Some(State::Unmapped { cause, .. }) => Some(cause.to_string()),
        _ => None,
    }
}

/// How many calls of an operation were made by the controller.
fn calls(stack: &Stack, operation: &str) -> usize {
    let aws = stack.local.aws();
    aws.calls()
        .iter()
        .filter(|call| call.operation == operation && &*call.caller.0 == "drain-unmapped")
        .count()
}
