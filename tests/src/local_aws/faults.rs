//! Fault injection: which calls fail, how, and how often, by rules or at random.

use std::time::Duration;

use jiff::Timestamp;

use super::Caller;

/// How a call fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `ThrottlingException`, without effect.
    Throttle,
    /// A 5xx, without effect.
    ErrorBefore(u16),
    /// A 5xx, with effect.
    ErrorAfter(u16),
    /// The request does not arrive.
    NotReached,
    /// The call takes effect, but its response is lost.
    AnswerLost,
    /// The call takes effect, and its response comes that much later.
    Late(Duration),
    /// `AccessDeniedException`, without effect.
    Denied,
    /// `InvalidInstanceId`, without effect: SSM refuses a target although it lists its agent as online.
    InvalidInstance,
}

/// A rule that makes calls fail.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    /// The operation without its prefix: `SendCommand`; `None` for every operation.
    pub operation: Option<String>,
    /// The caller; `None` for every caller.
    pub caller: Option<String>,
    /// How many matching calls succeed first.
    pub skip: u32,
    /// How many calls then fail before the rule is removed.
    pub times: u32,
    /// How they fail.
    pub fault: Fault,
}

impl FaultRule {
    /// The next call of that operation fails.
    pub fn once(operation: &str, fault: Fault) -> Self {
        Self { operation: Some(operation.to_owned()), caller: None, skip: 0, times: 1, fault }
    }

    /// That many calls in a row fail.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Only calls of one caller fail.
    pub fn of(self, caller: &str) -> Self {
        Self { caller: Some(caller.to_owned()), ..self }
    }

    fn matches(&self, caller: &Caller, operation: &str) -> bool {
        self.operation.as_deref().is_none_or(|name| name == operation)
            && self.caller.as_deref().is_none_or(|name| name == caller.0.as_ref())
    }
}

/// Chooses the fault of a call by caller, operation and time.
pub type FaultSource = Box<dyn FnMut(&Caller, &str, Timestamp) -> Option<Fault> + Send>;

/// The rules in the order in which they were added, then the random faults.
#[derive(Default)]
pub struct Faults {
    rules: Vec<FaultRule>,
    /// Chooses the fault of every call that no rule matches.
    pub random: Option<FaultSource>,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    /// Removes all rules and the random faults.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault of this call, if any.
    pub(crate) fn next(&mut self, caller: &Caller, operation: &str, now: Timestamp) -> Option<Fault> {
        let Some(index) = self.rules.iter().position(|rule| rule.matches(caller, operation)) else {
            return self.random.as_mut()?(caller, operation, now);
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
