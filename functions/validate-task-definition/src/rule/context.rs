//! What a rule sees of a task definition.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::{Text, shortened};
use crate::model::{Located, MountPoint, TaskDefinition, Volume};
use crate::os::{Detected, OperatingSystem, detect};
use crate::path::PathKind;
use crate::requirements::Requirements;

/// The task definitions that a rule checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every definition.
    Every,
    /// Definitions that run on Windows.
    Windows,
    /// Definitions that run on Windows and use the share.
    Share,
}

/// What a rule sees.
#[derive(Debug)]
pub struct Context<'a> {
    /// The definition.
    pub definition: &'a TaskDefinition,
    /// What the definition must comply with.
    pub requirements: &'a Requirements,
    /// The services that use the definition; `None` where only the definition is known.
    pub services: Option<&'a [Service]>,
    /// The operating system.
    pub os: Detected,
    /// Whether it uses the share, or has a broken source that probably should be on the share.
    pub applies: bool,
    volumes: BTreeMap<&'a str, &'a Volume>,
    mounted: BTreeSet<&'a str>,
}

/// A service that uses a task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name.
    pub name: String,
    /// Whether its scheduling strategy is `DAEMON`: one task on every instance.
    pub is_daemon: bool,
    /// The expressions of its own placement constraints, which are added to the definition's.
    pub constraints: Vec<String>,
}

impl<'a> Context<'a> {
    /// Reads what several rules need.
    pub fn new(
        definition: &'a TaskDefinition,
        requirements: &'a Requirements,
        services: Option<&'a [Service]>,
    ) -> Context<'a> {
        let os = detect(definition);
        let containers = definition.containers.iter().flatten();
        let named = |volume: &'a Volume| volume.name.as_ref().map(|name| (name.value.as_str(), volume));
        let mut context = Context {
            definition,
            requirements,
            services,
            os,
            applies: false,
            // The agent takes the first of several volumes with one name. In reverse order it is inserted last.
            volumes: definition.volumes.iter().rev().filter_map(named).collect(),
            mounted: containers
                .flat_map(|container| &container.mounts)
                .filter_map(|mount| mount.volume.as_ref())
                .map(|name| name.value.as_str())
                .collect(),
        };
        context.applies =
            context.share_volumes().next().is_some() || context.broken_sources().next().is_some();
        context
    }

    /// Whether a rule with this scope runs.
    pub fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::Every => true,
            Scope::Windows => self.is_windows(),
            Scope::Share => self.is_windows() && self.applies,
        }
    }

    /// Whether paths are Windows paths. An ambiguous definition with mount points but without containers is invalid
    /// anyway, and is checked as a Windows definition to report all its mistakes at once.
    fn is_windows(&self) -> bool {
        let is_fragment = self.definition.containers.is_none() && self.definition.stray_mounts.is_some();
        match self.os.os {
            OperatingSystem::Windows => true,
            OperatingSystem::Ambiguous => is_fragment,
            OperatingSystem::Linux => false,
        }
    }

    /// Volumes whose source names the share's drive.
    pub fn share_volumes(&self) -> impl Iterator<Item = (&'a Volume, &'a Located)> {
        let letter = self.requirements.drive.letter();
        self.sources().filter(move |(_, source)| source.path.names_drive(letter))
    }

    /// Volumes of a Windows task whose source is not valid for a bind mount, the usual mistake in mounts of the share.
    pub fn broken_sources(&self) -> impl Iterator<Item = (&'a Volume, &'a Located)> {
        let is_windows = self.is_windows();
        self.sources().filter(move |(_, source)| is_windows && !source.path.is_valid_source())
    }

    /// Volumes with a source.
    pub fn sources(&self) -> impl Iterator<Item = (&'a Volume, &'a Located)> {
        let definition = self.definition;
        definition.volumes.iter().filter_map(|volume| volume.source.as_ref().map(|source| (volume, source)))
    }

    /// Mount points with a path, misplaced ones included.
    pub fn mount_paths(&self) -> impl Iterator<Item = (&'a MountPoint, &'a Located)> {
        let definition = self.definition;
        definition.mounts().filter_map(|mount| mount.path.as_ref().map(|path| (mount, path)))
    }

    /// The sources of volumes on the share's drive, and the paths of all mount points.
    pub fn share_paths(&self) -> impl Iterator<Item = &'a Located> {
        self.share_volumes().map(|(_, source)| source).chain(self.mount_paths().map(|(_, path)| path))
    }

    /// The volume that a mount point names.
    pub fn volume_of(&self, mount: &MountPoint) -> Option<&'a Volume> {
        self.volumes.get(mount.volume.as_ref()?.value.as_str()).copied()
    }

    /// Whether a container mounts the volume.
    pub fn is_mounted(&self, volume: &Volume) -> bool {
        volume.name.as_ref().is_some_and(|name| self.mounted.contains(name.value.as_str()))
    }

    /// The names of the declared volumes.
    pub fn volume_names(&self) -> impl Iterator<Item = &'a str> {
        self.volumes.keys().copied()
    }

    /// The definition's own placement expressions.
    pub fn constraints(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.definition.constraints.iter().map(|text| text.value.as_str())
    }

    /// The entry `FARGATE` of the required launch types.
    pub fn fargate(&self) -> Option<&'a Text> {
        self.definition.compatibilities.iter().find(|text| text.value.eq_ignore_ascii_case("FARGATE"))
    }

    /// An example of a source below the share: `G:\Directory\app-state`.
    pub fn example_source(&self) -> String {
        match &self.requirements.allowed_prefix {
            Some(prefix) => format!(r"{}\app-state", prefix.text.trim_end_matches(['\\', '/'])),
            None => format!(r"{}\Directory\app-state", self.requirements.drive),
        }
    }
}

impl Located {
    /// The value for a message, in backquotes.
    pub fn quoted(&self) -> String {
        format!("`{}`", shortened(&self.text.value))
    }

    /// The text with single backslashes as separators, for proposals.
    pub fn tidy(&self) -> String {
        let parts: Vec<&str> = self
            .text
            .value
            .trim()
            .split(['\\', '/'])
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        parts.join(r"\")
    }

    /// The letter of a drive's root, with or without a separator.
    pub fn drive_root(&self) -> Option<char> {
        match &self.path.kind {
            PathKind::BareDrive { letter } => Some(*letter),
            PathKind::Drive { letter, components } if components.is_empty() => Some(*letter),
            _ => None,
        }
    }
}

/// A part of help texts about sources.
pub(crate) const MUST_EXIST: &str =
    "the directory must exist before the task starts: Docker on Windows does not create it";
