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
