//! The attributes on a container instance: the gate, the state, the drain and the operator's hold.

use jiff::Timestamp;

use super::mark::Mark;
use super::value::State;
use crate::cause::Cause;
use crate::fingerprint::Fingerprint;
use crate::share::{DriveLetter, ShareMapping};
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
    /// Another stack wrote it.
    OtherStack,
}

impl Drain {
    /// The attribute's value with the stack that writes it; `None` where there is nothing to write.
    pub fn print_marked(&self, mark: &Mark) -> Option<String> {
        self.print().map(|value| format!("{value} {}", mark.stack))
    }

    /// The attribute's value without its stack; `None` where there is nothing to write.
    pub fn print(&self) -> Option<String> {
        match self {
            Drain::Requested { cause, at } => Some(format!("requested {cause} {}", time::format(*at))),
            Drain::Done { cause, at } => Some(format!("done {cause} {}", time::format(*at))),
            Drain::Released { at } => Some(format!("released {}", time::format(*at))),
            Drain::Absent | Drain::Foreign | Drain::OtherStack => None,
        }
    }

    /// Reads a value, or its absence, whichever stack wrote it.
    pub fn parse(value: Option<&str>) -> Self {
        let Some(value) = value else { return Drain::Absent };
        let (value, _) = split_stack(value);
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
            Drain::Absent | Drain::Foreign | Drain::OtherStack => None,
        }
    }

    /// Whether this proves that we drained the instance.
    pub fn is_ours(&self) -> bool {
        matches!(self, Drain::Done { .. })
    }
}

/// Splits the stack from a drain's value. A value of an earlier version names none.
fn split_stack(value: &str) -> (&str, Option<Fingerprint>) {
    let end = value.rsplit_once(' ').and_then(|(rest, last)| Some((rest, Fingerprint::parse(last)?)));
    end.map_or((value, None), |(rest, stack)| (rest, Some(stack)))
}

/// The names of the attributes of one drive letter, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeNames {
    /// `smb.G`
    pub gate: String,
    /// `smb.G.state`
    pub state: String,
    /// `smb.G.drain`
    pub drain: String,
    /// The share and the stack; `None` where anybody's values are read as ours.
    pub mark: Option<Mark>,
}

impl AttributeNames {
    /// The names for a letter. Values of every stack and share are read as ours.
    pub fn new(drive: DriveLetter) -> Self {
        let gate = format!("smb.{}", drive.letter());
        AttributeNames { state: format!("{gate}.state"), drain: format!("{gate}.drain"), gate, mark: None }
    }

    /// The names for a share's letter, of this stack.
    pub fn of_stack(share: &ShareMapping, stack: &str) -> Self {
        AttributeNames { mark: Some(Mark::of(share, stack)), ..Self::new(share.drive) }
    }

    /// The value to write for a state.
    pub fn print_state(&self, state: &State) -> String {
        self.mark.as_ref().map_or_else(|| state.print(), |mark| state.print_marked(mark))
    }

    /// The value to write for a drain; `None` where there is nothing to write.
    pub fn print_drain(&self, drain: &Drain) -> Option<String> {
        self.mark.as_ref().map_or_else(|| drain.print(), |mark| drain.print_marked(mark))
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
    /// Another stack wrote the state or the drain.
    pub is_of_other_stack: bool,
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
    /// A proof of another share or letter: no proof. The gate is shut.
    OtherShare(State),
}

impl StateAttribute {
    /// The state, where one could be read.
    pub fn state(&self) -> Option<&State> {
        match self {
            StateAttribute::Known(state) => Some(state),
            StateAttribute::Absent | StateAttribute::Unreadable | StateAttribute::OtherShare(_) => None,
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
        let read = state.and_then(State::parse_marked).filter(|(state, _)| state.times().all(is_true));
        let written_by = read.as_ref().and_then(|(_, mark)| mark.as_ref());
        let is_other = |theirs: Option<Fingerprint>, ours: fn(&Mark) -> Fingerprint| {
            theirs.zip(names.mark.as_ref()).is_some_and(|(theirs, mark)| theirs != ours(mark))
        };
        let is_other_share = is_other(written_by.map(|mark| mark.share), |mark| mark.share);
        let drained_by = drain.and_then(|value| split_stack(value).1);
        let is_others_drain = is_other(drained_by, |mark| mark.stack);
        let is_of_other_stack =
            is_others_drain || is_other(written_by.map(|mark| mark.stack), |mark| mark.stack);
        let state = match (read, gate) {
            (Some((state, _)), _) if is_other_share => StateAttribute::OtherShare(state),
            (Some((state, _)), _) => StateAttribute::Known(state),
            (None, Gate::Mapped) => StateAttribute::Unreadable,
            (None, Gate::Shut) => StateAttribute::Absent,
        };
        let drain = match Drain::parse(drain) {
            _ if is_others_drain => Drain::OtherStack,
            drain if drain.at().is_none_or(is_true) => drain,
            _ => Drain::Foreign,
        };
        InstanceAttributes { gate, state, drain, hold, has_gate, has_state, is_of_other_stack }
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

    /// When there was no mapping, as far as the state tells: a check found none, or nothing was ever recorded.
    pub fn unmapped_at(&self) -> Option<Timestamp> {
        match &self.state {
            StateAttribute::Absent => Some(Timestamp::MIN),
            StateAttribute::Known(State::Unmapped { cause, judged, .. }) if *cause == Cause::NOT_MAPPED => {
                Some(*judged)
            }
            StateAttribute::Known(_) | StateAttribute::Unreadable | StateAttribute::OtherShare(_) => None,
        }
    }

    /// The instance has at least one attribute of this letter.
    pub fn any(&self) -> bool {
        self.has_gate || self.has_state || self.drain != Drain::Absent
    }
}
