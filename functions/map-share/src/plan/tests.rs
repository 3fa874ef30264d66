use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::budget::{Attempt, Evidence, InFlight, Parameters, Stamps, assess};
use shared::config::Policy;
use shared::history::{Action, Deadline};
use shared::ids::CommandId;
use shared::invocation::{Reported, interpret};
use shared::share::{DriveLetter, RemotePath, ShareMapping};

use super::allowance::withheld;
use super::*;
use crate::events;
use crate::origin::Origin;
use crate::outcome::Kind;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/windows";

/// Later than every time of the tests.
const NOW: Timestamp = Timestamp::constant(4_102_444_800, 0);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn names() -> AttributeNames {
    AttributeNames::new(DriveLetter::parse("G").unwrap())
}

fn id(n: u32) -> InstanceId {
    InstanceId::parse(&format!("i-{n:017x}")).unwrap()
}

fn cluster() -> ClusterRef {
    ClusterRef::parse(CLUSTER).unwrap()
}

/// A connected Windows instance without a state, registered at second 0.
fn live(n: u32) -> ContainerInstance {
    let arn = format!("arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/{n:032x}");
    ContainerInstance {
        arn: ContainerInstanceArn::parse(&arn).unwrap(),
        cluster: cluster(),
        instance_id: Some(id(n)),
        status: Status::Active,
        is_connected: true,
        is_windows: true,
        registered_at: at(0),
        version: 1,
        attributes: InstanceAttributes::read(&names(), NOW, std::iter::empty()),
        custom_attributes: 0,
    }
}

fn with_state(n: u32, gate: &str, state: &State) -> ContainerInstance {
    let (names, state) = (names(), state.print());
    let attributes = [(names.gate.as_str(), Some(gate)), (names.state.as_str(), Some(state.as_str()))];
    ContainerInstance {
        attributes: InstanceAttributes::read(&names, NOW, attributes.into_iter()),
        custom_attributes: 2,
        ..live(n)
    }
}

fn mapped(judged: i64) -> State {
    State::Mapped { since: at(judged), judged: at(judged), logon: Some(at(1)) }
}

fn command(n: u32, requested: i64, is_final: bool) -> Command {
    Command {
        id: CommandId::parse("c").unwrap(),
        requested_at: at(requested),
        action: Action::Map,
        instances: vec![id(n)],
        max_concurrency: 50,
        is_final,
        completed: usize::from(is_final),
        errors: 0,
    }
}

/// An ECS event of instance 1 with one change.
fn change(version: i64, change: impl FnOnce(&mut Value)) -> Event {
    let mut detail = json!({
        "agentConnected": true, "status": "ACTIVE", "version": version,
        "clusterArn": CLUSTER, "containerInstanceArn": live(1).arn.as_str(), "ec2InstanceId": id(1),
        "registeredAt": "2026-11-18T19:06:40Z",
        "attributes": [{"name": "ecs.capability.gmsa"}, {"name": "ecs.os-type", "value": "windows"}],
    });
    change(&mut detail);
    let event = json!({
        "source": "aws.ecs", "detail-type": "ECS Container Instance State Change", "detail": detail,
    });
    events::read(&event).1.unwrap()
}

/// Sorts events; returns what is left to do, and the outcomes in order.
fn sorted(events: Vec<Event>) -> (Work, Vec<Option<Outcome>>) {
    let mut batch = Batch::default();
    let events: Vec<_> = events.into_iter().map(|e| (batch.add(None, Kind::Other, None), e)).collect();
    let records: Vec<_> = events.iter().map(|(record, _)| *record).collect();
    let work = sort(events, &[cluster()], &names(), NOW, &mut batch);
    let outcomes = records.into_iter().map(|record| batch.outcome(record).cloned()).collect();
    (work, outcomes)
}

fn history(commands: &[Command], second: i64) -> History<'_> {
    History { commands, now: at(second) }
}

fn attribute(detail: &mut Value, name: &str, value: &str) {
    detail["attributes"].as_array_mut().unwrap().push(json!({"name": name, "value": value}));
}

#[test]
fn an_event_is_trusted_about_what_it_shows() {
    type Change = fn(&mut Value);
    let table: [(&str, Change, Option<Reason>); 14] = [
        ("fresh", |_| {}, None),
        ("open gate", |d| attribute(d, "smb.G", "mapped"), Some(Reason::Mapped)),
        ("shut gate without a state", |d| attribute(d, "smb.G", "shut"), None),
        ("another letter's gate", |d| attribute(d, "smb.H", "mapped"), None),
        (
            "a state under a shut gate",
            |d| attribute(d, "smb.G.state", "restarted 2026-11-18T19:06:40.000Z -"),
            Some(Reason::HasState),
        ),
        ("an unreadable state", |d| attribute(d, "smb.G.state", "?"), None),
        (
            "an open gate while disconnected",
            |d| {
                attribute(d, "smb.G", "mapped");
                d["agentConnected"] = json!(false);
            },
            Some(Reason::Mapped),
        ),
        ("disconnected", |d| d["agentConnected"] = json!(false), Some(Reason::NotConnected)),
        ("draining", |d| d["status"] = json!("DRAINING"), Some(Reason::NotActive)),
        ("status null", |d| d["status"] = Value::Null, Some(Reason::NotActive)),
        ("linux", |d| d["attributes"][1]["value"] = json!("linux"), Some(Reason::NotWindows)),
        ("no attributes: live state decides", |d| d["attributes"] = Value::Null, None),
        ("another cluster", |d| d["clusterArn"] = json!(format!("{CLUSTER}-2")), Some(Reason::OtherCluster)),
        ("no EC2 id: live state decides", |d| d["ec2InstanceId"] = Value::Null, None),
    ];
    for (case, edit, expected) in table {
        let (work, outcomes) = sorted(vec![change(1, edit)]);
        assert_eq!(outcomes, [expected.map(Outcome::Not)], "{case}");
        assert_eq!(work.candidates.len(), usize::from(expected.is_none()), "{case}");
    }
}

#[test]
fn of_several_versions_the_highest_counts_in_any_order() {
    let superseded = Some(Outcome::Not(Reason::Superseded));
    for versions in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
        let disconnected = |v: i64| change(v, |d| d["agentConnected"] = json!(v != 3));
        let (work, outcomes) = sorted(versions.map(disconnected).to_vec());
        assert!(work.candidates.is_empty(), "the latest says that it is disconnected");
        for (version, outcome) in versions.iter().zip(outcomes) {
            let expected =
                if *version == 3 { Some(Outcome::Not(Reason::NotConnected)) } else { superseded.clone() };
            assert_eq!(outcome, expected, "version {version}");
        }
    }
    let (work, outcomes) = sorted(vec![change(4, |_| {}), change(4, |_| {})]);
    assert_eq!(work.candidates.len(), 1);
    assert_eq!(outcomes, [None, Some(Outcome::Not(Reason::Duplicate))]);
}

#[test]
fn of_several_restarts_the_latest_counts() {
    let restart = |second| Event::Restart { id: id(1), at: at(second) };
    let (work, outcomes) = sorted(vec![restart(5), restart(9), restart(9), restart(7)]);
    assert_eq!(work.restarts[&id(1)].at, at(9));
    let not = |reason| Some(Outcome::Not(reason));
    assert_eq!(outcomes, [not(Reason::Superseded), None, not(Reason::Duplicate), not(Reason::Superseded)]);
}

#[test]
fn an_instance_named_twice_by_hand_counts_once() {
    let (work, outcomes) = sorted(vec![Event::ByHand(id(1)), Event::ByHand(id(1)), Event::ByHand(id(2))]);
    assert_eq!(work.by_hand.len(), 2);
    assert_eq!(outcomes, [None, Some(Outcome::Not(Reason::Duplicate)), None]);
}

#[test]
fn only_a_live_instance_without_a_state_or_a_command_is_sent_one() {
    let edited = |edit: fn(&mut ContainerInstance)| {
        let mut live = live(1);
        edit(&mut live);
        live
    };
    let unmapped = State::Unmapped {
        attempts: 1,
        judged: at(5),
        logon: None,
        cause: shared::cause::Cause::new("53"),
        failing_since: at(5),
    };
    let table = [
        ("fresh", live(1), vec![], None),
        ("linux", edited(|i| i.is_windows = false), vec![], Some(Reason::NotWindows)),
        ("draining", edited(|i| i.status = Status::Draining), vec![], Some(Reason::NotActive)),
        ("disconnected", edited(|i| i.is_connected = false), vec![], Some(Reason::NotConnected)),
        ("external", edited(|i| i.instance_id = None), vec![], Some(Reason::External)),
        ("mapped since the event", with_state(1, "mapped", &mapped(5)), vec![], Some(Reason::Mapped)),
        ("failed since the event", with_state(1, "shut", &unmapped), vec![], Some(Reason::HasState)),
        ("in flight", live(1), vec![command(1, 5, false)], Some(Reason::InFlight)),
        ("over, not judged", live(1), vec![command(1, 5, true)], Some(Reason::Unjudged)),
        ("before it registered", live(1), vec![command(1, -5, false)], None),
        ("another instance's", live(1), vec![command(2, 5, false)], None),
    ];
    for (case, live, commands, expected) in table {
        assert_eq!(allows(&live, history(&commands, 20)).err(), expected, "{case}");
    }
    // Past its deadline a command is not in flight; that it was lost is recorded by the reconcile run.
    assert_eq!(allows(&live(1), history(&[command(1, 5, false)], 5 + 781)).err(), Some(Reason::Unjudged));
}

#[test]
fn by_hand_only_a_command_in_flight_stops_a_connected_windows_instance() {
    let stale = ContainerInstance { is_connected: false, registered_at: at(50), ..live(1) };
    let linux = ContainerInstance { is_windows: false, ..live(1) };
    let leaving = ContainerInstance { status: Status::Other, ..live(1) };
    let draining = ContainerInstance { status: Status::Draining, ..live(1) };
    let restarted = with_state(1, "shut", &State::Restarted { at: at(8), logon: None });
    let table = [
        ("fresh", vec![live(1)], vec![], None),
        ("mapped", vec![with_state(1, "mapped", &mapped(5))], vec![], None),
        ("draining", vec![draining], vec![], None),
        ("beside a stale registration", vec![stale.clone(), live(1)], vec![], None),
        ("only a stale registration", vec![stale], vec![], Some(Reason::NotConnected)),
        ("linux", vec![linux], vec![], Some(Reason::NotWindows)),
        ("deregistering", vec![leaving], vec![], Some(Reason::NotActive)),
        ("in flight", vec![live(1)], vec![command(1, 5, false)], Some(Reason::InFlight)),
        ("over, not judged", vec![live(1)], vec![command(1, 5, true)], None),
        (
            "one over, one in flight",
            vec![live(1)],
            vec![command(1, 6, true), command(1, 5, false)],
            Some(Reason::InFlight),
        ),
        ("requested before a restart", vec![restarted], vec![command(1, 5, false)], None),
    ];
    for (case, registrations, commands, expected) in table {
        assert_eq!(allows_by_hand(&registrations, history(&commands, 20)).err(), expected, "{case}");
    }
}

#[test]
fn a_restart_shuts_what_was_proven_before_it_and_nothing_else() {
    let written = |live: &ContainerInstance, second| {
        shut(live, &names(), at(second), at(100))
            .map(|attributes| attributes.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
    };
    let restarted = |second: i64, logon: Option<i64>| {
        Ok(vec!["shut".to_owned(), State::Restarted { at: at(second), logon: logon.map(at) }.print()])
    };
    assert_eq!(written(&with_state(1, "mapped", &mapped(5)), 9), restarted(9, Some(1)), "the log-on is kept");
    assert_eq!(written(&with_state(1, "mapped", &mapped(9)), 9), Err(Reason::OlderThanProof));
    assert_eq!(written(&with_state(1, "mapped", &mapped(9)), 8), Err(Reason::OlderThanProof));
    assert_eq!(written(&live(1), 9), restarted(9, None), "what is in flight proves nothing either");
    assert_eq!(written(&live(1), 0), Err(Reason::OlderThanRegistration));
    assert_eq!(written(&live(1), 5000), restarted(100, None), "a clock ahead of ours");
    let again = with_state(1, "shut", &State::Restarted { at: at(9), logon: None });
    assert_eq!(written(&again, 9), Err(Reason::OlderThanProof), "doubled");
    assert_eq!(written(&again, 11), restarted(11, None));
    assert_eq!(
        written(&ContainerInstance { custom_attributes: 9, ..live(1) }, 9),
        Err(Reason::AttributeLimit)
    );
    assert_eq!(written(&ContainerInstance { custom_attributes: 8, ..live(1) }, 9), restarted(9, None));
    let full = ContainerInstance { custom_attributes: 10, ..with_state(1, "mapped", &mapped(5)) };
    assert_eq!(written(&full, 9), restarted(9, Some(1)), "both are there");
    let names = names();
    let only_gate =
        InstanceAttributes::read(&names, NOW, [(names.gate.as_str(), Some("mapped"))].into_iter());
    let full = ContainerInstance { custom_attributes: 10, attributes: only_gate, ..live(1) };
    assert_eq!(written(&full, 9), Ok(vec!["shut".to_owned()]), "the gate is shut without a state");
}

#[test]
fn an_event_from_the_future_is_no_event() {
    let ahead = NOW + SignedDuration::from_secs(301);
    let tolerated = NOW + SignedDuration::from_secs(300);
    for (at, is_read) in [(tolerated, true), (ahead, false)] {
        let (work, outcomes) =
            sorted(vec![Event::Restart { id: id(1), at }, Event::Ending { id: id(2), at }]);
        assert_eq!((work.restarts.len(), work.endings.len()), (usize::from(is_read), usize::from(is_read)));
        let is_unreadable = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Unreadable(_)));
        assert_eq!(outcomes.iter().all(is_unreadable), !is_read, "{outcomes:?}");
    }
}

#[test]
fn only_a_drain_that_is_provably_ours_is_released() {
    let with_drain = |value: Option<&str>| {
        let names = names();
        let attributes = value.map(|value| (names.drain.as_str(), Some(value)));
        ContainerInstance {
            attributes: InstanceAttributes::read(&names, NOW, attributes.into_iter()),
            ..live(1)
        }
    };
    let ours = release(&with_drain(Some("done 53 2026-11-22T08:00:00.000Z")), &names(), at(9)).unwrap();
    assert_eq!(ours, [("smb.G.drain".to_owned(), Drain::Released { at: at(9) }.print().unwrap())]);
    let older = release(&with_drain(Some("done 53 2026-11-22T08:00:00.000Z")), &names(), at(0));
    assert_eq!(older, Err(Reason::OlderThanRegistration), "replayed");
    for other in [
        None,
        Some("requested 53 2026-11-22T08:00:00.000Z"),
        Some("released 2026-11-22T08:00:00.000Z"),
        Some("done"),
    ] {
        assert_eq!(release(&with_drain(other), &names(), at(9)), Err(Reason::NotOurDrain), "{other:?}");
    }
}

/// A `map` that ended at second 60 with that result line.
fn attempt(n: u32, line: &str) -> Attempt {
    let command = Command { instances: vec![id(n)], ..command(n, 50, true) };
    let details = if line.contains("failed") { "Failed" } else { "Success" };
    let remote = RemotePath::parse(r"\\fs\share").unwrap();
    let share = ShareMapping { drive: DriveLetter::parse("G").unwrap(), remote };
    let result = interpret(&share, Some(details), line, Deadline::Ahead);
    let reported = Reported { instance: id(n), ended_at: Some(at(60)), is_stopped: false, result };
    Attempt::new(&command, &reported, at(70)).unwrap()
}

#[test]
fn a_fresh_password_goes_to_all_but_those_refused_alone_and_any_other_to_one_named_by_hand() {
    let refused = |n| attempt(n, r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"create"}"#);
    let let_in =
        attempt(9, r#"{"smbMapping":"mapped","v":1,"changed":true,"drive":"G:","remote":"\\\\fs\\share"}"#);
    let flying = InFlight::of(&command(9, 65, false), at(70)).unwrap();
    let counted = |attempts: &[Attempt], in_flight: Vec<InFlight>, is_partial| {
        let parameters = Parameters::Changed(at(0));
        let new = Stamps { unmapped_at: Some(Timestamp::MIN), ..Stamps::default() };
        let mut stamps: BTreeMap<InstanceId, Stamps> = (1..=500).map(|n| (id(n), new)).collect();
        stamps.insert(id(2), Stamps { refused_by: Some(at(5)), ..new });
        let evidence = Evidence { parameters, in_flight, attempts, stamps, is_partial };
        assess(&evidence, &Policy::default(), at(70))
    };
    let idle = counted(&[], vec![], false);
    let fresh = counted(std::slice::from_ref(&let_in), vec![], false);
    let last = counted(&[refused(7), refused(8)], vec![], false);
    let taken = counted(&[refused(7), refused(8)], vec![flying], false);
    let spent = counted(&[refused(7), refused(8), refused(9)], vec![], false);
    let unreadable = counted(&[let_in], vec![], true);
    let record = Batch::default().add(None, Kind::Other, None);
    let table = [
        ("fresh", &fresh, Origin::Rule, 1, Ok(0)),
        ("fresh, and one was refused alone", &fresh, Origin::Queue, 500, Ok(1)),
        ("fresh, and one was refused alone", &fresh, Origin::Hand, 3, Ok(1)),
        ("not fresh", &idle, Origin::Queue, 1, Err(Reason::NotFresh.to_string())),
        ("not fresh", &idle, Origin::Rule, 1, Err(Reason::NotFresh.to_string())),
        ("not fresh", &idle, Origin::Hand, 1, Ok(0)),
        ("not fresh", &idle, Origin::Hand, 2, Err(Reason::OneByHand.to_string())),
        ("one refusal is left", &last, Origin::Hand, 1, Ok(0)),
        ("one refusal is left and may be taken", &taken, Origin::Hand, 1, Err(withheld(&taken))),
        ("none is left", &spent, Origin::Hand, 1, Err(withheld(&spent))),
        ("unreadable", &unreadable, Origin::Hand, 1, Err(Reason::Doubt.to_string())),
        ("unreadable", &unreadable, Origin::Queue, 1, Err(Reason::Doubt.to_string())),
    ];
    for (name, budget, origin, targets, expected) in table {
        let targets = (1..=targets).map(|n| (id(n), record)).collect();
        let dropped = may_present(budget, origin, &targets).map(|refused| refused.len());
        assert_eq!(dropped.map_err(|outcome| outcome.to_string()), expected, "{name} {origin:?}");
    }
    let told = withheld(&spent);
    assert!(told.starts_with("3 of 3 refused log-ons spent (i-0") && told.contains("next try "), "{told}");
}
