//! Turns the SDK's task definitions into the API's JSON, so that there is one reader and findings have one kind of
//! pointers. Only what the rules need is converted.

use aws_sdk_ecs::types::{ContainerDefinition, MountPoint, TaskDefinition, Volume};
use serde_json::{Value, json};

/// The JSON of a described task definition.
pub fn to_json(definition: &TaskDefinition) -> Value {
    let constraints = definition.placement_constraints().iter().map(|constraint| {
        json!({"type": constraint.r#type().map(|kind| kind.as_str()), "expression": constraint.expression()})
    });
    let family = definition.runtime_platform().and_then(|platform| platform.operating_system_family());
    let compatibilities = definition.requires_compatibilities().iter().map(|one| json!(one.as_str()));
    json!({
        "taskDefinitionArn": definition.task_definition_arn(),
        "family": definition.family(),
        "containerDefinitions": list(definition.container_definitions().iter().map(container)),
        "volumes": list(definition.volumes().iter().map(volume)),
        "placementConstraints": list(constraints),
        "runtimePlatform": {"operatingSystemFamily": family.map(|family| family.as_str())},
        "networkMode": definition.network_mode().map(|mode| mode.as_str()),
        "requiresCompatibilities": list(compatibilities),
        "pidMode": definition.pid_mode().map(|mode| mode.as_str()),
        "ipcMode": definition.ipc_mode().map(|mode| mode.as_str()),
        "proxyConfiguration": definition.proxy_configuration().map(|_| json!({"type": "APPMESH"})),
    })
}

fn container(container: &ContainerDefinition) -> Value {
    json!({
        "name": container.name(),
        "image": container.image(),
        "entryPoint": container.entry_point(),
        "command": container.command(),
        "workingDirectory": container.working_directory(),
        "mountPoints": list(container.mount_points().iter().map(mount_point)),
        "privileged": container.privileged(),
        "readonlyRootFilesystem": container.readonly_root_filesystem(),
        "linuxParameters": container.linux_parameters().map(|_| json!({"set": true})),
        "ulimits": list(container.ulimits().iter().map(|ulimit| json!({"name": ulimit.name().as_str()}))),
    })
}

fn mount_point(mount: &MountPoint) -> Value {
    json!({
        "sourceVolume": mount.source_volume(),
        "containerPath": mount.container_path(),
        "readOnly": mount.read_only(),
    })
}

fn volume(volume: &Volume) -> Value {
    let docker = volume.docker_volume_configuration();
    let efs = volume.efs_volume_configuration();
    let fsx = volume.fsx_windows_file_server_volume_configuration();
    json!({
        "name": volume.name(),
        "host": volume.host().map(|host| json!({"sourcePath": host.source_path()})),
        "dockerVolumeConfiguration": docker.map(|docker| json!({"driver": docker.driver()})),
        "efsVolumeConfiguration": efs.map(|efs| json!({"fileSystemId": efs.file_system_id()})),
        "fsxWindowsFileServerVolumeConfiguration": fsx.map(|fsx| json!({
            "fileSystemId": fsx.file_system_id(),
            "rootDirectory": fsx.root_directory(),
        })),
        "configuredAtLaunch": volume.configured_at_launch(),
    })
}

fn list(values: impl Iterator<Item = Value>) -> Value {
    Value::Array(values.collect())
}
