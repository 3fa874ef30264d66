//! Detects the operating system of a task from its definition.
//!
//! `runtimePlatform` decides, but most definitions of EC2 tasks have none. Then values that exist on one of the two only
//! decide, Windows first. A container path such as `/data` decides nothing, because Windows reads it as `\data`. Without
//! any such value the operating system is ambiguous.

use serde::Serialize;

use crate::constraint::{self, Known, Truth};
use crate::model::{Container, TaskDefinition};
use crate::path::only_windows_can_mean;

/// The operating system of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OperatingSystem {
    /// Windows Server.
    Windows,
    /// Linux.
    Linux,
    /// The definition does not show it.
    Ambiguous,
}

/// The operating system and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The operating system.
    pub os: OperatingSystem,
    /// A phrase for the report: ``the family `LINUX` of `runtimePlatform` ``.
    pub from: String,
}

/// Detects the operating system.
pub fn detect(definition: &TaskDefinition) -> Detected {
    declared(definition)
        .or_else(|| windows_evidence(definition))
        .or_else(|| linux_evidence(definition))
        .unwrap_or_else(|| Detected {
            os: OperatingSystem::Ambiguous,
            from: "nothing in it says whether it runs on Windows or on Linux".to_owned(),
        })
}

/// `runtimePlatform`, then a placement constraint on the instances' operating system.
fn declared(definition: &TaskDefinition) -> Option<Detected> {
    if let Some(family) = &definition.os_family {
        let upper = family.value.to_ascii_uppercase();
        let from = format!("`runtimePlatform.operatingSystemFamily` is `{}`", family.value);
        if upper.starts_with("WINDOWS") {
            return Some(Detected { os: OperatingSystem::Windows, from });
        }
        if upper == "LINUX" {
            return Some(Detected { os: OperatingSystem::Linux, from });
        }
    }
    definition.constraints.iter().find_map(|text| {
        let refuses =
            |os| constraint::holds(&text.value, &[("ecs.os-type", Known::Value(os))]) == Truth::False;
        let from = format!("the placement constraint `{}`", text.value);
        match (refuses("windows"), refuses("linux")) {
            (false, true) => Some(Detected { os: OperatingSystem::Windows, from }),
            (true, false) => Some(Detected { os: OperatingSystem::Linux, from }),
            _ => None,
        }
    })
}

fn windows_evidence(definition: &TaskDefinition) -> Option<Detected> {
    let sources = definition.volumes.iter().filter_map(|volume| volume.source.as_ref());
    let mounts = definition.mounts().filter_map(|mount| mount.path.as_ref());
    let paths = sources.chain(mounts).map(|located| &located.text).filter(|text| text.function.is_none());
    let path = paths.filter(|text| only_windows_can_mean(&text.value)).map(|text| {
        let value = crate::json::shortened(&text.value);
        format!("the path `{value}` is one of Windows")
    });
    let native =
        definition.volumes.iter().filter(|volume| volume.fsx.is_some()).map(|volume| {
            format!("the volume `{}` is of a kind that ECS has on Windows only", volume.label())
        });
    let image = containers(definition).filter_map(|container| container.image.as_ref());
    let image = image
        .filter(|text| is_windows_image(&text.value))
        .map(|text| format!("the image `{}` is one of Windows", text.value));
    let program = containers(definition).flat_map(|container| &container.programs);
    let program = program
        .filter(|text| is_windows_program(&text.value))
        .map(|text| format!("`{}` is run on Windows", crate::json::shortened(&text.value)));
    let from = path.chain(native).chain(image).chain(program).next()?;
    Some(Detected { os: OperatingSystem::Windows, from })
}

fn linux_evidence(definition: &TaskDefinition) -> Option<Detected> {
    let source = definition.volumes.iter().filter_map(|volume| volume.source.as_ref());
    let source = source
        .filter(|located| located.text.value.starts_with('/') && !located.text.value.starts_with("//"))
        .map(|located| format!("the source path `{}` is one of Linux", located.text.value));
    let efs = definition
        .volumes
        .iter()
        .filter(|volume| volume.efs.is_some())
        .map(|volume| format!("the volume `{}` is on EFS, which ECS has on Linux only", volume.label()));
    let of_containers = containers(definition).flat_map(|container| &container.linux_parameters);
    let parameter = definition.linux_parameters.iter().chain(of_containers);
    let parameter = parameter.map(|key| format!("the parameter `{key}` is one of Linux"));
    let program = containers(definition).flat_map(|container| &container.programs);
    let program = program
        .filter(|text| is_linux_program(&text.value))
        .map(|text| format!("`{}` is run on Linux", crate::json::shortened(&text.value)));
    let from = source.chain(efs).chain(parameter).chain(program).next()?;
    Some(Detected { os: OperatingSystem::Linux, from })
}

fn containers(definition: &TaskDefinition) -> impl Iterator<Item = &Container> {
    definition.containers.iter().flatten()
}

/// Whether the image exists for Windows only, by its repository or tag. A tag such as `ltsc2022` names a Windows release;
/// many other images of Microsoft's registry exist for both.
fn is_windows_image(image: &str) -> bool {
    let image = image.to_ascii_lowercase();
    let (repository, tag) = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image.as_str(), ""),
    };
    let repository = repository.split('@').next().unwrap_or_default();
    let prefixes = ["mcr.microsoft.com/windows", "mcr.microsoft.com/dotnet/framework", "microsoft/windows"];
    prefixes.iter().any(|prefix| repository.starts_with(prefix))
        || ["windowsservercore", "nanoserver", "ltsc20"].iter().any(|word| tag.contains(word))
        || ["windowsservercore", "nanoserver"].iter().any(|word| repository.contains(word))
}

fn is_windows_program(program: &str) -> bool {
    let lower = program.to_ascii_lowercase();
    let first = lower.split_whitespace().next().unwrap_or_default();
    ["powershell", "cmd"].contains(&first) || first.ends_with(".exe") || starts_with_drive(&lower)
}

fn starts_with_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/')
}

fn is_linux_program(program: &str) -> bool {
    let first = program.split_whitespace().next().unwrap_or_default();
    ["sh", "bash", "ash"].contains(&first)
        || ["/bin/", "/usr/", "/sbin/"].iter().any(|root| first.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(definition: Value, os: OperatingSystem, from: &str) {
        let detected = detect(&TaskDefinition::read(&definition));
        assert_eq!(detected.os, os, "{definition}: {}", detected.from);
        assert!(detected.from.contains(from), "{definition}: {}", detected.from);
    }

    fn container(extra: Value) -> Value {
        let mut container = json!({"name": "app"});
        container.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"family": "app", "containerDefinitions": [container]})
    }

    #[test]
    fn runtime_platform_decides() {
        let mut definition = container(json!({"image": "mcr.microsoft.com/windows/servercore:ltsc2022"}));
        definition["runtimePlatform"] = json!({"operatingSystemFamily": "LINUX"});
        check(definition.clone(), OperatingSystem::Linux, "`LINUX`");
        definition["runtimePlatform"] = json!({"operatingSystemFamily": "WINDOWS_SERVER_2025_CORE"});
        check(definition, OperatingSystem::Windows, "2025");
    }

    #[test]
    fn a_placement_constraint_on_the_operating_system_decides() {
        for (expression, os) in [
            ("attribute:ecs.os-type == windows", OperatingSystem::Windows),
            ("attribute:ecs.os-type != windows", OperatingSystem::Linux),
            ("attribute:ecs.os-type == linux and attribute:x exists", OperatingSystem::Linux),
            ("attribute:ecs.os-type exists", OperatingSystem::Ambiguous),
            ("attribute:ecs.instance-type =~ m5.*", OperatingSystem::Ambiguous),
        ] {
            let mut definition = container(json!({}));
            definition["placementConstraints"] = json!([{"type": "memberOf", "expression": expression}]);
            check(definition, os, "");
        }
    }

    #[test]
    fn values_that_exist_on_windows_only_decide() {
        for path in [r"C:\data", "C:/data", "G:", r"\\.\pipe\docker_engine", r"\\fs\share", r"Directory\x"] {
            let volumes = json!([{"name": "v", "host": {"sourcePath": path}}]);
            check(json!({"volumes": volumes}), OperatingSystem::Windows, path);
            let mounts = json!({"mountPoints": [{"sourceVolume": "v", "containerPath": path}]});
            check(container(mounts), OperatingSystem::Windows, path);
        }
        for image in [
            "mcr.microsoft.com/windows/servercore/iis:windowsservercore-ltsc2019",
            "mcr.microsoft.com/dotnet/framework/aspnet:4.8",
            "mcr.microsoft.com/dotnet/aspnet:8.0-nanoserver-ltsc2022",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1.4-ltsc2022",
        ] {
            check(container(json!({"image": image})), OperatingSystem::Windows, image);
        }
        check(
            container(json!({"entryPoint": ["powershell", "-Command"]})),
            OperatingSystem::Windows,
            "powershell",
        );
        check(container(json!({"workingDirectory": r"C:\app"})), OperatingSystem::Windows, "app");
    }

    #[test]
    fn values_that_exist_on_linux_only_decide_where_none_shows_windows() {
        check(
            container(json!({"linuxParameters": {"initProcessEnabled": true}})),
            OperatingSystem::Linux,
            "linuxP",
        );
        check(container(json!({"entryPoint": ["sh", "-c"]})), OperatingSystem::Linux, "`sh`");
        let volumes = json!([{"name": "v", "host": {"sourcePath": "/proc"}}]);
        check(json!({"volumes": volumes}), OperatingSystem::Linux, "/proc");
    }

    #[test]
    fn values_that_exist_on_both_are_ambiguous() {
        for extra in [
            json!({"image": "mcr.microsoft.com/dotnet/aspnet:8.0"}),
            json!({"image": "localhost:5000/app"}),
            json!({"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}),
            json!({"privileged": false, "ulimits": [], "linuxParameters": null, "command": {"Fn::Split": []}}),
        ] {
            check(container(extra), OperatingSystem::Ambiguous, "nothing");
        }
    }
}
