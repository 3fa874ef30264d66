//! A model of what the AWS API does not show: Windows hosts with a drive letter, one file server with a share, one
//! directory account that can be locked, and two parameters whose values only a script on a host reads.
//!
//! [`World`] is plain data that tests build and change; [`LocalAws`](crate::local_aws::LocalAws) reads it when an agent
//! runs a command. [`script`] models the PowerShell script. A test that runs the real script sets
//! [`Scripts::External`] and completes the started runs itself.
//!
//! It deliberately knows no AWS API, no clock and no random numbers: `now` is passed in, and jitter is a hash of the
//! seed.

pub mod account;
pub mod file_server;
pub mod host;
pub mod parameters;
pub mod samples;
pub mod script;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use account::{Account, LockOut, LogOn, Presented};
pub use file_server::FileServer;
pub use host::{Agent, Hang, Host, Letter, Lie, Mapping, Platform, Power, Scripted};
pub use parameters::{Parameter, Parameters, Readable};

/// The share of every world.
pub const REMOTE: &str = r"\\fs1.corp.example.com\share";
/// The directory account of every world.
pub const USER: &str = r"CORP\svc-ecs-share";
/// Its password at first.
pub const PASSWORD: &str = "correct horse";

/// An EC2 instance id, cheap to clone.
pub type InstanceId = Arc<str>;

/// The modelled world.
#[derive(Debug, Clone)]
pub struct World {
    /// The seed of all jitter: the same seed gives the same history.
    pub seed: u64,
    /// The time at which the world begins. The builders' instances were registered an hour earlier.
    pub base: Timestamp,
    /// Every host, in a cluster or not.
    pub hosts: BTreeMap<InstanceId, Host>,
    /// The one file server.
    pub file_server: FileServer,
    /// The one directory account that may use the share.
    pub account: Account,
    /// The two parameters of the credential.
    pub parameters: Parameters,
    /// SSM documents by name: at first `ecs-smb-mapper-G`, and `AWS-RunPowerShellScript` without a modelled script.
    pub documents: BTreeMap<Arc<str>, Document>,
    /// The names of the ECS clusters.
    pub clusters: Vec<Arc<str>>,
    /// Task definitions that are registered at the start, as `RegisterTaskDefinition` takes them.
    pub task_definitions: Vec<Value>,
    /// Services: the cluster, and what `DescribeServices` shows beside the names and ARNs.
    pub services: Vec<(Arc<str>, Value)>,
    /// How long things take.
    pub pace: Pace,
    /// What runs a started script.
    pub scripts: Scripts,
    /// `SendCommand` is allowed only for instances with the tag that the policy names.
    pub only_tagged: bool,
    next_host: u64,
}

/// The parts of an SSM document that matter for sending it.
#[derive(Debug, Clone)]
pub struct Document {
    /// What happens on Linux.
    pub on_linux: OnLinux,
    /// The `timeoutSeconds` of the document.
    pub execution_timeout: Duration,
    /// The mapping settings of each version, from version 1 on; `None` where the script is not modelled: it succeeds without
    /// output.
    pub versions: Vec<Option<MappingSettings>>,
    /// The default version. CloudFormation is reported to leave the old one, so [`Document::update`] does.
    pub default_version: usize,
    /// Parameter names and their allowed values; an empty list allows every value.
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// What happens when a document is sent to a Linux instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLinux {
    /// The script runs.
    Runs,
    /// The step's precondition skips it, which SSM reports as `Success`.
    Skipped,
}

/// The settings in the mapping document.
#[derive(Debug, Clone)]
pub struct MappingSettings {
    /// With colon: `G:`.
    pub drive: String,
    /// `\\server\share` or a directory below it.
    pub remote: String,
    /// Whether the script fails on a host outside the domain.
    pub require_domain: bool,
}

/// What runs a started script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// [`script::run`], after the delay of [`script::duration`].
    Model,
    /// The test, with `LocalAws::take_started_runs` and `LocalAws::complete_run`.
    External,
}

/// How long things take. A hash of the seed varies each by up to a quarter, unless `steady`.
#[derive(Debug, Clone)]
pub struct Pace {
    /// From launch to EC2 `running`, and from `stopping` to `stopped`.
    pub power: Duration,
    /// From `running` to the registration with ECS.
    pub ecs_agent: Duration,
    /// From `running` to the SSM agent being online.
    pub ssm_agent: Duration,
    /// From sending a command to the agent starting it.
    pub pick_up: Duration,
    /// A script that finds the mapping in place.
    pub check: Duration,
    /// A script that reads the parameters and creates the mapping.
    pub map: Duration,
    /// The three reads of an unreadable root before a mapping may be replaced.
    pub reread: Duration,
    /// The wait for a name or a port that does not answer.
    pub unreachable: Duration,
    /// From placing a task to `RUNNING`, and from stopping it to `STOPPED`.
    pub task: Duration,
    /// No variation.
    pub steady: bool,
    /// Checks vary as on busy Windows hosts: one in ten takes longer, and one in fifty up to five times as long.
    pub long_tail: bool,
}

impl Default for Pace {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            power: s(15),
            ecs_agent: s(60),
            ssm_agent: s(75),
            pick_up: Duration::from_millis(600),
            check: s(2),
            map: s(9),
            reread: s(30),
            unreachable: s(20),
            task: s(3),
            steady: false,
            long_tail: false,
        }
    }
}

impl Pace {
    /// Checks that take this time on average, with the agent's own part, and with a tail to five times as much.
    pub fn of_checks(check: Duration) -> Self {
        let pace = Self::default();
        Self { check: check.saturating_sub(pace.pick_up), long_tail: true, ..pace }
    }

    /// Fractions of a second, for wall time.
    pub fn quick() -> Self {
        let ms = Duration::from_millis;
        Self {
            power: ms(300),
            ecs_agent: ms(400),
            ssm_agent: ms(500),
            pick_up: ms(100),
            check: ms(150),
            map: ms(500),
            reread: ms(600),
            unreachable: ms(400),
            task: ms(200),
            steady: false,
            long_tail: false,
        }
    }
}

impl World {
    /// A world without hosts: a file server, an account, matching parameters and the mapping document for `G:`.
    pub fn new(seed: u64, base: Timestamp) -> Self {
        let (drive, remote) = ("G:".to_owned(), REMOTE.to_owned());
        let mapping = MappingSettings { drive, remote, require_domain: true };
        let mut documents = BTreeMap::new();
        documents.insert(Arc::from("ecs-smb-mapper-G"), Document::mapping(mapping));
        documents.insert(Arc::from("AWS-RunPowerShellScript"), Document::unmodelled());
        Self {
            seed,
            base,
            hosts: BTreeMap::new(),
            file_server: FileServer::new("share"),
            account: Account::new(USER, PASSWORD),
            parameters: Parameters::new(USER, PASSWORD, base - Duration::from_secs(86_400)),
            documents,
            clusters: Vec::new(),
            task_definitions: Vec::new(),
            services: Vec::new(),
            pace: Pace::default(),
            scripts: Scripts::Model,
            only_tagged: false,
            next_host: 1,
        }
    }

    /// Adds an ECS cluster.
    pub fn cluster(mut self, name: &str) -> Self {
        self.clusters.push(Arc::from(name));
        self
    }

    /// Adds a Windows container instance, changed by `with`.
    pub fn windows_instance(self, cluster: &str, with: impl FnOnce(Host) -> Host) -> Self {
        self.instance(Platform::Windows, Some(cluster), with)
    }

    /// Adds `count` plain Windows container instances.
    pub fn windows_instances(mut self, cluster: &str, count: usize) -> Self {
        for _ in 0..count {
            self = self.windows_instance(cluster, |host| host);
        }
        self
    }

    /// Adds a Linux container instance.
    pub fn linux_instance(self, cluster: &str, with: impl FnOnce(Host) -> Host) -> Self {
        self.instance(Platform::Linux, Some(cluster), with)
    }

    /// Adds a Windows EC2 instance outside all clusters.
    pub fn foreign_instance(self, with: impl FnOnce(Host) -> Host) -> Self {
        self.instance(Platform::Windows, None, with)
    }

    /// Registers a task definition at the start.
    pub fn task_definition(mut self, definition: Value) -> Self {
        self.task_definitions.push(definition);
        self
    }

    /// Adds a service to a cluster: at least `serviceName` and `taskDefinition`.
    pub fn service(mut self, cluster: &str, service: Value) -> Self {
        self.services.push((Arc::from(cluster), service));
        self
    }

    /// Sets how long things take.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Any other change in a chain of builders.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn instance(
        mut self,
        platform: Platform,
        cluster: Option<&str>,
        with: impl FnOnce(Host) -> Host,
    ) -> Self {
        let booted = self.base - Duration::from_secs(3600);
        self.add(platform, cluster, booted, with);
        self
    }

    /// Adds a host that booted at `booted`. Its id is the next in the series unless `with` names it.
    pub(crate) fn add(
        &mut self,
        platform: Platform,
        cluster: Option<&str>,
        booted: Timestamp,
        with: impl FnOnce(Host) -> Host,
    ) -> InstanceId {
        let id = instance_id(self.next_host);
        self.next_host += 1;
        let host = with(Host::new(id, platform, cluster, booted));
        let id = host.id.clone();
        self.hosts.insert(id.clone(), host);
        id
    }

    /// Whether IAM allows a command to it.
    pub(crate) fn may_be_sent_to(&self, host: &Host) -> bool {
        host.is_tagged || !self.only_tagged
    }

    /// The host with that id.
    ///
    /// # Panics
    /// There is none: the test names a wrong id.
    pub fn host(&mut self, id: &str) -> &mut Host {
        self.hosts.get_mut(id).unwrap_or_else(|| panic!("no host {id} in this world"))
    }

    /// Changes the password in the directory only: log-ons with the kept password fail.
    pub fn change_password_in_directory(&mut self, password: &str) {
        self.account.password = password.to_owned();
    }

    /// Writes the password parameter.
    pub fn write_password_parameter(&mut self, password: &str, now: Timestamp) {
        self.parameters.password.write(password, now);
    }

    /// The time of a check, with its mean at `base`, by a hash of the seed, the subject and the time.
    pub(crate) fn vary_check(&self, base: Duration, subject: &str, now: Timestamp) -> Duration {
        if !self.pace.long_tail {
            return self.vary(base, subject, now);
        }
        let share = (hash(self.seed ^ 1, subject, now.as_millisecond()) % 10_000) as f64 / 10_000.0;
        base.mul_f64(match share {
            _ if share < 0.90 => 0.7 + share * 0.4 / 0.9,
            _ if share < 0.98 => 1.1 + (share - 0.90) * 0.9 / 0.08,
            _ => 2.0 + (share - 0.98) * 3.0 / 0.02,
        })
    }

    /// `base` varied by up to a quarter, by a hash of the seed, the subject and the time.
    pub(crate) fn vary(&self, base: Duration, subject: &str, now: Timestamp) -> Duration {
        if self.pace.steady {
            return base;
        }
        let share = hash(self.seed, subject, now.as_millisecond()) % 501;
        base.mul_f64(0.75 + share as f64 / 1000.0)
    }
}

impl Document {
    /// The mapping document: Windows only, 600 s, `Action` is `check` or `map`.
    pub fn mapping(settings: MappingSettings) -> Self {
        Self {
            on_linux: OnLinux::Skipped,
            execution_timeout: Duration::from_secs(600),
            versions: vec![Some(settings)],
            default_version: 1,
            parameters: [("Action".to_owned(), vec!["check".to_owned(), "map".to_owned()])].into(),
        }
    }

    /// A new version with these settings, which does not become the default.
    pub fn update(&mut self, settings: MappingSettings) {
        self.versions.push(Some(settings));
    }

    /// The number of a version as `SendCommand` takes it: `$DEFAULT` (also where none is given), `$LATEST` or a number.
    pub fn version(&self, text: &str) -> Option<usize> {
        match text {
            "" | "$DEFAULT" => Some(self.default_version),
            "$LATEST" => Some(self.versions.len()),
            number => number.parse().ok().filter(|number| (1..=self.versions.len()).contains(number)),
        }
    }

    /// The settings of a version.
    pub fn settings(&self, version: usize) -> Option<&MappingSettings> {
        self.versions.get(version.checked_sub(1)?)?.as_ref()
    }

    /// Another document, whose script is not modelled.
    pub fn unmodelled() -> Self {
        Self {
            on_linux: OnLinux::Runs,
            execution_timeout: Duration::from_secs(3600),
            versions: vec![None],
            default_version: 1,
            parameters: ["commands", "workingDirectory", "executionTimeout"]
                .map(|name| (name.to_owned(), Vec::new()))
                .into(),
        }
    }
}

/// A Windows task definition that keeps its state on the share, with or without the placement constraint on the gate.
pub fn task_definition(family: &str, has_gate: bool) -> Value {
    let gate = json!({"type": "memberOf", "expression": "attribute:smb.G == mapped"});
    json!({
        "family": family,
        "requiresCompatibilities": ["EC2"],
        "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "X86_64"},
        "containerDefinitions": [{
            "name": "web", "image": "mcr.microsoft.com/dotnet/framework/aspnet:4.8", "cpu": 256, "memory": 512,
            "essential": true,
            "mountPoints": [{"sourceVolume": "state", "containerPath": r"C:\dotnetapp\app-state"}],
        }],
        "volumes": [{"name": "state", "host": {"sourcePath": r"G:\Directory\app-state"}}],
        "placementConstraints": if has_gate { vec![gate] } else { Vec::new() },
    })
}

/// The id of the builders' n-th host, counted from 1.
pub fn instance_id(n: u64) -> InstanceId {
    Arc::from(format!("i-0f1ee7{n:011x}"))
}

/// FNV-1a over seed, subject and time, then a multiply-shift so that similar inputs give unrelated hashes.
pub(crate) fn hash(seed: u64, subject: &str, moment: i64) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(subject.bytes()).chain(moment.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}
