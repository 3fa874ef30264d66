//! The rules that withhold a drain.

use std::fmt;

/// Why an instance that has failed long enough is not drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// `MODE` is not `enforce`.
    Mode,
    /// It has the attribute `smb.hold`.
    Hold,
    /// Given back, by us or by an operator, or about to be terminated: not drained until it is proven once.
    Released,
    /// `smb.G.drain` holds a value that we did not write.
    DrainAttributeNotOurs,
    /// ECS has no room for `smb.G.drain`.
    AttributeLimit,
    /// A command for it is in flight.
    InFlight,
    /// It changed between the decision and the call, or its state could not be written.
    ChangedMeanwhile,
    /// Credentials, configuration and unknown causes never drain.
    CauseNotTheHosts,
    /// A network or directory cause, and not enough others were mapped meanwhile.
    NoWitnesses,
    /// Less than half of the cluster is active and mapped.
    HalfMustStay,
    /// As much is draining as may be, by any actor.
    Budget,
    /// Breaker: too many unmapped, or drained by us.
    BreakerTooMany,
    /// Breaker: several recent failures of one class that is not the host's.
    BreakerHerd,
    /// Breaker: nothing is mapped.
    BreakerNothingMapped,
    /// Breaker: too many without any state.
    BreakerUnknown,
}

impl Rule {
    /// All of them, in the order of the documentation.
    pub const ALL: [Rule; 15] = [
        Rule::Mode,
        Rule::Hold,
        Rule::Released,
        Rule::DrainAttributeNotOurs,
        Rule::AttributeLimit,
        Rule::InFlight,
        Rule::ChangedMeanwhile,
        Rule::CauseNotTheHosts,
        Rule::NoWitnesses,
        Rule::HalfMustStay,
        Rule::Budget,
        Rule::BreakerTooMany,
        Rule::BreakerHerd,
        Rule::BreakerNothingMapped,
        Rule::BreakerUnknown,
    ];

    /// As it is logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Mode => "mode",
            Rule::Hold => "hold",
            Rule::Released => "released",
            Rule::DrainAttributeNotOurs => "drain-attribute-not-ours",
            Rule::AttributeLimit => "attribute-limit",
            Rule::InFlight => "in-flight",
            Rule::ChangedMeanwhile => "changed-meanwhile",
            Rule::CauseNotTheHosts => "cause-not-the-hosts",
            Rule::NoWitnesses => "no-witnesses",
            Rule::HalfMustStay => "half-must-stay",
            Rule::Budget => "budget",
            Rule::BreakerTooMany => "breaker-too-many",
            Rule::BreakerHerd => "breaker-herd",
            Rule::BreakerNothingMapped => "breaker-nothing-mapped",
            Rule::BreakerUnknown => "breaker-unknown",
        }
    }

    /// What it means, for the documentation.
    pub fn means(self) -> &'static str {
        match self {
            Rule::Mode => "`Mode` is not `enforce`",
            Rule::Hold => "it has the attribute `smb.hold`",
            Rule::Released => {
                "you made it `ACTIVE` again, or it is about to be terminated; it is not drained until it is proven once"
            }
            Rule::DrainAttributeNotOurs => "somebody else wrote `smb.<letter>.drain`",
            Rule::AttributeLimit => {
                "ECS allows ten custom attributes, and there is no room for `smb.<letter>.drain`"
            }
            Rule::InFlight => "a command for it is in flight",
            Rule::ChangedMeanwhile => {
                "it changed between the decision and the call, or its state could not be written; the next run decides anew"
            }
            Rule::CauseNotTheHosts => {
                "its cause is of class credentials, configuration or unknown: another host would fare no better"
            }
            Rule::NoWitnesses => {
                "a network or directory cause, and not enough other instances reached the share while it failed"
            }
            Rule::HalfMustStay => "less than half of the cluster's Windows instances are active and mapped",
            Rule::Budget => "`MaxDrainPercent` of the cluster are draining, by any actor",
            Rule::BreakerTooMany => "more than `BreakerPercent` of the cluster are unmapped or drained by us",
            Rule::BreakerHerd => "three or more failed within the hour for the same shared cause",
            Rule::BreakerNothingMapped => "no instance of the cluster is mapped",
            Rule::BreakerUnknown => {
                "over a fifth of the instances have no state yet, as after a large scale-out"
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
