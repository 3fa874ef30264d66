//! What stands on a container instance: printed states parse to themselves, and what cannot be read is on the safe side.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use jiff::{SignedDuration, Timestamp};
use shared::share::DriveLetter;
use shared::state::{AttributeNames, Drain, Gate, InstanceAttributes, State, StateAttribute};
use shared::time;
use tests::fleet::{Scripted, World};
use tests::stack::Stack;

use super::fuzz;
use super::inputs::files;

const SEEDS: &str = "integration/fuzz/__fuzz__/fuzz__state__text/corpus";

/// What ECS takes as an attribute's value.
fn is_storable(value: &str) -> bool {
    value.len() <= 128 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_.:@/\\".contains(&b))
}

fn check_text(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let state = State::parse(text);
    if let Some(state) = &state {
        let printed = state.print();
        assert_eq!(State::parse(&printed).as_ref(), Some(state), "{text:?} is printed {printed:?}");
        assert!(is_storable(&printed), "ECS refuses {printed:?}");
    }
    check_drain(text);
    for gate in [None, Some("shut"), Some("mapped"), Some(text)] {
        let names = AttributeNames::new(DriveLetter::parse("G").expect("a letter"));
        let attributes = [("smb.G.state", Some(text)), ("smb.G", gate), ("smb.H", Some("mapped"))];
        let attributes = InstanceAttributes::read(&names, attributes.into_iter());
        let is_open = gate == Some("mapped");
        assert_eq!(attributes.gate == Gate::Mapped, is_open, "under {gate:?}");
        let expected = match &state {
            Some(state) => StateAttribute::Known(state.clone()),
            None if is_open => StateAttribute::Unreadable,
            None => StateAttribute::Absent,
        };
        assert_eq!(attributes.state, expected, "{text:?} under {gate:?}");
    }
}

/// Only `done`, a cause and a time prove that we drained.
fn check_drain(text: &str) {
    let drain = Drain::parse(Some(text));
    assert_ne!(drain, Drain::Absent, "{text:?}");
    match drain.print() {
        Some(printed) => {
            assert_eq!(Drain::parse(Some(&printed)), drain, "{text:?} is printed {printed:?}");
            assert!(is_storable(&printed), "ECS refuses {printed:?}");
            let first_and_time = |text: &str| {
                let words: Vec<&str> = text.split(' ').collect();
                (words[0].to_owned(), words.last().and_then(|word| time::parse(word)))
            };
            let (word, at) = first_and_time(text);
            assert!(at.is_some(), "{text:?} was given a time");
            assert_eq!(first_and_time(&printed), (word.clone(), at), "{text:?} is printed {printed:?}");
            assert_eq!(drain.is_ours(), word == "done", "{text:?}");
        }
        None => assert!(!drain.is_ours(), "{text:?}"),
    }
}

#[test]
fn fuzz_text() {
    fuzz!(check_text, 20_000, files(SEEDS));
}

/// Values that were put to that test.
static UNREADABLE: AtomicUsize = AtomicUsize::new(0);

/// A value that cannot be read under an open gate counts as mapped, and due: the next run looks, and one bad look shuts
/// nothing.
fn check_unreadable(bytes: &[u8]) {
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(128).collect();
    let text = text.trim();
    // ECS takes no other, and a readable one says for itself when it is due.
    if !is_storable(text) || State::parse(text).is_some() {
        return;
    }
    UNREADABLE.fetch_add(1, Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(look_at(text));
}

/// What the first script says.
const OUT_OF_REACH: &str =
    r#"{"smbMapping":"failed","v":1,"cause":"53","step":"read","message":"not found"}"#;

async fn look_at(value: &str) {
    let base: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let mapped = r"\\fs1.corp.example.com\share";
    let world = World::new(7, base).cluster("apps").windows_instance("apps", |host| {
        let host = host.mapped_by_hand(mapped, r"CORP\svc-ecs-share", "correct horse");
        let host = host.attribute("smb.G", "mapped").attribute("smb.G.state", value);
        host.with(|host| host.scripted.push_back(Scripted::new("Failed", 75, OUT_OF_REACH)))
    });
    let stack = Stack::new(world);
    let id = stack.instances("apps").remove(0);
    stack.tick().await;
    assert_eq!(stack.local.aws().commands().count(), 1, "{value:?} was not due");
    stack.until(stack.now() + SignedDuration::from_mins(4)).await;
    let attributes = stack.attributes(&id);
    assert_eq!(attributes.gate, Gate::Mapped, "{value:?} had its gate shut");
    let is_judged = matches!(attributes.state.state(), Some(State::Mapped { judged, .. }) if *judged >= base);
    assert!(is_judged, "{value:?} became {:?}", attributes.state);
    let shut = |call: &&tests::local_aws::Call| String::from_utf8_lossy(&call.body).contains(r#""shut""#);
    assert_eq!(stack.local.aws().calls().iter().filter(shut).count(), 0, "{value:?}");
}

#[test]
fn fuzz_unreadable() {
    fuzz!(check_unreadable, 400, files(SEEDS));
    assert!(UNREADABLE.load(Relaxed) > 100, "only {UNREADABLE:?} values were unreadable and could be stored");
}
