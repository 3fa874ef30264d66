//! An unreadable state under an open gate: the next run checks the instance, and one failure does not shut the gate.

use jiff::SignedDuration;
use proptest::prelude::*;
use shared::state::{Gate, State};
use tests::fleet::{PASSWORD, REMOTE, Scripted, USER, World};
use tests::local_aws::in_process::in_virtual_time;
use tests::scenarios::base;
use tests::stack::Stack;

use super::{check, edited};

/// The result of the first script.
const NETWORK_FAILURE: &str =
    r#"{"smbMapping":"failed","v":1,"cause":"53","step":"read","message":"not found"}"#;

#[test]
fn an_unreadable_state_under_an_open_gate_is_checked_at_once_and_doubted_once() {
    let states = [
        "mapped 2026-11-22T08:00:00.000Z 2026-11-22T09:30:00.250Z -",
        "doubtful 2026-11-22T08:00:00.000Z 2026-11-22T09:30:00.250Z 2026-11-22T08:00:00.000Z 53",
        "unmapped 3 2026-11-22T09:30:00.250Z - not-domain-joined 2026-11-22T08:00:00.000Z",
        "restarted 2026-11-22T08:00:00.000Z -",
    ];
    let values = edited(states.map(|text| text.as_bytes().to_vec()).to_vec());
    let unreadable = values.prop_filter_map("readable, or refused by ECS", |bytes| {
        let value = String::from_utf8(bytes).ok()?.trim().to_owned();
        let is_storable = value.len() <= 128
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_.:@/\\".contains(&b));
        (is_storable && State::parse(&value).is_none()).then_some(value)
    });
    check(100, unreadable, |value| in_virtual_time(check_value(&value)));
}

async fn check_value(value: &str) {
    let world = World::new(7, base()).cluster("apps").windows_instance("apps", |host| {
        let host = host.mapped_by_hand(REMOTE, USER, PASSWORD);
        let host = host.attribute("smb.G", "mapped").attribute("smb.G.state", value);
        host.with(|host| host.scripted.push_back(Scripted::new("Failed", 75, NETWORK_FAILURE)))
    });
    let stack = Stack::new(world);
    let id = stack.instances("apps").remove(0);
    stack.tick().await;
    assert_eq!(stack.local.aws().commands().count(), 1, "{value:?} was not checked at once");
    stack.until(stack.now() + SignedDuration::from_mins(4)).await;
    let attributes = stack.attributes(&id);
    assert_eq!(attributes.gate, Gate::Mapped, "{value:?} had its gate shut");
    let is_judged =
        matches!(attributes.state.state(), Some(State::Mapped { judged, .. }) if *judged >= base());
    assert!(is_judged, "{value:?} became {:?}", attributes.state);
    let shuts = |call: &&tests::local_aws::Call| String::from_utf8_lossy(&call.body).contains(r#""shut""#);
    assert_eq!(stack.local.aws().calls().iter().filter(shuts).count(), 0, "{value:?}");
}
