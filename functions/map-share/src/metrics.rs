//! The metrics that the function emits: one table, with what each one counts.

use crate::outcome::{Disposition, Kind};

/// A metric of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Records of which this became.
    Disposition(Disposition),
    /// Records of this kind.
    Kind(Kind),
    /// Commands sent.
    Commands,
    /// Instances that were sent a command.
    Targets,
    /// Records left to the reconcile run by the credential brake.
    BrakeWithheld,
    /// Throttled calls.
    Throttles,
}

impl Metric {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Metric> {
        let dispositions = Disposition::ALL.into_iter().map(Metric::Disposition);
        let calls = [Metric::Commands, Metric::Targets, Metric::BrakeWithheld, Metric::Throttles];
        dispositions.chain(Kind::ALL.into_iter().map(Metric::Kind)).chain(calls)
    }

    /// Its name, and what it counts.
    pub(crate) fn describe(self) -> (&'static str, &'static str) {
        match self {
            Metric::Disposition(disposition) => match disposition {
                Disposition::Handled => ("EventsHandled", "records that led to a command or a write"),
                Disposition::Skipped => ("EventsSkipped", "records that ask for nothing"),
                Disposition::Foreign => ("EventsForeign", "records of instances that are not watched"),
                Disposition::LeftToReconcile => ("LeftToReconcile", "records left to the reconcile run"),
                Disposition::Unreadable => ("EventsUnreadable", "records that are no event"),
                Disposition::Failed => ("EventsFailed", "records whose AWS call failed: they come again"),
            },
            Metric::Kind(kind) => match kind {
                Kind::ContainerInstance => {
                    ("EventsContainerInstance", "ECS Container Instance State Change events")
                }
                Kind::StateChange => ("EventsStateChange", "EC2 Instance State-change Notification events"),
                Kind::SpotInterruption => {
                    ("EventsSpotInterruption", "EC2 Spot Instance Interruption Warning events")
                }
                Kind::Termination => ("EventsTermination", "EC2 Instance-terminate Lifecycle Action events"),
                Kind::ByHand => ("EventsByHand", "instances that a person named"),
                Kind::Other => ("EventsOther", "events of other kinds, and what is no event"),
            },
            Metric::Commands => ("Commands", "commands sent"),
            Metric::Targets => ("Targets", "instances that were sent a command"),
            Metric::BrakeWithheld => {
                ("BrakeWithheld", "records that the credential brake left to the reconcile run")
            }
            Metric::Throttles => ("Throttles", "calls that AWS throttled"),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        self.describe().0
    }
}
