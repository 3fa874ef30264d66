//! Who invoked the function.

/// Who invoked, which decides what may be sent and what the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An SQS queue, with EventBridge events as bodies. The answer names the records that come again.
    Queue,
    /// A rule without a queue, with one event. The answer is a report.
    Rule,
    /// A person, with `{"instanceIds": ["i-…"]}`. The answer is a report.
    Hand,
}

/// Instances that a person may name in one call.
pub(crate) const MOST_BY_HAND: usize = 1_000;
