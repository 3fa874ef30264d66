//! The three kinds of input, and the response to each.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_batch_of_new_instances_becomes_one_command() {
    let setup = Setup::fresh(world().windows_instance("apps", mapped).windows_instances("apps", 3)).await;
    assert!(setup.batch(&setup.events(2..=4)).await.is_empty());
    assert_eq!(setup.commands(), [[id(2), id(3), id(4)]]);
    assert_eq!(
        setup.calls(),
        [
            "ListCommands",
            "DescribeContainerInstances",
            "DescribeInstanceInformation",
            "DescribeParameters",
            "ListCommandInvocations",
            "SendCommand",
        ]
    );
    let expected = counts([
        ("EventsHandled", 3.0),
        ("EventsContainerInstance", 3.0),
        ("Commands", 1.0),
        ("Targets", 3.0),
    ]);
    assert_eq!(setup.metrics(), expected);
    let aws = setup.local.aws();
    let command = aws.commands().last().unwrap();
    assert_eq!(command.parameter("Action"), Some("map"));
}

#[tokio::test(start_paused = true)]
async fn the_response_to_a_single_event_is_a_report() {
    let setup = Setup::fresh(world().windows_instance("apps", mapped).windows_instances("apps", 1)).await;
    let answer = setup.invoke(setup.event(&id(2))).await.unwrap();
    assert_eq!(answer["sent"][0]["instanceIds"], json!([id(2)]));
    assert_eq!(setup.commands(), [[id(2)]]);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_by_hand_reports_on_every_id() {
    let setup = Setup::new(
        world()
            .windows_instance("apps", mapped)
            .windows_instance("apps", |host| host.without_agent())
            .linux_instance("apps", |host| host)
            .foreign_instance(|host| host),
    );
    let answer =
        setup.by_hand(&[&id(1), &id(2), &id(3), &id(4), &id(1), "mi-0123456789abcdef0", "web-1"]).await;
    let command = setup.local.aws().commands().next().unwrap().id.to_string();
    let expected = json!({
        "sent": [{"commandId": command, "instanceIds": [id(1)]}],
        "done": [],
        "leftToReconcile": [{"instanceId": id(2), "reason": "its SSM agent is not online"}],
        "skipped": [
            {"instanceId": id(3), "reason": "not a Windows instance"},
            {"instanceId": id(4), "reason": "not registered in a watched cluster"},
            {"instanceId": id(1), "reason": "named twice"},
            {"instanceId": "mi-0123456789abcdef0", "reason": "an external instance, which is no EC2 instance"},
            {
                "instanceId": "web-1",
                "reason": "\"web-1\" is not an EC2 instance id: i- and 8 or 17 letters or digits",
            },
        ],
        "failed": [],
    });
    assert_eq!(answer, expected);
}

#[tokio::test(start_paused = true)]
async fn a_person_names_at_most_a_thousand_instances() {
    let setup = Setup::new(world().windows_instance("apps", mapped));
    let ids = |n: usize| json!({"instanceIds": vec!["wrong"; n]});
    for n in [1_001, 100_000] {
        let error = setup.invoke(ids(n)).await.unwrap_err();
        assert_eq!(error, format!("{n} instance ids, at most 1000 are taken at a time: nothing was done"));
    }
    let answer = setup.invoke(ids(1_000)).await.unwrap();
    assert_eq!(answer["skipped"].as_array().unwrap().len(), 1_000);
    assert!(setup.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_names_is_cut_before_it_is_answered_or_logged() {
    let setup = Setup::new(world().windows_instance("apps", mapped));
    let long = format!("i-\u{1b}[2J\u{202e}{}", "x".repeat(5_000));
    for payload in [
        json!({"instanceIds": [long]}),
        json!({"instanceIds": [{"id": long}]}),
        json!({"instanceIds": [format!("mi-{long}")]}),
        json!({ long.clone(): 1 }),
        json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "time": "2026-03-01T12:00:00Z",
               "detail": {"instance-id": long, "state": "running"}}),
        json!({"source": "aws.ecs", "detail-type": "ECS Container Instance State Change", "time": "2026-03-01T12:00:00Z",
               "detail": {"clusterArn": long, "containerInstanceArn": long}}),
    ] {
        let answer = setup.invoke(payload).await.unwrap();
        let skipped = answer["skipped"][0].as_object().unwrap();
        for text in skipped.values().filter_map(Value::as_str) {
            assert!(text.chars().count() <= 300 && !text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        }
    }
}
