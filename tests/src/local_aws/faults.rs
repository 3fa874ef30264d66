//! Faults on demand: which calls fail, how, and how often; or by chance, as somebody else draws it.

use std::time::Duration;

use jiff::Timestamp;

use super::Caller;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `ThrottlingException`, without effect.
    Throttle,
    /// A 5xx, without effect.
    ErrorBefore(u16),
    /// The effect, then a 5xx.
    ErrorAfter(u16),
    /// The request does not arrive.
    NotReached,
    /// The effect, but no answer.
    AnswerLost,
    /// The effect, and the answer that much later.
    Late(Duration),
    /// `AccessDeniedException`, without effect.
    Denied,
    /// `InvalidInstanceId`, without effect: some target cannot be sent to, though its agent is said to be online.
    InvalidInstance,
}

/// A rule that makes calls fail.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    /// Which operation, without prefix: `SendCommand`; `None`: every one.
    pub operation: Option<String>,
    /// Whose calls; `None`: everybody's.
    pub caller: Option<String>,
    /// Lets that many matching calls through first.
    pub skip: u32,
    /// How many calls fail; then the rule is spent.
    pub times: u32,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// The next call of that operation fails.
    pub fn once(operation: &str, fault: Fault) -> Self {
        Self { operation: Some(operation.to_owned()), caller: None, skip: 0, times: 1, fault }
    }

    /// That many calls in a row.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// After that many have got through.
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Of one caller only.
    pub fn of(self, caller: &str) -> Self {
        Self { caller: Some(caller.to_owned()), ..self }
    }

    fn matches(&self, caller: &Caller, operation: &str) -> bool {
        self.operation.as_deref().is_none_or(|name| name == operation)
            && self.caller.as_deref().is_none_or(|name| name == caller.0.as_ref())
    }
}

/// Says of a call, by caller, operation and time, how it fails.
pub type Chance = Box<dyn FnMut(&Caller, &str, Timestamp) -> Option<Fault> + Send>;

/// The rules in force, asked in the order they were added; then chance.
#[derive(Default)]
pub struct Faults {
    rules: Vec<FaultRule>,
    /// Asked about every call that no rule strikes.
    pub chance: Option<Chance>,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    /// All faults stop, those by chance too.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.chance = None;
    }

    /// Whether any rule is still to strike.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn strike(&mut self, caller: &Caller, operation: &str, now: Timestamp) -> Option<Fault> {
        let Some(index) = self.rules.iter().position(|rule| rule.matches(caller, operation)) else {
            return self.chance.as_mut()?(caller, operation, now);
        };
        let rule = &mut self.rules[index];
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        let fault = rule.fault.clone();
        rule.times = rule.times.saturating_sub(1);
        if rule.times == 0 {
            self.rules.remove(index);
        }
        Some(fault)
    }
}
