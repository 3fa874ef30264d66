"""Starts the local AWS and drives every operation with boto3, keeping each raw answer."""

import json
import subprocess
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "windows"
DOCUMENT = "ecs-smb-mapper-G"


class LocalAws:
    """The served binary, its control interface, and what boto3 got from it."""

    def __init__(self):
        command = [ROOT / "target/debug/serve-aws", "--port", "0", "--events", "none", "--instances", "3"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # "local aws on http://127.0.0.1:40123, …"
        self.url = self.process.stdout.readline().split(",")[0].split()[-1]
        # (service, operation, status, body) of every answer
        self.answers = []
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

    def ask(self, service, operation, **request):
        """One call; the raw answer, good or bad."""
        method = boto3_name(operation)
        try:
            getattr(self.clients[service], method)(**request)
        except ClientError:
            pass
        status, body = self._last
        self.answers.append((service, operation, status, body))
        return body

    def order(self, path, body=None, method=None):
        """One order to the control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def boto3_name(operation):
    """SendCommand → send_command."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


def drive(aws):
    """Every operation with an answer that holds something, then what they refuse."""
    good(aws)
    refused(aws)
    faulty(aws)


def good(aws):
    ids = [f"i-0f1ee7{n:011x}" for n in (1, 2, 3)]
    arns = aws.ask("ecs", "ListContainerInstances", cluster=CLUSTER)["containerInstanceArns"]
    aws.ask("ecs", "ListContainerInstances", cluster=CLUSTER, maxResults=1, filter="attribute:ecs.os-type == windows")
    include = ["TAGS", "CONTAINER_INSTANCE_HEALTH"]
    aws.ask("ecs", "DescribeContainerInstances", cluster=CLUSTER, containerInstances=[*arns, "f00"], include=include)
    attribute = {"name": "smb.G", "value": "mapped", "targetId": arns[0]}
    aws.ask("ecs", "PutAttributes", cluster=CLUSTER, attributes=[attribute])
    aws.ask("ecs", "ListAttributes", cluster=CLUSTER, targetType="container-instance", maxResults=5)
    aws.ask("ecs", "UpdateContainerInstancesState", cluster=CLUSTER, containerInstances=[arns[1], "f00"], status="DRAINING")

    definition = {
        "family": "vouched",
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
    aws.ask("ecs", "RegisterTaskDefinition", **definition)
    aws.ask("ecs", "DescribeTaskDefinition", taskDefinition="vouched", include=["TAGS"])
    aws.ask("ecs", "ListTaskDefinitions", maxResults=1)
    services = aws.ask("ecs", "ListServices", cluster=CLUSTER)["serviceArns"]
    aws.ask("ecs", "DescribeServices", cluster=CLUSTER, services=[*services, "none"], include=["TAGS"])
    aws.ask("ecs", "ListClusters")
    aws.ask("ecs", "DescribeClusters", clusters=[CLUSTER, "none"], include=["STATISTICS", "SETTINGS"])
    task = aws.ask("ecs", "RunTask", cluster=CLUSTER, taskDefinition="vouched")["tasks"][0]["taskArn"]
    aws.ask("ecs", "RunTask", cluster=CLUSTER, taskDefinition="vouched", count=10, startedBy="vouch")
    aws.ask("ecs", "ListTasks", cluster=CLUSTER, maxResults=1)
    aws.ask("ecs", "StopTask", cluster=CLUSTER, task=task, reason="enough")
    aws.order("advance", {"seconds": 60})
    aws.ask("ecs", "DescribeTasks", cluster=CLUSTER, tasks=[task, "f00"])
    aws.ask("ecs", "DeleteAttributes", cluster=CLUSTER, attributes=[attribute])

    aws.ask("ssm", "DescribeInstanceInformation", Filters=[{"Key": "PingStatus", "Values": ["Online"]}])
    aws.ask("ssm", "DescribeInstanceInformation", MaxResults=5)
    aws.ask("ssm", "DescribeParameters", MaxResults=1)
    aws.ask("ssm", "DescribeParameters")
    sent = send(aws, ids)
    aws.ask("ssm", "ListCommandInvocations", CommandId=sent, Details=True)
    aws.order("advance", {"seconds": 60})
    aws.ask("ssm", "ListCommandInvocations", CommandId=sent, Details=True)
    aws.ask("ssm", "GetCommandInvocation", CommandId=sent, InstanceId=ids[0])
    aws.ask("ssm", "GetCommandInvocation", CommandId=sent, InstanceId=ids[2], PluginName="mapShare")
    # Every word that an outcome may be.
    words = ["Undeliverable", "Terminated", "DeliveryTimedOut", "ExecutionTimedOut", "Cancelled", "InProgress", "Delayed", "Failed"]
    for word in words:
        aws.order(f"hosts/{ids[0]}/outcomes", {"details": word, "seconds": 0, "output": "x" * 3000})
        sent = send(aws, ids[:1])
        aws.order("advance", {"seconds": 1})
        aws.ask("ssm", "ListCommandInvocations", CommandId=sent, Details=True)
        aws.ask("ssm", "ListCommands", CommandId=sent)
    aws.order("lag", {"spacedDetails": True})
    aws.ask("ssm", "ListCommandInvocations", MaxResults=3, Details=True)
    aws.order("lag", {"spacedDetails": False})
    sent = send(aws, ids[:1])
    aws.ask("ssm", "CancelCommand", CommandId=sent)
    aws.ask("ssm", "ListCommands", MaxResults=3)
    by_tag = [{"Key": "tag:fleet", "Values": ["windows"]}]
    aws.ask("ssm", "SendCommand", DocumentName=DOCUMENT, Targets=by_tag, Parameters={"Action": ["check"]})


def send(aws, ids):
    request = {"DocumentName": DOCUMENT, "InstanceIds": ids, "Parameters": {"Action": ["map"]}, "Comment": "vouch"}
    return aws.ask("ssm", "SendCommand", TimeoutSeconds=120, MaxErrors="100%", **request)["Command"]["CommandId"]


# (service, operation, request, code): what the services refuse, with the code that they refuse it with.
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
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0f1ee700000000001"], "ServiceRoleArn": "role"},
        "InvalidRole",
    ),
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0f1ee700000000001"], "NotificationConfig": {}},
        "InvalidNotificationConfig",
    ),
    ("ssm", "ListCommands", {"MaxResults": 51}, "ValidationException"),
    ("ssm", "ListCommands", {"NextToken": "nonsense"}, "InvalidNextToken"),
    ("ssm", "ListCommands", {"CommandId": "0" * 36}, "InvalidCommandId"),
    ("ssm", "ListCommandInvocations", {"Filters": [{"key": "ExecutionStage", "value": "Complete"}]}, "InvalidFilterKey"),
    ("ssm", "ListCommandInvocations", {"MaxResults": "ten"}, "SerializationException"),
    ("ssm", "GetCommandInvocation", {"CommandId": "0" * 36, "InstanceId": "i-0f1ee700000000001"}, "InvocationDoesNotExist"),
    (
        "ssm",
        "GetCommandInvocation",
        {"CommandId": "0" * 36, "InstanceId": "i-0f1ee700000000001", "PluginName": "other"},
        "InvalidPluginName",
    ),
    ("ssm", "CancelCommand", {"CommandId": "0" * 36}, "InvalidCommandId"),
    ("ssm", "DescribeInstanceInformation", {"MaxResults": 4}, "ValidationException"),
    ("ssm", "DescribeInstanceInformation", {"Filters": [{"Key": "InstanceIds", "Values": ["i-1"]}]}, "InvalidInstanceId"),
    (
        "ssm",
        "DescribeInstanceInformation",
        {"Filters": [{"Key": "PingStatus", "Values": ["Asleep"]}]},
        "InvalidInstanceInformationFilterValue",
    ),
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
    ("ecs", "ListTaskDefinitions", {"maxResults": 101}, "InvalidParameterException"),
    ("ecs", "ListServices", {"cluster": "none"}, "ClusterNotFoundException"),
    ("ecs", "DescribeServices", {"cluster": CLUSTER, "services": ["s"] * 11}, "InvalidParameterException"),
    ("ecs", "DescribeClusters", {"clusters": ["c"] * 101}, "InvalidParameterException"),
    ("ecs", "ListClusters", {"maxResults": 0}, "InvalidParameterException"),
    ("ecs", "RunTask", {"cluster": CLUSTER, "taskDefinition": "vouched", "count": 11}, "InvalidParameterException"),
    ("ecs", "StopTask", {"cluster": CLUSTER, "task": "f00"}, "InvalidParameterException"),
    ("ecs", "ListTasks", {"cluster": "none"}, "ClusterNotFoundException"),
    ("ecs", "DescribeTasks", {"cluster": CLUSTER, "tasks": []}, "InvalidParameterException"),
]


def refused(aws):
    for service, operation, request, _ in REFUSED:
        aws.ask(service, operation, **request)
    arn = aws.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"][0]
    attributes = [{"name": f"a{n}", "value": "v", "targetId": arn} for n in range(10)]
    aws.ask("ecs", "PutAttributes", cluster=CLUSTER, attributes=attributes)
    aws.ask("ecs", "PutAttributes", cluster=CLUSTER, attributes=[{"name": "a10", "value": "v", "targetId": arn}])


def faulty(aws):
    """What goes wrong on the service's side, once for each service."""
    for service, operation in (("ssm", "ListCommands"), ("ecs", "ListClusters")):
        for fault in ("throttle", "error-before", "error-after", "denied"):
            aws.order("faults", {"fault": fault})
            aws.ask(service, operation)
