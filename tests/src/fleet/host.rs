//! One EC2 instance: its drive letter, its agents, and the faults that a test injects.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::InstanceId;

/// An EC2 instance and what runs on it.
#[derive(Debug, Clone)]
pub struct Host {
    /// The EC2 instance id.
    pub id: InstanceId,
    /// The operating system.
    pub platform: Platform,
    /// The ECS cluster that it joins, if any.
    pub cluster: Option<Arc<str>>,
    /// The EC2 state.
    pub power: Power,
    /// The time of the last boot.
    pub booted: Timestamp,
    /// What the drive letter holds.
    pub letter: Letter,
    /// Whether it is joined to the domain.
    pub domain_joined: bool,
    /// Whether a security group or firewall blocks port 445.
    pub port_445_blocked: bool,
    /// Whether its resolver does not know the file server.
    pub dns_broken: bool,
    /// The SSM agent.
    pub agent: Agent,
    /// Extra time after a boot until the SSM agent is online.
    pub agent_late_by: Duration,
    /// How scripts on this host hang, if they do.
    pub hang: Option<Hang>,
    /// Extra time that a script takes (a cold AWS module, a slow disk).
    pub script_delay: Duration,
    /// Results of the next commands, in order, instead of the model's.
    pub scripted: VecDeque<Scripted>,
    /// The result of every further command, instead of the model's.
    pub always: Option<Scripted>,
    /// What its script says instead of what it finds, without a log-on.
    pub lies: Option<Lie>,
    /// What it answers in turn, in a circle, instead of running the script.
    pub false_answers: VecDeque<Scripted>,
    /// The attribute `ecs.os-family`.
    pub os_family: &'static str,
    /// CPU units and MiB for its tasks.
    pub capacity: (i64, i64),
    /// Custom attributes at registration.
    pub attributes: Vec<(String, String)>,
    /// Whether a policy denies `PutAttributes` on it, by a tag.
    pub denies_attributes: bool,
    /// Whether it has the tag by which a policy allows `SendCommand`.
    pub is_tagged: bool,
    /// Whether an operator drained it before the world begins.
    pub drained_by_operator: bool,
    /// The id of its first registration with ECS, where a test or a sample event names it; random otherwise.
    pub container_instance_id: Option<Arc<str>>,
    /// When the running script ends.
    pub(crate) script_ends: Timestamp,
    /// When the running script stops retrying Parameter Store, if it is throttled.
    pub(crate) asks_until: Option<Timestamp>,
    /// Invocations that wait for the SSM agent.
    pub(crate) inbox: Vec<(u64, usize)>,
    /// Invocations whose script is running.
    pub(crate) runs: Vec<(u64, usize)>,
}

/// The operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Windows Server.
    Windows,
    /// Linux.
    Linux,
}

impl Platform {
    /// The platform as SSM spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Windows => "Windows",
            Self::Linux => "Linux",
        }
    }
}

/// EC2 instance states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// `pending`: launched or started.
    Pending,
    /// `running`.
    Running,
    /// `stopping`.
    Stopping,
    /// `stopped`.
    Stopped,
    /// `shutting-down`: being terminated.
    ShuttingDown,
    /// `terminated`.
    Terminated,
}

impl Power {
    /// The state as EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }
}

/// What the drive letter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// Nothing.
    Free,
    /// An SMB global mapping.
    Smb(Mapping),
    /// A local disk, a `subst` or another user's `net use`.
    Disk,
}

/// An SMB global mapping, with the credential that Windows keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// `\\server\share`.
    pub remote: String,
    /// The kept user name.
    pub user: String,
    /// The kept password.
    pub password: String,
    /// `RequirePrivacy`: without it containers lose access when idle.
    pub privacy: bool,
    /// The status that `Get-SmbGlobalMapping` shows, right or wrong.
    pub status: String,
    /// The file server's generation and the last use of the live session, if there is one.
    pub(crate) session: Option<(u64, Timestamp)>,
}

/// The SSM agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// Never registered: SSM does not know the instance.
    Absent,
    /// Comes online some time after the boot.
    Starting,
    /// Answers.
    Online,
    /// Does not answer since then; SSM shows `ConnectionLost` five minutes later.
    Silent(Timestamp),
    /// As `Silent`, and a boot does not bring it back.
    Dead(Timestamp),
}

/// How a script hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// One call hangs: the script's own time limit reports `call-hung`.
    Call,
    /// The process hangs: the agent stops it at the document's timeout, `ExecutionTimedOut`.
    Process,
    /// The script ends, but a process that it started holds the pipe: the agent reports `Failed` at the document's timeout.
    Child,
}

/// A result line that says what did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// `check` says that the share is mapped, and that it changed that.
    Mapped,
    /// Every action says that the log-on was refused.
    Refused,
}

/// A result of a command that a test sets.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// Any `StatusDetails`. One that is not final stays until the command expires.
    pub details: String,
    /// The exit code of the step.
    pub exit_code: i64,
    /// The `Output` of the step.
    pub output: String,
    /// From sending to the result.
    pub after: Duration,
    /// When its step ended, if the agent does not say what is true.
    pub says_ended: Option<Timestamp>,
}

impl Scripted {
    /// `Success` with that output, after two seconds.
    pub fn success(output: &str) -> Self {
        Self::new("Success", 0, output)
    }

    /// Any result, after two seconds.
    pub fn new(details: &str, exit_code: i64, output: &str) -> Self {
        let (details, output, after) = (details.to_owned(), output.to_owned(), Duration::from_secs(2));
        Self { details, exit_code, output, after, says_ended: None }
    }

    /// The same result after another time.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

impl Host {
    pub(crate) fn new(id: InstanceId, platform: Platform, cluster: Option<&str>, booted: Timestamp) -> Self {
        Self {
            id,
            platform,
            cluster: cluster.map(Arc::from),
            power: Power::Running,
            booted,
            letter: Letter::Free,
            domain_joined: platform == Platform::Windows,
            port_445_blocked: false,
            dns_broken: false,
            agent: Agent::Online,
            agent_late_by: Duration::ZERO,
            hang: None,
            script_delay: Duration::ZERO,
            scripted: VecDeque::new(),
            always: None,
            lies: None,
            false_answers: VecDeque::new(),
            os_family: if platform == Platform::Windows { "WINDOWS_SERVER_2022_CORE" } else { "LINUX" },
            capacity: (2048, 7680),
            attributes: Vec::new(),
            denies_attributes: false,
            is_tagged: true,
            drained_by_operator: false,
            container_instance_id: None,
            script_ends: booted,
            asks_until: None,
            inbox: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// With that EC2 instance id.
    pub fn named(self, id: &str) -> Self {
        Self { id: Arc::from(id), ..self }
    }

    /// With a mapping of that path and credential, made by hand.
    pub fn mapped_by_hand(self, remote: &str, user: &str, password: &str) -> Self {
        Self { letter: Letter::Smb(Mapping::new(remote, user, password)), ..self }
    }

    /// With a disk on the drive letter.
    pub fn disk_on_letter(self) -> Self {
        Self { letter: Letter::Disk, ..self }
    }

    /// With an SSM agent that never registered.
    pub fn without_agent(self) -> Self {
        Self { agent: Agent::Absent, ..self }
    }

    /// With an SSM agent that has not answered since the boot.
    pub fn agent_dead(self) -> Self {
        Self { agent: Agent::Dead(self.booted), ..self }
    }

    /// With port 445 blocked.
    pub fn port_445_blocked(self) -> Self {
        Self { port_445_blocked: true, ..self }
    }

    /// Without the tag by which a policy allows `SendCommand`.
    pub fn untagged(self) -> Self {
        Self { is_tagged: false, ..self }
    }

    /// Not joined to the domain.
    pub fn outside_domain(self) -> Self {
        Self { domain_joined: false, ..self }
    }

    /// Drained by an operator before the world begins.
    pub fn drained_by_operator(self) -> Self {
        Self { drained_by_operator: true, ..self }
    }

    /// With a custom attribute from the start.
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Any other change in a chain of builders.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Whether the drive letter holds a mapping of that path.
    pub fn is_mapped_to(&self, remote: &str) -> bool {
        matches!(&self.letter, Letter::Smb(mapping) if mapping.names(remote))
    }

    /// Removes what the drive letter holds.
    pub fn lose_mapping(&mut self) {
        self.letter = Letter::Free;
    }

    /// The `PingStatus` of the agent; `None` where it never registered.
    pub fn ping_status(&self, now: Timestamp) -> Option<&'static str> {
        match self.agent {
            Agent::Absent | Agent::Starting => None,
            Agent::Online => Some("Online"),
            Agent::Silent(since) | Agent::Dead(since) if now < since + PING_LOST_AFTER => Some("Online"),
            Agent::Silent(_) | Agent::Dead(_) => Some("ConnectionLost"),
        }
    }

    /// The next result that is not the model's; and whether the host lies with it.
    pub(crate) fn next_scripted(&mut self) -> Option<(Scripted, bool)> {
        if let Some(scripted) = self.scripted.pop_front().or_else(|| self.always.clone()) {
            return Some((scripted, false));
        }
        let answer = self.false_answers.front().filter(|_| self.answers()).cloned()?;
        self.false_answers.rotate_left(1);
        Some((answer, true))
    }

    /// Whether it may say something else than what is true.
    pub(crate) fn is_liar(&self) -> bool {
        self.lies.is_some() || !self.false_answers.is_empty()
    }

    /// Whether the SSM agent takes a waiting command.
    pub(crate) fn answers(&self) -> bool {
        self.agent == Agent::Online && self.power == Power::Running
    }
}

/// The SSM agent pings every five minutes; one missed ping turns `Online` into `ConnectionLost`.
const PING_LOST_AFTER: Duration = Duration::from_secs(300);

impl Mapping {
    /// A mapping with privacy, status `OK` and no live session.
    pub fn new(remote: &str, user: &str, password: &str) -> Self {
        Self {
            remote: remote.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            privacy: true,
            status: "OK".to_owned(),
            session: None,
        }
    }

    /// Whether it maps that path. Case, the kind of slashes and a trailing one do not count.
    pub fn names(&self, remote: &str) -> bool {
        let plain = |path: &str| path.replace('/', "\\").trim_end_matches('\\').to_ascii_uppercase();
        plain(&self.remote) == plain(remote)
    }
}
