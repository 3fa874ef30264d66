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
    let arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/apps";
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
    for gone in [two.as_str(), "f00", "arn:aws:ecs:eu-west-1:123456789012:container-instance/other/f00"] {
        let request = json!({"cluster": "apps", "attributes": [
            attribute(&one, "smb.G", "mapped"), attribute(gone, "smb.G", "mapped"),
        ]});
        assert_eq!(bench.refuse("PutAttributes", request.clone()), "TargetNotFoundException", "{gone}");
        assert_eq!(bench.refuse("DeleteAttributes", request), "TargetNotFoundException", "{gone}");
    }
    assert_eq!(bench.aws.container_instance(&id(1)).unwrap().attribute("smb.G"), None);
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
    assert_eq!(ecs["detail"]["clusterArn"], "arn:aws:ecs:eu-west-1:123456789012:cluster/apps");
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
