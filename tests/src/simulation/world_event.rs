//! What happens to the simulated fleet: single events, and disturbances made of them.
//!
//! An event about a host that does not exist, or is in the wrong state for it, does nothing. So any disturbance can be
//! removed from a plan, and the rest still runs.

use std::time::Duration;

use serde_json::Value;

use crate::fleet::{Hang, InstanceId, Lie, Readable, Scripted};
use crate::local_aws::faults::FaultRule;

/// Hosts are numbered in the order of their launch.
pub(super) type HostNumber = u64;

/// The EC2 id of a host. The fleet's own builders number theirs differently.
pub(super) fn id_of(host: HostNumber) -> InstanceId {
    InstanceId::from(format!("i-05111000000000{host:03x}"))
}

/// The host of that EC2 id.
pub(super) fn host_of(id: &str) -> Option<HostNumber> {
    HostNumber::from_str_radix(id.strip_prefix("i-05111000000000")?, 16).ok()
}

/// What can be wrong with a host itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum HostProblem {
    Port445Blocked,
    DnsBroken,
    ScriptHangs(Hang),
    ScriptSlow(Duration),
    OutsideDomain,
}

/// What can happen to the drive letter of a host.
#[derive(Debug, Clone, Copy)]
pub(super) enum LetterChange {
    Unmapped,
    OtherShare,
    Disk,
    /// Our share, with an old password that Windows kept.
    OldPassword,
    /// Our share, readable, although its status is not `OK`.
    WrongStatus,
}

/// What an operator can do to a container instance. Numbers say which of our attributes.
#[derive(Debug, Clone, Copy)]
pub(super) enum OperatorAction {
    Drain,
    Activate,
    Hold,
    ReleaseHold,
    Deregister,
    DeleteAttribute(usize),
    OverwriteAttribute(usize),
    OpenGate,
    ShutGate,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum FileServerState {
    Down,
    Healthy,
    Unresolved,
    ShareRenamed,
    /// The root cannot be read, with this Win32 code.
    ReadError(u32),
    /// All sessions end, as in a fail-over.
    SessionsEnd,
}

/// What makes one host fail where others succeed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// The directory refuses it every log-on with this code.
    IsRefused(u32),
    /// Its script's result line is not true.
    Lies(Lie),
}

/// What becomes of a host that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    RegistersAgain,
    Ends,
    /// It is stopped, and started so much later.
    StopsFor(Duration),
}

/// One thing that happens at one moment.
#[derive(Debug, Clone)]
pub(super) enum WorldEvent {
    Launch {
        host: HostNumber,
        /// The SSM agent registers this much later than usual.
        agent_late_by: Duration,
        problem: Option<HostProblem>,
        letter: Option<LetterChange>,
    },
    SpotInterruptionWarning(HostNumber),
    TerminateLifecycleAction(HostNumber),
    Terminate(HostNumber),
    Stop(HostNumber),
    Start(HostNumber),
    Reboot(HostNumber),
    /// It joins the domain and reboots.
    JoinDomain(HostNumber),
    ChangeLetter(HostNumber, LetterChange),
    ProblemBegins(HostNumber, HostProblem),
    ProblemEnds(HostNumber, HostProblem),
    FileServer(FileServerState),
    /// The directory refuses every log-on with this code, or no longer does.
    DirectoryRefuses(Option<u32>),
    /// The directory's password becomes the one of this number.
    DirectoryPassword(u32),
    /// The parameter's password becomes the one of this number.
    ParameterPassword(u32),
    /// Whether hosts can read the password parameter.
    Parameter(Readable),
    TroubleBegins(HostNumber, Trouble),
    TroubleEnds(HostNumber),
    /// From now on: the fate of the next host that is refused, so long after.
    NextRefused {
        fate: Fate,
        after: Duration,
    },
    SsmAgentSilent(HostNumber),
    SsmAgentReturns(HostNumber),
    /// The next command to the host ends with this entry of [`UNUSUAL_RESULTS`].
    UnusualResult(HostNumber, usize),
    EcsAgentConnected(HostNumber, bool),
    /// The ECS agent lost its state.
    RegisterAgain(HostNumber),
    Operator(HostNumber, OperatorAction),
    /// The customer runs tasks, with both the share and the placement constraint or with neither.
    RunTasks {
        count: usize,
        with_share: bool,
    },
    /// The customer stops every n-th task.
    StopTasks(usize),
    /// A person invokes `map-share` with these hosts.
    InvokeByHand(Vec<HostNumber>),
    /// From now on the host answers with these in turn, in a circle.
    LiesBegin(HostNumber, Vec<Scripted>),
    LiesEnd(HostNumber),
    /// Somebody writes or deletes one of our attributes.
    Write(HostNumber, &'static str, Option<String>),
    /// From now on the host registers with this attribute.
    RegistersWith(HostNumber, &'static str, String),
    /// Somebody puts an event into the queue of `map-share`.
    Forge {
        event: Value,
        /// The event names the registration of this host.
        registration_of: Option<HostNumber>,
    },
    /// The event that was sent so many events ago is sent again.
    Replay(usize),
    /// A person invokes `drain-unmapped` with this, which may only look.
    Look(Value),
    /// Several calls of one operation fail in a row.
    Outage(FaultRule),
    /// Lambda ends all idle sandboxes.
    EndSandboxes,
    /// The customer's own calls use this many of the account's writes a second.
    CustomerWrites(u32),
}

/// Kinds of disturbances. Generated plans depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DisturbanceKind {
    ScaleOut,
    ScaleIn,
    Restart,
    DriveLetter,
    Host,
    FileServer,
    Directory,
    Password,
    Parameter,
    Ssm,
    Ecs,
    Operator,
    Tasks,
    /// Outages of AWS, ended sandboxes, throttling by the customer's own calls.
    Cloud,
    /// What becomes of refused hosts.
    Refused,
    /// One host alone is refused, or lies.
    Alone,
    /// Several hosts long after the last log-on.
    LateWave,
    /// A host answers what is not true.
    Liar,
    /// Somebody writes our attributes.
    Attributes,
    /// Somebody puts events into the queue.
    Forged,
    /// A person invokes a function.
    Caller,
}

impl DisturbanceKind {
    /// The kinds that are drawn by themselves.
    pub(super) const OF_REFUSALS: [DisturbanceKind; 3] =
        [DisturbanceKind::Refused, DisturbanceKind::Alone, DisturbanceKind::LateWave];

    /// The kinds of lies, with the most of each in one plan.
    pub(super) const OF_LIES: [(DisturbanceKind, usize); 4] = {
        use DisturbanceKind::*;
        [(Liar, 6), (Attributes, 12), (Forged, 12), (Caller, 6)]
    };

    /// All others, in the order of the draws, with the most disturbances of each in one plan.
    pub(super) const OTHERS: [(DisturbanceKind, usize); 14] = {
        use DisturbanceKind::*;
        [
            (ScaleOut, 6),
            (ScaleIn, 6),
            (Restart, 8),
            (DriveLetter, 8),
            (Host, 6),
            (FileServer, 3),
            (Directory, 3),
            (Password, 3),
            (Parameter, 4),
            (Ssm, 8),
            (Ecs, 8),
            (Operator, 14),
            (Tasks, 50),
            (Cloud, 4),
        ]
    };
}

/// An event, and how long after the history's beginning it happens.
pub(super) type TimedEvent = (Duration, WorldEvent);

/// Events that belong together, for example a problem and its end.
#[derive(Debug, Clone)]
pub(super) struct Disturbance {
    pub(super) kind: DisturbanceKind,
    pub(super) events: Vec<TimedEvent>,
}

/// Results that no modelled host produces: status details, exit code, output.
pub(super) const UNUSUAL_RESULTS: [(&str, i64, &str); 12] = [
    ("Undeliverable", -1, ""),
    ("Delivery Timed Out", -1, ""),
    ("Terminated", -1, ""),
    ("Cancelled", -1, ""),
    ("Execution Timed Out", -1, ""),
    ("Access Denied", -1, ""),
    ("In Progress", -1, ""),
    ("Success", 0, ""),
    (
        "Success",
        0,
        "Step execution skipped due to unsatisfied preconditions: '\"StringEquals\": [platformType, Windows]'",
    ),
    (
        "Success",
        0,
        r#"{"smbMapping":"mapped","v":1,"changed":true,"drive":"G:","remote":"\\\\fs1.corp.example.com\\another","status":"OK","privacy":true,"boot":"2026-03-01T11:00:00Z"}"#,
    ),
    (
        "Failed",
        78,
        r#"{"smbMapping":"failed","v":1,"cause":"1219","step":"create","message":"Multiple connections"}"#,
    ),
    ("Failed", 1, "At line:1 char:1\r\nMissing closing '}' in statement block\r\n"),
];
