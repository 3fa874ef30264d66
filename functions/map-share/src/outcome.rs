//! The words for what becomes of a record: its kind, the outcome, and why.

use std::fmt;

/// An event's kind, for the counts.
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

    /// The metric that counts records of this kind.
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Kind::ContainerInstance => "EventsContainerInstance",
            Kind::StateChange => "EventsStateChange",
            Kind::SpotInterruption => "EventsSpotInterruption",
            Kind::Termination => "EventsTermination",
            Kind::ByHand => "EventsByHand",
            Kind::Other => "EventsOther",
        }
    }
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Acted on.
    Did(Effect),
    /// Rightly ignored, or left to the sweep.
    Not(Reason),
    /// It says nothing that can be understood.
    Unreadable(String),
    /// A call of its own failed: it comes again.
    Failed(String),
}

/// What was done for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Groups of outcomes, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disposition {
    Handled,
    Skipped,
    Foreign,
    LeftToSweep,
    Unreadable,
    Failed,
}

impl Disposition {
    pub(crate) const ALL: [Disposition; 6] = [
        Disposition::Handled,
        Disposition::Skipped,
        Disposition::Foreign,
        Disposition::LeftToSweep,
        Disposition::Unreadable,
        Disposition::Failed,
    ];

    /// The metric that counts records of this class.
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Disposition::Handled => "EventsHandled",
            Disposition::Skipped => "EventsSkipped",
            Disposition::Foreign => "EventsForeign",
            Disposition::LeftToSweep => "LeftToSweep",
            Disposition::Unreadable => "EventsUnreadable",
            Disposition::Failed => "EventsFailed",
        }
    }
}

impl Outcome {
    pub(crate) fn class(&self) -> Disposition {
        match self {
            Outcome::Did(_) => Disposition::Handled,
            Outcome::Not(reason) => reason.say().0,
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
            Outcome::Unreadable(why) | Outcome::Failed(why) => f.write_str(why),
        }
    }
}

/// Why nothing was done for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    AgentOffline,
    AttributeLimit,
    Doubt,
    Duplicate,
    External,
    Gone,
    HasState,
    InFlight,
    Mapped,
    NoMessageId,
    NotActive,
    NotConnected,
    NotOurDrain,
    NotRegistered,
    NotWindows,
    OlderThanProof,
    OlderThanRegistration,
    OtherCluster,
    OtherKind,
    OtherState,
    Refused,
    ReportMode,
    Superseded,
    TestNotification,
    Unjudged,
    Unproven,
    UnprovenTried,
}

impl Reason {
    /// The one table of reasons: what a reason counts as, and its words.
    fn say(self) -> (Disposition, &'static str) {
        use Disposition::{Foreign, LeftToSweep, Skipped};
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
            Reason::TestNotification => (Skipped, "a test notification"),
            Reason::ReportMode => (Skipped, "MODE=report, else it would have been acted on"),

            Reason::OtherCluster => (Foreign, "in a cluster that is not watched"),
            Reason::NotRegistered => (Foreign, "not registered in a watched cluster"),
            Reason::NotWindows => (Foreign, "not a Windows instance"),
            Reason::External => (Foreign, "an external instance, which is no EC2 instance"),

            Reason::HasState => (LeftToSweep, "its state is on record already"),
            Reason::Unjudged => (LeftToSweep, "the result of its last command is not taken yet"),
            Reason::NotConnected => (LeftToSweep, "its ECS agent is not connected"),
            Reason::AgentOffline => (LeftToSweep, "its SSM agent is not online"),
            Reason::Unproven => (LeftToSweep, "nobody has logged on with the password since it last changed"),
            Reason::UnprovenTried => (LeftToSweep, "another instance is trying the unproven password"),
            Reason::Refused => (LeftToSweep, "the password was refused; nothing is sent until it changes"),
            Reason::Doubt => (LeftToSweep, "it could not be read whether the password may be presented"),
            Reason::AttributeLimit => (LeftToSweep, "ECS allows ten custom attributes, and it has no room"),
            Reason::NoMessageId => {
                (LeftToSweep, "a call failed, and a record without message id cannot return")
            }
        }
    }

    /// Whether it was the credential brake.
    pub(crate) fn is_brake(self) -> bool {
        matches!(self, Reason::Unproven | Reason::UnprovenTried | Reason::Refused | Reason::Doubt)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.say().1)
    }
}
