//! What a record is, what becomes of it, and why.

use std::fmt;

/// The kind of a record, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    ContainerInstance,
    StateChange,
    SpotInterruption,
    Termination,
    ByHand,
    Other,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [
        Kind::ContainerInstance,
        Kind::StateChange,
        Kind::SpotInterruption,
        Kind::Termination,
        Kind::ByHand,
        Kind::Other,
    ];
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Acted on.
    Did(Effect),
    /// Nothing is to be done, or it is left to the reconcile run.
    Not(Reason),
    /// The budget of refused log-ons withholds what a person asked for: why, and until when.
    Withheld(String),
    /// It is no event, or lacks what its kind must have.
    Unreadable(String),
    /// An AWS call for it failed: it comes again.
    Failed(String),
}

/// What was done for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    Sent,
    GateShut,
    Released,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Sent => "command sent",
            Effect::GateShut => "gate shut after a restart",
            Effect::Released => "drain released before the instance ends",
        })
    }
}

/// What outcomes are counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disposition {
    Handled,
    Skipped,
    Foreign,
    LeftToReconcile,
    Unreadable,
    Failed,
}

impl Disposition {
    pub(crate) const ALL: [Disposition; 6] = [
        Disposition::Handled,
        Disposition::Skipped,
        Disposition::Foreign,
        Disposition::LeftToReconcile,
        Disposition::Unreadable,
        Disposition::Failed,
    ];
}

impl Outcome {
    /// How it is counted.
    pub(crate) fn disposition(&self) -> Disposition {
        match self {
            Outcome::Did(_) => Disposition::Handled,
            Outcome::Not(reason) => reason.describe().0,
            Outcome::Withheld(_) => Disposition::LeftToReconcile,
            Outcome::Unreadable(_) => Disposition::Unreadable,
            Outcome::Failed(_) => Disposition::Failed,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Did(effect) => effect.fmt(f),
            Outcome::Not(reason) => reason.fmt(f),
            Outcome::Withheld(why) | Outcome::Unreadable(why) | Outcome::Failed(why) => f.write_str(why),
        }
    }
}

/// Why nothing was done for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    AgentOffline,
    AttributeLimit,
    Denied,
    Doubt,
    Duplicate,
    External,
    Gone,
    HasState,
    InFlight,
    LongHistory,
    Mapped,
    NoMessageId,
    NotActive,
    NotConnected,
    NotFresh,
    NotOurDrain,
    NotRegistered,
    NotWindows,
    OlderThanProof,
    OlderThanRegistration,
    OneByHand,
    OtherCluster,
    OtherKind,
    OtherState,
    RefusedAlone,
    ReportMode,
    Returns,
    Superseded,
    TestNotification,
    Unjudged,
}

impl Reason {
    /// What a reason counts as, and its text.
    fn describe(self) -> (Disposition, &'static str) {
        use Disposition::{Foreign, LeftToReconcile, Skipped};
        match self {
            Reason::Mapped => (Skipped, "its gate is open"),
            Reason::InFlight => (Skipped, "a command for it is in flight"),
            Reason::Duplicate => (Skipped, "named twice"),
            Reason::Superseded => (Skipped, "a later event or registration of the same instance counts"),
            Reason::OlderThanProof => (Skipped, "older than what is recorded"),
            Reason::OlderThanRegistration => (Skipped, "older than the registration"),
            Reason::NotActive => (Skipped, "its status in ECS takes no tasks"),
            Reason::NotOurDrain => (Skipped, "not drained by this stack"),
            Reason::Gone => (Skipped, "deregistered meanwhile"),
            Reason::OtherKind => (Skipped, "a kind of event that is not acted on"),
            Reason::OtherState => (Skipped, "an EC2 state that is not acted on"),
            Reason::Returns => (Skipped, "it goes to a warm pool, or Spot stops it: it comes back"),
            Reason::TestNotification => (Skipped, "a test notification"),
            Reason::ReportMode => (Skipped, "MODE=report, else it would have been acted on"),

            Reason::OtherCluster => (Foreign, "in a cluster that is not watched"),
            Reason::NotRegistered => (Foreign, "not registered in a watched cluster"),
            Reason::NotWindows => (Foreign, "not a Windows instance"),
            Reason::External => (Foreign, "an external instance, which is no EC2 instance"),

            Reason::HasState => (LeftToReconcile, "its state is on record already"),
            Reason::Unjudged => (LeftToReconcile, "the result of its last command is not taken yet"),
            Reason::NotConnected => (LeftToReconcile, "its ECS agent is not connected"),
            Reason::AgentOffline => (LeftToReconcile, "its SSM agent is not online"),
            Reason::NotFresh => (
                LeftToReconcile,
                "no instance was let in a moment ago; the reconcile run has one try the password",
            ),
            Reason::OneByHand => {
                (LeftToReconcile, "no instance was let in a moment ago, so only one may be named by hand")
            }
            Reason::RefusedAlone => (
                LeftToReconcile,
                "it was refused the password; it is tried again when no other refusal counts",
            ),
            Reason::Doubt => (LeftToReconcile, "it could not be read whether the password may be presented"),
            Reason::LongHistory => {
                (LeftToReconcile, "SSM's history has more commands than one batch of events may read")
            }
            Reason::AttributeLimit => {
                (LeftToReconcile, "ECS allows ten custom attributes, and it has no room")
            }
            Reason::Denied => {
                (LeftToReconcile, "IAM does not allow ssm:SendCommand for this instance; is its tag missing?")
            }
            Reason::NoMessageId => {
                (LeftToReconcile, "a call failed, and a record without message id cannot return")
            }
        }
    }
}

impl Outcome {
    /// The budget of refused log-ons withheld the command.
    pub(crate) fn is_withheld(&self) -> bool {
        use Reason::{Doubt, LongHistory, NotFresh, OneByHand, RefusedAlone};
        matches!(
            self,
            Outcome::Withheld(_) | Outcome::Not(Doubt | LongHistory | NotFresh | OneByHand | RefusedAlone)
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe().1)
    }
}
