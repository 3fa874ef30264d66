//! The control interface: every documented request, and what it refuses.

use serde_json::{Value, json};
use tests::fleet::Letter;
use tests::local_aws::control::control;
use tests::local_aws::throttles::Bucket;

use super::{Bench, id, world};

impl Bench {
    fn control(&mut self, line: &str, body: Value) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        control(&mut self.aws, method, path, query, body.to_string().as_bytes())
    }

    fn request(&mut self, line: &str, body: Value) -> Value {
        let (status, answer) = self.control(line, body);
        assert_eq!(status, 200, "{line}: {answer}");
        answer
    }
}

#[test]
fn faults_are_added_take_effect_and_are_cleared() {
    let mut bench = Bench::new(world());
    for (fault, status) in [
        (json!({"fault": "throttle", "operation": "DescribeParameters"}), 400),
        (json!({"fault": "error-before", "status": 503}), 503),
        (json!({"fault": "error-after"}), 500),
        (json!({"fault": "denied", "caller": "test"}), 400),
        (json!({"fault": "invalid-instance"}), 400),
    ] {
        bench.request("POST faults", fault);
        assert_eq!(bench.reply("DescribeParameters", json!({})).status, status);
        assert_eq!(bench.reply("DescribeParameters", json!({})).status, 200, "once");
    }
    bench.request("POST faults", json!({"fault": "late", "seconds": 3, "skip": 1, "times": 2}));
    let delays: Vec<_> =
        (0..4).map(|_| bench.reply("DescribeParameters", json!({})).delay.as_secs()).collect();
    assert_eq!(delays, [0, 3, 3, 0]);
    bench.request("POST faults", json!({"fault": "answer-lost"}));
    assert!(bench.reply("DescribeParameters", json!({})).fault.is_some());
    bench.request("POST faults", json!({"fault": "not-reached"}));
    bench.request("DELETE faults", json!({}));
    assert!(bench.reply("DescribeParameters", json!({})).fault.is_none());
}

#[test]
fn hosts_are_launched_changed_and_moved_through_their_lifecycle() {
    let mut bench = Bench::new(world());
    let launched =
        bench.request("POST hosts", json!({"cluster": "apps", "count": 2, "with": {"letter": "disk"}}));
    assert_eq!(launched["instanceIds"], json!([id(1), id(2)]));
    bench.wait(300);
    assert_eq!(bench.map(&id(1))["cause"], "drive-in-use");
    for (change, cause) in [
        (json!({"letter": "free", "port445Blocked": true}), "port-445"),
        (json!({"port445Blocked": false, "dnsBroken": true}), "dns"),
        (json!({"dnsBroken": false, "domainJoined": false}), "not-domain-joined"),
        (json!({"domainJoined": true, "hang": "call"}), "call-hung"),
        (json!({"hang": "none", "letter": r"\\other\share"}), "mapped-elsewhere"),
    ] {
        bench.request(&format!("POST hosts/{}", id(1)), change);
        assert_eq!(bench.map(&id(1))["cause"], cause);
    }
    let act =
        |bench: &mut Bench, action: &str| bench.request(&format!("POST hosts/{}/{action}", id(1)), json!({}));
    act(&mut bench, "lose-mapping");
    assert_eq!(bench.aws.world.host(&id(1)).letter, Letter::Free);
    act(&mut bench, "drain");
    act(&mut bench, "hold");
    let shown = bench.request("GET fleet", json!({}));
    let host = &shown["hosts"][0];
    assert_eq!((&host["status"], &host["attributes"]), (&json!("DRAINING"), &json!({"smb.hold": "yes"})));
    act(&mut bench, "activate");
    act(&mut bench, "release-hold");
    for action in
        ["disconnect-ecs-agent", "connect-ecs-agent", "silence-ssm-agent", "return-ssm-agent", "reboot"]
    {
        act(&mut bench, action);
    }
    bench.wait(300);
    bench.request("GET events", json!({}));
    act(&mut bench, "warn-of-spot-interruption");
    act(&mut bench, "terminate-by-auto-scaling");
    act(&mut bench, "stop");
    bench.wait(60);
    act(&mut bench, "start");
    bench.wait(300);
    act(&mut bench, "register-again");
    act(&mut bench, "terminate");
    bench.wait(60);
    let events = bench.request("GET events", json!({}))["events"].clone();
    let emitted: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["detail-type"].as_str().unwrap()).collect();
    assert_eq!(
        emitted[..2],
        ["EC2 Spot Instance Interruption Warning", "EC2 Instance-terminate Lifecycle Action"]
    );
    assert_eq!(bench.aws.container_instance(&id(1)).map(|one| one.status), None, "terminated");
}

#[test]
fn results_are_scripted_and_the_log_of_calls_is_read_in_parts() {
    let mut bench = Bench::with_instances(1);
    let path = format!("POST hosts/{}/outcomes", id(1));
    bench.request(&path, json!({"details": "Undeliverable", "seconds": 1}));
    bench.request(&path, json!({"details": "Success", "output": "hello", "always": true}));
    for expected in ["Undeliverable", "Success", "Success"] {
        let command = bench.send("map", &[&id(1)]);
        bench.wait(3);
        assert_eq!(bench.details(&command), [expected]);
    }
    let calls = bench.request("GET calls", json!({}));
    assert_eq!(calls["calls"].as_array().unwrap().len(), 6);
    assert_eq!(calls["calls"][0]["request"]["InstanceIds"], json!([id(1)]));
    let more = bench.request("GET calls?since=5", json!({}));
    assert_eq!(more["calls"].as_array().unwrap().len(), 1);
    assert_eq!(bench.control("GET calls?since=x", json!({})).0, 400);
}

#[test]
fn the_share_the_account_and_the_parameters_are_changed_and_no_password_is_shown() {
    let mut bench = Bench::with_instances(1);
    for (line, body, cause) in [
        ("POST share", json!({"up": false}), json!("port-445")),
        ("POST share", json!({"up": true, "resolves": false}), json!("dns")),
        ("POST share", json!({"resolves": true, "name": "renamed"}), json!("67")),
        ("POST share", json!({"name": "share", "readError": 5}), json!("5")),
        ("POST share", json!({"readable": true}), Value::Null),
        ("POST account", json!({"refusesWith": 1331}), Value::Null),
        ("POST parameters", json!({"user": "bare"}), Value::Null),
    ] {
        bench.request(line, body);
        assert_eq!(bench.map(&id(1))["cause"], cause);
    }
    bench.request(
        "POST account",
        json!({"accepts": true, "password": "swordfish", "lockAfter": 1, "lockSeconds": 60}),
    );
    bench.request(&format!("POST hosts/{}/lose-mapping", id(1)), json!({}));
    assert_eq!(bench.map(&id(1))["cause"], "1312", "a user name without domain");
    bench.request("POST parameters", json!({"user": r"CORP\svc-ecs-share"}));
    let command = bench.send("map", &[&id(1)]);
    bench.wait(12);
    assert_eq!(bench.results(&command)[0]["cause"], "1326");
    assert_eq!(bench.request("GET fleet", json!({}))["account"]["locked"], true);
    bench.request("POST account", json!({"unlock": true}));
    bench.request("POST parameters", json!({"password": "swordfish", "passwordReadable": "denied"}));
    assert_eq!(bench.map(&id(1))["cause"], "parameter-denied");
    bench.request("POST parameters", json!({"passwordReadable": "yes"}));
    assert_eq!(bench.map(&id(1))["smbMapping"], "mapped");
    let shown = bench.request("GET fleet", json!({})).to_string()
        + &bench.request("GET events", json!({})).to_string();
    assert!(!shown.contains("swordfish") && !shown.contains("correct horse"));
    assert!(shown.contains("Parameter Store Change"));
}

#[test]
fn lag_and_the_customers_calls_are_set() {
    let mut bench = Bench::with_instances(1);
    bench.request("POST lag", json!({"answerSeconds": 1.5, "ssmSeconds": 5, "ecsSeconds": 2}));
    assert_eq!(bench.reply("DescribeParameters", json!({})).delay.as_millis(), 1500);
    let command = bench.send("map", &[&id(1)]);
    assert_eq!(bench.details(&command), [""; 0]);
    bench.request("POST lag", json!({"spacedDetails": true, "ssmSeconds": 0}));
    bench.wait(2);
    assert_eq!(bench.details(&command), ["In Progress"]);
    let customer = json!({"bucket": "cluster-service-read", "calls": 200, "perSecond": 20});
    assert_eq!(bench.request("POST customer", customer)["answered"], 100);
    assert_eq!(bench.refuse("ListServices", json!({"cluster": "apps"})), "ThrottlingException");
    let now = bench.now;
    assert_eq!(bench.aws.throttles.take_many(Bucket::ClusterResourceRead, 1000, now), 100);
}

#[test]
fn an_unknown_request_is_refused_with_what_is_allowed() {
    let mut bench = Bench::with_instances(1);
    let host = format!("POST hosts/{}", id(1));
    for (line, body, says) in [
        ("POST faults", json!({"fault": "fire"}), "expected one of `throttle`, `error-before`"),
        ("POST faults", json!({"fault": "late"}), "needs seconds"),
        ("POST faults", json!({"fault": "error-before", "status": 200}), "from 500 to 599"),
        ("POST faults", json!({"fault": "throttle", "times": 0}), "at least 1"),
        ("POST faults", json!({"fault": "throttle", "tmies": 1}), "unknown field"),
        ("POST customer", json!({"bucket": "leaky"}), "expected one of `cluster-resource-modify`"),
        ("POST hosts", json!({"platform": "beos"}), "expected `windows` or `linux`"),
        ("POST hosts", json!({"cluster": "none"}), "no cluster"),
        ("POST hosts/i-0/stop", json!({}), "no host"),
        (&host, json!({"letter": "floppy"}), "free, disk"),
        (&host, json!({"hang": "loose"}), "none, call"),
        (&host, json!({"scriptDelaySeconds": -1}), "-1 s"),
        (&format!("{host}/fly"), json!({}), "cannot fly"),
        ("POST parameters", json!({"passwordReadable": "maybe"}), "expected one of `yes`, `missing`"),
    ] {
        let (status, answer) = bench.control(line, body);
        let error = answer["error"].as_str().unwrap();
        assert!(status == 400 && error.contains(says), "{line}: {status} {error}");
    }
    let (status, answer) = bench.control("GET nowhere", json!({}));
    assert_eq!(status, 404);
    assert_eq!(answer["paths"], bench.request("GET ", json!({}))["paths"]);
    let operations = bench.request("GET operations", json!({}));
    assert!(operations["operations"].as_array().unwrap().contains(&json!("AmazonSSM.SendCommand")));
}

#[test]
fn the_readme_names_every_request_and_operation() {
    let readme = include_str!("../../src/local_aws/README.md");
    let mut bench = Bench::new(world());
    for path in bench.request("GET ", json!({}))["paths"].as_array().unwrap() {
        assert!(readme.contains(&format!("`{}`", path.as_str().unwrap())), "{path} is not in the README");
    }
    for operation in tests::local_aws::LocalAws::operations() {
        assert!(readme.contains(operation.rsplit('.').next().unwrap()), "{operation} is not in the README");
    }
}
