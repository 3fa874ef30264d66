//! The attributes on a container instance: the gate, the state, the drain and the operator's hold.

use jiff::Timestamp;

use super::value::State;
use crate::cause::Cause;
use crate::share::DriveLetter;
use crate::time;

/// An operator's attribute, with any value: the instance is never drained and never given back.
pub const HOLD: &str = "smb.hold";

/// The attribute that task definitions require with `memberOf(attribute:smb.G == mapped)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Tasks that need the share may be placed here.
    Mapped,
    /// They may not. An absent or unknown value is shut.
    Shut,
}

impl Gate {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Gate::Mapped => "mapped",
            Gate::Shut => "shut",
        }
    }

    /// Anything but `mapped` is shut, since ECS compares the value exactly.
    pub fn parse(value: Option<&str>) -> Self {
        if value == Some("mapped") { Gate::Mapped } else { Gate::Shut }
    }
}

/// Whose drain it is. A value that cannot be read is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drain {
    /// No attribute.
    Absent,
    /// Written before the call that drains; alone it does not prove that we drained.
    Requested {
        /// Why.
        cause: Cause,
        /// When, by our clock.
        at: Timestamp,
    },
    /// Written after the call took effect: the drain is ours.
    Done {
        /// Why.
        cause: Cause,
        /// When, by our clock.
        at: Timestamp,
    },
    /// Given back, about to be terminated, or not wanted any more: not acted on until the next proof.
    Released {
        /// When.
        at: Timestamp,
    },
    /// A value that we did not write.
    Foreign,
}

impl Drain {
    /// The attribute's value; `None` where there is nothing to write.
    pub fn print(&self) -> Option<String> {
        match self {
            Drain::Requested { cause, at } => Some(format!("requested {cause} {}", time::format(*at))),
            Drain::Done { cause, at } => Some(format!("done {cause} {}", time::format(*at))),
            Drain::Released { at } => Some(format!("released {}", time::format(*at))),
            Drain::Absent | Drain::Foreign => None,
        }
    }

    /// Reads a value, or its absence.
    pub fn parse(value: Option<&str>) -> Self {
        let Some(value) = value else { return Drain::Absent };
        let words: Vec<&str> = value.split(' ').collect();
        let read = match words.as_slice() {
            ["requested", cause, at] => {
                time::parse(at).map(|at| Drain::Requested { cause: Cause::new(cause), at })
            }
            ["done", cause, at] => time::parse(at).map(|at| Drain::Done { cause: Cause::new(cause), at }),
            ["released", at] => time::parse(at).map(|at| Drain::Released { at }),
            _ => None,
        };
        read.unwrap_or(Drain::Foreign)
    }

    /// The time that it names.
    fn at(&self) -> Option<Timestamp> {
        match self {
            Drain::Requested { at, .. } | Drain::Done { at, .. } | Drain::Released { at } => Some(*at),
            Drain::Absent | Drain::Foreign => None,
        }
    }

    /// Whether this proves that we drained the instance.
    pub fn is_ours(&self) -> bool {
        matches!(self, Drain::Done { .. })
    }
}

/// The names of the attributes of one drive letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeNames {
    /// `smb.G`
    pub gate: String,
    /// `smb.G.state`
    pub state: String,
    /// `smb.G.drain`
    pub drain: String,
}

impl AttributeNames {
    /// The names for a letter.
    pub fn new(drive: DriveLetter) -> Self {
        let gate = format!("smb.{}", drive.letter());
        AttributeNames { state: format!("{gate}.state"), drain: format!("{gate}.drain"), gate }
    }
}

/// All our attributes of one container instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceAttributes {
    /// Whether tasks may be placed.
    pub gate: Gate,
    /// The last proven state.
    pub state: StateAttribute,
    /// Whose drain it is.
    pub drain: Drain,
    /// An operator set [`HOLD`].
    pub hold: bool,
    /// The gate's attribute exists, whatever its value.
    pub has_gate: bool,
    /// The state's attribute exists, whatever its value.
    pub has_state: bool,
}

/// The state attribute as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateAttribute {
    /// Nothing is known: the attribute is absent, or unreadable under a shut gate.
    Absent,
    /// Read.
    Known(State),
    /// Unreadable or absent under an open gate: counts as mapped, and a check is due.
    Unreadable,
}

impl StateAttribute {
    /// The state, where one could be read.
    pub fn state(&self) -> Option<&State> {
        match self {
            StateAttribute::Known(state) => Some(state),
            StateAttribute::Absent | StateAttribute::Unreadable => None,
        }
    }
}

impl InstanceAttributes {
    /// Reads an instance's attributes, given as names and values. A value that names a time ahead of our clock cannot be read.
    pub fn read<'a>(
        names: &AttributeNames,
        now: Timestamp,
        attributes: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let (mut gate, mut state, mut drain, mut hold) = (None, None, None, false);
        for (name, value) in attributes {
            match name {
                // ECS allows an attribute without a value.
                _ if name == names.gate => gate = Some(value.unwrap_or_default()),
                _ if name == names.state => state = Some(value.unwrap_or_default()),
                _ if name == names.drain => drain = Some(value.unwrap_or_default()),
                HOLD => hold = true,
                _ => {}
            }
        }
        let (has_gate, has_state) = (gate.is_some(), state.is_some());
        let gate = Gate::parse(gate);
        let is_true = |at: Timestamp| time::not_ahead(at, now).is_some();
        let state = match (state.and_then(State::parse).filter(|state| state.times().all(is_true)), gate) {
            (Some(state), _) => StateAttribute::Known(state),
            (None, Gate::Mapped) => StateAttribute::Unreadable,
            (None, Gate::Shut) => StateAttribute::Absent,
        };
        let drain = Drain::parse(drain);
        let drain = if drain.at().is_none_or(is_true) { drain } else { Drain::Foreign };
        InstanceAttributes { gate, state, drain, hold, has_gate, has_state }
    }

    /// The same where the instance registered then: a host may set attributes when it registers, and a proof that is older than
    /// the registration is none.
    pub fn without_proof_before(self, registered: Timestamp) -> Self {
        let is_proof = |state: &State| matches!(state, State::Mapped { .. } | State::Doubtful { .. });
        let is_older = self.state.state().is_some_and(|state| is_proof(state) && state.judged() < registered);
        if is_older && self.gate == Gate::Mapped {
            InstanceAttributes { state: StateAttribute::Unreadable, ..self }
        } else {
            self
        }
    }

    /// The instance has at least one attribute of this letter.
    pub fn any(&self) -> bool {
        self.has_gate || self.has_state || self.drain != Drain::Absent
    }
}
