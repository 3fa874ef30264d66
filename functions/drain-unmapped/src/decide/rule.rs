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
    /// A command for it is in flight.
    InFlight,
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
    /// As it is logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Mode => "mode",
            Rule::Hold => "hold",
            Rule::Released => "released",
            Rule::DrainAttributeNotOurs => "drain-attribute-not-ours",
            Rule::InFlight => "in-flight",
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
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
