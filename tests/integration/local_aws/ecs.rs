//! ECS: listing, describing, attributes, status, rates, task definitions, services, tasks and events.

use std::time::Duration;

use serde_json::{Value, json};
use tests::fleet::Platform;
use tests::local_aws::ecs::{ContainerInstance, Status};
use tests::local_aws::throttles::Bucket;

use super::{Bench, id, len, merged, world};

const REFUSED: &str = "InvalidParameterException";

impl Bench {
    fn instance(&self, n: u64) -> &ContainerInstance {
        self.aws.container_instance(&id(n)).unwrap()
    }

    fn arn(&self, n: u64) -> String {
        self.instance(n).arn.to_string()
    }

    /// The ARNs that `ListContainerInstances` returns.
    fn arns(&mut self, request: Value) -> Vec<String> {
        let listed = self.ask("ListContainerInstances", in_apps(request));
        let arns = listed["containerInstanceArns"].as_array().unwrap().iter();
        arns.map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// The kinds of change in the emitted events.
    fn events(&mut self, member: &str) -> Vec<Value> {
        self.aws.drain_events().iter().map(|event| event["detail"][member].clone()).collect()
    }
}

/// A request about the cluster `apps`.
fn in_apps(request: Value) -> Value {
    merged(json!({"cluster": "apps"}), request)
}

fn attribute(target: &str, name: &str, value: &str) -> Value {
    json!({"name": name, "value": value, "targetType": "container-instance", "targetId": target})
}

/// A request of `PutAttributes` or `DeleteAttributes`.
fn attributes(attributes: Vec<Value>) -> Value {
    in_apps(json!({ "attributes": attributes }))
}

#[test]
fn container_instances_are_listed_in_pages_of_a_hundred() {
    let mut bench = Bench::with_instances(101);
    let operation = "ListContainerInstances";
    assert_eq!(bench.page_sizes(operation, "containerInstanceArns", in_apps(json!({}))), [100, 1]);
    assert_eq!(bench.arns(json!({"maxResults": 1})).len(), 1);
    let wrong = [json!({"maxResults": 0}), json!({"maxResults": 101}), json!({"nextToken": "nonsense"})];
    bench.refuse_all(operation, REFUSED, wrong.map(in_apps));
    bench.refuse_all(operation, "ClusterNotFoundException", [json!({"cluster": "other"}), json!({})]);
    let arn = "arn:aws:ecs:eu-west-1:111122223333:cluster/apps";
    assert_eq!(bench.arns(json!({"cluster": arn, "maxResults": 2})).len(), 2);
}

#[test]
fn the_filter_language_finds_instances_by_id_and_attribute() {
    let mut bench = Bench::new(
        world().windows_instances("apps", 3).linux_instance("apps", |host| host.attribute("smb.G", "mapped")),
    );
    let by = |filter: &str| json!({ "filter": filter });
    assert_eq!(bench.arns(by(&format!("ec2InstanceId in ['{}','{}']", id(1), id(9)))), [bench.arn(1)]);
    assert_eq!(bench.arns(by("attribute:smb.G == mapped")), [bench.arn(4)]);
    assert_eq!(bench.arns(by("attribute:smb.G !exists and attribute:ecs.os-type == windows")).len(), 3);
    bench.refuse_all("ListContainerInstances", REFUSED, [in_apps(by("colour == red"))]);
}

#[test]
fn up_to_a_hundred_instances_are_described_and_missing_ones_are_failures() {
    let mut bench = Bench::with_instances(1);
    let arn = bench.arn(1);
    let operation = "DescribeContainerInstances";
    let request = |references: Vec<String>| in_apps(json!({ "containerInstances": references }));
    let short = arn.rsplit('/').next().unwrap().to_owned();
    let described = bench.ask(operation, request(vec![arn.clone(), short, "f".repeat(32)]));
    assert_eq!(len(&described["containerInstances"]), 2);
    assert_eq!(described["failures"][0]["reason"], "MISSING");
    let mut shown = described["containerInstances"][0]["attributes"].as_array().unwrap().iter();
    assert!(shown.any(|one| one.get("value").is_none()), "some attributes have no value");
    bench.ask(operation, request(vec![arn.clone(); 100]));
    bench.refuse_all(operation, REFUSED, [request(vec![arn; 101]), request(vec![])]);
}

#[test]
fn only_active_becomes_draining_and_any_other_status_is_a_failure_inside_a_200() {
    let mut bench = Bench::with_instances(11);
    let arns: Vec<_> = (1..=11).map(|n| bench.arn(n)).collect();
    let request =
        |arns: &[String], status: &str| in_apps(json!({"containerInstances": arns, "status": status}));
    let update = "UpdateContainerInstancesState";
    let answer = bench.ask(update, request(&arns[..10], "DRAINING"));
    assert_eq!(answer["failures"], json!([]));
    assert_eq!(bench.instance(1).status, Status::Draining);
    let again = bench.ask(update, request(&arns[..1], "DRAINING"));
    assert_eq!(again["failures"][0]["arn"], json!(arns[0]));
    assert_eq!(again["containerInstances"], json!([]));
    let missing = bench.ask(update, request(&["f".repeat(32)], "DRAINING"));
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
    bench.ask(update, request(&arns[..1], "ACTIVE"));
    assert_eq!(bench.instance(1).status, Status::Active);
    bench.refuse_all(update, REFUSED, [request(&arns, "DRAINING"), request(&arns[..1], "DEREGISTERING")]);
    bench.aws.terminate(&id(2));
    bench.wait(60);
    let gone = bench.ask(update, request(&arns[1..2], "ACTIVE"));
    assert_eq!(gone["failures"][0]["reason"], "INACTIVE");
}

#[test]
fn attributes_are_limited_to_ten_per_call_and_ten_per_instance() {
    let mut bench = Bench::with_instances(2);
    let (one, two) = (bench.arn(1), bench.arn(2));
    let ten: Vec<_> = (0..10).map(|n| attribute(&one, &format!("a{n}"), "v")).collect();
    let answer = bench.ask("PutAttributes", attributes(ten.clone()));
    assert_eq!(len(&answer["attributes"]), 10);
    let mut eleven = ten;
    eleven.push(attribute(&two, "a", "v"));
    bench.refuse_all("PutAttributes", REFUSED, [attributes(eleven), attributes(vec![])]);
    let new = attributes(vec![attribute(&one, "a10", "v")]);
    bench.refuse_all("PutAttributes", "AttributeLimitExceededException", [new.clone()]);
    bench.ask("PutAttributes", attributes(vec![attribute(&one, "a9", "changed")]));
    bench.ask("DeleteAttributes", attributes(vec![attribute(&one, "a8", "v")]));
    bench.ask("PutAttributes", new);
}

#[test]
fn one_missing_target_refuses_the_whole_call_without_effect() {
    let mut bench = Bench::with_instances(2);
    let (one, two) = (bench.arn(1), bench.arn(2));
    bench.aws.terminate(&id(2));
    bench.wait(60);
    for gone in [two.as_str(), "f00", "arn:aws:ecs:eu-west-1:111122223333:container-instance/other/f00"] {
        let request =
            attributes(vec![attribute(&one, "smb.G", "mapped"), attribute(gone, "smb.G", "mapped")]);
        for operation in ["PutAttributes", "DeleteAttributes"] {
            bench.refuse_all(operation, "TargetNotFoundException", [request.clone()]);
        }
    }
    assert_eq!(bench.instance(1).attribute("smb.G"), None);
}

#[test]
fn a_refused_put_can_have_put_the_attributes_before_the_missing_target() {
    let mut bench = Bench::with_instances(2);
    bench.aws.partial_puts = true;
    let (one, two) = (bench.arn(1), bench.arn(2));
    let three = vec![attribute(&one, "n", "v"), attribute("f00", "n", "v"), attribute(&two, "n", "v")];
    bench.refuse_all("PutAttributes", "TargetNotFoundException", [attributes(three)]);
    assert_eq!((bench.instance(1).attribute("n"), bench.instance(2).attribute("n")), (Some("v"), None));
}

#[test]
fn late_reads_show_the_earlier_state_and_writes_act_on_the_current_one() {
    let mut bench = Bench::with_instances(1);
    bench.aws.lag.ecs = Duration::from_secs(5);
    let arn = bench.arn(1);
    let mapped = json!({"filter": "attribute:smb.G == mapped"});
    let list = in_apps(json!({"targetType": "container-instance", "attributeName": "smb.G"}));
    let status = |bench: &mut Bench| {
        let request = in_apps(json!({ "containerInstances": [bench.arn(1)] }));
        bench.ask("DescribeContainerInstances", request)["containerInstances"][0]["status"].clone()
    };
    bench.ask("PutAttributes", attributes(vec![attribute(&arn, "smb.G", "mapped")]));
    bench.wait(3);
    let drain = in_apps(json!({"containerInstances": [arn], "status": "DRAINING"}));
    bench.ask("UpdateContainerInstancesState", drain.clone());
    bench.wait(1);
    assert_eq!(bench.arns(mapped.clone()), [""; 0]);
    assert_eq!(bench.ask("ListAttributes", list.clone())["attributes"], json!([]));
    let again = bench.ask("UpdateContainerInstancesState", drain);
    assert_eq!(again["failures"][0]["reason"], "INVALID_STATUS", "the write sees the current state");
    bench.wait(1);
    assert_eq!(bench.arns(mapped).len(), 1);
    assert_eq!(len(&bench.ask("ListAttributes", list)["attributes"]), 1);
    assert_eq!(status(&mut bench), "ACTIVE");
    bench.wait(3);
    assert_eq!(status(&mut bench), "DRAINING");
}

#[test]
fn names_and_values_of_attributes_are_limited_in_length_and_characters() {
    let mut bench = Bench::with_instances(1);
    let arn = bench.arn(1);
    let put = |name: &str, value: &str| attributes(vec![attribute(&arn, name, value)]);
    for (name, value) in [
        ("smb.G", "mapped"),
        (&"n".repeat(128), "v"),
        ("a-b_c/d\\e", "2026-03-01T12:00:00.000Z a@b:c"),
        ("n", &"v".repeat(128)),
    ] {
        bench.ask("PutAttributes", put(name, value));
    }
    let names = ["", &"n".repeat(129), "smb G", "smb:G"].map(|name| put(name, "v"));
    let values = [" v", "v ", "v,w", "é", &"v".repeat(129)].map(|value| put("n", value));
    bench.refuse_all("PutAttributes", REFUSED, names.into_iter().chain(values));
    let short = arn.rsplit('/').next().unwrap();
    let untyped = json!({"name": "n", "value": "v", "targetId": short});
    bench.refuse_all("PutAttributes", REFUSED, [attributes(vec![untyped])]);
    bench.ask("PutAttributes", attributes(vec![attribute(short, "by-short-id", "v")]));
    assert_eq!(bench.instance(1).attribute("by-short-id"), Some("v"));
}

#[test]
fn attributes_are_listed_by_name_and_value_in_pages() {
    let mut bench = Bench::with_instances(3);
    for n in 1..=3 {
        bench.aws.operator_sets_attribute(&id(n), "smb.G", Some(if n == 2 { "shut" } else { "mapped" }));
    }
    let list = |more: Value| in_apps(merged(json!({"targetType": "container-instance"}), more));
    let mapped = list(json!({"attributeName": "smb.G", "attributeValue": "mapped"}));
    assert_eq!(len(&bench.ask("ListAttributes", mapped)["attributes"]), 2);
    let sizes = bench.page_sizes("ListAttributes", "attributes", list(json!({"maxResults": 2})));
    assert_eq!(sizes.iter().sum::<usize>(), 3 * 9, "eight built-in attributes and a custom one on each");
    let wrong =
        [list(json!({"attributeValue": "mapped"})), in_apps(json!({})), list(json!({"maxResults": 101}))];
    bench.refuse_all("ListAttributes", REFUSED, wrong);
}

#[test]
fn every_bucket_has_its_documented_burst_and_rate() {
    let one = json!({"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 1}]});
    let world = world().windows_instances("apps", 1).task_definition(one.clone());
    let mut bench = Bench::new(world.service("apps", json!({"serviceName": "s", "taskDefinition": "f"})));
    let arn = bench.arn(1);
    for (operation, request, burst, per_second) in [
        ("PutAttributes", attributes(vec![attribute(&arn, "n", "v")]), 100, 40),
        ("ListContainerInstances", in_apps(json!({})), 100, 20),
        ("DescribeServices", in_apps(json!({"services": ["s"]})), 100, 20),
        ("RegisterTaskDefinition", one, 20, 1),
        ("DescribeTaskDefinition", json!({"taskDefinition": "f"}), 50, 20),
    ] {
        let answered = |bench: &mut Bench| {
            (0..200).take_while(|_| bench.reply(operation, request.clone()).status == 200).count()
        };
        assert_eq!(answered(&mut bench), burst, "{operation}");
        bench.refuse_all(operation, "ThrottlingException", [request.clone()]);
        bench.wait(1);
        assert_eq!(answered(&mut bench), per_second, "{operation}");
        bench.wait(3600);
        assert_eq!(answered(&mut bench), burst, "{operation}: no more tokens than the burst are saved");
    }
}

#[test]
fn the_customers_own_calls_use_the_same_bucket() {
    let mut bench = Bench::with_instances(1);
    let put = attributes(vec![attribute(&bench.arn(1), "n", "v")]);
    let now = bench.now;
    assert_eq!(bench.aws.throttles.take_many(Bucket::ClusterResourceModify, 99, now), 99);
    bench.ask("PutAttributes", put.clone());
    bench.refuse_all("PutAttributes", "ThrottlingException", [put.clone()]);
    bench.aws.throttles.customer_takes(Bucket::ClusterResourceModify, 39, now);
    bench.wait(1);
    bench.ask("PutAttributes", put.clone());
    bench.refuse_all("PutAttributes", "ThrottlingException", [put]);
    bench.ask("ListContainerInstances", in_apps(json!({})));
}

#[test]
fn stopped_hosts_stay_registered_and_registering_again_leaves_a_stale_registration() {
    let mut bench = Bench::with_instances(1);
    bench.aws.operator_sets_attribute(&id(1), "smb.G", Some("mapped"));
    bench.aws.stop(&id(1));
    bench.wait(60);
    assert_eq!((bench.instance(1).status, bench.instance(1).agent_connected), (Status::Active, false));
    bench.aws.start(&id(1));
    bench.wait(300);
    assert!(bench.instance(1).agent_connected);
    assert_eq!(bench.instance(1).attribute("smb.G"), Some("mapped"), "attributes stay");
    let before = bench.arn(1);
    bench.aws.register_again(&id(1));
    assert_ne!(before, bench.arn(1));
    assert_eq!(bench.arns(json!({})).len(), 2);
    assert_eq!(bench.instance(1).attribute("smb.G"), None);
}

#[test]
fn a_launch_emits_the_events_of_ec2_and_ecs_in_order() {
    let mut bench = Bench::new(world());
    let host = bench.aws.launch(Platform::Windows, Some("apps"), |host| host);
    bench.wait(300);
    let events = bench.aws.drain_events();
    let change = |event: &Value| event["detail"].get("state").or(event["detail"].get("status")).cloned();
    assert_eq!(events.iter().filter_map(change).collect::<Vec<_>>(), ["pending", "running", "ACTIVE"]);
    let ecs = &events[2];
    assert_eq!(ecs["detail-type"], "ECS Container Instance State Change");
    assert_eq!(ecs["detail"]["ec2InstanceId"].as_str().unwrap(), &*host);
    assert_eq!(ecs["detail"]["clusterArn"], "arn:aws:ecs:eu-west-1:111122223333:cluster/apps");
    assert_eq!(ecs["resources"][0], ecs["detail"]["containerInstanceArn"]);
    let shown = ecs["detail"]["attributes"].as_array().unwrap();
    assert!(shown.contains(&json!({"name": "ecs.os-type", "value": "windows"})));
    assert_eq!(bench.aws.drain_events(), [Value::Null; 0]);
    bench.aws.reboot(&host);
    bench.wait(300);
    let connected = [json!(false), Value::Null, json!(true)];
    assert_eq!(bench.events("agentConnected"), connected, "the agent's, around EC2's event of the boot");
}

#[test]
fn put_attributes_emits_no_event_and_a_change_of_status_emits_one() {
    let mut bench = Bench::with_instances(1);
    let arn = bench.arn(1);
    bench.ask("PutAttributes", attributes(vec![attribute(&arn, "smb.G", "mapped")]));
    assert_eq!(bench.aws.drain_events(), [Value::Null; 0]);
    let drain = in_apps(json!({"containerInstances": [arn], "status": "DRAINING"}));
    bench.ask("UpdateContainerInstancesState", drain);
    let events = bench.aws.drain_events();
    let detail = &events[0]["detail"];
    assert_eq!((events.len(), &detail["status"], &detail["version"]), (1, &json!("DRAINING"), &json!(2)));
}

fn definition(family: &str, more: Value) -> Value {
    let container = json!({"name": "app", "image": "app:1", "memory": 512, "cpu": 256});
    merged(json!({"family": family, "containerDefinitions": [container]}), more)
}

fn with_gate(family: &str) -> Value {
    let gate = json!([{"type": "memberOf", "expression": "attribute:smb.G == mapped"}]);
    definition(family, json!({ "placementConstraints": gate }))
}

/// One instance and the task definition `f`.
fn with_definition(definition: Value) -> Bench {
    Bench::new(world().task_definition(definition).windows_instances("apps", 1))
}

#[test]
fn a_task_with_the_gate_is_placed_only_on_a_mapped_instance() {
    let mut bench = Bench::new(
        world()
            .task_definition(with_gate("gated"))
            .task_definition(definition("ungated", json!({})))
            .windows_instances("apps", 2),
    );
    let run = |family: &str| in_apps(json!({ "taskDefinition": family }));
    let refused = bench.ask("RunTask", run("gated"));
    assert_eq!(refused["tasks"], json!([]));
    assert_eq!(refused["failures"][0]["reason"], "MemberOf placement constraint unsatisfied.");
    assert_eq!(bench.ask("RunTask", run("ungated"))["failures"], json!([]));
    bench.aws.operator_sets_attribute(&id(2), "smb.G", Some("mapped"));
    let placed = bench.ask("RunTask", run("gated"));
    assert_eq!(placed["tasks"][0]["containerInstanceArn"], json!(bench.arn(2)));
    assert_eq!(placed["tasks"][0]["lastStatus"], "PENDING");
    bench.wait(10);
    let task = &placed["tasks"][0]["taskArn"];
    assert_eq!(bench.instance(2).running, 1);
    bench.ask("StopTask", in_apps(json!({"task": task, "reason": "done"})));
    bench.wait(10);
    assert_eq!((bench.instance(2).running, bench.instance(2).remaining), (0, bench.instance(2).capacity));
    let stopped = bench.aws.tasks("apps").filter(|task| task.last_status == "STOPPED");
    assert_eq!(stopped.map(|task| &task.family).collect::<Vec<_>>(), ["gated"]);
    bench.refuse_all("StopTask", REFUSED, [in_apps(json!({"task": "f00"}))]);
}

#[test]
fn tasks_are_placed_only_on_active_connected_instances_with_capacity() {
    let mut bench = with_definition(definition("f", json!({})));
    let run = |count: u32| in_apps(json!({"taskDefinition": "f", "count": count}));
    let reason = |bench: &mut Bench| bench.ask("RunTask", run(1))["failures"][0]["reason"].clone();
    bench.aws.set_ecs_connected(&id(1), false);
    assert_eq!(reason(&mut bench), "AGENT");
    bench.aws.set_ecs_connected(&id(1), true);
    bench.aws.operator_sets_status(&id(1), Status::Draining);
    assert_eq!(reason(&mut bench), "No Container Instances were found in your cluster.");
    bench.aws.operator_sets_status(&id(1), Status::Active);
    let full = bench.ask("RunTask", run(9));
    assert_eq!(len(&full["tasks"]), 8, "2,048 units hold eight of 256");
    assert_eq!(full["failures"][0]["reason"], "RESOURCE:CPU");
    bench.wait(10);
    bench.aws.terminate(&id(1));
    bench.wait(60);
    assert!(bench.aws.tasks("apps").all(|task| task.last_status == "STOPPED"));
}

#[test]
fn run_task_has_limits() {
    let mut bench = with_definition(with_gate("f"));
    for (inside, outside) in [(10, 11), (1, 0)] {
        let run = |count: i64| in_apps(json!({"taskDefinition": "f", "count": count}));
        bench.ask("RunTask", run(inside));
        bench.refuse_all("RunTask", REFUSED, [run(outside)]);
    }
    bench.refuse_all("RunTask", "ClientException", [in_apps(json!({"taskDefinition": "none"}))]);
}

#[test]
fn draining_stops_pending_service_tasks_and_leaves_the_others() {
    let mut bench = with_definition(definition("f", json!({})));
    for group in ["service:web", "family:f"] {
        bench.ask("RunTask", in_apps(json!({"taskDefinition": "f", "group": group})));
    }
    bench.aws.operator_sets_status(&id(1), Status::Draining);
    bench.wait(10);
    let mut left: Vec<_> = bench.aws.tasks("apps").map(|task| task.last_status).collect();
    left.sort_unstable();
    assert_eq!(left, ["RUNNING", "STOPPED"]);
}

#[test]
fn task_definitions_have_revisions() {
    let mut bench = Bench::new(world().task_definition(definition("f000", json!({}))));
    let registered = bench.ask("RegisterTaskDefinition", definition("f000", json!({"cpu": "256"})));
    assert_eq!(registered["taskDefinition"]["revision"], 2);
    assert_eq!(registered["taskDefinition"]["containerDefinitions"][0]["essential"], true);
    let arn = registered["taskDefinition"]["taskDefinitionArn"].clone();
    let named = |reference: Value| json!({ "taskDefinition": reference });
    for (reference, revision) in [(json!("f000"), 2), (json!("f000:1"), 1), (arn, 2)] {
        let found = bench.ask("DescribeTaskDefinition", named(reference));
        assert_eq!(found["taskDefinition"]["revision"], revision);
    }
    let missing = ["f000:3", "f000:0", "none", "f000:x", "arn:aws:ecs:us-east-1:1:task-definition/f000:1"];
    bench.refuse_all("DescribeTaskDefinition", "ClientException", missing.map(|one| named(json!(one))));
}

#[test]
fn invalid_task_definitions_are_refused() {
    let mut bench = Bench::new(world());
    let gates = |count: usize| {
        let one = json!({"type": "memberOf", "expression": "attribute:smb.G == mapped"});
        definition("f", json!({"placementConstraints": vec![one; count]}))
    };
    bench.ask("RegisterTaskDefinition", gates(10));
    bench.ask("RegisterTaskDefinition", definition(&"f".repeat(255), json!({})));
    let container = |value: Value| json!({"family": "f", "containerDefinitions": [value]});
    let refused = [
        gates(11),
        definition(&"f".repeat(256), json!({})),
        definition("f g", json!({})),
        json!({"family": "f", "containerDefinitions": []}),
        container(json!({"name": "c", "memory": 1})),
        container(json!({"name": "c", "image": "i"})),
        container(json!({"name": "c", "image": "i", "memory": 1, "mountPoints": [{"sourceVolume": "v"}]})),
        definition("f", json!({"volumes": [{"name": "v"}, {"name": "v"}]})),
        definition("f", json!({"placementConstraints": [{"type": "memberOf", "expression": "colour =="}]})),
        definition("f", json!({"placementConstraints": [{"type": "distinctInstance"}]})),
    ];
    bench.refuse_all("RegisterTaskDefinition", "ClientException", refused);
}

#[test]
fn ten_services_fit_on_a_page_and_into_a_description() {
    let mut world = world().task_definition(definition("f", json!({})));
    for n in 0..11 {
        world = world.service("apps", json!({"serviceName": format!("s{n:02}"), "taskDefinition": "f"}));
    }
    let mut bench = Bench::new(world);
    let list = "ListServices";
    assert_eq!(bench.page_sizes(list, "serviceArns", in_apps(json!({}))), [10, 1]);
    let all = bench.ask(list, in_apps(json!({"maxResults": 100})))["serviceArns"].clone();
    assert_eq!(len(&all), 11);
    bench.refuse_all(list, REFUSED, [in_apps(json!({"maxResults": 101}))]);
    let describe = |services: &[Value]| in_apps(json!({ "services": services }));
    let all = all.as_array().unwrap();
    let described = bench.ask("DescribeServices", describe(&all[..10]));
    assert_eq!(len(&described["services"]), 10);
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/f:1";
    assert_eq!(described["services"][0]["taskDefinition"], arn);
    bench.refuse_all("DescribeServices", REFUSED, [describe(all)]);
    let missing = bench.ask("DescribeServices", describe(&[json!("none")]));
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
}

#[test]
fn unknown_operations_and_bodies_of_a_wrong_type_are_refused() {
    let mut bench = Bench::new(world());
    assert_eq!(bench.refuse("AmazonSSM.DeleteEverything", json!({})), "UnknownOperationException");
    bench.refuse_all("ListServices", "SerializationException", [json!([]), json!({"maxResults": "ten"})]);
}
