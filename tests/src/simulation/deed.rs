//! What happens in the world: single deeds, and disturbances made of them.
//!
//! Hosts are named by number, in the order in which the seed has them launched. A deed about a host that is not there,
//! or not in the state for it, does nothing: so any disturbance can be taken out of a story and the rest still runs.

use std::time::Duration;

use crate::fleet::{Hang, InstanceId, Readable};
use crate::local_aws::faults::FaultRule;

/// The n-th host of a story.
pub type HostNumber = u64;

/// The EC2 id of a host: not the builders' own series, which counts how many were launched.
pub fn id_of(host: HostNumber) -> InstanceId {
    InstanceId::from(format!("i-05111000000000{host:03x}"))
}

/// What is wrong with a host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Port 445 is blocked.
    Port445,
    /// Its resolver does not know the file server.
    Dns,
    /// Its scripts hang in a way.
    Hangs(Hang),
    /// Its scripts take that much longer.
    Slow(Duration),
    /// It left the domain.
    OutsideDomain,
}

/// What becomes of the drive letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// The mapping is gone.
    Lost,
    /// Another share stands there.
    Elsewhere,
    /// A disk stands there.
    Disk,
    /// Ours, with a password that Windows kept from long ago.
    OldPassword,
    /// Ours and readable, while Windows says that it is not.
    WrongStatus,
}

/// What an operator does to a container instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByOperator {
    /// Drains it.
    Drain,
    /// Makes it active.
    Activate,
    /// Puts `smb.hold` on it.
    Hold,
    /// Takes `smb.hold` off.
    ReleaseHold,
    /// Deregisters it by force.
    Deregister,
    /// Deletes one of our attributes, by its number.
    Delete(usize),
    /// Opens the gate by hand.
    OpenGate,
    /// Shuts the gate by hand.
    ShutGate,
    /// Writes something unreadable in one of our attributes.
    Scribble(usize),
}

/// A state of the file server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Nothing answers, and all sessions end.
    Down,
    /// It is well again: up, resolved, with its own name, readable.
    Well,
    /// Its name does not resolve.
    Unresolved,
    /// The share has another name.
    Renamed,
    /// The root cannot be read: with this Win32 code.
    ReadError(u32),
    /// All sessions end, as in a fail-over.
    SessionsEnd,
}

/// One thing that happens at one moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Auto Scaling launches a host; its SSM agent comes that much later than usual; this is wrong with it.
    Launch(HostNumber, Duration, Option<Flaw>, Option<Corruption>),
    /// A Spot interruption warning.
    WarnOfSpot(HostNumber),
    /// A terminate lifecycle action.
    TerminateAction(HostNumber),
    /// EC2 terminates it.
    Terminate(HostNumber),
    /// EC2 stops it.
    Stop(HostNumber),
    /// EC2 starts it.
    Start(HostNumber),
    /// Windows reboots.
    Reboot(HostNumber),
    /// It joins the domain, which takes a reboot.
    JoinDomain(HostNumber),
    /// Something happens to its letter.
    Corrupt(HostNumber, Corruption),
    /// Something breaks.
    Break(HostNumber, Flaw),
    /// It is mended.
    Mend(HostNumber, Flaw),
    /// The file server changes.
    FileServer(Server),
    /// The directory refuses every log-on with this code; `None`: no more.
    Refuse(Option<u32>),
    /// The directory's password becomes the n-th.
    DirectoryPassword(u32),
    /// The parameter's password becomes the n-th.
    ParameterPassword(u32),
    /// How hosts find the password parameter.
    Parameter(Readable),
    /// The SSM agent falls silent.
    SilenceAgent(HostNumber),
    /// The SSM agent speaks again.
    AgentReturns(HostNumber),
    /// SSM says this of the next command to the host, by number of the table.
    Dictate(HostNumber, usize),
    /// The ECS agent loses its connection, or has it again.
    Connect(HostNumber, bool),
    /// The ECS agent lost its state and registers again.
    RegisterAgain(HostNumber),
    /// An operator's deed.
    Operator(HostNumber, ByOperator),
    /// So many tasks are to run, with the share and the constraint or without both.
    RunTasks(usize, bool),
    /// Every task whose number is a multiple stops.
    StopTasks(usize),
    /// A person names hosts to `map-share`.
    AskByHand(Vec<HostNumber>),
    /// Calls of one operation fail in a row.
    Outage(FaultRule),
    /// Lambda recycles all sandboxes.
    Recycle,
    /// The customer's own calls take that many of the account's writes a second.
    CustomerTakes(u32),
}

/// Kinds of disturbances, that can be switched off one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Waves of new hosts.
    ScaleOut,
    /// Hosts end, announced or not.
    ScaleIn,
    /// Hosts stop, start and reboot.
    Restart,
    /// Mappings are lost or changed.
    Letter,
    /// Something on a host breaks.
    Host,
    /// The file server's maintenance, fail-overs, renamings.
    FileServer,
    /// The directory or its account.
    Directory,
    /// Passwords change.
    Password,
    /// The parameter cannot be read.
    Parameter,
    /// Agents fall silent, SSM's words are odd.
    Ssm,
    /// ECS agents disconnect, registrations double.
    Ecs,
    /// Operators.
    Operator,
    /// Tasks come and go.
    Tasks,
    /// Calls fail in a row; sandboxes are recycled; the customer's own calls.
    Cloud,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 14] = [
        Kind::ScaleOut,
        Kind::ScaleIn,
        Kind::Restart,
        Kind::Letter,
        Kind::Host,
        Kind::FileServer,
        Kind::Directory,
        Kind::Password,
        Kind::Parameter,
        Kind::Ssm,
        Kind::Ecs,
        Kind::Operator,
        Kind::Tasks,
        Kind::Cloud,
    ];
}

/// Deeds that belong together, each so long after the story begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// What it is about.
    pub kind: Kind,
    /// What happens, and when.
    pub deeds: Vec<(Duration, Deed)>,
}
