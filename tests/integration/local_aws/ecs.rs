//! ECS: listing, describing, attributes, status, rates, task definitions, services, tasks and events.

use serde_json::{Value, json};
use tests::fleet::Platform;
use tests::local_aws::ecs::Status;
use tests::local_aws::throttles::Bucket;

use super::{Bench, id, world};

impl Bench {
    fn arns(&mut self, request: Value) -> Vec<String> {
        let listed = self.ask("ListContainerInstances", request);
        listed["containerInstanceArns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect()
    }

    fn arn(&mut self, ec2: &str) -> String {
        self.aws.container_instance(ec2).unwrap().arn.to_string()
    }

    fn status(&mut self, ec2: &str) -> Status {
        self.aws.container_instance(ec2).unwrap().status
    }
}

fn attribute(target: &str, name: &str, value: &str) -> Value {
    json!({"name": name, "value": value, "targetType": "container-instance", "targetId": target})
}

#[test]
fn container_instances_come_in_pages_of_a_hundred() {
    let mut bench = Bench::new(world().windows_instances("apps", 101));
    let page = bench.ask("ListContainerInstances", json!({"cluster": "apps"}));
    assert_eq!(page["containerInstanceArns"].as_array().unwrap().len(), 100);
    assert_eq!(bench.arns(json!({"cluster": "apps", "nextToken": page["nextToken"]})).len(), 1);
    assert_eq!(bench.arns(json!({"cluster": "apps", "maxResults": 1})).len(), 1);
    for size in [0, 101] {
        let request = json!({"cluster": "apps", "maxResults": size});
        assert_eq!(bench.refuse("ListContainerInstances", request), "InvalidParameterException");
    }
    let token = json!({"cluster": "apps", "nextToken": "nonsense"});
    assert_eq!(bench.refuse("ListContainerInstances", token), "InvalidParameterException");
    assert_eq!(
        bench.refuse("ListContainerInstances", json!({"cluster": "other"})),
        "ClusterNotFoundException"
    );
    assert_eq!(bench.refuse("ListContainerInstances", json!({})), "ClusterNotFoundException");
    let arn = "arn:aws:ecs:eu-west-1:111122223333:cluster/apps";
    assert_eq!(bench.arns(json!({"cluster": arn, "maxResults": 2})).len(), 2);
}

#[test]
fn the_filter_language_finds_by_id_and_attribute() {
    let mut bench = Bench::new(
        world().windows_instances("apps", 3).linux_instance("apps", |host| host.attribute("smb.G", "mapped")),
    );
    let by = |filter: &str| json!({"cluster": "apps", "filter": filter});
    assert_eq!(bench.arns(by(&format!("ec2InstanceId in ['{}','{}']", id(1), id(9)))), [bench.arn(&id(1))]);
    assert_eq!(bench.arns(by("attribute:smb.G == mapped")), [bench.arn(&id(4))]);
    assert_eq!(bench.arns(by("attribute:smb.G !exists and attribute:ecs.os-type == windows")).len(), 3);
    assert_eq!(bench.refuse("ListContainerInstances", by("colour == red")), "InvalidParameterException");
}

#[test]
fn describing_takes_a_hundred_and_puts_what_is_missing_into_failures() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let arn = bench.arn(&id(1));
    let request = |references: Vec<String>| json!({"cluster": "apps", "containerInstances": references});
    let short = arn.rsplit('/').next().unwrap().to_owned();
    let described =
        bench.ask("DescribeContainerInstances", request(vec![arn.clone(), short, "f".repeat(32)]));
    assert_eq!(described["containerInstances"].as_array().unwrap().len(), 2);
    assert_eq!(described["failures"][0]["reason"], "MISSING");
    let no_value = described["containerInstances"][0]["attributes"].as_array().unwrap().iter();
    assert!(no_value.clone().any(|one| one.get("value").is_none()), "some attributes have none");
    bench.ask("DescribeContainerInstances", request(vec![arn.clone(); 100]));
    assert_eq!(
        bench.refuse("DescribeContainerInstances", request(vec![arn; 101])),
        "InvalidParameterException"
    );
    assert_eq!(bench.refuse("DescribeContainerInstances", request(vec![])), "InvalidParameterException");
}

#[test]
fn only_active_becomes_draining_and_the_rest_is_a_failure_inside_a_200() {
    let mut bench = Bench::new(world().windows_instances("apps", 11));
    let arns: Vec<_> = (1..=11).map(|n| bench.arn(&id(n))).collect();
    let request = |arns: &[String], status: &str| json!({"cluster": "apps", "containerInstances": arns, "status": status});
    let update = "UpdateContainerInstancesState";
    let answer = bench.ask(update, request(&arns[..10], "DRAINING"));
    assert_eq!(answer["failures"], json!([]));
    assert_eq!(bench.status(&id(1)), Status::Draining);
    let again = bench.ask(update, request(&arns[..1], "DRAINING"));
    assert_eq!(again["failures"][0]["arn"], json!(arns[0]));
    assert_eq!(again["containerInstances"], json!([]));
    let missing = bench.ask(update, request(&["f".repeat(32)], "DRAINING"));
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
    bench.ask(update, request(&arns[..1], "ACTIVE"));
    assert_eq!(bench.status(&id(1)), Status::Active);
    assert_eq!(bench.refuse(update, request(&arns, "DRAINING")), "InvalidParameterException");
    assert_eq!(bench.refuse(update, request(&arns[..1], "DEREGISTERING")), "InvalidParameterException");
    bench.aws.terminate(&id(2));
    bench.wait(60);
    let gone = bench.ask(update, request(&arns[1..2], "ACTIVE"));
    assert_eq!(gone["failures"][0]["reason"], "INACTIVE");
}

#[test]
fn attributes_keep_to_ten_a_call_and_ten_an_instance() {
    let mut bench = Bench::new(world().windows_instances("apps", 2));
    let put = |attributes: Vec<Value>| json!({"cluster": "apps", "attributes": attributes});
    let (one, two) = (bench.arn(&id(1)), bench.arn(&id(2)));
    let ten: Vec<_> = (0..10).map(|n| attribute(&one, &format!("a{n}"), "v")).collect();
    let answer = bench.ask("PutAttributes", put(ten.clone()));
    assert_eq!(answer["attributes"].as_array().unwrap().len(), 10);
    let mut eleven = ten;
    eleven.push(attribute(&two, "a", "v"));
    assert_eq!(bench.refuse("PutAttributes", put(eleven)), "InvalidParameterException");
    let limit = put(vec![attribute(&one, "a10", "v")]);
    assert_eq!(bench.refuse("PutAttributes", limit), "AttributeLimitExceededException");
    bench.ask("PutAttributes", put(vec![attribute(&one, "a9", "changed")]));
    bench.ask("DeleteAttributes", put(vec![attribute(&one, "a8", "v")]));
    bench.ask("PutAttributes", put(vec![attribute(&one, "a10", "v")]));
    assert_eq!(bench.refuse("PutAttributes", put(vec![])), "InvalidParameterException");
}

#[test]
fn one_missing_target_refuses_the_whole_put_without_effect() {
    let mut bench = Bench::new(world().windows_instances("apps", 2));
    let (one, two) = (bench.arn(&id(1)), bench.arn(&id(2)));
    bench.aws.terminate(&id(2));
    bench.wait(60);
    for gone in [two.as_str(), "f00", "arn:aws:ecs:eu-west-1:111122223333:container-instance/other/f00"] {
        let request = json!({"cluster": "apps", "attributes": [
            attribute(&one, "smb.G", "mapped"), attribute(gone, "smb.G", "mapped"),
        ]});
        assert_eq!(bench.refuse("PutAttributes", request.clone()), "TargetNotFoundException", "{gone}");
        assert_eq!(bench.refuse("DeleteAttributes", request), "TargetNotFoundException", "{gone}");
    }
    assert_eq!(bench.aws.container_instance(&id(1)).unwrap().attribute("smb.G"), None);
}

#[test]
fn a_refused_put_can_have_put_what_stood_before_the_missing_target() {
    let mut bench = Bench::new(world().windows_instances("apps", 2));
    bench.aws.partial_puts = true;
    let (one, two) = (bench.arn(&id(1)), bench.arn(&id(2)));
    let attributes = [attribute(&one, "n", "v"), attribute("f00", "n", "v"), attribute(&two, "n", "v")];
    let request = json!({"cluster": "apps", "attributes": attributes});
    assert_eq!(bench.refuse("PutAttributes", request), "TargetNotFoundException");
    assert_eq!(bench.aws.container_instance(&id(1)).unwrap().attribute("n"), Some("v"));
    assert_eq!(bench.aws.container_instance(&id(2)).unwrap().attribute("n"), None);
}

#[test]
fn late_reads_show_what_was_and_writes_act_on_what_is() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    bench.aws.lag.ecs = std::time::Duration::from_secs(5);
    let arn = bench.arn(&id(1));
    let mapped = json!({"cluster": "apps", "filter": "attribute:smb.G == mapped"});
    let list = json!({"cluster": "apps", "targetType": "container-instance", "attributeName": "smb.G"});
    let describe = json!({"cluster": "apps", "containerInstances": [arn]});
    bench
        .ask("PutAttributes", json!({"cluster": "apps", "attributes": [attribute(&arn, "smb.G", "mapped")]}));
    bench.wait(3);
    let drain = json!({"cluster": "apps", "containerInstances": [arn], "status": "DRAINING"});
    bench.ask("UpdateContainerInstancesState", drain.clone());
    bench.wait(1);
    assert_eq!(bench.arns(mapped.clone()), [""; 0]);
    assert_eq!(bench.ask("ListAttributes", list.clone())["attributes"], json!([]));
    let again = bench.ask("UpdateContainerInstancesState", drain);
    assert_eq!(again["failures"][0]["reason"], "INVALID_STATUS", "the write knows");
    bench.wait(1);
    assert_eq!(bench.arns(mapped).len(), 1);
    assert_eq!(bench.ask("ListAttributes", list)["attributes"].as_array().unwrap().len(), 1);
    let described = bench.ask("DescribeContainerInstances", describe.clone());
    assert_eq!(described["containerInstances"][0]["status"], "ACTIVE");
    bench.wait(3);
    let described = bench.ask("DescribeContainerInstances", describe);
    assert_eq!(described["containerInstances"][0]["status"], "DRAINING");
}

#[test]
fn names_and_values_of_attributes_keep_to_their_characters() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let arn = bench.arn(&id(1));
    let put =
        |name: &str, value: &str| json!({"cluster": "apps", "attributes": [attribute(&arn, name, value)]});
    for (name, value) in [
        ("smb.G", "mapped"),
        (&"n".repeat(128), "v"),
        ("a-b_c/d\\e", "2026-03-01T12:00:00.000Z a@b:c"),
        ("n", &"v".repeat(128)),
    ] {
        bench.ask("PutAttributes", put(name, value));
    }
    for (name, value) in [
        ("", "v"),
        (&"n".repeat(129), "v"),
        ("smb G", "v"),
        ("smb:G", "v"),
        ("n", &"v".repeat(129)),
        ("n", " v"),
        ("n", "v "),
        ("n", "v,w"),
        ("n", "é"),
    ] {
        assert_eq!(
            bench.refuse("PutAttributes", put(name, value)),
            "InvalidParameterException",
            "{name:?}={value:?}"
        );
    }
    let short = arn.rsplit('/').next().unwrap();
    let untyped = json!({"cluster": "apps", "attributes": [{"name": "n", "value": "v", "targetId": short}]});
    assert_eq!(bench.refuse("PutAttributes", untyped), "InvalidParameterException");
    let typed = json!({"cluster": "apps", "attributes": [attribute(short, "by-short-id", "v")]});
    bench.ask("PutAttributes", typed);
    assert_eq!(bench.aws.container_instance(&id(1)).unwrap().attribute("by-short-id"), Some("v"));
}

#[test]
fn attributes_are_listed_by_name_and_value_in_pages() {
    let mut bench = Bench::new(world().windows_instances("apps", 3));
    for n in 1..=3 {
        bench.aws.operator_sets_attribute(&id(n), "smb.G", Some(if n == 2 { "shut" } else { "mapped" }));
    }
    let list = |more: Value| {
        let mut request = json!({"cluster": "apps", "targetType": "container-instance"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let mapped =
        bench.ask("ListAttributes", list(json!({"attributeName": "smb.G", "attributeValue": "mapped"})));
    assert_eq!(mapped["attributes"].as_array().unwrap().len(), 2);
    let mut request = list(json!({"maxResults": 2}));
    let mut all = 0;
    loop {
        let page = bench.ask("ListAttributes", request.clone());
        all += page["attributes"].as_array().unwrap().len();
        let Some(token) = page.get("nextToken") else { break };
        request["nextToken"] = token.clone();
    }
    assert_eq!(all, 3 * 9, "eight of ECS's own and one of ours on each");
    let value_alone = list(json!({"attributeValue": "mapped"}));
    assert_eq!(bench.refuse("ListAttributes", value_alone), "InvalidParameterException");
    assert_eq!(bench.refuse("ListAttributes", json!({"cluster": "apps"})), "InvalidParameterException");
    assert_eq!(bench.refuse("ListAttributes", list(json!({"maxResults": 101}))), "InvalidParameterException");
}

#[test]
fn every_bucket_has_its_documented_burst_and_rate() {
    let definition =
        json!({"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 1}]});
    let mut world = world().windows_instances("apps", 1);
    world = world
        .task_definition(definition.clone())
        .service("apps", json!({"serviceName": "s", "taskDefinition": "f"}));
    let mut bench = Bench::new(world);
    let arn = bench.arn(&id(1));
    for (operation, request, burst, per_second) in [
        ("PutAttributes", json!({"cluster": "apps", "attributes": [attribute(&arn, "n", "v")]}), 100, 40),
        ("ListContainerInstances", json!({"cluster": "apps"}), 100, 20),
        ("DescribeServices", json!({"cluster": "apps", "services": ["s"]}), 100, 20),
        ("RegisterTaskDefinition", definition, 20, 1),
        ("DescribeTaskDefinition", json!({"taskDefinition": "f"}), 50, 20),
        ("DescribeClusters", json!({"clusters": ["apps"]}), 50, 20),
    ] {
        let answered = |bench: &mut Bench| {
            (0..200).take_while(|_| bench.reply(operation, request.clone()).status == 200).count()
        };
        assert_eq!(answered(&mut bench), burst, "{operation}");
        assert_eq!(bench.refuse(operation, request.clone()), "ThrottlingException");
        bench.wait(1);
        assert_eq!(answered(&mut bench), per_second, "{operation}");
        bench.wait(3600);
        assert_eq!(answered(&mut bench), burst, "{operation}: no more than the burst is saved up");
    }
}

#[test]
fn the_customers_own_calls_take_from_the_same_bucket() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let arn = bench.arn(&id(1));
    let put = json!({"cluster": "apps", "attributes": [attribute(&arn, "n", "v")]});
    let now = bench.now;
    assert_eq!(bench.aws.throttles.take_many(Bucket::ClusterResourceModify, 99, now), 99);
    bench.ask("PutAttributes", put.clone());
    assert_eq!(bench.refuse("PutAttributes", put.clone()), "ThrottlingException");
    bench.aws.throttles.customer_takes(Bucket::ClusterResourceModify, 39, now);
    bench.wait(1);
    bench.ask("PutAttributes", put.clone());
    assert_eq!(bench.refuse("PutAttributes", put), "ThrottlingException");
    bench.ask("ListContainerInstances", json!({"cluster": "apps"}));
}

#[test]
fn stopped_hosts_stay_registered_and_a_wiped_agent_leaves_a_ghost() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    bench.aws.operator_sets_attribute(&id(1), "smb.G", Some("mapped"));
    bench.aws.stop(&id(1));
    bench.wait(60);
    let instance = bench.aws.container_instance(&id(1)).unwrap();
    assert_eq!((instance.status, instance.agent_connected), (Status::Active, false));
    bench.aws.start(&id(1));
    bench.wait(300);
    let instance = bench.aws.container_instance(&id(1)).unwrap();
    assert!(instance.agent_connected);
    assert_eq!(instance.attribute("smb.G"), Some("mapped"), "attributes survive");
    let before = bench.arn(&id(1));
    bench.aws.register_again(&id(1));
    let after = bench.arn(&id(1));
    assert_ne!(before, after);
    assert_eq!(bench.arns(json!({"cluster": "apps"})).len(), 2);
    assert_eq!(bench.aws.container_instance(&id(1)).unwrap().attribute("smb.G"), None);
}

#[test]
fn a_launch_emits_what_ec2_and_ecs_emit_in_that_order() {
    let mut bench = Bench::new(world());
    let host = bench.aws.launch(Platform::Windows, Some("apps"), |host| host);
    bench.wait(300);
    let events = bench.aws.drain_events();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let detail = &event["detail"];
            detail.get("state").or(detail.get("status")).unwrap().as_str().unwrap()
        })
        .collect();
    assert_eq!(told, ["pending", "running", "ACTIVE"]);
    let ecs = &events[2];
    assert_eq!(ecs["detail-type"], "ECS Container Instance State Change");
    assert_eq!(ecs["detail"]["ec2InstanceId"].as_str().unwrap(), &*host);
    assert_eq!(ecs["detail"]["clusterArn"], "arn:aws:ecs:eu-west-1:111122223333:cluster/apps");
    assert_eq!(ecs["resources"][0], ecs["detail"]["containerInstanceArn"]);
    let attributes = ecs["detail"]["attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"name": "ecs.os-type", "value": "windows"})));
    assert_eq!(bench.aws.drain_events(), [Value::Null; 0]);
    bench.aws.reboot(&host);
    bench.wait(300);
    let told: Vec<_> =
        bench.aws.drain_events().iter().map(|event| event["detail"]["agentConnected"].clone()).collect();
    assert_eq!(
        told,
        [json!(false), Value::Null, json!(true)],
        "a boot of EC2's is told, and connections are"
    );
}

#[test]
fn attributes_that_are_put_emit_nothing_and_a_status_does() {
    let mut bench = Bench::new(world().windows_instances("apps", 1));
    let arn = bench.arn(&id(1));
    bench
        .ask("PutAttributes", json!({"cluster": "apps", "attributes": [attribute(&arn, "smb.G", "mapped")]}));
    assert_eq!(bench.aws.drain_events(), [Value::Null; 0]);
    let drain = json!({"cluster": "apps", "containerInstances": [arn], "status": "DRAINING"});
    bench.ask("UpdateContainerInstancesState", drain);
    let events = bench.aws.drain_events();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["detail"]["status"], &events[0]["detail"]["version"]),
        (&json!("DRAINING"), &json!(2))
    );
}

fn definition(family: &str, more: Value) -> Value {
    let container = json!({"name": "app", "image": "app:1", "memory": 512, "cpu": 256});
    let mut definition = json!({"family": family, "containerDefinitions": [container]});
    definition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    definition
}

fn gated(family: &str) -> Value {
    let gate = json!([{"type": "memberOf", "expression": "attribute:smb.G == mapped"}]);
    definition(family, json!({"placementConstraints": gate}))
}

#[test]
fn a_task_with_the_gate_waits_for_it_and_one_without_lands_anywhere() {
    let mut bench = Bench::new(
        world()
            .task_definition(gated("gated"))
            .task_definition(definition("ungated", json!({})))
            .windows_instances("apps", 2),
    );
    let run = |family: &str| json!({"cluster": "apps", "taskDefinition": family});
    let refused = bench.ask("RunTask", run("gated"));
    assert_eq!(refused["tasks"], json!([]));
    assert_eq!(refused["failures"][0]["reason"], "MemberOf placement constraint unsatisfied.");
    assert_eq!(bench.ask("RunTask", run("ungated"))["failures"], json!([]));
    bench.aws.operator_sets_attribute(&id(2), "smb.G", Some("mapped"));
    let placed = bench.ask("RunTask", run("gated"));
    assert_eq!(placed["tasks"][0]["containerInstanceArn"], json!(bench.arn(&id(2))));
    assert_eq!(placed["tasks"][0]["lastStatus"], "PENDING");
    bench.wait(10);
    let described =
        bench.ask("DescribeTasks", json!({"cluster": "apps", "tasks": [placed["tasks"][0]["taskArn"]]}));
    assert_eq!(described["tasks"][0]["lastStatus"], "RUNNING");
    assert_eq!(bench.aws.container_instance(&id(2)).unwrap().running, 1);
    bench
        .ask("StopTask", json!({"cluster": "apps", "task": placed["tasks"][0]["taskArn"], "reason": "done"}));
    bench.wait(10);
    let instance = bench.aws.container_instance(&id(2)).unwrap();
    assert_eq!((instance.running, instance.remaining), (0, instance.capacity));
    let stopped = bench.ask("ListTasks", json!({"cluster": "apps", "desiredStatus": "STOPPED"}));
    assert_eq!(stopped["taskArns"], json!([placed["tasks"][0]["taskArn"]]));
    assert_eq!(
        bench.refuse("StopTask", json!({"cluster": "apps", "task": "f00"})),
        "InvalidParameterException"
    );
}

#[test]
fn tasks_land_only_on_active_connected_instances_with_room() {
    let mut bench =
        Bench::new(world().task_definition(definition("f", json!({}))).windows_instances("apps", 1));
    let run = json!({"cluster": "apps", "taskDefinition": "f"});
    let reason = |bench: &mut Bench| bench.ask("RunTask", run.clone())["failures"][0]["reason"].clone();
    bench.aws.set_ecs_connected(&id(1), false);
    assert_eq!(reason(&mut bench), "AGENT");
    bench.aws.set_ecs_connected(&id(1), true);
    bench.aws.operator_sets_status(&id(1), Status::Draining);
    assert_eq!(reason(&mut bench), "No Container Instances were found in your cluster.");
    bench.aws.operator_sets_status(&id(1), Status::Active);
    let full = bench.ask("RunTask", json!({"cluster": "apps", "taskDefinition": "f", "count": 9}));
    assert_eq!(full["tasks"].as_array().unwrap().len(), 8, "2,048 units hold eight of 256");
    assert_eq!(full["failures"][0]["reason"], "RESOURCE:CPU");
    bench.wait(10);
    bench.aws.terminate(&id(1));
    bench.wait(60);
    assert!(bench.aws.tasks("apps").all(|task| task.last_status() == "STOPPED"));
}

#[test]
fn run_task_keeps_to_its_limits() {
    let mut bench = Bench::new(world().task_definition(gated("f")).windows_instances("apps", 1));
    let distinct = |count: usize| vec![json!({"type": "distinctInstance"}); count];
    for (member, inside, outside) in [
        ("count", json!(10), json!(11)),
        ("count", json!(1), json!(0)),
        ("placementConstraints", json!(distinct(9)), json!(distinct(10))),
        (
            "placementStrategy",
            json!(vec![json!({"type": "random"}); 5]),
            json!(vec![json!({"type": "random"}); 6]),
        ),
        ("launchType", json!("EC2"), json!("FARGATE")),
    ] {
        let run = |value: Value| json!({"cluster": "apps", "taskDefinition": "f", member: value});
        bench.ask("RunTask", run(inside));
        assert_eq!(bench.refuse("RunTask", run(outside)), "InvalidParameterException", "{member}");
    }
    assert_eq!(
        bench.refuse("RunTask", json!({"cluster": "apps", "taskDefinition": "none"})),
        "ClientException"
    );
}

#[test]
fn draining_stops_service_tasks_that_have_not_started_and_leaves_the_others() {
    let mut bench =
        Bench::new(world().task_definition(definition("f", json!({}))).windows_instances("apps", 1));
    for group in ["service:web", "family:f"] {
        bench.ask("RunTask", json!({"cluster": "apps", "taskDefinition": "f", "group": group}));
    }
    bench.aws.operator_sets_status(&id(1), Status::Draining);
    bench.wait(10);
    let mut left: Vec<_> = bench.aws.tasks("apps").map(|task| task.last_status()).collect();
    left.sort_unstable();
    assert_eq!(left, ["RUNNING", "STOPPED"]);
}

#[test]
fn task_definitions_count_revisions_are_found_three_ways_and_listed_in_pages() {
    let mut world = world();
    for n in 0..101 {
        world = world.task_definition(definition(&format!("f{n:03}"), json!({})));
    }
    let mut bench = Bench::new(world);
    let registered = bench.ask("RegisterTaskDefinition", definition("f000", json!({"cpu": "256"})));
    assert_eq!(registered["taskDefinition"]["revision"], 2);
    assert_eq!(registered["taskDefinition"]["containerDefinitions"][0]["essential"], true);
    let arn = registered["taskDefinition"]["taskDefinitionArn"].clone();
    for (reference, revision) in [(json!("f000"), 2), (json!("f000:1"), 1), (arn, 2)] {
        let found = bench.ask("DescribeTaskDefinition", json!({"taskDefinition": reference}));
        assert_eq!(found["taskDefinition"]["revision"], revision);
    }
    for missing in ["f000:3", "f000:0", "none", "f000:x", "arn:aws:ecs:us-east-1:1:task-definition/f000:1"] {
        assert_eq!(
            bench.refuse("DescribeTaskDefinition", json!({"taskDefinition": missing})),
            "ClientException"
        );
    }
    let page = bench.ask("ListTaskDefinitions", json!({}));
    assert_eq!(page["taskDefinitionArns"].as_array().unwrap().len(), 100);
    let rest = bench.ask("ListTaskDefinitions", json!({"nextToken": page["nextToken"]}));
    assert_eq!(rest["taskDefinitionArns"].as_array().unwrap().len(), 2);
    let family = bench.ask("ListTaskDefinitions", json!({"familyPrefix": "f000", "sort": "DESC"}));
    let family = family["taskDefinitionArns"].as_array().unwrap();
    assert!(family.len() == 2 && family[0].as_str().unwrap().ends_with("f000:2"));
    assert_eq!(bench.refuse("ListTaskDefinitions", json!({"maxResults": 101})), "InvalidParameterException");
    let event = bench.aws.drain_events().pop().unwrap();
    assert_eq!(event["detail"]["eventSource"], "ecs.amazonaws.com");
    assert_eq!(event["detail"]["requestParameters"]["family"], "f000");
    assert_eq!(event["detail"]["responseElements"]["taskDefinition"]["revision"], 2);
}

#[test]
fn task_definitions_that_ecs_refuses_are_refused() {
    let mut bench = Bench::new(world());
    let gate = |count: usize| {
        let one = json!({"type": "memberOf", "expression": "attribute:smb.G == mapped"});
        definition("f", json!({"placementConstraints": vec![one; count]}))
    };
    bench.ask("RegisterTaskDefinition", gate(10));
    bench.ask("RegisterTaskDefinition", definition(&"f".repeat(255), json!({})));
    let container = |value: Value| json!({"family": "f", "containerDefinitions": [value]});
    for refused in [
        gate(11),
        definition(&"f".repeat(256), json!({})),
        definition("f g", json!({})),
        json!({"family": "f", "containerDefinitions": []}),
        container(json!({"name": "c", "memory": 1})),
        container(json!({"name": "c", "image": "i"})),
        container(json!({"name": "c", "image": "i", "memory": 1, "mountPoints": [{"sourceVolume": "v"}]})),
        definition("f", json!({"volumes": [{"name": "v"}, {"name": "v"}]})),
        definition("f", json!({"placementConstraints": [{"type": "memberOf", "expression": "colour =="}]})),
        definition("f", json!({"placementConstraints": [{"type": "distinctInstance"}]})),
    ] {
        assert_eq!(bench.refuse("RegisterTaskDefinition", refused.clone()), "ClientException", "{refused}");
    }
}

#[test]
fn services_come_ten_a_page_and_ten_a_description() {
    let mut world = world().task_definition(definition("f", json!({})));
    for n in 0..11 {
        let strategy = if n == 0 { "DAEMON" } else { "REPLICA" };
        let service =
            json!({"serviceName": format!("s{n:02}"), "taskDefinition": "f", "schedulingStrategy": strategy});
        world = world.service("apps", service);
    }
    let mut bench = Bench::new(world);
    let page = bench.ask("ListServices", json!({"cluster": "apps"}));
    assert_eq!(page["serviceArns"].as_array().unwrap().len(), 10);
    let rest = bench.ask("ListServices", json!({"cluster": "apps", "nextToken": page["nextToken"]}));
    assert_eq!(rest["serviceArns"].as_array().unwrap().len(), 1);
    let all = bench.ask("ListServices", json!({"cluster": "apps", "maxResults": 100}));
    assert_eq!(all["serviceArns"].as_array().unwrap().len(), 11);
    assert_eq!(
        bench.refuse("ListServices", json!({"cluster": "apps", "maxResults": 101})),
        "InvalidParameterException"
    );
    let daemons = bench.ask("ListServices", json!({"cluster": "apps", "schedulingStrategy": "DAEMON"}));
    assert_eq!(daemons["serviceArns"].as_array().unwrap().len(), 1);
    let describe = |services: Vec<Value>| json!({"cluster": "apps", "services": services});
    let described = bench.ask("DescribeServices", describe(page["serviceArns"].as_array().unwrap().clone()));
    assert_eq!(described["services"].as_array().unwrap().len(), 10);
    assert_eq!(
        described["services"][0]["taskDefinition"],
        "arn:aws:ecs:eu-west-1:111122223333:task-definition/f:1"
    );
    let eleven = all["serviceArns"].as_array().unwrap().clone();
    assert_eq!(bench.refuse("DescribeServices", describe(eleven)), "InvalidParameterException");
    assert_eq!(
        bench.ask("DescribeServices", describe(vec![json!("none")]))["failures"][0]["reason"],
        "MISSING"
    );
}

#[test]
fn clusters_are_described_up_to_a_hundred_and_missing_ones_are_failures() {
    let mut world = world().windows_instances("apps", 2);
    for n in 0..100 {
        world = world.cluster(&format!("c{n:03}"));
    }
    let mut bench = Bench::new(world);
    let page = bench.ask("ListClusters", json!({}));
    assert_eq!(page["clusterArns"].as_array().unwrap().len(), 100);
    let rest = bench.ask("ListClusters", json!({"nextToken": page["nextToken"]}));
    assert_eq!(rest["clusterArns"].as_array().unwrap().len(), 1);
    let described = bench.ask("DescribeClusters", json!({"clusters": page["clusterArns"]}));
    assert_eq!(described["clusters"][0]["registeredContainerInstancesCount"], 2);
    let mut all = page["clusterArns"].as_array().unwrap().clone();
    all.push(rest["clusterArns"][0].clone());
    assert_eq!(bench.refuse("DescribeClusters", json!({"clusters": all})), "InvalidParameterException");
    let missing = bench.ask("DescribeClusters", json!({}));
    assert_eq!(missing["failures"][0]["arn"], "arn:aws:ecs:eu-west-1:111122223333:cluster/default");
}

#[test]
fn unknown_operations_and_bodies_that_are_no_json_are_refused() {
    let mut bench = Bench::new(world());
    assert_eq!(bench.refuse("AmazonSSM.DeleteEverything", json!({})), "UnknownOperationException");
    assert_eq!(bench.refuse("ListClusters", json!([])), "SerializationException");
    assert_eq!(bench.refuse("ListClusters", json!({"maxResults": "ten"})), "SerializationException");
}
