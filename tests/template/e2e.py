"""The packaged functions, deployed and run: `make e2e`.

ministack, an emulator, makes the stack of dist/template.yaml and runs the real binaries from its queues; their calls to SSM and ECS
go to the local AWS (`e2e-aws`) through AWS_ENDPOINT_URL_SSM and AWS_ENDPOINT_URL_ECS. What the emulator cannot do is done here, in
AWS's place, and said: each such step prints a line that begins with "in AWS's place".

It does not check permissions: the emulator asks for none. The tests beside this file do.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3
import botocore.exceptions

import template as template_file
from test_rules import EVENTS, EXPECTED, rules, watched_clusters

ROOT = template_file.ROOT
DIST = ROOT / "dist"
# Twelve digits as an access key are an account to the emulator; it is the local AWS's account, too.
ACCOUNT, REGION, CLUSTER, STACK = "123456789012", "eu-west-1", "windows", "e2e"
# Types that the emulator does not know. Nothing else may be left out.
LEFT_OUT = {"AWS::SSM::Document"}
DOCUMENT = f"smb-map-{STACK}"
FUNCTIONS = {"map-share": "MapShareFunction", "drain-unmapped": "DrainUnmappedFunction",
             "validate-task-definition": "ValidateTaskDefinitionFunction"}
PARAMETERS = {
    "Clusters": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}",
    "RemotePath": r"\\fs1.corp.example.com\share",
    "Mode": "enforce",
    "RetryBaseSeconds": "10",
}
START = time.monotonic()


def main():
    with contextlib.ExitStack() as stack:
        aws = stack.enter_context(LocalAws(stack))
        emulator = Emulator(stack)
        deployment = Deployment(emulator, aws)
        deployment.deploy()
        check_packages()
        check_patterns(emulator)
        first_instance_is_mapped_by_sweeps(aws)
        new_instance_is_mapped_from_its_event(emulator, deployment, aws)
        report_by_hand(emulator, deployment)
        invalid_task_definition_raises_its_alarm(emulator, deployment)
        poison_message_ends_in_the_dead_letter_queue(emulator, deployment, aws)
        sweeps_keep_their_alarm_quiet(emulator, deployment)
    say("all as expected")
    print(f"e2e: {Checks.passed} passed, 0 failed")


class Checks:
    passed = 0


def check(condition, what):
    if not condition:
        sys.exit(f"e2e: FAILED: {what}")
    Checks.passed += 1
    say(f"ok: {what}")


def say(text):
    print(f"{time.monotonic() - START:6.1f} s  {text}", flush=True)


def until(what, seconds, look):
    """Polls until `look` gives something true; its absence is a failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            check(True, what)
            return found
        time.sleep(0.5)
    sys.exit(f"e2e: FAILED: not within {seconds} s: {what}")


class LocalAws:
    """The program `e2e-aws`, told what happens next by lines."""

    def __init__(self, stack):
        subprocess.run(["cargo", "build", "--quiet", "--locked", "-p", "tests", "--bin", "e2e-aws"], cwd=ROOT, check=True)
        target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
        self.process = subprocess.Popen(
            [f"{target}/debug/e2e-aws", DOCUMENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(self.process.wait, timeout=10)
        stack.callback(self.process.stdin.close)
        began = json.loads(self.process.stdout.readline())
        self.url, self.first = began["url"], began["instance"]
        client = {"endpoint_url": self.url, "region_name": REGION, "aws_access_key_id": "harness", "aws_secret_access_key": "x"}
        self.ecs, self.ssm = boto3.client("ecs", **client), boto3.client("ssm", **client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def attributes(self, instance):
        """The attributes of an EC2 instance's registration, by name."""
        arns = self.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
        described = self.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
        for record in described:
            if record["ec2InstanceId"] == instance:
                return {attribute["name"]: attribute.get("value") for attribute in record["attributes"]}
        return {}


class Emulator:
    """ministack, and clients of what it emulates."""

    def __init__(self, stack):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        self.log = pathlib.Path(directory, "ministack.log")
        environment = {
            "PATH": os.environ["PATH"], "HOME": directory, "TMPDIR": directory, "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "x",
            "MINISTACK_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        }
        program = pathlib.Path(sys.executable).with_name("ministack")
        # A session of its own: it leaves the functions' processes running when it ends, and so all of them are ended.
        self.process = subprocess.Popen(
            [program], env=environment, stdout=self.log.open("w"), stderr=subprocess.STDOUT, cwd=directory, start_new_session=True
        )
        stack.callback(self.stop)
        self.made = {}
        until("the emulator answers", 60, self.answers)

    def answers(self):
        if self.process.poll() is not None:
            sys.exit(f"e2e: the emulator ended: {self.log.read_text()[-2000:]}")
        try:
            return self.client("sqs").list_queues() is not None
        except (botocore.exceptions.EndpointConnectionError, botocore.exceptions.HTTPClientError):
            return False

    def client(self, service):
        if service not in self.made:
            self.made[service] = boto3.client(
                service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="x"
            )
        return self.made[service]

    def stop(self):
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, ending)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)


class Deployment:
    """The stack, and what it consists of."""

    def __init__(self, emulator, aws):
        self.emulator, self.aws = emulator, aws

    def deploy(self):
        template_file.TEMPLATE = DIST / "template.yaml"
        changed = self.for_emulator(template_file.load())
        cloudformation, s3 = self.emulator.client("cloudformation"), self.emulator.client("s3")
        s3.create_bucket(Bucket="package", CreateBucketConfiguration={"LocationConstraint": REGION})
        for function in FUNCTIONS:
            s3.upload_file(str(DIST / f"{function}.zip"), "package", f"{function}.zip")
        s3.put_object(Bucket="package", Key="template.json", Body=json.dumps(changed))
        cloudformation.create_change_set(
            StackName=STACK, ChangeSetName="first", ChangeSetType="CREATE",
            TemplateURL=f"{self.emulator.url}/package/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
        )
        until("a change set is made of the packaged template", 60, lambda: cloudformation.describe_change_set(
            StackName=STACK, ChangeSetName="first")["Status"] == "CREATE_COMPLETE")
        cloudformation.execute_change_set(StackName=STACK, ChangeSetName="first")

        def ended():
            status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
            if status.endswith("IN_PROGRESS"):
                return None
            if status != "CREATE_COMPLETE":
                failed = [e for e in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"] if "FAIL" in e["ResourceStatus"]]
                sys.exit(f"e2e: FAILED: {status}: {failed}\n{self.emulator.log.read_text()[-3000:]}")
            return status

        until("the stack is created", 120, ended)
        self.resources = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
            for resource in page["StackResourceSummaries"]
        }
        missing = set(changed["Resources"]) - set(self.resources)
        check(not [name for name in missing if "Condition" not in changed["Resources"][name]], "no resource of it is missing")
        self.outputs = {
            output["OutputKey"]: output["OutputValue"]
            for output in cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        }

    def for_emulator(self, parsed):
        """The template with what the emulator and the local AWS need, each change printed."""
        resources = parsed["Resources"]
        for name in [name for name, resource in resources.items() if resource["Type"] in LEFT_OUT]:
            say(f"left out, the emulator cannot make it: {name} ({resources[name]['Type']})")
            del resources[name]
            parsed = without(parsed, name, DOCUMENT)
            resources = parsed["Resources"]
        for function, name in FUNCTIONS.items():
            properties = resources[name]["Properties"]
            properties["CodeUri"] = f"s3://package/{properties['CodeUri']}"
            variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
            variables.update({"AWS_ENDPOINT_URL_SSM": self.aws.url, "AWS_ENDPOINT_URL_ECS": self.aws.url})
        say(f"changed: the functions' SSM and ECS endpoints are {self.aws.url}")
        queue = resources["InstanceEventQueue"]["Properties"]
        say(f"changed: a message of InstanceEventQueue comes back after 2 s, not {queue['VisibilityTimeout']}")
        queue["VisibilityTimeout"] = 2
        resources["MapShareFunction"]["Properties"]["Timeout"] = 10
        say("changed: map-share ends after 10 s, so that its tries are soon over")
        return parsed

    def invoke(self, function, payload):
        answer = self.emulator.client("lambda").invoke(
            FunctionName=self.resources[FUNCTIONS[function]], Payload=json.dumps(payload).encode()
        )
        text = answer["Payload"].read().decode()
        check("FunctionError" not in answer, f"{function} answers {json.dumps(payload)[:60]}")
        return json.loads(text)

    def logged(self, function):
        """The lines of a function's log."""
        logs, group = self.emulator.client("logs"), f"/aws/lambda/{STACK}-{function}"
        groups = {found["logGroupName"] for found in logs.describe_log_groups()["logGroups"]}
        # The emulator writes to the default group and not to the one that the template names.
        for name in (group, f"/aws/lambda/{self.resources[FUNCTIONS[function]]}"):
            if name in groups:
                for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                    yield from (line for event in page["events"] for line in event["message"].splitlines())

    def metrics(self, function):
        """What a function logged as metrics: (dimensions, name, value)."""
        for line in self.logged(function):
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                for directive in record.get("_aws", {}).get("CloudWatchMetrics", []) if isinstance(record, dict) else []:
                    for keys in directive["Dimensions"]:
                        dimensions = {key: record[key] for key in keys}
                        for metric in directive["Metrics"]:
                            yield directive["Namespace"], dimensions, metric["Name"], record[metric["Name"]]

    def put_metrics(self, function, names):
        """What CloudWatch makes of logged lines, which the emulator does not read."""
        data = [
            (namespace, {"MetricName": name, "Value": value, "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()]})
            for namespace, dimensions, name, value in self.metrics(function) if name in names
        ]
        for namespace, datum in data:
            self.emulator.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])
        say(f"in AWS's place: {len(data)} values that {function} logged for {', '.join(sorted(names))} are put as metrics")

    def alarm(self, name):
        (alarm,) = self.emulator.client("cloudwatch").describe_alarms(AlarmNames=[f"{STACK}-{name}"])["MetricAlarms"]
        return alarm["StateValue"]


def without(node, resource, name):
    """The template with references to a resource replaced by its name."""
    if isinstance(node, dict):
        if node == {"Ref": resource}:
            return name
        return {key: without(value, resource, name) for key, value in node.items()}
    if isinstance(node, list):
        return [without(item, resource, name) for item in node]
    return node.replace(f"${{{resource}}}", name) if isinstance(node, str) else node


def check_packages():
    """The linker left exactly the operations in a binary that its role allows."""
    resources, _ = template_file.resolve(template_file.load())
    for function, name in FUNCTIONS.items():
        binary = zipfile.ZipFile(DIST / f"{function}.zip").read("bootstrap")
        found = {
            f"{service.decode()}:{operation.decode()}"
            for service, operation in re.findall(rb"com\.amazonaws\.(ssm|ecs)\.synthetic#([A-Za-z]+?)Input", binary)
        }
        allowed = set()
        role = resources[name.replace("Function", "Role")]["Properties"]
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            allowed.update([actions] if isinstance(actions, str) else actions)
        allowed = {action for action in allowed if action.startswith(("ssm:", "ecs:"))}
        check(found == allowed, f"{function}: its binary has the {len(allowed)} operations that its role allows, no more, no less")


def check_patterns(emulator):
    """The emulator's EventBridge agrees with our reading of the patterns, for every file of events/ that is an event."""
    asked = 0
    for name, expected in EXPECTED.items():
        event = json.loads((EVENTS / name).read_text(encoding="utf-8"))
        if not isinstance(event, dict) or "detail-type" not in event:
            continue
        # The API wants every member of an envelope; some files lack one, as what arrives sometimes does.
        envelope = {"id": "1", "account": ACCOUNT, "time": "2027-01-05T08:00:00Z", "region": REGION, "resources": [], **event}
        for rule, pattern in rules(watched_clusters()).items():
            answer = emulator.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(envelope))
            if answer["Result"] != (rule in expected):
                sys.exit(f"e2e: FAILED: {name}: {rule} gives {answer['Result']}")
            asked += 1
    check(asked > 0, f"the emulator's EventBridge gives the expected answer to {asked} pairs of event and pattern")


def physical_rule(deployment, name):
    return deployment.resources[name].rsplit("/", 1)[-1].split("|")[-1]


def first_instance_is_mapped_by_sweeps(aws):
    say("waiting for a tick of the deployed schedule, through the FIFO queue")
    until(f"{aws.first}, which was there before, is mapped by a sweep and its gate is open", 200,
          lambda: aws.attributes(aws.first).get("smb.G") == "mapped")


def new_instance_is_mapped_from_its_event(emulator, deployment, aws):
    instance = aws.tell("launch")
    say(f"{instance} starts")
    delivered = []

    def deliver():
        for event in aws.tell("events"):
            delivered.extend(deliver_event(emulator, deployment, event))
        return aws.attributes(instance).get("smb.G") == "mapped"

    until(f"a message on the deployed queue ends as {instance} mapped with an open gate", 150, deliver)
    check("ContainerInstanceRule" in delivered, f"its event passed the rule ({', '.join(sorted(set(delivered)))})")
    commands = [value for _, _, name, value in deployment.metrics("map-share") if name == "Commands"]
    check(sum(commands) >= 1, "map-share says that it sent a command")
    state = aws.attributes(instance)["smb.G.state"]
    check(state.startswith("mapped "), f"the state is written: {state}")


def deliver_event(emulator, deployment, event):
    """The emulator refuses `aws.*` sources, as AWS does: rules are asked one by one, and the queue gets what passes."""
    passed = []
    for rule in ("ContainerInstanceRule", "InstanceStateRule", "SpotInterruptionRule", "TerminationRule"):
        pattern = emulator.client("events").describe_rule(Name=physical_rule(deployment, rule))["EventPattern"]
        if emulator.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]:
            emulator.client("sqs").send_message(QueueUrl=deployment.outputs["InstanceEventQueueUrl"], MessageBody=json.dumps(event))
            say(f"in AWS's place: {event['detail-type']} passes {rule} and is put on its queue")
            passed.append(rule)
    return passed


def report_by_hand(emulator, deployment):
    sys.path.insert(0, str(ROOT / "functions" / "drain-unmapped"))
    import report

    answer = deployment.invoke("drain-unmapped", {"report": True})
    check(len(answer["instances"]) == 2, "the report has both instances")
    print(report.render(answer, everything=True))


def invalid_task_definition_raises_its_alarm(emulator, deployment):
    check(deployment.alarm("ticket-invalid-task-definition") != "ALARM", "the alarm on task definitions is quiet")
    event = "validate-task-definition/registered-unc-source.json"
    report = deployment.invoke("validate-task-definition", json.loads((EVENTS / event).read_text(encoding="utf-8")))
    check(report["valid"] is False, f"{event} is found invalid: {[f['rule'] for f in report['findings']]}")
    until("it is logged as a metric", 30, lambda: [
        value for _, _, name, value in deployment.metrics("validate-task-definition")
        if name == "TaskDefinitionsInvalidRegistered" and value >= 1])
    deployment.put_metrics("validate-task-definition", {"TaskDefinitionsInvalidRegistered"})
    until("that metric raises its alarm", 60, lambda: deployment.alarm("ticket-invalid-task-definition") == "ALARM")


def poison_message_ends_in_the_dead_letter_queue(emulator, deployment, aws):
    sqs = emulator.client("sqs")
    for operation in ("ListContainerInstances", "DescribeContainerInstances"):
        aws.tell(f"throttle {operation}")
    poison = {
        "version": "0", "id": "00000000-0000-4000-8000-000000000001", "source": "aws.ec2", "account": ACCOUNT, "region": REGION,
        "detail-type": "EC2 Instance State-change Notification", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "resources": [], "detail": {"instance-id": aws.first, "state": "stopping"},
    }
    sqs.send_message(QueueUrl=deployment.outputs["InstanceEventQueueUrl"], MessageBody=json.dumps(poison))
    say("a message whose AWS calls are all throttled is on the queue")
    received = until("after its five tries it is in the dead-letter queue", 240, lambda: sqs.receive_message(
        QueueUrl=deployment.outputs["InstanceEventDeadLettersUrl"], WaitTimeSeconds=1).get("Messages"))
    check([json.loads(message["Body"]) for message in received] == [poison], "that message and no other")
    aws.tell("recover")


def sweeps_keep_their_alarm_quiet(emulator, deployment):
    check(deployment.alarm("page-no-sweep") != "OK", "without a metric the alarm on missing sweeps is not quiet")
    deployment.put_metrics("drain-unmapped", {"Sweeps", "Mapped", "OldestUnmappedMinutes"})
    until("the alarm on missing sweeps is quiet, for sweeps ran", 60, lambda: deployment.alarm("page-no-sweep") == "OK")


if __name__ == "__main__":
    main()
