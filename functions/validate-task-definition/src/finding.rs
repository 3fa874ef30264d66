//! What a check says: findings with their levels, and the report that holds them.

use serde::Serialize;

use crate::os::OperatingSystem;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; nothing has to be done.
    Info,
    /// Works until it does not, or does more than was meant.
    Warning,
    /// Cannot work, or the data would miss the share.
    Error,
}

impl Level {
    /// As it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// One thing that one rule has to say about one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `TD004`; never given to another rule.
    pub code: &'static str,
    /// `unc-source-path`.
    pub rule: &'static str,
    /// The rule's level, except where a rule documents that it depends.
    pub level: Level,
    /// JSON pointer into the task definition (RFC 6901). Where something is missing, the object that lacks it.
    pub path: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to write or do instead.
    pub help: String,
}

/// The verdict on one task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The ARN where there is one, else the family.
    pub task_definition: String,
    /// Whether the task uses the share, or a source of its volumes is broken in a way that a share's usually is.
    pub applies: bool,
    /// No finding is an error.
    pub valid: bool,
    /// What the task runs on, as far as the definition says.
    pub operating_system: OperatingSystem,
    /// What told the operating system, or why nothing did.
    pub operating_system_from: String,
    /// JSON pointer to the task definition within what was given; left out where it is the whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found_at: String,
    /// In the order of the rules, and of the document within a rule.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}
