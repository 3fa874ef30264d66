//! Every row of the event table, for every kind of event: new, repeated, out of order, foreign, Linux, external,
//! unreadable.

use serde_json::json;
use tests::local_aws::ecs::instances::Status;

use super::*;

/// The effect of a batch.
#[derive(Debug, PartialEq)]
enum Effect {
    /// A command was sent.
    Sent,
    /// The gate was shut, with the state `restarted` at that time.
    Shut(&'static str),
    /// The drain was released.
    Released,
    /// None, and no call was made.
    NoCall,
    /// None, but the current state was read.
    Nothing,
}

/// The host that an event names, beside a mapped one. The password is fresh.
async fn setup(host: HostKind) -> Setup {
    Setup::fresh(host.add(world().cluster("others"), mapped).windows_instance("apps", mapped)).await
}

fn effect(setup: &Setup) -> Effect {
    let calls = setup.calls();
    if calls.is_empty() {
        return Effect::NoCall;
    }
    if !setup.commands().is_empty() {
        assert_eq!(setup.commands(), [[id(1)]]);
        return Effect::Sent;
    }
    let aws = setup.local.aws();
    let Some(instance) = aws.container_instance(&id(1)) else { return Effect::Nothing };
    if instance.attribute("smb.G.drain").is_some_and(|drain| drain.starts_with("released")) {
        return Effect::Released;
    }
    match instance.attribute("smb.G.state") {
        Some(state) if state.starts_with("restarted") => {
            assert_eq!(instance.attribute("smb.G"), Some("shut"), "gate and state are written together");
            let at = ["12:00:00", "12:00:03", "11:58:00", "11:40:00"];
            Effect::Shut(at.into_iter().find(|at| state.contains(at)).unwrap())
        }
        _ => {
            assert!(!calls.iter().any(|call| call == "PutAttributes"), "written without effect: {calls:?}");
            Effect::Nothing
        }
    }
}

/// ECS's event for host 1, changed.
fn ecs(setup: &Setup, change: impl FnOnce(&mut Value)) -> Value {
    let mut event = setup.event(&id(1));
    change(&mut event["detail"]);
    event
}

fn minutes_before(minutes: i64) -> Timestamp {
    base() - jiff::SignedDuration::from_mins(minutes)
}

/// Delivers the events as one batch and checks its effect. Every record is acknowledged.
async fn check(
    case: &str,
    host: HostKind,
    events: impl FnOnce(&Setup) -> Vec<Value>,
    expected: (Effect, &str),
) {
    let setup = setup(host).await;
    let events = events(&setup);
    setup.calls();
    assert!(setup.batch(&events).await.is_empty(), "{case}: acknowledged");
    assert_eq!(effect(&setup), expected.0, "{case}");
    let outcomes = setup.outcomes();
    let counted: Vec<String> = outcomes.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(counted.join(", "), expected.1, "{case}");
}

#[tokio::test(start_paused = true)]
async fn container_instance_state_change() {
    use Effect::*;
    let one = |change: fn(&mut Value)| move |setup: &Setup| vec![ecs(setup, change)];
    check("new", HostKind::New, one(|_| {}), (Sent, "EventsHandled 1")).await;
    check("new, mapped", HostKind::Mapped, one(|_| {}), (NoCall, "EventsSkipped 1")).await;
    let hides_its_gate: fn(&mut Value) = |detail| {
        detail["attributes"]
            .as_array_mut()
            .unwrap()
            .retain(|a| a["name"].as_str().unwrap().starts_with("ecs."));
    };
    check("mapped since the event", HostKind::Mapped, one(hides_its_gate), (Nothing, "EventsSkipped 1"))
        .await;
    let twice = |setup: &Setup| vec![ecs(setup, |_| {}), ecs(setup, |_| {})];
    check("repeated", HostKind::New, twice, (Sent, "EventsHandled 1, EventsSkipped 1")).await;
    let older_later = |setup: &Setup| {
        let disconnected = |detail: &mut Value| {
            detail["version"] = json!(0);
            detail["agentConnected"] = json!(false);
        };
        vec![ecs(setup, |_| {}), ecs(setup, disconnected)]
    };
    check("out of order", HostKind::New, older_later, (Sent, "EventsHandled 1, EventsSkipped 1")).await;
    let off = one(|detail| detail["agentConnected"] = json!(false));
    check("disconnected", HostKind::New, off, (NoCall, "LeftToReconcile 1")).await;
    let draining = one(|detail| detail["status"] = json!("DRAINING"));
    check("draining", HostKind::New, draining, (NoCall, "EventsSkipped 1")).await;
    let registering = one(|detail| {
        detail["status"] = json!("REGISTERING");
        detail["attributes"] = Value::Null;
    });
    check("registering", HostKind::New, registering, (NoCall, "EventsSkipped 1")).await;
    let elsewhere = one(|detail| {
        detail["clusterArn"] = json!("arn:aws:ecs:eu-west-1:111122223333:cluster/others");
    });
    check("another cluster", HostKind::OtherCluster, elsewhere, (NoCall, "EventsForeign 1")).await;
    check("not in that cluster", HostKind::OtherCluster, one(|_| {}), (Nothing, "EventsSkipped 1")).await;
    check("linux", HostKind::Linux, one(|_| {}), (NoCall, "EventsForeign 1")).await;
    let silent = one(|detail| detail["attributes"] = Value::Null);
    check("linux, not in the event", HostKind::Linux, silent, (Nothing, "EventsForeign 1")).await;
    check("windows, not in the event", HostKind::New, silent, (Sent, "EventsHandled 1")).await;
    let external = one(|detail| detail["ec2InstanceId"] = json!("mi-0123456789abcdef0"));
    check("external", HostKind::New, external, (NoCall, "EventsForeign 1")).await;
    let unreadable: [fn(&mut Value); 5] = [
        |detail| *detail = Value::Null,
        |detail| *detail = json!("ACTIVE"),
        |detail| detail["clusterArn"] = Value::Null,
        |detail| detail["containerInstanceArn"] = json!("host-1"),
        |detail| detail["ec2InstanceId"] = json!("web-1"),
    ];
    for change in unreadable {
        check("unreadable", HostKind::New, one(change), (NoCall, "EventsUnreadable 1")).await;
    }
    let odd = one(|detail| {
        detail["ec2InstanceId"] = json!(format!(" {}", id(1)));
        detail["attributes"].as_array_mut().unwrap().push(Value::Null);
        detail["attributes"].as_array_mut().unwrap().push(json!({"name": "smb.hold"}));
        detail["statusReason"] = Value::Null;
        detail["somethingNew"] = json!({"a": [1, 2]});
        detail["registeredAt"] = json!(7);
    });
    check("odd but readable", HostKind::New, odd, (Sent, "EventsHandled 1")).await;
}

#[tokio::test(start_paused = true)]
async fn instance_state_change() {
    use Effect::*;
    for state in ["stopping", "stopped", "running"] {
        let fresh = |_: &Setup| vec![state_change(&id(1), state, minutes_before(2))];
        check(state, HostKind::Mapped, fresh, (Shut("11:58:00"), "EventsHandled 1")).await;
        check(state, HostKind::New, fresh, (Shut("11:58:00"), "EventsHandled 1")).await;
        check(state, HostKind::Linux, fresh, (Nothing, "EventsForeign 1")).await;
        check(state, HostKind::OtherCluster, fresh, (Nothing, "EventsForeign 1")).await;
        check(state, HostKind::NotRegistered, fresh, (Nothing, "EventsForeign 1")).await;
        let late = |_: &Setup| vec![state_change(&id(1), state, minutes_before(20))];
        check(state, HostKind::Mapped, late, (Nothing, "EventsSkipped 1")).await;
        let early = |_: &Setup| vec![state_change(&id(1), state, minutes_before(90))];
        check("before it registered", HostKind::New, early, (Nothing, "EventsSkipped 1")).await;
        let external = |_: &Setup| vec![state_change("mi-0123456789abcdef0", state, base())];
        check("external", HostKind::New, external, (NoCall, "EventsForeign 1")).await;
    }
    let all = |_: &Setup| {
        vec![
            state_change(&id(1), "running", base()),
            state_change(&id(1), "stopping", minutes_before(2)),
            state_change(&id(1), "running", base()),
        ]
    };
    check(
        "repeated, out of order",
        HostKind::Mapped,
        all,
        (Shut("12:00:00"), "EventsHandled 1, EventsSkipped 2"),
    )
    .await;
    let ahead = |_: &Setup| vec![state_change(&id(1), "running", minutes_before(-4))];
    check("a little ahead of our clock", HostKind::Mapped, ahead, (Shut("12:00:03"), "EventsHandled 1"))
        .await;
    let ahead = |_: &Setup| vec![state_change(&id(1), "running", minutes_before(-600))];
    check("ahead of our clock", HostKind::Mapped, ahead, (NoCall, "EventsUnreadable 1")).await;
    for state in ["pending", "shutting-down", "terminated", "something-new"] {
        let other = |_: &Setup| vec![state_change(&id(1), state, base())];
        check(state, HostKind::Mapped, other, (NoCall, "EventsSkipped 1")).await;
    }
    let unreadable: [fn(&mut Value); 5] = [
        |event| event["time"] = Value::Null,
        |event| event["time"] = json!("yesterday"),
        |event| event["detail"]["instance-id"] = Value::Null,
        |event| event["detail"]["state"] = json!(3),
        |event| event["detail"] = json!([]),
    ];
    for change in unreadable {
        let events = move |_: &Setup| {
            let mut event = state_change(&id(1), "stopped", base());
            change(&mut event);
            vec![event]
        };
        check("unreadable", HostKind::Mapped, events, (NoCall, "EventsUnreadable 1")).await;
    }
    let bare = |_: &Setup| {
        let mut event = state_change(&format!(" {}", id(1)), "stopped", base());
        event
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["version", "id", "account", "resources"].contains(&name.as_str()));
        vec![event]
    };
    check("no envelope version", HostKind::Mapped, bare, (Shut("12:00:00"), "EventsHandled 1")).await;
}

#[tokio::test(start_paused = true)]
async fn interruption_warning_and_termination() {
    use Effect::*;
    for event in [spot_warning, termination] {
        let event = |id: &str| event(id, base());
        let fresh = |_: &Setup| vec![event(&id(1))];
        check("ours", HostKind::DrainedByUs, fresh, (Released, "EventsHandled 1")).await;
        check("operator's", HostKind::DrainedByOperator, fresh, (Nothing, "EventsSkipped 1")).await;
        check("not drained", HostKind::Mapped, fresh, (Nothing, "EventsSkipped 1")).await;
        check("linux", HostKind::Linux, fresh, (Nothing, "EventsForeign 1")).await;
        check("another cluster", HostKind::OtherCluster, fresh, (Nothing, "EventsForeign 1")).await;
        check("foreign", HostKind::NotRegistered, fresh, (Nothing, "EventsForeign 1")).await;
        let twice = |_: &Setup| vec![event(&id(1)), event(&id(1))];
        check("repeated", HostKind::DrainedByUs, twice, (Released, "EventsHandled 1, EventsSkipped 1")).await;
        let external = |_: &Setup| vec![event("mi-0123456789abcdef0")];
        check("external", HostKind::DrainedByUs, external, (NoCall, "EventsForeign 1")).await;
        let broken = |_: &Setup| {
            vec![event("web-1"), {
                let mut event = event(&id(1));
                event["detail"] = Value::Null;
                event
            }]
        };
        check("unreadable", HostKind::DrainedByUs, broken, (NoCall, "EventsUnreadable 2")).await;
    }
    let both = |_: &Setup| vec![termination(&id(1), base()), spot_warning(&id(1), base())];
    check("both", HostKind::DrainedByUs, both, (Released, "EventsHandled 1, EventsSkipped 1")).await;
    for (make, member, value) in [
        (termination as fn(&str, Timestamp) -> Value, "Destination", "WarmPool"),
        (spot_warning, "instance-action", "stop"),
        (spot_warning, "instance-action", "hibernate"),
    ] {
        let returns = move |_: &Setup| {
            let mut event = make(&id(1), base());
            event["detail"][member] = json!(value);
            vec![event]
        };
        check(value, HostKind::DrainedByUs, returns, (NoCall, "EventsSkipped 1")).await;
    }
    let test = |_: &Setup| {
        let mut event = termination(&id(1), base());
        event["detail"] = json!({"Event": "autoscaling:TEST_NOTIFICATION", "LifecycleTransition": "autoscaling:TEST_NOTIFICATION"});
        vec![event]
    };
    check("test notification", HostKind::DrainedByUs, test, (NoCall, "EventsSkipped 1")).await;
}

#[tokio::test(start_paused = true)]
async fn other_events_are_acknowledged_and_counted() {
    use Effect::NoCall;
    let other = |_: &Setup| {
        vec![
            envelope(
                "aws.ec2",
                "EC2 Instance Rebalance Recommendation",
                base(),
                json!({"instance-id": id(1)}),
            ),
            envelope("aws.ecs", "ECS Task State Change", base(), json!({})),
            // A custom event with a detail type of EC2.
            envelope(
                "my.app",
                "EC2 Instance State-change Notification",
                base(),
                json!({"instance-id": id(1), "state": "stopped"}),
            ),
        ]
    };
    check("other kinds", HostKind::Mapped, other, (NoCall, "EventsSkipped 3")).await;

    let setup = setup(HostKind::New).await;
    let good = setup.event(&id(1)).to_string();
    let bodies =
        ["", "not JSON", "null", "7", "[]", "{}", r#"{"detail-type": 7}"#, r#"{"Message": "from SNS"}"#];
    let bodies = bodies.into_iter().map(str::to_owned).chain([format!("\u{feff}{good}")]);
    let mut batch = sqs_of(bodies);
    let records = batch["Records"].as_array_mut().unwrap();
    records.extend([json!(null), json!({}), json!({"messageId": "", "body": 7}), json!("record")]);
    setup.calls();
    let answer = setup.invoke(batch).await.unwrap();
    assert!(failures(&answer).is_empty());
    assert_eq!(setup.commands(), [[id(1)]], "the record with a byte-order mark");
    assert_eq!(setup.metrics()["EventsUnreadable"], 12.0);
}

#[tokio::test(start_paused = true)]
async fn by_hand() {
    for (host, is_sent) in [
        (HostKind::New, true),
        (HostKind::Mapped, true),
        (HostKind::DrainedByUs, true),
        (HostKind::DrainedByOperator, true),
        (HostKind::Linux, false),
        (HostKind::OtherCluster, false),
        (HostKind::NotRegistered, false),
    ] {
        let setup = setup(host).await;
        let answer = setup.by_hand(&[&id(1)]).await;
        assert_eq!(answer["sent"].as_array().unwrap().len(), usize::from(is_sent), "{host:?}: {answer}");
        assert_eq!(setup.commands().len(), usize::from(is_sent), "{host:?}");
        let again = setup.by_hand(&[&id(1)]).await;
        assert_eq!(setup.commands().len(), usize::from(is_sent), "in flight");
        if is_sent {
            assert_eq!(again["skipped"][0]["reason"], "a command for it is in flight");
        }
    }
    let setup = setup(HostKind::New).await;
    for payload in [
        json!({}),
        json!(null),
        json!("i-0123456789abcdef0"),
        json!([]),
        json!({"instanceIds": "i-0123456789abcdef0"}),
        json!({"instanceIds": [7]}),
        json!({"Records": {}}),
    ] {
        let answer = setup.invoke(payload.clone()).await.unwrap();
        let reason = answer["skipped"][0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("instance id") || reason.contains("neither an SQS batch"),
            "{payload}: {reason}"
        );
    }
    assert!(setup.calls().is_empty());
    let nothing = setup.invoke(json!({"instanceIds": []})).await.unwrap();
    assert_eq!(nothing["skipped"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_operators_drain_is_read_from_ecs() {
    let setup = setup(HostKind::New).await;
    let event = setup.event(&id(1));
    setup.local.aws().operator_sets_status(&id(1), Status::Draining);
    assert!(setup.batch(&[event]).await.is_empty());
    assert!(setup.commands().is_empty(), "drained since the event");
}
