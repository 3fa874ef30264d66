//! One EC2 instance: what stands on the drive letter, what its agents do, and the faults a test puts into it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::InstanceId;

/// An EC2 instance and what runs on it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its EC2 id.
    pub id: InstanceId,
    /// Windows or Linux.
    pub platform: Platform,
    /// The ECS cluster that it joins; `None`: it is none of ECS's.
    pub cluster: Option<Arc<str>>,
    /// Its EC2 state.
    pub power: Power,
    /// When it last booted.
    pub booted: Timestamp,
    /// What stands on the drive letter.
    pub letter: Letter,
    /// Whether it is joined to the domain.
    pub domain_joined: bool,
    /// A security group or firewall in the way of port 445.
    pub port_445_blocked: bool,
    /// Its resolver does not know the file server.
    pub dns_broken: bool,
    /// The SSM agent.
    pub agent: Agent,
    /// On top of the usual time after a boot until the SSM agent is online.
    pub agent_late_by: Duration,
    /// A script on this host hangs.
    pub hang: Option<Hang>,
    /// On top of what a script usually takes (a cold AWS module, a slow disk).
    pub script_delay: Duration,
    /// Outcomes for the next commands, first in first out, whatever the model says.
    pub scripted: VecDeque<Scripted>,
    /// The outcome of every further command, whatever the model says.
    pub always: Option<Scripted>,
    /// What stands in the reported attribute `ecs.os-family`.
    pub os_family: &'static str,
    /// CPU units and MiB that its tasks share.
    pub capacity: (i64, i64),
    /// Custom attributes that it has from its registration on.
    pub attributes: Vec<(String, String)>,
    /// Drained by an operator before the story begins.
    pub drained_by_operator: bool,
    /// The id of its first registration with ECS, where a test or a sample event names it; drawn otherwise.
    pub container_instance_id: Option<Arc<str>>,
    pub(crate) script_ends: Timestamp,
    /// When the script at work gives up asking Parameter Store, if it is being throttled.
    pub(crate) asks_until: Option<Timestamp>,
    pub(crate) inbox: Vec<(u64, usize)>,
    pub(crate) runs: Vec<(u64, usize)>,
}

/// The operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Windows Server.
    Windows,
    /// Linux.
    Linux,
}

/// EC2 instance states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Launched or started.
    Pending,
    /// Up.
    Running,
    /// Going down to be started again.
    Stopping,
    /// Down.
    Stopped,
    /// Going down for good.
    ShuttingDown,
    /// Gone.
    Terminated,
}

impl Power {
    /// As EC2's events and API spell it.
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

/// What stands on the drive letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// Nothing.
    Free,
    /// An SMB global mapping.
    Smb(Mapping),
    /// A local disk, a `subst`, a `net use` of somebody else.
    Disk,
}

/// An SMB global mapping with what Windows keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// `\\server\share`.
    pub remote: String,
    /// The user that Windows kept.
    pub user: String,
    /// The password that Windows kept.
    pub password: String,
    /// Encrypted; without it containers lose access when idle.
    pub privacy: bool,
    /// What `Get-SmbGlobalMapping` would say, right or wrong.
    pub status: String,
    /// The file server's generation and the last use of a live session.
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
    /// Registered and quiet since then; SSM calls it `ConnectionLost` five minutes later.
    Silent(Timestamp),
    /// As `Silent`, and no boot brings it back.
    Dead(Timestamp),
}

/// How a script hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// One call does; the script's own limit reports `call-hung`.
    Call,
    /// The whole process does; the agent ends it at the document's time-out: `ExecutionTimedOut`.
    Process,
    /// A child process holds the pipe: `InProgress` until the command expires.
    Child,
}

/// An outcome that a test dictates.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// Any `StatusDetails`; one that is not final stays until the command expires.
    pub details: String,
    /// The step's exit code.
    pub exit_code: i64,
    /// What `Output` holds.
    pub output: String,
    /// From being sent to that outcome.
    pub after: Duration,
}

impl Scripted {
    /// `Success` with that output, two seconds after being sent.
    pub fn success(output: &str) -> Self {
        Self::new("Success", 0, output)
    }

    /// Any outcome, two seconds after being sent.
    pub fn new(details: &str, exit_code: i64, output: &str) -> Self {
        Self {
            details: details.to_owned(),
            exit_code,
            output: output.to_owned(),
            after: Duration::from_secs(2),
        }
    }

    /// The same, that long after being sent.
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
            os_family: if platform == Platform::Windows { "WINDOWS_SERVER_2022_CORE" } else { "LINUX" },
            capacity: (2048, 7680),
            attributes: Vec::new(),
            drained_by_operator: false,
            container_instance_id: None,
            script_ends: booted,
            asks_until: None,
            inbox: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// With that EC2 id.
    pub fn named(mut self, id: &str) -> Self {
        self.id = Arc::from(id);
        self
    }

    /// Mapped before, by hand, with that path and credential.
    pub fn mapped_by_hand(mut self, remote: &str, user: &str, password: &str) -> Self {
        self.letter = Letter::Smb(Mapping::new(remote, user, password));
        self
    }

    /// A disk stands on the letter.
    pub fn disk_on_letter(mut self) -> Self {
        self.letter = Letter::Disk;
        self
    }

    /// SSM does not know it.
    pub fn without_agent(mut self) -> Self {
        self.agent = Agent::Absent;
        self
    }

    /// Its SSM agent comes online that long after the usual time; for a host that is there from the start, after that.
    pub fn agent_late(mut self, by: Duration) -> Self {
        self.agent = Agent::Starting;
        self.agent_late_by = by;
        self
    }

    /// Its SSM agent has been silent since it booted.
    pub fn agent_dead(mut self) -> Self {
        self.agent = Agent::Dead(self.booted);
        self
    }

    /// Port 445 is blocked.
    pub fn port_445_blocked(mut self) -> Self {
        self.port_445_blocked = true;
        self
    }

    /// Not joined to the domain.
    pub fn outside_domain(mut self) -> Self {
        self.domain_joined = false;
        self
    }

    /// Drained by an operator before the story begins.
    pub fn drained_by_operator(mut self) -> Self {
        self.drained_by_operator = true;
        self
    }

    /// With a custom attribute from the start.
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Arbitrary changes in the middle of a chain of builders.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Whether the letter holds a mapping of that path.
    pub fn is_mapped_to(&self, remote: &str) -> bool {
        matches!(&self.letter, Letter::Smb(mapping) if mapping.names(remote))
    }

    /// Someone removes the mapping.
    pub fn lose_mapping(&mut self) {
        self.letter = Letter::Free;
    }

    /// SSM's view of the agent: `None` where it never registered.
    pub fn ping_status(&self, now: Timestamp) -> Option<&'static str> {
        match self.agent {
            Agent::Absent => None,
            Agent::Starting => None,
            Agent::Online => Some("Online"),
            Agent::Silent(since) | Agent::Dead(since) if now < since + PING_LOST_AFTER => Some("Online"),
            Agent::Silent(_) | Agent::Dead(_) => Some("ConnectionLost"),
        }
    }

    /// Whether a command that waits at SSM is picked up now.
    pub(crate) fn answers(&self) -> bool {
        self.agent == Agent::Online && self.power == Power::Running
    }
}

/// SSM's health ping comes every five minutes; one that is missed turns `Online` into `ConnectionLost`.
pub const PING_LOST_AFTER: Duration = Duration::from_secs(300);

impl Mapping {
    /// With privacy, status OK and no live session.
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

    /// Whether it maps that path: ordinal, without case, slashes normalised, a trailing one dropped.
    pub fn names(&self, remote: &str) -> bool {
        let plain = |path: &str| path.replace('/', "\\").trim_end_matches('\\').to_ascii_uppercase();
        plain(&self.remote) == plain(remote)
    }
}
