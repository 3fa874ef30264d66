//! The modelled world outside AWS's API: Windows hosts with a drive letter, one file server with a share, one directory
//! account that locks, and the two parameters whose values only a script on a host may read.
//!
//! [`World`] is plain data, built with small builders, changed by tests at will and asked by
//! [`LocalAws`](crate::local_aws::LocalAws) when an agent picks up a command. [`script`] is the model of the PowerShell
//! script; whoever wants the real script instead sets [`Scripts::External`] and answers the started runs.
//!
//! It deliberately knows no AWS API, no clock and no chance: everything that takes time is told `now`, and what looks
//! like jitter is a hash of the seed.

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
use serde_json::Value;

pub use account::{Account, LockOut, LogOn, Presented};
pub use file_server::FileServer;
pub use host::{Agent, Hang, Host, Letter, Mapping, Platform, Power, Scripted};
pub use parameters::{Parameter, Parameters, Readable};

/// An EC2 instance id, cheap to clone.
pub type InstanceId = Arc<str>;

/// Everything that exists beside AWS's API.
#[derive(Debug, Clone)]
pub struct World {
    /// What every draw is hashed from: same seed, same world, same history.
    pub seed: u64,
    /// When the world begins. Instances added by the builders have been there for an hour by then.
    pub base: Timestamp,
    /// Every host, in a cluster or not.
    pub hosts: BTreeMap<InstanceId, Host>,
    /// The one file server.
    pub file_server: FileServer,
    /// The one directory account that may use the share.
    pub account: Account,
    /// The two parameters, with values that only a script can read.
    pub parameters: Parameters,
    /// SSM documents by name. [`World::new`] puts in `ecs-smb-mapper-G` and, unmodelled, `AWS-RunPowerShellScript`.
    pub documents: BTreeMap<Arc<str>, Document>,
    /// Names of the ECS clusters.
    pub clusters: Vec<Arc<str>>,
    /// Task definitions, as `RegisterTaskDefinition` takes them, registered at the start.
    pub task_definitions: Vec<Value>,
    /// Services, as (cluster, what `DescribeServices` shows beside the names and ARNs).
    pub services: Vec<(Arc<str>, Value)>,
    /// How long things take.
    pub pace: Pace,
    /// Who carries out a started script.
    pub scripts: Scripts,
    next_host: u64,
}

/// An SSM document, as far as sending it goes.
#[derive(Debug, Clone)]
pub struct Document {
    /// What becomes of it on Linux.
    pub elsewhere: Elsewhere,
    /// The document's own `timeoutSeconds`.
    pub execution_timeout: Duration,
    /// What the script of this document maps; `None` for a document whose script is not modelled: it succeeds, silent.
    pub mapping: Option<MappingSettings>,
    /// Parameter names and, where the document restricts them, the allowed values.
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// What becomes of a document where it is not sent to Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// It runs.
    Runs,
    /// Its step has a precondition and is skipped, which SSM reports as `Success`.
    Skipped,
    /// An old schema without preconditions: `UnsupportedPlatformType` refuses the whole call.
    Refused,
}

/// The settings that the mapping document carries.
#[derive(Debug, Clone)]
pub struct MappingSettings {
    /// With colon: `G:`.
    pub drive: String,
    /// `\\server\share` or below.
    pub remote: String,
    /// Whether a host outside the domain is refused.
    pub require_domain: bool,
}

/// Who carries out a script that an agent has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// [`script::run`], after the delay that [`script::duration`] says.
    Model,
    /// Somebody else, who takes started runs from `LocalAws::take_started_runs` and answers `LocalAws::complete_run`.
    External,
}

/// How long things take; each is varied by a quarter up or down, hashed from seed and subject, unless `steady`.
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
    /// A script that fetches credentials and creates the mapping.
    pub map: Duration,
    /// Three reads of an unreadable root before a mapping may be replaced.
    pub reread: Duration,
    /// What a script waits for a name or a port that does not answer.
    pub unreachable: Duration,
    /// From placing a task to it running, and from stopping to stopped.
    pub task: Duration,
    /// No variation at all.
    pub steady: bool,
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
        }
    }
}

impl Pace {
    /// Everything in a fraction of a second, for a demo in wall time.
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
        }
    }
}

impl World {
    /// An empty world with a file server, an account, good parameters and the mapping document for `G:`.
    pub fn new(seed: u64, base: Timestamp) -> Self {
        let remote = r"\\fs1.corp.example.com\share".to_owned();
        let mapping = MappingSettings { drive: "G:".to_owned(), remote, require_domain: true };
        let mut documents = BTreeMap::new();
        documents.insert(Arc::from("ecs-smb-mapper-G"), Document::mapping(mapping));
        documents.insert(Arc::from("AWS-RunPowerShellScript"), Document::unmodelled());
        Self {
            seed,
            base,
            hosts: BTreeMap::new(),
            file_server: FileServer::new("share"),
            account: Account::new(r"CORP\svc-ecs-share", "correct horse"),
            parameters: Parameters::new(
                r"CORP\svc-ecs-share",
                "correct horse",
                base - Duration::from_secs(86_400),
            ),
            documents,
            clusters: Vec::new(),
            task_definitions: Vec::new(),
            services: Vec::new(),
            pace: Pace::default(),
            scripts: Scripts::Model,
            next_host: 1,
        }
    }

    /// Adds an ECS cluster.
    pub fn cluster(mut self, name: &str) -> Self {
        self.clusters.push(Arc::from(name));
        self
    }

    /// Adds a Windows container instance, registered for an hour, changed by `with`.
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

    /// Adds a Windows EC2 instance that is in no cluster.
    pub fn foreign_instance(self, with: impl FnOnce(Host) -> Host) -> Self {
        self.instance(Platform::Windows, None, with)
    }

    /// Adds a document under a name; replaces one of that name.
    pub fn document(mut self, name: &str, document: Document) -> Self {
        self.documents.insert(Arc::from(name), document);
        self
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

    /// Hands started scripts to somebody else instead of the model.
    pub fn scripts(mut self, scripts: Scripts) -> Self {
        self.scripts = scripts;
        self
    }

    /// Arbitrary changes in the middle of a chain of builders.
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

    /// Adds a host that boots at `booted`; its id is the next in the series unless `with` names it.
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

    /// The host of that id.
    ///
    /// # Panics
    /// Where there is none: a test that names a wrong id is wrong.
    pub fn host(&mut self, id: &str) -> &mut Host {
        self.hosts.get_mut(id).unwrap_or_else(|| panic!("no host {id} in this world"))
    }

    /// Someone changes the password in the directory only: mappings that log on again with the kept one fail.
    pub fn change_password_in_directory(&mut self, password: &str) {
        self.account.password = password.to_owned();
    }

    /// Someone writes the password parameter.
    pub fn write_password_parameter(&mut self, password: &str, now: Timestamp) {
        self.parameters.password.write(password, now);
    }

    /// `base` varied by up to a quarter either way, by a hash of the seed, the subject and the moment.
    pub(crate) fn vary(&self, base: Duration, subject: &str, now: Timestamp) -> Duration {
        if self.pace.steady {
            return base;
        }
        let share = hash(self.seed, subject, now.as_millisecond()) % 501;
        base.mul_f64(0.75 + share as f64 / 1000.0)
    }
}

impl Document {
    /// The mapping document: Windows only, 600 s, `Action` = `check` or `map`.
    pub fn mapping(settings: MappingSettings) -> Self {
        Self {
            elsewhere: Elsewhere::Skipped,
            execution_timeout: Duration::from_secs(600),
            mapping: Some(settings),
            parameters: [("Action".to_owned(), vec!["check".to_owned(), "map".to_owned()])].into(),
        }
    }

    /// Some other document, whose script does nothing we model.
    pub fn unmodelled() -> Self {
        Self {
            elsewhere: Elsewhere::Runs,
            execution_timeout: Duration::from_secs(3600),
            mapping: None,
            parameters: ["commands", "workingDirectory", "executionTimeout"]
                .map(|name| (name.to_owned(), Vec::new()))
                .into(),
        }
    }
}

/// The id of the n-th host, counted from 1, that the builders add.
pub fn instance_id(n: u64) -> InstanceId {
    Arc::from(format!("i-0f1ee7{n:011x}"))
}

/// FNV-1a over seed, subject and moment, finished with a multiply-shift so that neighbours differ in every bit.
pub(crate) fn hash(seed: u64, subject: &str, moment: i64) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(subject.bytes()).chain(moment.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}
