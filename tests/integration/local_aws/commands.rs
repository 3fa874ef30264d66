//! SSM commands: validation, sending, results, and what the listings show when.

use std::time::Duration;

use serde_json::{Value, json};
use tests::fleet::{Hang, Host, Letter, Readable, Scripted};

use super::{Bench, id, ids, len, merged, world};

/// A host whose scripts take that much longer.
fn slow(seconds: u64) -> impl FnOnce(Host) -> Host {
    move |host| host.with(|host| host.script_delay = Duration::from_secs(seconds))
}

#[test]
fn a_command_goes_from_pending_over_in_progress_to_success() {
    let mut bench = Bench::with_instances(1);
    let command = bench.send("map", &[id(1)]);
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
fn one_invalid_instance_refuses_the_whole_call() {
    let mut bench = Bench::new(
        world()
            .windows_instances("apps", 1)
            .windows_instance("apps", |host| host.without_agent())
            .windows_instance("apps", |host| host.agent_dead())
            .windows_instances("apps", 1),
    );
    bench.aws.terminate(&id(4));
    let request = |invalid: String| {
        json!({
            "DocumentName": "ecs-smb-mapper-G",
            "InstanceIds": [id(1), invalid],
            "Parameters": {"Action": ["map"]},
        })
    };
    let invalid = [id(2), id(3), id(4), "i-0aaaaaaaaaaaaaaaa".to_owned()];
    bench.refuse_all("SendCommand", "InvalidInstanceId", invalid.map(request));
    assert_eq!(bench.aws.commands().count(), 0);
}

#[test]
fn send_command_accepts_values_within_its_limits_and_refuses_others() {
    let mut bench = Bench::with_instances(51);
    let request = |instances: &[String]| json!({"DocumentName": "ecs-smb-mapper-G", "InstanceIds": instances, "Parameters": {"Action": ["check"]}});
    bench.ask("SendCommand", request(&ids(1, 50)));
    assert_eq!(bench.refuse("SendCommand", request(&ids(1, 51))), "ValidationException");
    assert_eq!(bench.refuse("SendCommand", request(&[id(1), id(1)])), "DuplicateInstanceId");
    assert_eq!(bench.refuse("SendCommand", request(&["i-1".to_owned()])), "ValidationException");
    let map = json!({"Action": ["map"]});
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
        ("Parameters", map.clone(), json!({"Action": ["mop"]}), "InvalidParameters"),
        ("Parameters", map.clone(), json!({}), "InvalidParameters"),
        ("Parameters", map, json!({"Action": ["map"], "X": ["y"]}), "InvalidParameters"),
        ("TimeoutSeconds", json!(60), json!("sixty"), "SerializationException"),
    ] {
        let with = |value: Value| merged(request(&ids(1, 1)), json!({ member: value }));
        bench.ask("SendCommand", with(inside));
        assert_eq!(bench.refuse("SendCommand", with(outside.clone())), code, "{member}: {outside}");
    }
}

#[test]
fn a_document_with_its_parameters_has_at_most_64_kilobytes() {
    let mut bench = Bench::with_instances(1);
    let request = |length: usize| {
        json!({
            "DocumentName": "AWS-RunPowerShellScript",
            "InstanceIds": [id(1)],
            "Parameters": {"commands": ["x".repeat(length)]},
        })
    };
    // The name has 8 bytes; brackets and quotes have 4.
    bench.ask("SendCommand", request(64 * 1024 - 12));
    assert_eq!(bench.refuse("SendCommand", request(64 * 1024 - 11)), "MaxDocumentSizeExceeded");
}

#[test]
fn linux_skips_the_step_which_is_a_success_without_a_result_line() {
    let mut bench = Bench::new(world().linux_instance("apps", |host| host));
    let command = bench.send("map", &[id(1)]);
    bench.wait(30);
    assert_eq!(bench.details(&command), ["Success"]);
    assert_eq!(bench.results(&command), [Value::Null]);
}

#[test]
fn at_most_max_concurrency_invocations_run_at_a_time() {
    let mut bench = Bench::with_instances(6);
    let command = bench.send_with("map", &ids(1, 6), json!({"MaxConcurrency": "2"}));
    let running = |bench: &mut Bench, command: &str| {
        bench.details(command).iter().filter(|details| *details == "InProgress").count()
    };
    let mut most = 0;
    for _ in 0..60 {
        bench.wait(1);
        most = most.max(running(&mut bench, &command));
    }
    assert_eq!(most, 2);
    assert_eq!(bench.details(&command), ["Success"; 6]);
    let half = bench.send_with("check", &ids(1, 6), json!({"MaxConcurrency": "50%"}));
    bench.wait(1);
    assert_eq!(running(&mut bench, &half), 3);
}

#[test]
fn errors_beyond_max_errors_terminate_what_has_not_started() {
    let mut bench =
        Bench::new(world().windows_instance("apps", Host::disk_on_letter).windows_instances("apps", 3));
    for (max_errors, details, of_command) in [
        ("0", ["Failed", "Terminated", "Terminated", "Terminated"], "Failed"),
        ("1", ["Failed", "Success", "Success", "Success"], "Incomplete"),
    ] {
        let options = json!({"MaxConcurrency": "1", "MaxErrors": max_errors});
        let command = bench.send_with("map", &ids(1, 4), options);
        bench.wait(60);
        assert_eq!(bench.details(&command), details);
        let listed = bench.ask("ListCommands", json!({"CommandId": command}));
        assert_eq!(listed["Commands"][0]["Status"], "Failed");
        assert_eq!(listed["Commands"][0]["StatusDetails"], of_command);
    }
}

#[test]
fn an_undelivered_invocation_does_not_count_against_max_errors() {
    let mut bench = Bench::with_instances(2);
    bench.aws.ssm_agent_falls_silent(&id(1));
    let command = bench.send_with("map", &ids(1, 2), json!({"MaxConcurrency": "1", "MaxErrors": "0"}));
    for (wait, details) in [
        (119, ["Pending", "Pending"]),
        (2, ["Delayed", "InProgress"]),
        (598, ["Delayed", "Success"]),
        (2, ["DeliveryTimedOut", "Success"]),
    ] {
        bench.wait(wait);
        assert_eq!(bench.details(&command), details);
    }
}

#[test]
fn an_agent_takes_a_waiting_invocation_only_within_the_delivery_timeout() {
    for (returns_after, expected) in [(100, "Success"), (130, "DeliveryTimedOut")] {
        let mut bench = Bench::with_instances(1);
        bench.aws.ssm_agent_falls_silent(&id(1));
        let command = bench.send("map", &[id(1)]);
        bench.wait(returns_after);
        bench.aws.ssm_agent_returns(&id(1));
        bench.wait(800);
        assert_eq!(bench.details(&command), [expected]);
    }
}

#[test]
fn a_hung_script_times_out_and_a_child_that_holds_the_output_delays_the_result_line_until_then() {
    for (hang, is_mapped, at_end) in
        [(Hang::Process, false, "ExecutionTimedOut"), (Hang::Child, true, "Failed")]
    {
        let mut bench = Bench::with_instance(|host| host.with(|host| host.hang = Some(hang)));
        let command = bench.send("map", &[id(1)]);
        bench.wait(599);
        assert_eq!(bench.details(&command), ["InProgress"]);
        assert_eq!(matches!(bench.aws.world.host(&id(1)).letter, Letter::Smb(_)), is_mapped);
        bench.wait(2);
        assert_eq!(bench.details(&command), [at_end]);
        let invocations = bench.invocations(&command);
        let plugin = &invocations[0]["CommandPlugins"][0];
        let output = plugin["Output"].as_str().unwrap_or_default();
        assert_eq!(output.contains(r#""smbMapping":"mapped""#), is_mapped, "{output}");
        assert_eq!(output.ends_with("failed to run commands: no such process"), is_mapped, "{output}");
        assert_eq!(plugin["ResponseCode"], if is_mapped { 1 } else { -1 });
    }
}

#[test]
fn a_script_that_started_late_still_succeeds_before_the_command_expires() {
    let mut bench = Bench::with_instance(slow(560));
    bench.aws.ssm_agent_falls_silent(&id(1));
    let command = bench.send_with("map", &[id(1)], json!({"TimeoutSeconds": 200}));
    bench.wait(199);
    bench.aws.ssm_agent_returns(&id(1));
    // The script starts at 199.2 s, and the command expires at 800 s.
    bench.wait(603);
    assert_eq!(bench.details(&command), ["Success"], "560 s and a map fit into 600 s");
    assert!(matches!(bench.aws.world.host(&id(1)).letter, Letter::Smb(_)));
}

#[test]
fn a_reboot_during_a_script_ends_it_without_a_result_line() {
    let mut bench = Bench::with_instance(slow(60));
    let command = bench.send("map", &[id(1)]);
    bench.wait(10);
    bench.aws.reboot(&id(1));
    bench.wait(300);
    assert_eq!(bench.details(&command), ["Failed"]);
    assert_eq!(bench.results(&command), [Value::Null]);
    assert!(bench.aws.world.account.log_ons.is_empty(), "the script had no effect");
}

#[test]
fn a_test_can_script_any_result() {
    let mut bench = Bench::with_instances(1);
    for (details, status) in [
        ("Undeliverable", "Failed"),
        ("Terminated", "Cancelled"),
        ("Delivery Timed Out", "TimedOut"),
        ("AccessDenied", "Failed"),
        ("Canceled", "Cancelled"),
        ("SomethingNew", "Failed"),
    ] {
        bench.aws.world.host(&id(1)).scripted.push_back(Scripted::new(details, 3, "free text"));
        let command = bench.send("map", &[id(1)]);
        assert_eq!(bench.details(&command), ["Pending"]);
        bench.wait(3);
        let invocation = bench.invocations(&command).remove(0);
        assert_eq!(invocation["Status"], status);
        assert_eq!(invocation["StatusDetails"].as_str().unwrap(), details.replace(' ', ""));
    }
    bench.aws.spaced_details = true;
    for (details, shown) in [("DeliveryTimedOut", "Delivery Timed Out"), ("In Progress", "In Progress")] {
        bench.aws.world.host(&id(1)).always = Some(Scripted::new(details, -1, ""));
        let command = bench.send("map", &[id(1)]);
        bench.wait(3);
        assert_eq!(bench.details(&command), [shown]);
        bench.wait(720);
        assert_eq!(bench.details(&command), ["Delivery Timed Out"]);
    }
}

#[test]
fn output_holds_the_result_line_and_the_agents_text_within_2500_bytes() {
    let mut bench = Bench::with_instance(Host::disk_on_letter);
    let plugin = |bench: &mut Bench, wait| {
        let command = bench.send("map", &[id(1)]);
        bench.wait(wait);
        bench.invocations(&command).remove(0)["CommandPlugins"][0].clone()
    };
    let failed = plugin(&mut bench, 30);
    assert_eq!(failed["ResponseCode"], 78);
    let output = failed["Output"].as_str().unwrap();
    assert!(output.starts_with(r#"{"smbMapping":"failed""#));
    assert!(output.ends_with("----------ERROR-------\nfailed to run commands: exit status 78"), "{output}");
    for length in [2500, 2501] {
        bench.aws.world.host(&id(1)).scripted.push_back(Scripted::success(&"x".repeat(length)));
        assert_eq!(plugin(&mut bench, 3)["Output"].as_str().unwrap().len(), 2500);
    }
}

#[test]
fn listings_are_newest_first_in_pages_of_at_most_fifty() {
    let mut bench = Bench::with_instances(50);
    let first = bench.send("check", &ids(1, 50));
    bench.wait(1);
    let second = bench.send("check", &ids(1, 30));
    let page = bench.ask("ListCommandInvocations", json!({}));
    let listed = page["CommandInvocations"].as_array().unwrap();
    assert_eq!((&listed[0]["CommandId"], &listed[49]["CommandId"]), (&json!(second), &json!(first)));
    assert_eq!(listed[0]["CommandPlugins"], json!([]), "no details were requested");
    for request in [json!({}), json!({"MaxResults": 50})] {
        assert_eq!(bench.page_sizes("ListCommandInvocations", "CommandInvocations", request), [50, 30]);
    }
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
fn listings_filter_by_time_status_and_document() {
    let mut bench = Bench::with_instances(2);
    let old = bench.send("check", &[id(1)]);
    bench.wait(60);
    let new = bench.send("check", &ids(1, 2));
    let found = |bench: &mut Bench, operation: &str, request: Value| -> Vec<String> {
        let listed = bench.ask(operation, request);
        let all = listed.get("Commands").unwrap_or(&listed["CommandInvocations"]).as_array().unwrap();
        all.iter().map(|one| one["CommandId"].as_str().unwrap().to_owned()).collect()
    };
    let filter = |key: &str, value: &str| json!({"Filters": [{"key": key, "value": value}]});
    for (key, value, expected) in [
        ("InvokedAfter", "2026-03-01T12:00:30Z", vec![&new]),
        ("Status", "Pending", vec![&new]),
        ("Status", "Success", vec![&old]),
        ("DocumentName", "ecs-smb-mapper-G", vec![&new, &old]),
        ("DocumentName", "AWS-RunPowerShellScript", vec![]),
    ] {
        let listed = found(&mut bench, "ListCommands", filter(key, value));
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{key}");
    }
    let filters =
        |count: usize| json!({"Filters": vec![json!({"key": "Status", "value": "Success"}); count]});
    bench.ask("ListCommands", filters(5));
    let unknown = json!({"CommandId": "00000000-0000-4000-8000-000000000000"});
    for (operation, request, code) in [
        ("ListCommands", filter("Colour", "red"), "ValidationException"),
        ("ListCommands", json!({"InstanceId": id(1)}), "SerializationException"),
        ("ListCommands", filters(6), "ValidationException"),
        ("ListCommandInvocations", unknown, "InvalidCommandId"),
        ("ListCommands", json!({"CommandId": "short"}), "ValidationException"),
    ] {
        bench.refuse_all(operation, code, [request]);
    }
}

#[test]
fn a_late_listing_is_empty_first_and_shows_results_later() {
    let mut bench = Bench::with_instances(1);
    bench.aws.lag.ssm = Duration::from_secs(5);
    let command = bench.send("check", &[id(1)]);
    assert_eq!(bench.details(&command), [""; 0]);
    bench.wait(5);
    assert_eq!(bench.details(&command), ["Pending"], "it ended 2.4 s ago, which is not visible yet");
    bench.wait(3);
    assert_eq!(bench.details(&command), ["Success"]);
}

#[test]
fn the_history_ends_after_thirty_days() {
    let mut bench = Bench::with_instances(1);
    let command = bench.send("check", &[id(1)]);
    bench.wait(30 * 86_400 - 1);
    bench.send("check", &[id(1)]);
    assert_eq!(bench.details(&command), ["Success"]);
    bench.wait(1);
    bench.send("check", &[id(1)]);
    assert_eq!(bench.refuse("ListCommandInvocations", json!({"CommandId": command})), "InvalidCommandId");
}

#[test]
fn instance_information_has_pages_and_filters_with_limits() {
    let mut bench = Bench::new(
        world()
            .windows_instances("apps", 101)
            .linux_instance("apps", |host| host)
            .windows_instance("apps", |host| host.without_agent())
            .windows_instance("apps", |host| host.agent_dead()),
    );
    let (operation, list) = ("DescribeInstanceInformation", "InstanceInformationList");
    for (request, size) in [(json!({}), 10), (json!({"MaxResults": 5}), 5), (json!({"MaxResults": 50}), 50)] {
        assert_eq!(len(&bench.ask(operation, request)[list]), size, "10 is the default");
    }
    bench.refuse_all(operation, "ValidationException", [4, 51].map(|size| json!({ "MaxResults": size })));
    let filter =
        |key: &str, values: &[String]| json!({"MaxResults": 50, "Filters": [{"Key": key, "Values": values}]});
    assert_eq!(bench.page_sizes(operation, list, filter("InstanceIds", &ids(1, 100))), [50, 50]);
    let linux = bench.ask(operation, filter("InstanceIds", &ids(102, 102)));
    assert_eq!(linux[list][0]["PlatformType"], "Linux");
    let named = bench.ask(operation, filter("InstanceIds", &ids(103, 104)));
    assert_eq!(len(&named[list]), 1, "SSM does not know an instance whose agent never registered");
    assert_eq!(named[list][0]["PingStatus"], "ConnectionLost");
    for (request, code) in [
        (filter("InstanceIds", &ids(1, 101)), "ValidationException"),
        (filter("InstanceIds", &["i-1".to_owned()]), "InvalidInstanceId"),
        (filter("PingStatus", &["Online".to_owned()]), "InvalidFilterKey"),
    ] {
        bench.refuse_all(operation, code, [request]);
    }
}

#[test]
fn parameters_show_names_versions_and_dates_but_no_value() {
    let mut bench = Bench::new(world());
    let now = bench.now;
    bench.aws.world.write_password_parameter("hunter2", now);
    let filter = |key: &str, option: &str, values: Value| json!({"ParameterFilters": [{"Key": key, "Option": option, "Values": values}]});
    let both = filter("Name", "Equals", json!(["domainUserPassword", "domainUserName"]));
    let listed = bench.ask("DescribeParameters", both.clone());
    let parameters = listed["Parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), 2);
    assert_eq!((&parameters[1]["Version"], &parameters[1]["Type"]), (&json!(2), &json!("SecureString")));
    assert_eq!(parameters[1]["LastModifiedDate"], json!(1_772_366_400.0));
    assert!(!listed.to_string().contains("hunter2"));
    bench.aws.world.parameters.user.readable = Readable::Missing;
    assert_eq!(len(&bench.ask("DescribeParameters", both)["Parameters"]), 1);
    bench.ask("DescribeParameters", json!({"MaxResults": 50}));
    for (request, code) in [
        (filter("Name", "Recursive", json!(["x"])), "InvalidFilterOption"),
        (filter("Colour", "Equals", json!(["x"])), "InvalidFilterKey"),
        (json!({"MaxResults": 51}), "ValidationException"),
    ] {
        bench.refuse_all("DescribeParameters", code, [request]);
    }
}
