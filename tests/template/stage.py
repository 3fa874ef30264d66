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
import urllib.error
import urllib.request

import boto3
import botocore.exceptions

import template as template_file

ROOT = template_file.ROOT
DIST = ROOT / "dist"
# Twelve digits as an access key are an account to the emulator; it is the local AWS's account, too.
ACCOUNT, REGION, CLUSTER, STACK = "111122223333", "eu-west-1", "windows", "e2e"
# Types that the emulator does not know. Nothing else may be left out.
LEFT_OUT = {"AWS::SSM::Document"}
# The local AWS's own mapping document takes the place of the stack's.
DOCUMENT = "ecs-smb-mapper-G"
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
    """`serve-aws`, with one healthy host, one with a disk on the letter and one on Linux."""

    first = "i-0f1ee700000000001"
    broken = "i-0f1ee700000000002"

    def __init__(self, stack):
        subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bins", "--examples"], cwd=ROOT, check=True)
        program = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "debug", "serve-aws")
        no_events = stack.enter_context(tempfile.TemporaryDirectory())
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        process = subprocess.Popen(
            [program, "--port", str(port), "--instances", "2", "--cluster", CLUSTER, "--events", no_events], stdout=subprocess.DEVNULL
        )
        stack.callback(process.wait, timeout=10)
        stack.callback(process.terminate)
        until("the local AWS answers", 30, lambda: process.poll() is None and self.control("GET", "operations", quiet=True))

    def control(self, method, path, body=None, quiet=False):
        request = urllib.request.Request(
            f"{self.url}/_control/{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.URLError:
            if quiet:
                return None
            raise

    def attributes(self, instance):
        """The custom attributes of a host's registration, by name."""
        for host in self.control("GET", "fleet")["hosts"]:
            if host["instanceId"] == instance:
                return host["attributes"] or {}
        return {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Emulator:
    """ministack, and clients of what it emulates."""

    def __init__(self, stack):
        port = free_port()
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
