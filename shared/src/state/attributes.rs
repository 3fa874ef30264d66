//! The attributes on a container instance: the gate, the state, the drain and the operator's hold.

use jiff::Timestamp;

use super::value::State;
use crate::cause::Cause;
use crate::share::DriveLetter;
use crate::time;

/// Put on an instance by an operator, with any value: never drained, never given back.
pub const HOLD: &str = "smb.hold";

/// What task definitions ask for with `memberOf(attribute:smb.G == mapped)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Tasks that need the share may be placed here.
    Mapped,
    /// They may not. An absent or unreadable gate is shut.
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

    /// Anything but `mapped` is shut: ECS compares the value exactly, and so do we.
    pub fn parse(value: Option<&str>) -> Self {
        if value == Some("mapped") { Gate::Mapped } else { Gate::Shut }
    }
}

/// Whose a drain is. What cannot be read is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drain {
    /// No attribute.
    Absent,
    /// Written before the call that drains; alone it proves nothing.
    Requested {
        /// Why.
        cause: Cause,
        /// When, by our clock.
        at: Timestamp,
    },
    /// The call took effect: the drain is ours.
    Done {
        /// Why.
        cause: Cause,
        /// When, by our clock.
        at: Timestamp,
    },
    /// Given back, or about to be terminated, or no longer wanted: hands off until the next proof.
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

/// Everything of ours that stands on one container instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceAttributes {
    /// Whether tasks may be placed.
    pub gate: Gate,
    /// What was last proven.
    pub state: StateAttribute,
    /// Whose a drain is.
    pub drain: Drain,
    /// An operator said hands off.
    pub hold: bool,
    /// Whether any attribute of this letter is there at all.
    pub any: bool,
}

/// The state attribute as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateAttribute {
    /// Nothing known: the attribute is absent, or unreadable under a shut gate.
    Absent,
    /// Read.
    Known(State),
    /// Unreadable or absent under an open gate: counts as mapped, and due.
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
    /// Reads an instance's attributes, given as names and values.
    pub fn read<'a>(
        names: &AttributeNames,
        attributes: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let (mut gate, mut state, mut drain, mut hold) = (None, None, None, false);
        for (name, value) in attributes {
            match name {
                // ECS allows an attribute without a value; for the gate and the state that is as good as none.
                _ if name == names.gate => gate = Some(value.unwrap_or_default()),
                _ if name == names.state => state = Some(value.unwrap_or_default()),
                _ if name == names.drain => drain = Some(value.unwrap_or_default()),
                HOLD => hold = true,
                _ => {}
            }
        }
        let any = gate.is_some() || state.is_some() || drain.is_some();
        let gate = Gate::parse(gate);
        let state = match (state.and_then(State::parse), gate) {
            (Some(state), _) => StateAttribute::Known(state),
            (None, Gate::Mapped) => StateAttribute::Unreadable,
            (None, Gate::Shut) => StateAttribute::Absent,
        };
        InstanceAttributes { gate, state, drain: Drain::parse(drain), hold, any }
    }
}
