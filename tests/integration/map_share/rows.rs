//! Every row of the event table, with every kind of event there is: fresh, doubled, out of order, foreign, Linux,
//! external, unreadable.

use serde_json::json;
use tests::local_aws::ecs::instances::Status;

use super::*;

/// What is on record of the instance that an event names.
#[derive(Debug, Clone, Copy)]
enum Host1 {
    /// Windows, in the watched cluster, nothing on record.
    New,
    /// The same, mapped at 11:50.
    Mapped,
    /// The same, drained by this stack.
    DrainedByUs,
    /// The same, drained by an operator.
    DrainedByOperator,
    Linux,
    /// Windows, in a cluster that is not watched.
    Elsewhere,
    /// Windows, in no cluster.
    Foreign,
}

/// What an event did.
#[derive(Debug, PartialEq)]
enum Effect {
    /// A command was sent.
    Sent,
    /// The gate was shut, `restarted` at that time recorded.
    Shut(&'static str),
    /// The drain was released.
    Released,
    /// Nothing, without any call.
    NothingForFree,
    /// Nothing, but live state had to be read.
    Nothing,
}

fn story(host1: Host1) -> Story {
    let drained = |host: Host| {
        host.attribute("smb.G.drain", "done 1130 2026-03-01T11:55:00.000Z").drained_by_operator()
    };
    let world = world().cluster("others");
    let world = match host1 {
        Host1::New => world.windows_instances("apps", 1),
        Host1::Mapped => world.windows_instance("apps", mapped),
        Host1::DrainedByUs => world.windows_instance("apps", drained),
        Host1::DrainedByOperator => world.windows_instance("apps", Host::drained_by_operator),
        Host1::Linux => world.linux_instance("apps", |host| host),
        Host1::Elsewhere => world.windows_instances("others", 1),
        Host1::Foreign => world.foreign_instance(|host| host),
    };
    Story::new(world.windows_instance("apps", mapped))
}

fn effect(story: &Story) -> Effect {
    let calls = story.calls();
    if calls.is_empty() {
        return Effect::NothingForFree;
    }
    if !story.commands().is_empty() {
        assert_eq!(story.commands(), [[id(1)]]);
        return Effect::Sent;
    }
    let aws = story.local.aws();
    let Some(instance) = aws.container_instance(&id(1)) else { return Effect::Nothing };
    if instance.attribute("smb.G.drain").is_some_and(|drain| drain.starts_with("released")) {
        return Effect::Released;
    }
    match instance.attribute("smb.G.state") {
        Some(state) if state.starts_with("restarted") => {
            assert_eq!(instance.attribute("smb.G"), Some("shut"), "gate and state never part");
            let at = ["12:00:00", "11:58:00", "11:40:00"];
            Effect::Shut(at.into_iter().find(|at| state.contains(at)).unwrap())
        }
        _ => {
            assert!(!calls.iter().any(|call| call == "PutAttributes"), "written without effect: {calls:?}");
            Effect::Nothing
        }
    }
}

/// An ECS event of host 1, changed.
fn ecs(story: &Story, change: impl FnOnce(&mut Value)) -> Value {
    let mut event = story.event(&id(1));
    change(&mut event["detail"]);
    event
}

fn minutes_before(minutes: i64) -> Timestamp {
    base() - jiff::SignedDuration::from_mins(minutes)
}

fn spot(id: &str) -> Value {
    let detail = json!({"instance-id": id, "instance-action": "terminate"});
    envelope("aws.ec2", "EC2 Spot Instance Interruption Warning", base(), detail)
}

fn termination(id: &str) -> Value {
    let detail = json!({
        "LifecycleActionToken": "0b1c2d3e-0000-4000-8000-00000000000a", "AutoScalingGroupName": "windows",
        "LifecycleHookName": "drain", "EC2InstanceId": id,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    });
    envelope("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", base(), detail)
}

/// Hands the events over as one batch and looks what happened; nothing of it ever comes again.
async fn check(
    case: &str,
    host1: Host1,
    events: impl FnOnce(&Story) -> Vec<Value>,
    expected: (Effect, &str),
) {
    let story = story(host1);
    let events = events(&story);
    story.calls();
    assert!(story.batch(&events).await.is_empty(), "{case}: acknowledged");
    assert_eq!(effect(&story), expected.0, "{case}");
    let mut counted = story.metrics();
    counted.retain(|name, _| {
        ["EventsHandled", "EventsSkipped", "EventsForeign", "EventsUnreadable", "LeftToReconcile"]
            .contains(&name.as_str())
    });
    let counted: Vec<String> = counted.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(counted.join(", "), expected.1, "{case}");
}

#[tokio::test(start_paused = true)]
async fn container_instance_state_change() {
    use Effect::*;
    let one = |change: fn(&mut Value)| move |story: &Story| vec![ecs(story, change)];
    check("fresh", Host1::New, one(|_| {}), (Sent, "EventsHandled 1")).await;
    check("fresh, mapped", Host1::Mapped, one(|_| {}), (NothingForFree, "EventsSkipped 1")).await;
    let hides_its_gate: fn(&mut Value) = |detail| {
        detail["attributes"]
            .as_array_mut()
            .unwrap()
            .retain(|a| a["name"].as_str().unwrap().starts_with("ecs."));
    };
    check("mapped since the event", Host1::Mapped, one(hides_its_gate), (Nothing, "EventsSkipped 1")).await;
    let twice = |story: &Story| vec![ecs(story, |_| {}), ecs(story, |_| {})];
    check("doubled", Host1::New, twice, (Sent, "EventsHandled 1, EventsSkipped 1")).await;
    let older_later = |story: &Story| {
        let disconnected = |detail: &mut Value| {
            detail["version"] = json!(0);
            detail["agentConnected"] = json!(false);
        };
        vec![ecs(story, |_| {}), ecs(story, disconnected)]
    };
    check("out of order", Host1::New, older_later, (Sent, "EventsHandled 1, EventsSkipped 1")).await;
    let off = one(|detail| detail["agentConnected"] = json!(false));
    check("disconnected", Host1::New, off, (NothingForFree, "LeftToReconcile 1")).await;
    let draining = one(|detail| detail["status"] = json!("DRAINING"));
    check("draining", Host1::New, draining, (NothingForFree, "EventsSkipped 1")).await;
    let registering = one(|detail| {
        detail["status"] = json!("REGISTERING");
        detail["attributes"] = Value::Null;
    });
    check("registering", Host1::New, registering, (NothingForFree, "EventsSkipped 1")).await;
    let elsewhere = one(|detail| {
        detail["clusterArn"] = json!("arn:aws:ecs:eu-west-1:111122223333:cluster/others");
    });
    check("another cluster", Host1::Elsewhere, elsewhere, (NothingForFree, "EventsForeign 1")).await;
    check("not in that cluster", Host1::Elsewhere, one(|_| {}), (Nothing, "EventsSkipped 1")).await;
    check("linux", Host1::Linux, one(|_| {}), (NothingForFree, "EventsForeign 1")).await;
    let silent = one(|detail| detail["attributes"] = Value::Null);
    check("linux, not said", Host1::Linux, silent, (Nothing, "EventsForeign 1")).await;
    check("windows, not said", Host1::New, silent, (Sent, "EventsHandled 1")).await;
    let external = one(|detail| detail["ec2InstanceId"] = json!("mi-0123456789abcdef0"));
    check("external", Host1::New, external, (NothingForFree, "EventsForeign 1")).await;
    let unreadable: [fn(&mut Value); 5] = [
        |detail| *detail = Value::Null,
        |detail| *detail = json!("ACTIVE"),
        |detail| detail["clusterArn"] = Value::Null,
        |detail| detail["containerInstanceArn"] = json!("host-1"),
        |detail| detail["ec2InstanceId"] = json!("web-1"),
    ];
    for change in unreadable {
        check("unreadable", Host1::New, one(change), (NothingForFree, "EventsUnreadable 1")).await;
    }
    let odd = one(|detail| {
        detail["ec2InstanceId"] = json!(format!(" {}", id(1)));
        detail["attributes"].as_array_mut().unwrap().push(Value::Null);
        detail["attributes"].as_array_mut().unwrap().push(json!({"name": "smb.hold"}));
        detail["statusReason"] = Value::Null;
        detail["somethingNew"] = json!({"a": [1, 2]});
        detail["registeredAt"] = json!(7);
    });
    check("odd but readable", Host1::New, odd, (Sent, "EventsHandled 1")).await;
}

#[tokio::test(start_paused = true)]
async fn instance_state_change() {
    use Effect::*;
    for state in ["stopping", "stopped", "running"] {
        let fresh = |_: &Story| vec![state_change(&id(1), state, minutes_before(2))];
        check(state, Host1::Mapped, fresh, (Shut("11:58:00"), "EventsHandled 1")).await;
        check(state, Host1::New, fresh, (Shut("11:58:00"), "EventsHandled 1")).await;
        check(state, Host1::Linux, fresh, (Nothing, "EventsForeign 1")).await;
        check(state, Host1::Elsewhere, fresh, (Nothing, "EventsForeign 1")).await;
        check(state, Host1::Foreign, fresh, (Nothing, "EventsForeign 1")).await;
        let late = |_: &Story| vec![state_change(&id(1), state, minutes_before(20))];
        check(state, Host1::Mapped, late, (Nothing, "EventsSkipped 1")).await;
        let early = |_: &Story| vec![state_change(&id(1), state, minutes_before(90))];
        check("before it registered", Host1::New, early, (Nothing, "EventsSkipped 1")).await;
        let external = |_: &Story| vec![state_change("mi-0123456789abcdef0", state, base())];
        check("external", Host1::New, external, (NothingForFree, "EventsForeign 1")).await;
    }
    let all = |_: &Story| {
        vec![
            state_change(&id(1), "running", base()),
            state_change(&id(1), "stopping", minutes_before(2)),
            state_change(&id(1), "running", base()),
        ]
    };
    check(
        "doubled, out of order",
        Host1::Mapped,
        all,
        (Shut("12:00:00"), "EventsHandled 1, EventsSkipped 2"),
    )
    .await;
    let ahead = |_: &Story| vec![state_change(&id(1), "running", minutes_before(-600))];
    check("ahead of our clock", Host1::Mapped, ahead, (Shut("12:00:00"), "EventsHandled 1")).await;
    for state in ["pending", "shutting-down", "terminated", "something-new"] {
        let other = |_: &Story| vec![state_change(&id(1), state, base())];
        check(state, Host1::Mapped, other, (NothingForFree, "EventsSkipped 1")).await;
    }
    let unreadable: [fn(&mut Value); 5] = [
        |event| event["time"] = Value::Null,
        |event| event["time"] = json!("yesterday"),
        |event| event["detail"]["instance-id"] = Value::Null,
        |event| event["detail"]["state"] = json!(3),
        |event| event["detail"] = json!([]),
    ];
    for change in unreadable {
        let events = move |_: &Story| {
            let mut event = state_change(&id(1), "stopped", base());
            change(&mut event);
            vec![event]
        };
        check("unreadable", Host1::Mapped, events, (NothingForFree, "EventsUnreadable 1")).await;
    }
    let bare = |_: &Story| {
        let mut event = state_change(&format!(" {}", id(1)), "stopped", base());
        event
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["version", "id", "account", "resources"].contains(&name.as_str()));
        vec![event]
    };
    check("no envelope version", Host1::Mapped, bare, (Shut("12:00:00"), "EventsHandled 1")).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_about_to_die() {
    use Effect::*;
    for event in [spot, termination] {
        let fresh = |_: &Story| vec![event(&id(1))];
        check("ours", Host1::DrainedByUs, fresh, (Released, "EventsHandled 1")).await;
        check("operator's", Host1::DrainedByOperator, fresh, (Nothing, "EventsSkipped 1")).await;
        check("not drained", Host1::Mapped, fresh, (Nothing, "EventsSkipped 1")).await;
        check("linux", Host1::Linux, fresh, (Nothing, "EventsForeign 1")).await;
        check("another cluster", Host1::Elsewhere, fresh, (Nothing, "EventsForeign 1")).await;
        check("foreign", Host1::Foreign, fresh, (Nothing, "EventsForeign 1")).await;
        let twice = |_: &Story| vec![event(&id(1)), event(&id(1))];
        check("doubled", Host1::DrainedByUs, twice, (Released, "EventsHandled 1, EventsSkipped 1")).await;
        let external = |_: &Story| vec![event("mi-0123456789abcdef0")];
        check("external", Host1::DrainedByUs, external, (NothingForFree, "EventsForeign 1")).await;
        let broken = |_: &Story| {
            vec![event("web-1"), {
                let mut event = event(&id(1));
                event["detail"] = Value::Null;
                event
            }]
        };
        check("unreadable", Host1::DrainedByUs, broken, (NothingForFree, "EventsUnreadable 2")).await;
    }
    let both = |_: &Story| vec![termination(&id(1)), spot(&id(1))];
    check("both", Host1::DrainedByUs, both, (Released, "EventsHandled 1, EventsSkipped 1")).await;
    let test = |_: &Story| {
        let mut event = termination(&id(1));
        event["detail"] = json!({"Event": "autoscaling:TEST_NOTIFICATION", "LifecycleTransition": "autoscaling:TEST_NOTIFICATION"});
        vec![event]
    };
    check("test notification", Host1::DrainedByUs, test, (NothingForFree, "EventsSkipped 1")).await;
}

#[tokio::test(start_paused = true)]
async fn anything_else_is_acknowledged_and_counted() {
    use Effect::NothingForFree;
    let other = |_: &Story| {
        vec![
            envelope(
                "aws.ec2",
                "EC2 Instance Rebalance Recommendation",
                base(),
                json!({"instance-id": id(1)}),
            ),
            envelope("aws.ecs", "ECS Task State Change", base(), json!({})),
            // Somebody's own event that calls itself ours.
            envelope(
                "my.app",
                "EC2 Instance State-change Notification",
                base(),
                json!({"instance-id": id(1), "state": "stopped"}),
            ),
        ]
    };
    check("other kinds", Host1::Mapped, other, (NothingForFree, "EventsSkipped 3")).await;

    let story = story(Host1::New);
    let good = story.event(&id(1)).to_string();
    let bodies =
        ["", "not JSON", "null", "7", "[]", "{}", r#"{"detail-type": 7}"#, r#"{"Message": "from SNS"}"#];
    let bodies = bodies.into_iter().map(str::to_owned).chain([format!("\u{feff}{good}")]);
    let mut batch = sqs_of(bodies);
    let records = batch["Records"].as_array_mut().unwrap();
    records.extend([json!(null), json!({}), json!({"messageId": "", "body": 7}), json!("record")]);
    story.calls();
    let answer = story.invoke(batch).await.unwrap();
    assert!(failures(&answer).is_empty());
    assert_eq!(story.commands(), [[id(1)]], "the one behind a byte-order mark");
    assert_eq!(story.metrics()["EventsUnreadable"], 12.0);
}

#[tokio::test(start_paused = true)]
async fn by_hand() {
    for (host1, is_sent) in [
        (Host1::New, true),
        (Host1::Mapped, true),
        (Host1::DrainedByUs, true),
        (Host1::DrainedByOperator, true),
        (Host1::Linux, false),
        (Host1::Elsewhere, false),
        (Host1::Foreign, false),
    ] {
        let story = story(host1);
        let answer = story.by_hand(&[&id(1)]).await;
        assert_eq!(answer["sent"].as_array().unwrap().len(), usize::from(is_sent), "{host1:?}: {answer}");
        assert_eq!(story.commands().len(), usize::from(is_sent), "{host1:?}");
        let again = story.by_hand(&[&id(1)]).await;
        assert_eq!(story.commands().len(), usize::from(is_sent), "in flight");
        if is_sent {
            assert_eq!(again["skipped"][0]["reason"], "a command for it is in flight");
        }
    }
    let story = story(Host1::New);
    for payload in [
        json!({}),
        json!(null),
        json!("i-0123456789abcdef0"),
        json!([]),
        json!({"instanceIds": "i-0123456789abcdef0"}),
        json!({"instanceIds": [7]}),
        json!({"Records": {}}),
    ] {
        let answer = story.invoke(payload.clone()).await.unwrap();
        let reason = answer["skipped"][0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("instance id") || reason.contains("neither an SQS batch"),
            "{payload}: {reason}"
        );
    }
    assert!(story.calls().is_empty());
    let nothing = story.invoke(json!({"instanceIds": []})).await.unwrap();
    assert_eq!(nothing["skipped"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_in_ecs_is_read_live() {
    let story = story(Host1::New);
    let event = story.event(&id(1));
    story.local.aws().operator_sets_status(&id(1), Status::Draining);
    assert!(story.batch(&[event]).await.is_empty());
    assert!(story.commands().is_empty(), "drained since the event");
}
