//! What a rule sees, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Level;
use crate::json::shortened;
use crate::model::{Located, MountPoint, TaskDefinition, Volume};
use crate::os::{Detected, OperatingSystem, detect};
use crate::path::Kind;
use crate::policy::Policy;
use crate::rules::Scope;

/// What a rule sees.
#[derive(Debug)]
pub struct Context<'a> {
    /// The definition.
    pub definition: &'a TaskDefinition,
    /// What to measure against.
    pub policy: &'a Policy,
    /// The services that use the definition; `None` where only the definition is known.
    pub services: Option<&'a [Service]>,
    /// The operating system.
    pub os: Detected,
    /// Whether it uses the share, or a broken source looks as if it should.
    pub applies: bool,
    volumes: BTreeMap<&'a str, &'a Volume>,
    mounted: BTreeSet<&'a str>,
}

/// A service that uses a task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// One task on every instance.
    pub is_daemon: bool,
    /// The expressions of its own placement constraints, which add to the definition's.
    pub constraints: Vec<String>,
}

/// What a rule says about one place.
#[derive(Debug)]
pub struct Found {
    /// JSON pointer into the definition.
    pub path: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do instead.
    pub help: String,
    /// Where it is not the rule's own.
    pub level: Option<Level>,
}

impl Found {
    /// A finding at a place.
    pub fn at(path: &str, message: impl Into<String>, help: impl Into<String>) -> Found {
        Found { path: path.to_owned(), message: message.into(), help: help.into(), level: None }
    }
}

impl<'a> Context<'a> {
    /// Reads what several rules ask.
    pub fn new(
        definition: &'a TaskDefinition,
        policy: &'a Policy,
        services: Option<&'a [Service]>,
    ) -> Context<'a> {
        let os = detect(definition);
        let containers = definition.containers.iter().flatten();
        let named = |volume: &'a Volume| volume.name.as_ref().map(|name| (name.value.as_str(), volume));
        let mut context = Context {
            definition,
            policy,
            services,
            os,
            applies: false,
            // Of several volumes of one name the agent takes the first: collected backwards, it is the last to be put in.
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

    /// Whether a rule of this scope runs.
    pub fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::Every => true,
            Scope::Windows => self.is_windows(),
            Scope::Share => self.is_windows() && self.applies,
        }
    }

    /// Whether paths are those of Windows. A definition without a container is invalid whatever it runs on; where
    /// nothing says Linux, its author is told at once what else would be wrong.
    fn is_windows(&self) -> bool {
        let is_torso = self.definition.containers.is_none() && self.definition.stray_mounts.is_some();
        match self.os.os {
            OperatingSystem::Windows => true,
            OperatingSystem::Ambiguous => is_torso,
            OperatingSystem::Linux => false,
        }
    }

    /// Volumes whose source is on the share's drive, or tries to be.
    pub fn share_volumes(&self) -> impl Iterator<Item = (&'a Volume, &'a Located)> {
        let letter = self.policy.drive.letter();
        self.sources().filter(move |(_, source)| source.path.names_drive(letter))
    }

    /// Volumes of a Windows task whose source no bind mount takes. This is how a mount of the share usually goes wrong,
    /// wherever it meant to point.
    pub fn broken_sources(&self) -> impl Iterator<Item = (&'a Volume, &'a Located)> {
        let is_windows = self.is_windows();
        self.sources().filter(move |(_, source)| is_windows && !source.path.is_valid_source())
    }

    /// Volumes with a source.
    pub fn sources(&self) -> impl Iterator<Item = (&'a Volume, &'a Located)> {
        let definition = self.definition;
        definition.volumes.iter().filter_map(|volume| volume.source.as_ref().map(|source| (volume, source)))
    }

    /// Mount points with a path that is known, also misplaced ones.
    pub fn mount_paths(&self) -> impl Iterator<Item = (&'a MountPoint, &'a Located)> {
        let definition = self.definition;
        definition.mounts().filter_map(|mount| mount.path.as_ref().map(|path| (mount, path)))
    }

    /// Every path: the sources of volumes on the share's drive, and all mount points.
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

    /// Whether Fargate is the only launch type asked for, or one of several.
    pub fn fargate(&self) -> Option<&'a crate::json::Text> {
        self.definition.compatibilities.iter().find(|text| text.value.eq_ignore_ascii_case("FARGATE"))
    }

    /// An example of a source below the share: `G:\Directory\app-state`.
    pub fn example_source(&self) -> String {
        match &self.policy.allowed_prefix {
            Some(prefix) => format!(r"{}\app-state", prefix.text.trim_end_matches(['\\', '/'])),
            None => format!(r"{}\Directory\app-state", self.policy.drive),
        }
    }
}

impl Located {
    /// The value for a message, in backquotes.
    pub fn quoted(&self) -> String {
        format!("`{}`", shortened(&self.text.value))
    }

    /// The text with backslashes and single separators, for proposals.
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

    /// Whether it is the root of a drive, with or without a separator.
    pub fn drive_root(&self) -> Option<char> {
        match &self.path.kind {
            Kind::BareDrive { letter } => Some(*letter),
            Kind::Drive { letter, components } if components.is_empty() => Some(*letter),
            _ => None,
        }
    }
}

/// That a directory has to be there, for help texts about sources.
pub(crate) const MUST_EXIST: &str =
    "the directory must exist before the task starts: Docker on Windows does not create it";
