"""Starts the local AWS, calls every operation with boto3 and keeps each raw response."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
CLUSTER = "windows"
DOCUMENT = "ecs-smb-mapper-G"


class LocalAws:
    """The process that serves the local AWS, its control interface, and the responses that boto3 received from it."""

    def __init__(self):
        command = [TARGET / "debug/serve-aws", "--port", "0", "--events", "none", "--instances", "3"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # "local aws on http://127.0.0.1:40123, …"
        self.url = self.process.stdout.readline().split(",")[0].split()[-1]
        # (service, operation, status, body) of every response
        self.responses = []
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": "boto3", "aws_secret_access_key": "none", "region_name": "eu-west-1"}
        self.clients = {}
        for name in ("ssm", "ecs"):
            client = boto3.client(name, endpoint_url=self.url, config=config, **keys)
            client.meta.events.register(f"response-received.{name}", self._keep)
            self.clients[name] = client
        self.ssm, self.ecs = self.clients["ssm"], self.clients["ecs"]

    def _keep(self, response_dict, **_):
        self._last = response_dict["status_code"], json.loads(response_dict["body"])

    def call(self, service, operation, **request):
        """Makes one call and returns the raw response, success or error."""
        method = boto3_name(operation)
        try:
            getattr(self.clients[service], method)(**request)
        except ClientError:
            pass
        status, body = self._last
        self.responses.append((service, operation, status, body))
        return body

    def control(self, path, body=None, method=None):
        """Sends one request to the control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def boto3_name(operation):
    """SendCommand → send_command."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


def drive(aws):
    """Calls every operation so that its response has content, then with requests that it refuses, then with injected faults."""
    make_successful_calls(aws)
    make_refused_calls(aws)
    make_faulty_calls(aws)


def make_successful_calls(aws):
    ids = [f"i-0f1ee7{n:011x}" for n in (1, 2, 3)]
    arns = aws.call("ecs", "ListContainerInstances", cluster=CLUSTER)["containerInstanceArns"]
    aws.call("ecs", "ListContainerInstances", cluster=CLUSTER, maxResults=1, filter="attribute:ecs.os-type == windows")
    aws.call("ecs", "DescribeContainerInstances", cluster=CLUSTER, containerInstances=[*arns, "f00"])
    attribute = {"name": "smb.G", "value": "mapped", "targetId": arns[0]}
    aws.call("ecs", "PutAttributes", cluster=CLUSTER, attributes=[attribute])
    aws.call("ecs", "ListAttributes", cluster=CLUSTER, targetType="container-instance", maxResults=5)
    aws.call("ecs", "UpdateContainerInstancesState", cluster=CLUSTER, containerInstances=[arns[1], "f00"], status="DRAINING")

    definition = {
        "family": "conformance",
        "volumes": [{"name": "state", "host": {"sourcePath": "G:\\Directory\\app-state"}}],
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:smb.G == mapped"}],
        "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
        "containerDefinitions": [
            {
                "name": "app",
                "image": "app:1",
                "memory": 512,
                "mountPoints": [{"sourceVolume": "state", "containerPath": "C:\\state"}],
            }
        ],
    }
    aws.call("ecs", "RegisterTaskDefinition", **definition)
    aws.call("ecs", "DescribeTaskDefinition", taskDefinition="conformance")
    services = aws.call("ecs", "ListServices", cluster=CLUSTER)["serviceArns"]
    aws.call("ecs", "DescribeServices", cluster=CLUSTER, services=[*services, "none"])
    task = aws.call("ecs", "RunTask", cluster=CLUSTER, taskDefinition="conformance")["tasks"][0]["taskArn"]
    aws.call("ecs", "RunTask", cluster=CLUSTER, taskDefinition="conformance", count=10)
    aws.call("ecs", "StopTask", cluster=CLUSTER, task=task, reason="enough")
    aws.control("advance", {"seconds": 60})
    aws.call("ecs", "DeleteAttributes", cluster=CLUSTER, attributes=[attribute])

    aws.call("ssm", "DescribeInstanceInformation", Filters=[{"Key": "InstanceIds", "Values": ids}])
    aws.call("ssm", "DescribeInstanceInformation", MaxResults=5)
    aws.call("ssm", "DescribeParameters", MaxResults=1)
    aws.call("ssm", "DescribeParameters")
    sent = send(aws, ids)
    aws.call("ssm", "ListCommandInvocations", CommandId=sent, Details=True)
    aws.control("advance", {"seconds": 60})
    aws.call("ssm", "ListCommandInvocations", CommandId=sent, Details=True)
    # Every StatusDetails that an invocation may end with.
    all_details = ["Undeliverable", "Terminated", "DeliveryTimedOut", "ExecutionTimedOut", "Cancelled", "InProgress", "Delayed", "Failed"]
    for details in all_details:
        aws.control(f"hosts/{ids[0]}/outcomes", {"details": details, "seconds": 0, "output": "x" * 3000})
        sent = send(aws, ids[:1])
        aws.control("advance", {"seconds": 1})
        aws.call("ssm", "ListCommandInvocations", CommandId=sent, Details=True)
        aws.call("ssm", "ListCommands", CommandId=sent)
    aws.control("lag", {"spacedDetails": True})
    aws.call("ssm", "ListCommandInvocations", MaxResults=3, Details=True)
    aws.control("lag", {"spacedDetails": False})
    aws.call("ssm", "ListCommands", MaxResults=3)


def send(aws, ids):
    request = {"DocumentName": DOCUMENT, "InstanceIds": ids, "Parameters": {"Action": ["map"]}, "Comment": "conformance"}
    return aws.call("ssm", "SendCommand", TimeoutSeconds=120, MaxErrors="100%", **request)["Command"]["CommandId"]


# (service, operation, request, code): requests that the services refuse, with the error code of the refusal.
REFUSED = [
    ("ssm", "SendCommand", {"DocumentName": DOCUMENT, "InstanceIds": ["i-0aaaaaaaaaaaaaaaa"]}, "InvalidParameters"),
    ("ssm", "SendCommand", {"DocumentName": "nonesuch", "InstanceIds": ["i-0f1ee700000000001"]}, "InvalidDocument"),
    ("ssm", "SendCommand", {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0aaaaaaaaaaaaaaaa"]}, "InvalidInstanceId"),
    ("ssm", "SendCommand", {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0f1ee700000000001"] * 2}, "DuplicateInstanceId"),
    ("ssm", "SendCommand", {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-1"]}, "ValidationException"),
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0f1ee700000000001"], "DocumentVersion": "9"},
        "InvalidDocumentVersion",
    ),
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0f1ee700000000001"], "Parameters": {"commands": ["x" * 70_000]}},
        "MaxDocumentSizeExceeded",
    ),
    ("ssm", "SendCommand", {"DocumentName": DOCUMENT, "Targets": []}, "SerializationException"),
    ("ssm", "ListCommands", {"MaxResults": 51}, "ValidationException"),
    ("ssm", "ListCommands", {"NextToken": "nonsense"}, "InvalidNextToken"),
    ("ssm", "ListCommands", {"CommandId": "0" * 36}, "InvalidCommandId"),
    ("ssm", "ListCommandInvocations", {"Filters": [{"key": "InvokedAfter", "value": "noon"}]}, "InvalidFilterKey"),
    ("ssm", "ListCommandInvocations", {"MaxResults": "ten"}, "SerializationException"),
    ("ssm", "DescribeInstanceInformation", {"MaxResults": 4}, "ValidationException"),
    ("ssm", "DescribeInstanceInformation", {"Filters": [{"Key": "InstanceIds", "Values": ["i-1"]}]}, "InvalidInstanceId"),
    ("ssm", "DescribeInstanceInformation", {"Filters": [{"Key": "Colour", "Values": ["red"]}]}, "InvalidFilterKey"),
    (
        "ssm",
        "DescribeParameters",
        {"ParameterFilters": [{"Key": "Name", "Option": "OneLevel", "Values": ["x"]}]},
        "InvalidFilterOption",
    ),
    ("ecs", "ListContainerInstances", {"cluster": "none"}, "ClusterNotFoundException"),
    ("ecs", "ListContainerInstances", {"cluster": CLUSTER, "filter": "colour == red"}, "InvalidParameterException"),
    ("ecs", "DescribeContainerInstances", {"cluster": CLUSTER, "containerInstances": ["f00"] * 101}, "InvalidParameterException"),
    (
        "ecs",
        "UpdateContainerInstancesState",
        {"cluster": CLUSTER, "containerInstances": ["f00"] * 11, "status": "DRAINING"},
        "InvalidParameterException",
    ),
    (
        "ecs",
        "PutAttributes",
        {"cluster": CLUSTER, "attributes": [{"name": "n", "value": "v", "targetType": "container-instance", "targetId": "f00"}]},
        "TargetNotFoundException",
    ),
    (
        "ecs",
        "DeleteAttributes",
        {"cluster": CLUSTER, "attributes": [{"name": "n", "targetType": "container-instance", "targetId": "f00"}]},
        "TargetNotFoundException",
    ),
    ("ecs", "ListAttributes", {"cluster": CLUSTER, "targetType": "task"}, "InvalidParameterException"),
    ("ecs", "RegisterTaskDefinition", {"family": "f", "containerDefinitions": []}, "ClientException"),
    ("ecs", "DescribeTaskDefinition", {"taskDefinition": "none"}, "ClientException"),
    ("ecs", "ListServices", {"cluster": "none"}, "ClusterNotFoundException"),
    ("ecs", "DescribeServices", {"cluster": CLUSTER, "services": ["s"] * 11}, "InvalidParameterException"),
    ("ecs", "RunTask", {"cluster": CLUSTER, "taskDefinition": "conformance", "count": 11}, "InvalidParameterException"),
    ("ecs", "StopTask", {"cluster": CLUSTER, "task": "f00"}, "InvalidParameterException"),
]


def make_refused_calls(aws):
    for service, operation, request, _ in REFUSED:
        aws.call(service, operation, **request)
    arn = aws.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"][0]
    attributes = [{"name": f"a{n}", "value": "v", "targetId": arn} for n in range(10)]
    aws.call("ecs", "PutAttributes", cluster=CLUSTER, attributes=attributes)
    aws.call("ecs", "PutAttributes", cluster=CLUSTER, attributes=[{"name": "a10", "value": "v", "targetId": arn}])


def make_faulty_calls(aws):
    """Injects each fault on the service's side, once for each service."""
    for service, operation in (("ssm", "ListCommands"), ("ecs", "ListServices")):
        for fault in ("throttle", "error-before", "error-after", "denied"):
            aws.control("faults", {"fault": fault})
            aws.call(service, operation)
