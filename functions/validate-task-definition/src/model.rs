//! The parts of a task definition that the rules need, each with its JSON pointer.
//!
//! Reading never fails: a value of a wrong type is left out and recorded in [`TaskDefinition::problems`], so that nothing
//! is skipped silently.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::json::{Dialect, Node, Problem, ProblemKind, Reader, Text};
use crate::path::WindowsPath;

/// The parts of a task definition that the rules need.
#[derive(Debug, Clone, Default)]
pub struct TaskDefinition {
    /// The ARN, the family, or `(no family)`.
    pub name: String,
    /// The containers; `None` where `containerDefinitions` is missing or empty.
    pub containers: Option<Vec<Container>>,
    /// The pointer to the list of containers, if there is one.
    pub containers_at: Option<String>,
    /// `mountPoints` outside of the container definitions, which ECS ignores.
    pub stray_mounts: Option<StrayMounts>,
    /// All volumes that are objects.
    pub volumes: Vec<Volume>,
    /// Placement constraints of type `memberOf`.
    pub constraints: Vec<Text>,
    /// The pointer to the list of placement constraints, if there is one.
    pub constraints_at: Option<String>,
    /// `runtimePlatform.operatingSystemFamily`.
    pub os_family: Option<Text>,
    /// `networkMode`.
    pub network_mode: Option<Text>,
    /// `requiresCompatibilities`.
    pub compatibilities: Vec<Text>,
    /// The task's parameters that Windows does not support.
    pub linux_parameters: Vec<&'static str>,
    /// What could not be read as expected.
    pub problems: Vec<Problem>,
}

/// `mountPoints` at the top level.
#[derive(Debug, Clone)]
pub struct StrayMounts {
    /// The pointer to the list.
    pub at: String,
    /// Its mount points.
    pub mounts: Vec<MountPoint>,
}

/// A container definition.
#[derive(Debug, Clone)]
pub struct Container {
    /// The pointer to the definition.
    pub at: String,
    /// The name, or else the index.
    pub name: String,
    /// The image.
    pub image: Option<Text>,
    /// The mount points.
    pub mounts: Vec<MountPoint>,
    /// The first words of `entryPoint` and `command`, and `workingDirectory`: they can show the operating system.
    pub programs: Vec<Text>,
    /// The container's parameters that Windows does not support.
    pub linux_parameters: Vec<&'static str>,
}

/// A mount point.
#[derive(Debug, Clone)]
pub struct MountPoint {
    /// The pointer to the mount point.
    pub at: String,
    /// The name of the volume, unless it is empty.
    pub volume: Option<Text>,
    /// The path in the container; `None` where it is absent, `null` or not a text.
    pub path: Option<Located>,
}

/// A path in the definition.
#[derive(Debug, Clone)]
pub struct Located {
    /// The text and its pointer.
    pub text: Text,
    /// The path as Windows reads it.
    pub path: WindowsPath,
}

/// A volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The pointer to the volume.
    pub at: String,
    /// The name.
    pub name: Option<Text>,
    /// `host.sourcePath`. Like ECS, it takes an empty one as absent.
    pub source: Option<Located>,
    /// The pointer to `dockerVolumeConfiguration`.
    pub docker: Option<String>,
    /// The pointer to `efsVolumeConfiguration`.
    pub efs: Option<String>,
    /// `fsxWindowsFileServerVolumeConfiguration`.
    pub fsx: Option<NativeFsx>,
}

/// ECS's native volume on FSx for Windows File Server.
#[derive(Debug, Clone)]
pub struct NativeFsx {
    /// The pointer to the configuration.
    pub at: String,
    /// `fs-…`.
    pub file_system: Option<Text>,
    /// The directory on the file system.
    pub root: Option<Text>,
}

/// Parameters that AWS lists as not supported on Windows. `user` is not one of them: Docker on Windows accepts it.
const TASK_LINUX_PARAMETERS: [&str; 3] = ["pidMode", "ipcMode", "proxyConfiguration"];
const CONTAINER_LINUX_PARAMETERS: [&str; 4] =
    ["linuxParameters", "privileged", "readonlyRootFilesystem", "ulimits"];

const VOLUME_KEYS: [&str; 7] = [
    "name",
    "host",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "configuredAtLaunch",
    "s3filesVolumeConfiguration",
];

impl TaskDefinition {
    /// Reads a task definition in either dialect. Anything but an object is read as an empty one, with a problem.
    pub fn read(value: &Value) -> TaskDefinition {
        let root = Node { at: String::new(), value };
        let mut reader = Reader::new(dialect(value));
        reader.is_object(&root);
        let name = ["taskDefinitionArn", "family"]
            .into_iter()
            .find_map(|key| reader.text(&root, key).map(|text| text.value).filter(|name| !name.is_empty()));
        let listed = reader.get(&root, "containerDefinitions");
        let containers: Vec<Container> = reader
            .objects(&root, "containerDefinitions")
            .iter()
            .map(|node| Container::read(&mut reader, node))
            .collect();
        let stray_mounts = reader
            .get(&root, "mountPoints")
            .map(|node| StrayMounts { at: node.at, mounts: read_mounts(&mut reader, &root) });
        let constraints_at = reader.get(&root, "placementConstraints").map(|node| node.at);
        let constraints = read_constraints(&mut reader, &root);
        let volumes = reader.objects(&root, "volumes");
        let volumes: Vec<Volume> = volumes.iter().map(|node| Volume::read(&mut reader, node)).collect();
        let platform = reader.object(&root, "runtimePlatform");
        let compatibilities = reader.list(&root, "requiresCompatibilities");
        TaskDefinition {
            name: name.unwrap_or_else(|| "(no family)".to_owned()),
            containers_at: listed.map(|node| node.at),
            containers: (!containers.is_empty()).then_some(containers),
            stray_mounts,
            volumes,
            constraints,
            constraints_at,
            os_family: platform.and_then(|node| reader.text(&node, "operatingSystemFamily")),
            network_mode: reader.text(&root, "networkMode"),
            compatibilities: compatibilities.iter().filter_map(|node| reader.as_text(node)).collect(),
            linux_parameters: TASK_LINUX_PARAMETERS
                .into_iter()
                .filter(|key| reader.is_set(&root, key))
                .collect(),
            problems: deduplicated(reader.problems),
        }
    }

    /// Every mount point, misplaced ones included.
    pub fn mounts(&self) -> impl Iterator<Item = &MountPoint> {
        let contained = self.containers.iter().flatten().flat_map(|container| &container.mounts);
        contained.chain(self.stray_mounts.iter().flat_map(|stray| &stray.mounts))
    }

    /// The entry of a required launch type, ignoring case.
    pub fn requires(&self, compatibility: &str) -> Option<&Text> {
        self.compatibilities.iter().find(|text| text.value.eq_ignore_ascii_case(compatibility))
    }
}

impl Container {
    fn read(reader: &mut Reader, node: &Node<'_>) -> Container {
        let index = node.at.rsplit('/').next().unwrap_or_default();
        let name = reader.text(node, "name").map_or_else(|| format!("#{index}"), |text| text.value);
        let programs = ["entryPoint", "command", "workingDirectory"];
        Container {
            at: node.at.clone(),
            name,
            image: reader.hint(node, "image"),
            mounts: read_mounts(reader, node),
            programs: programs.into_iter().filter_map(|key| reader.hint(node, key)).collect(),
            linux_parameters: CONTAINER_LINUX_PARAMETERS
                .into_iter()
                .filter(|key| reader.is_set(node, key))
                .collect(),
        }
    }
}

impl Volume {
    fn read(reader: &mut Reader, node: &Node<'_>) -> Volume {
        for (found, value) in node.value.as_object().into_iter().flatten() {
            if !value.is_null() && !VOLUME_KEYS.iter().any(|key| key.eq_ignore_ascii_case(found)) {
                let at = crate::json::child(&node.at, found);
                reader.problem(&at, ProblemKind::UnknownVolumeKey { found: found.clone() });
            }
        }
        let host = reader.object(node, "host");
        let source = host
            .and_then(|host| reader.resolved_text(&host, "sourcePath"))
            .filter(|text| !text.value.is_empty());
        let fsx = reader.object(node, "fsxWindowsFileServerVolumeConfiguration").map(|fsx| NativeFsx {
            file_system: reader.text(&fsx, "fileSystemId"),
            root: reader.text(&fsx, "rootDirectory"),
            at: fsx.at,
        });
        Volume {
            at: node.at.clone(),
            name: reader.text(node, "name"),
            source: source.map(Located::from),
            docker: reader.object(node, "dockerVolumeConfiguration").map(|docker| docker.at),
            efs: reader.object(node, "efsVolumeConfiguration").map(|efs| efs.at),
            fsx,
        }
    }

    /// The name for messages.
    pub fn label(&self) -> &str {
        self.name.as_ref().map_or("(no name)", |name| &name.value)
    }
}

impl From<Text> for Located {
    fn from(text: Text) -> Located {
        let path =
            if text.function.is_some() { WindowsPath::UNRESOLVED } else { WindowsPath::parse(&text.value) };
        Located { path, text }
    }
}

/// The dialect of a definition: CloudFormation's, if the common keys occur only in its spelling.
fn dialect(value: &Value) -> Dialect {
    let keys = ["containerDefinitions", "family", "volumes", "taskDefinitionArn", "mountPoints"];
    let has = |dialect: Dialect| keys.iter().any(|key| value.get(dialect.spell(key)).is_some());
    if has(Dialect::CloudFormation) && !has(Dialect::Api) { Dialect::CloudFormation } else { Dialect::Api }
}

fn read_mounts(reader: &mut Reader, object: &Node<'_>) -> Vec<MountPoint> {
    let nodes = reader.objects(object, "mountPoints");
    nodes
        .into_iter()
        .map(|node| MountPoint {
            volume: reader.text(&node, "sourceVolume").filter(|text| !text.value.is_empty()),
            path: reader.resolved_text(&node, "containerPath").map(Located::from),
            at: node.at,
        })
        .collect()
}

fn read_constraints(reader: &mut Reader, root: &Node<'_>) -> Vec<Text> {
    let nodes = reader.objects(root, "placementConstraints");
    let mut expressions = Vec::new();
    for node in nodes {
        let kind = reader.text(&node, "type");
        let expression = reader.resolved_text(&node, "expression");
        // `distinctInstance` has no expression.
        if kind.is_none_or(|kind| kind.value == "memberOf") {
            expressions.extend(expression);
        }
    }
    expressions
}

/// A key that is read twice records its problems twice.
fn deduplicated(problems: Vec<Problem>) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let first: Vec<bool> = problems.iter().map(|problem| seen.insert(problem)).collect();
    problems.iter().zip(first).filter(|(_, first)| *first).map(|(problem, _)| problem.clone()).collect()
}
