"""What `make e2e` stands on: the local AWS, the emulator, the deployed stack, and how a step is told and checked."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.exceptions

import template as template_file

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
