"""Checks a response of the local AWS against AWS's own service model, which botocore contains.

The models require hardly any member. ALWAYS lists the members that AWS always returns. Lengths and enums are checked. Patterns
are not checked, because AWS's own responses break them (an unset DocumentVersion is returned as "").
"""

# Every structure that a response may contain, with the members that are always present. A structure that is not listed is a
# finding, so a new operation must be added here.
ALWAYS = {
    # Systems Manager
    "SendCommandResult": "Command",
    "ListCommandsResult": "Commands",
    "ListCommandInvocationsResult": "CommandInvocations",
    "DescribeInstanceInformationResult": "InstanceInformationList",
    "DescribeParametersResult": "Parameters",
    "Command": "CommandId DocumentName DocumentVersion Comment ExpiresAfter Parameters InstanceIds Targets RequestedDateTime Status "
    "StatusDetails MaxConcurrency MaxErrors TargetCount CompletedCount ErrorCount DeliveryTimedOutCount TimeoutSeconds",
    "CommandInvocation": "CommandId InstanceId Comment DocumentName DocumentVersion RequestedDateTime Status StatusDetails CommandPlugins",
    "CommandPlugin": "Name Status StatusDetails ResponseCode ResponseStartDateTime Output",
    "NotificationConfig": "",
    "CloudWatchOutputConfig": "CloudWatchOutputEnabled",
    "InstanceInformation": "InstanceId PingStatus LastPingDateTime AgentVersion IsLatestVersion PlatformType PlatformName "
    "PlatformVersion ResourceType IPAddress ComputerName",
    "ParameterMetadata": "Name ARN Type LastModifiedDate LastModifiedUser Version Tier Policies DataType",
    # ECS
    "ListContainerInstancesResponse": "containerInstanceArns",
    "DescribeContainerInstancesResponse": "containerInstances failures",
    "UpdateContainerInstancesStateResponse": "containerInstances failures",
    "PutAttributesResponse": "attributes",
    "DeleteAttributesResponse": "attributes",
    "ListAttributesResponse": "attributes",
    "RegisterTaskDefinitionResponse": "taskDefinition",
    "DescribeTaskDefinitionResponse": "taskDefinition",
    "ListServicesResponse": "serviceArns",
    "DescribeServicesResponse": "services failures",
    "RunTaskResponse": "tasks failures",
    "StopTaskResponse": "task",
    "ContainerInstance": "containerInstanceArn ec2InstanceId version versionInfo remainingResources registeredResources status "
    "agentConnected runningTasksCount pendingTasksCount attributes registeredAt attachments",
    "VersionInfo": "agentVersion agentHash dockerVersion",
    "Resource": "name type doubleValue longValue integerValue",
    "Attribute": "name",
    "Failure": "arn reason",
    "Service": "serviceArn serviceName clusterArn status desiredCount runningCount pendingCount launchType taskDefinition "
    "schedulingStrategy loadBalancers serviceRegistries deployments events placementConstraints placementStrategy createdAt",
    "TaskDefinition": "taskDefinitionArn family revision status containerDefinitions volumes placementConstraints compatibilities "
    "requiresAttributes registeredAt registeredBy",
    "ContainerDefinition": "name image cpu portMappings essential environment mountPoints volumesFrom",
    "MountPoint": "sourceVolume containerPath",
    "Volume": "name",
    "HostVolumeProperties": "",
    "RuntimePlatform": "",
    "TaskDefinitionPlacementConstraint": "type expression",
    "Task": "taskArn clusterArn taskDefinitionArn containerInstanceArn group launchType lastStatus desiredStatus cpu memory containers "
    "overrides attachments attributes availabilityZone connectivity connectivityAt createdAt tags version healthStatus",
    "Container": "name image taskArn lastStatus networkInterfaces healthStatus",
    "TaskOverride": "containerOverrides",
}


def walk(shape, value, path="", met=None):
    """Returns the findings of a value against a shape, each as "path: what is wrong". `met` collects the names of the structures met."""
    path = path or shape.name
    check = globals().get(f"_{shape.type_name}")
    if check is None:
        return [f"{path}: the walk does not know type {shape.type_name}"]
    return check(shape, value, path, met)


def _structure(shape, value, path, met):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is not a structure"]
    if met is not None:
        met.add(shape.name)
    if shape.name not in ALWAYS:
        return [f"{path}: {shape.name} is not listed in ALWAYS"]
    findings = [f"{path}.{name}: unknown member" for name in value if name not in shape.members]
    needed = set(shape.required_members) | set(ALWAYS[shape.name].split())
    findings += [f"{path}.{name}: missing" for name in sorted(needed) if name not in value]
    for name, member in shape.members.items():
        if name in value:
            findings += walk(member, value[name], f"{path}.{name}", met)
    return findings


def _list(shape, value, path, met):
    if not isinstance(value, list):
        return [f"{path}: {value!r} is not a list"]
    return [finding for at, item in enumerate(value) for finding in walk(shape.member, item, f"{path}[{at}]", met)]


def _map(shape, value, path, met):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is not a map"]
    findings = []
    for key, item in value.items():
        findings += walk(shape.key, key, f"{path} key", met) + walk(shape.value, item, f"{path}[{key}]", met)
    return findings


def _string(shape, value, path, _met):
    if not isinstance(value, str):
        return [f"{path}: {value!r} is not a string"]
    if shape.enum and value not in shape.enum:
        return [f"{path}: {value!r} is not one of {shape.enum}"]
    longest = shape.metadata.get("max")
    return [f"{path}: longer than {longest}"] if longest is not None and len(value) > longest else []


def _whole(shape, value, path, _met):
    whole = isinstance(value, int) and not isinstance(value, bool)
    return [] if whole else [f"{path}: {value!r} is not a whole number"]


def _number(shape, value, path, _met):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [] if number else [f"{path}: {value!r} is not a number"]


def _boolean(shape, value, path, _met):
    return [] if isinstance(value, bool) else [f"{path}: {value!r} is not a boolean"]


_integer = _long = _whole
# The JSON protocol encodes timestamps as seconds since 1970.
_float = _double = _timestamp = _number
