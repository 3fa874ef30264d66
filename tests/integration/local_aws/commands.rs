//! SSM commands: what is refused, how they are handed out, how they end, and when that is seen.

use std::time::Duration;

use serde_json::{Value, json};
use tests::fleet::{Document, Elsewhere, Hang, Scripted};

use super::{Bench, id, world};

fn ids(from: u64, to: u64) -> Vec<String> {
    (from..=to).map(id).collect()
}

#[test]
fn a_command_goes_from_pending_to_success_as_its_agent_takes_it() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let command = bench.send("map", &[&id(1)]);
    assert_eq!(bench.details(&command), ["Pending"]);
    bench.wait(1);
    assert_eq!(bench.details(&command), ["InProgress"]);
    bench.wait(30);
    assert_eq!(bench.details(&command), ["Success"]);
    let listed = bench.ask("ListCommands", json!({"CommandId": command}));
    let counts = ["TargetCount", "CompletedCount", "ErrorCount", "DeliveryTimedOutCount"];
    assert_eq!(counts.map(|name| listed["Commands"][0][name].as_i64()), [Some(1), Some(1), Some(0), Some(0)]);
}

#[test]
fn one_bad_instance_refuses_the_whole_call() {
    let mut bench = Bench::new(
        world()
            .windows_instances("apps", 1)
            .windows_instance("apps", |host| host.without_agent())
            .windows_instance("apps", |host| host.agent_dead())
            .windows_instances("apps", 1),
    );
    bench.aws.terminate(&id(4));
    for bad in [id(2), id(3), id(4), "i-0aaaaaaaaaaaaaaaa".to_owned()] {
        let request = json!({
            "DocumentName": "ecs-smb-mapper-G",
            "InstanceIds": [id(1), bad],
            "Parameters": {"Action": ["map"]},
        });
        assert_eq!(bench.refuse("SendCommand", request), "InvalidInstanceId", "{bad}");
    }
    assert_eq!(bench.aws.commands().count(), 0);
}

#[test]
fn send_command_keeps_to_its_limits_on_both_sides() {
    let mut bench = Bench::new(world().windows_instances("apps", 51));
    let good = |instances: &[String]| json!({"DocumentName": "ecs-smb-mapper-G", "InstanceIds": instances, "Parameters": {"Action": ["check"]}});
    let with = |member: &str, value: Value| {
        let mut request = good(&ids(1, 1));
        request[member] = value;
        request
    };
    bench.ask("SendCommand", good(&ids(1, 50)));
    assert_eq!(bench.refuse("SendCommand", good(&ids(1, 51))), "ValidationException");
    assert_eq!(bench.refuse("SendCommand", good(&[id(1), id(1)])), "DuplicateInstanceId");
    assert_eq!(bench.refuse("SendCommand", good(&["i-1".to_owned()])), "ValidationException");
    for (member, inside, outside, code) in [
        ("Comment", json!("c".repeat(100)), json!("c".repeat(101)), "ValidationException"),
        ("TimeoutSeconds", json!(30), json!(29), "ValidationException"),
        ("TimeoutSeconds", json!(2_592_000), json!(2_592_001), "ValidationException"),
        ("MaxConcurrency", json!("1"), json!("0"), "ValidationException"),
        ("MaxConcurrency", json!("100%"), json!("101%"), "ValidationException"),
        ("MaxErrors", json!("0"), json!("01"), "ValidationException"),
        ("MaxErrors", json!("0%"), json!("-1"), "ValidationException"),
        ("DocumentVersion", json!("$DEFAULT"), json!("7"), "InvalidDocumentVersion"),
        ("DocumentName", json!("ecs-smb-mapper-G"), json!("nonesuch"), "InvalidDocument"),
        ("DocumentName", json!("ecs-smb-mapper-G"), json!("no such"), "ValidationException"),
        ("Parameters", json!({"Action": ["map"]}), json!({"Action": ["mop"]}), "InvalidParameters"),
        ("Parameters", json!({"Action": ["map"]}), json!({}), "InvalidParameters"),
        (
            "Parameters",
            json!({"Action": ["map"]}),
            json!({"Action": ["map"], "X": ["y"]}),
            "InvalidParameters",
        ),
        ("ServiceRoleArn", json!("arn:aws:iam::111122223333:role/r"), json!("r"), "InvalidRole"),
        ("TimeoutSeconds", json!(60), json!("sixty"), "SerializationException"),
    ] {
        bench.ask("SendCommand", with(member, inside));
        assert_eq!(bench.refuse("SendCommand", with(member, outside.clone())), code, "{member}: {outside}");
    }
}

#[test]
fn a_document_with_its_parameters_has_at_most_64_kilobytes() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let request = |length: usize| {
        json!({
            "DocumentName": "AWS-RunPowerShellScript",
            "InstanceIds": [id(1)],
            "Parameters": {"commands": ["x".repeat(length)]},
        })
    };
    // The name has 8 bytes, brackets and quotes 4.
    bench.ask("SendCommand", request(64 * 1024 - 12));
    assert_eq!(bench.refuse("SendCommand", request(64 * 1024 - 11)), "MaxDocumentSizeExceeded");
}

#[test]
fn linux_skips_the_step_and_that_is_a_success_without_a_result() {
    let mut bench = Bench::new(world().linux_instance("apps", |host| host));
    let command = bench.send("map", &[&id(1)]);
    bench.wait(30);
    assert_eq!(bench.details(&command), ["Success"]);
    assert_eq!(bench.results(&command), [Value::Null]);
}

#[test]
fn a_document_without_precondition_is_refused_for_the_wrong_platform() {
    let old = Document { elsewhere: Elsewhere::Refused, ..Document::unmodelled() };
    let mut bench = Bench::new(world().document("old", old).linux_instance("apps", |host| host));
    let request = json!({"DocumentName": "old", "InstanceIds": [id(1)]});
    assert_eq!(bench.refuse("SendCommand", request), "UnsupportedPlatformType");
}

#[test]
fn no_more_than_max_concurrency_run_at_a_time() {
    let mut bench = Bench::new(world().windows_instances("apps", 6));
    let targets = ids(1, 6);
    let targets: Vec<_> = targets.iter().map(String::as_str).collect();
    let command = bench.send_with("map", &targets, json!({"MaxConcurrency": "2"}));
    let mut most = 0;
    for _ in 0..60 {
        bench.wait(1);
        most = most.max(bench.details(&command).iter().filter(|details| *details == "InProgress").count());
    }
    assert_eq!(most, 2);
    assert!(bench.details(&command).iter().all(|details| details == "Success"));
    let half = bench.send_with("check", &targets, json!({"MaxConcurrency": "50%"}));
    bench.wait(1);
    assert_eq!(bench.details(&half).iter().filter(|details| *details == "InProgress").count(), 3);
}

#[test]
fn errors_beyond_max_errors_terminate_what_has_not_started() {
    let mut bench = Bench::new(
        world().windows_instance("apps", |host| host.disk_on_letter()).windows_instances("apps", 3),
    );
    let targets = ids(1, 4);
    let targets: Vec<_> = targets.iter().map(String::as_str).collect();
    let command = bench.send_with("map", &targets, json!({"MaxConcurrency": "1", "MaxErrors": "0"}));
    bench.wait(60);
    assert_eq!(bench.details(&command), ["Failed", "Terminated", "Terminated", "Terminated"]);
    let listed = bench.ask("ListCommands", json!({"CommandId": command}));
    assert_eq!(listed["Commands"][0]["Status"], "Failed");
    let command = bench.send_with("map", &targets, json!({"MaxConcurrency": "1", "MaxErrors": "1"}));
    bench.wait(60);
    assert_eq!(bench.details(&command), ["Failed", "Success", "Success", "Success"]);
    let listed = bench.ask("ListCommands", json!({"CommandId": command}));
    assert_eq!(listed["Commands"][0]["StatusDetails"], "Incomplete");
}

#[test]
fn what_was_not_delivered_does_not_count_against_max_errors() {
    let mut bench = Bench::new(world().windows_instances("apps", 2));
    bench.aws.ssm_agent_falls_silent(&id(1));
    let command = bench.send_with("map", &[&id(1), &id(2)], json!({"MaxConcurrency": "1", "MaxErrors": "0"}));
    bench.wait(119);
    assert_eq!(bench.details(&command), ["Pending", "Pending"]);
    bench.wait(2);
    assert_eq!(bench.details(&command)[0], "Delayed");
    bench.wait(598);
    assert_eq!(bench.details(&command), ["Delayed", "Success"]);
    bench.wait(2);
    assert_eq!(bench.details(&command), ["DeliveryTimedOut", "Success"]);
}

#[test]
fn an_agent_that_returns_in_time_takes_what_waits_and_one_that_is_late_does_not() {
    for (returns_after, expected) in [(100, "Success"), (130, "DeliveryTimedOut")] {
        let mut bench = Bench::new(world().windows_instances("apps", 1));
        bench.aws.ssm_agent_falls_silent(&id(1));
        let command = bench.send("map", &[&id(1)]);
        bench.wait(returns_after);
        bench.aws.ssm_agent_returns(&id(1));
        bench.wait(800);
        assert_eq!(bench.details(&command), [expected]);
    }
}

#[test]
fn a_hung_script_times_out_and_a_hung_child_lasts_until_the_command_expires() {
    for (hang, at_601, at_end) in [
        (Hang::Process, "ExecutionTimedOut", "ExecutionTimedOut"),
        (Hang::Child, "InProgress", "DeliveryTimedOut"),
    ] {
        let hung = |host: tests::fleet::Host| host.with(|host| host.hang = Some(hang));
        let mut bench = Bench::new(world().windows_instance("apps", hung));
        let command = bench.send("map", &[&id(1)]);
        bench.wait(601);
        assert_eq!(bench.details(&command), [at_601]);
        bench.wait(120);
        assert_eq!(bench.details(&command), [at_end]);
    }
}

#[test]
fn a_script_that_outlives_its_command_still_has_its_effect() {
    let slow = |host: tests::fleet::Host| host.with(|host| host.script_delay = Duration::from_secs(560));
    let mut bench = Bench::new(world().windows_instance("apps", slow));
    bench.aws.ssm_agent_falls_silent(&id(1));
    let command = bench.send_with("map", &[&id(1)], json!({"TimeoutSeconds": 200}));
    bench.wait(199);
    bench.aws.ssm_agent_returns(&id(1));
    bench.wait(1);
    // Picked up at 199.2 s; expires at 800 s.
    bench.wait(602);
    assert_eq!(bench.details(&command), ["Success"], "560 s and a map fit into 600 s");
    assert!(matches!(bench.aws.world.host(&id(1)).letter, tests::fleet::Letter::Smb(_)));
}

#[test]
fn a_reboot_in_the_middle_of_a_script_ends_without_a_result_line() {
    let slow = |host: tests::fleet::Host| host.with(|host| host.script_delay = Duration::from_secs(60));
    let mut bench = Bench::new(world().windows_instance("apps", slow));
    let command = bench.send("map", &[&id(1)]);
    bench.wait(10);
    bench.aws.reboot(&id(1));
    bench.wait(300);
    assert_eq!(bench.details(&command), ["Failed"]);
    assert_eq!(bench.results(&command), [Value::Null]);
    assert!(bench.aws.world.account.log_ons.is_empty(), "the script never got that far");
}

#[test]
fn any_outcome_can_be_dictated() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    for (details, status) in [
        ("Undeliverable", "Failed"),
        ("Terminated", "Cancelled"),
        ("Delivery Timed Out", "TimedOut"),
        ("AccessDenied", "Failed"),
        ("Canceled", "Cancelled"),
        ("SomethingNew", "Failed"),
    ] {
        bench.aws.world.host(&id(1)).scripted.push_back(Scripted::new(details, 3, "free text"));
        let command = bench.send("map", &[&id(1)]);
        assert_eq!(bench.details(&command), ["Pending"]);
        bench.wait(3);
        let invocation = bench.invocations(&command).remove(0);
        assert_eq!(invocation["Status"], status);
        assert_eq!(invocation["StatusDetails"].as_str().unwrap(), details.replace(' ', ""));
    }
    bench.aws.spaced_details = true;
    bench.aws.world.host(&id(1)).always = Some(Scripted::new("DeliveryTimedOut", -1, ""));
    let command = bench.send("map", &[&id(1)]);
    bench.wait(3);
    assert_eq!(bench.details(&command), ["Delivery Timed Out"]);
    bench.aws.world.host(&id(1)).always = Some(Scripted::new("In Progress", -1, ""));
    let command = bench.send("map", &[&id(1)]);
    bench.wait(3);
    assert_eq!(bench.details(&command), ["In Progress"]);
    bench.wait(720);
    assert_eq!(bench.details(&command), ["Delivery Timed Out"]);
}

#[test]
fn failed_scripts_show_their_line_before_what_the_agent_adds_within_2500_characters() {
    let mut bench = Bench::new(world().windows_instance("apps", |host| host.disk_on_letter()));
    let command = bench.send("map", &[&id(1)]);
    bench.wait(30);
    let plugin = bench.invocations(&command).remove(0)["CommandPlugins"][0].clone();
    assert_eq!(plugin["ResponseCode"], 78);
    let output = plugin["Output"].as_str().unwrap();
    assert!(output.starts_with(r#"{"smbMapping":"failed""#));
    assert!(output.ends_with("----------ERROR-------\nfailed to run commands: exit status 78"), "{output}");
    for (length, shown) in [(2500, 2500), (2501, 2500)] {
        bench.aws.world.host(&id(1)).scripted.push_back(Scripted::success(&"x".repeat(length)));
        let command = bench.send("map", &[&id(1)]);
        bench.wait(3);
        let invocation = bench.invocations(&command).remove(0);
        assert_eq!(invocation["CommandPlugins"][0]["Output"].as_str().unwrap().len(), shown);
    }
}

#[test]
fn listings_come_newest_first_in_pages_of_at_most_fifty() {
    let mut bench = Bench::new(world().windows_instances("apps", 50));
    let targets = ids(1, 50);
    let targets: Vec<_> = targets.iter().map(String::as_str).collect();
    let first = bench.send("check", &targets);
    bench.wait(1);
    let second = bench.send("check", &targets[..30]);
    let page = bench.ask("ListCommandInvocations", json!({}));
    let listed = page["CommandInvocations"].as_array().unwrap();
    assert_eq!(listed.len(), 50);
    assert_eq!((&listed[0]["CommandId"], &listed[49]["CommandId"]), (&json!(second), &json!(first)));
    assert_eq!(listed[0]["CommandPlugins"], json!([]), "no details were asked for");
    let rest = bench.ask("ListCommandInvocations", json!({"NextToken": page["NextToken"]}));
    assert_eq!(rest["CommandInvocations"].as_array().unwrap().len(), 30);
    assert_eq!(rest.get("NextToken"), None);
    bench.ask("ListCommandInvocations", json!({"MaxResults": 50}));
    for (operation, size) in
        [("ListCommandInvocations", 51), ("ListCommandInvocations", 0), ("ListCommands", 51)]
    {
        assert_eq!(bench.refuse(operation, json!({"MaxResults": size})), "ValidationException");
    }
    for operation in
        ["ListCommandInvocations", "ListCommands", "DescribeInstanceInformation", "DescribeParameters"]
    {
        assert_eq!(bench.refuse(operation, json!({"NextToken": "nonsense"})), "InvalidNextToken");
    }
    let one = bench.ask("ListCommands", json!({"MaxResults": 1}));
    assert_eq!(one["Commands"][0]["CommandId"], json!(second));
    let other = bench.ask("ListCommands", json!({"MaxResults": 1, "NextToken": one["NextToken"]}));
    assert_eq!(other["Commands"][0]["CommandId"], json!(first));
    assert_eq!(other.get("NextToken"), None);
}

#[test]
fn listings_filter_by_time_status_document_and_instance() {
    let mut bench = Bench::new(world().windows_instances("apps", 2));
    let old = bench.send("check", &[&id(1)]);
    bench.wait(60);
    let new = bench.send("check", &[&id(1), &id(2)]);
    let found = |bench: &mut Bench, operation: &str, request: Value| -> Vec<String> {
        let listed = bench.ask(operation, request);
        let all = listed.get("Commands").unwrap_or(&listed["CommandInvocations"]).clone();
        all.as_array().unwrap().iter().map(|one| one["CommandId"].as_str().unwrap().to_owned()).collect()
    };
    let filter = |key: &str, value: &str| json!({"Filters": [{"key": key, "value": value}]});
    let cases = [
        ("InvokedAfter", "2026-03-01T12:00:30Z", vec![&new]),
        ("InvokedBefore", "2026-03-01T12:00:30Z", vec![&old]),
        ("Status", "Pending", vec![&new]),
        ("Status", "Success", vec![&old]),
        ("DocumentName", "ecs-smb-mapper-G", vec![&new, &old]),
        ("DocumentName", "AWS-RunPowerShellScript", vec![]),
        ("ExecutionStage", "Complete", vec![&old]),
        ("ExecutionStage", "Executing", vec![&new]),
    ];
    for (key, value, expected) in cases {
        assert_eq!(
            found(&mut bench, "ListCommands", filter(key, value)).iter().collect::<Vec<_>>(),
            expected,
            "{key}"
        );
    }
    let by_instance = found(&mut bench, "ListCommandInvocations", json!({"InstanceId": id(2)}));
    assert_eq!(by_instance, std::slice::from_ref(&new));
    assert_eq!(found(&mut bench, "ListCommands", json!({"InstanceId": id(1)})), [new, old]);
    assert_eq!(
        bench.refuse("ListCommandInvocations", filter("ExecutionStage", "Complete")),
        "InvalidFilterKey"
    );
    assert_eq!(bench.refuse("ListCommands", filter("Colour", "red")), "ValidationException");
    let pending_of = json!({"InstanceId": id(1), "Filters": [{"key": "Status", "value": "Pending"}]});
    assert_eq!(bench.refuse("ListCommands", pending_of), "InvalidFilterKey");
    let filters =
        |count: usize| json!({"Filters": vec![json!({"key": "Status", "value": "Success"}); count]});
    bench.ask("ListCommands", filters(5));
    assert_eq!(bench.refuse("ListCommands", filters(6)), "ValidationException");
    let unknown = json!({"CommandId": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(bench.refuse("ListCommandInvocations", unknown), "InvalidCommandId");
    assert_eq!(bench.refuse("ListCommands", json!({"CommandId": "short"})), "ValidationException");
}

#[test]
fn a_late_listing_is_empty_first_and_shows_outcomes_later() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    bench.aws.lag.ssm = Duration::from_secs(5);
    let command = bench.send("check", &[&id(1)]);
    assert_eq!(bench.details(&command), [""; 0]);
    let get = json!({"CommandId": command, "InstanceId": id(1)});
    assert_eq!(bench.refuse("GetCommandInvocation", get.clone()), "InvocationDoesNotExist");
    bench.wait(5);
    assert_eq!(bench.details(&command), ["Pending"], "it ended 2.4 s ago, which is not seen yet");
    bench.wait(3);
    assert_eq!(bench.details(&command), ["Success"]);
    let got = bench.ask("GetCommandInvocation", get);
    assert_eq!((&got["Status"], &got["ResponseCode"]), (&json!("Success"), &json!(0)));
}

#[test]
fn history_is_forgotten_after_thirty_days() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let command = bench.send("check", &[&id(1)]);
    bench.wait(30 * 86_400 - 1);
    bench.send("check", &[&id(1)]);
    assert_eq!(bench.details(&command), ["Success"]);
    bench.wait(1);
    bench.send("check", &[&id(1)]);
    assert_eq!(bench.refuse("ListCommandInvocations", json!({"CommandId": command})), "InvalidCommandId");
}

#[test]
fn cancelling_ends_what_waits_at_once_and_what_runs_soon_without_effect() {
    let slow = |host: tests::fleet::Host| host.with(|host| host.script_delay = Duration::from_secs(30));
    let mut bench = Bench::new(world().windows_instance("apps", slow).windows_instances("apps", 1));
    let command = bench.send_with("map", &[&id(1), &id(2)], json!({"MaxConcurrency": "1"}));
    bench.wait(5);
    bench.ask("CancelCommand", json!({"CommandId": command}));
    assert_eq!(bench.details(&command), ["Cancelling", "Cancelled"]);
    bench.wait(60);
    assert_eq!(bench.details(&command), ["Cancelled", "Cancelled"]);
    assert!(bench.aws.world.account.log_ons.is_empty());
    let twice = json!({"CommandId": command, "InstanceIds": [id(1), id(1)]});
    assert_eq!(bench.refuse("CancelCommand", twice), "DuplicateInstanceId");
    let foreign = json!({"CommandId": command, "InstanceIds": [id(9)]});
    assert_eq!(bench.refuse("CancelCommand", foreign), "InvalidInstanceId");
}

#[test]
fn instance_information_keeps_to_its_pages_values_and_filters() {
    let mut bench = Bench::new(
        world()
            .windows_instances("apps", 101)
            .linux_instance("apps", |host| host)
            .windows_instance("apps", |host| host.without_agent())
            .windows_instance("apps", |host| host.agent_dead()),
    );
    let page = bench.ask("DescribeInstanceInformation", json!({}));
    assert_eq!(page["InstanceInformationList"].as_array().unwrap().len(), 10, "the default page");
    for (size, code) in
        [(5, None), (50, None), (4, Some("ValidationException")), (51, Some("ValidationException"))]
    {
        let request = json!({"MaxResults": size});
        match code {
            None => {
                let page = bench.ask("DescribeInstanceInformation", request);
                assert_eq!(page["InstanceInformationList"].as_array().unwrap().len(), size);
            }
            Some(code) => assert_eq!(bench.refuse("DescribeInstanceInformation", request), code),
        }
    }
    let filter = |key: &str, values: Vec<String>| json!({"MaxResults": 50, "Filters": [{"Key": key, "Values": values}]});
    let mut found = 0;
    let mut request = filter("InstanceIds", ids(1, 100));
    loop {
        let page = bench.ask("DescribeInstanceInformation", request.clone());
        found += page["InstanceInformationList"].as_array().unwrap().len();
        let Some(token) = page.get("NextToken") else { break };
        request["NextToken"] = token.clone();
    }
    assert_eq!(found, 100);
    assert_eq!(
        bench.refuse("DescribeInstanceInformation", filter("InstanceIds", ids(1, 101))),
        "ValidationException"
    );
    let linux = bench.ask("DescribeInstanceInformation", filter("PlatformTypes", vec!["Linux".into()]));
    assert_eq!(linux["InstanceInformationList"][0]["InstanceId"], json!(id(102)));
    let named = bench.ask("DescribeInstanceInformation", filter("InstanceIds", vec![id(103), id(104)]));
    let named = named["InstanceInformationList"].as_array().unwrap();
    assert_eq!(named.len(), 1, "SSM does not know an instance whose agent never registered");
    assert_eq!(named[0]["PingStatus"], "ConnectionLost");
    let bad = filter("InstanceIds", vec!["i-1".into()]);
    assert_eq!(bench.refuse("DescribeInstanceInformation", bad), "InvalidInstanceId");
    let mixed =
        json!({"Filters": [{"Key": "tag:a", "Values": ["b"]}, {"Key": "PingStatus", "Values": ["Online"]}]});
    assert_eq!(bench.refuse("DescribeInstanceInformation", mixed), "InvalidFilterKey");
    let sleepy = filter("PingStatus", vec!["Asleep".into()]);
    assert_eq!(bench.refuse("DescribeInstanceInformation", sleepy), "InvalidInstanceInformationFilterValue");
}

#[test]
fn parameters_show_names_versions_and_dates_and_never_a_value() {
    let mut bench = Bench::new(world());
    let now = bench.now;
    bench.aws.world.write_password_parameter("hunter2", now);
    let request = json!({"ParameterFilters": [
        {"Key": "Name", "Option": "Equals", "Values": ["domainUserPassword", "domainUserName"]},
    ]});
    let listed = bench.ask("DescribeParameters", request.clone());
    let parameters = listed["Parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), 2);
    assert_eq!((&parameters[1]["Version"], &parameters[1]["Type"]), (&json!(2), &json!("SecureString")));
    assert_eq!(parameters[1]["LastModifiedDate"], json!(1_772_366_400.0));
    assert!(!listed.to_string().contains("hunter2"));
    bench.aws.world.parameters.user.readable = tests::fleet::Readable::Missing;
    assert_eq!(bench.ask("DescribeParameters", request)["Parameters"].as_array().unwrap().len(), 1);
    let option = json!({"ParameterFilters": [{"Key": "Name", "Option": "Recursive", "Values": ["x"]}]});
    assert_eq!(bench.refuse("DescribeParameters", option), "InvalidFilterOption");
    let key = json!({"ParameterFilters": [{"Key": "Colour", "Values": ["x"]}]});
    assert_eq!(bench.refuse("DescribeParameters", key), "InvalidFilterKey");
    bench.ask("DescribeParameters", json!({"MaxResults": 50}));
    assert_eq!(bench.refuse("DescribeParameters", json!({"MaxResults": 51})), "ValidationException");
}
