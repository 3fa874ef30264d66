//! The result of a check: findings with their levels, and the report that holds them.

use serde::Serialize;

use crate::os::OperatingSystem;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; nothing has to be done.
    Info,
    /// May fail later, or does more than intended.
    Warning,
    /// Cannot work, or the data would miss the share.
    Error,
}

impl Level {
    /// The level as reports spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// One violation of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `TD004`; never reused for another rule.
    pub code: &'static str,
    /// `unc-source-path`.
    pub rule: &'static str,
    /// The rule's level, unless its documentation says that it depends.
    pub level: Level,
    /// JSON pointer into the task definition (RFC 6901); for something missing, the object that lacks it.
    pub path: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to write or do instead.
    pub help: String,
}

/// The result for one task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The ARN, or the family where there is none.
    pub task_definition: String,
    /// Whether the task uses the share, or has a broken source that probably should be on the share.
    pub applies: bool,
    /// Whether no finding is an error.
    pub valid: bool,
    /// The operating system, if the definition shows it.
    pub operating_system: OperatingSystem,
    /// What shows the operating system, or why it is ambiguous.
    pub operating_system_from: String,
    /// JSON pointer to the task definition within the input; omitted where it is the whole input.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found_at: String,
    /// In the order of the rules, and of the document within a rule.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The number of findings with a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Logs the report as one line: a warning where it is invalid.
    pub(crate) fn log(&self, cluster: Option<&str>) {
        let findings = serde_json::to_string(&self.findings).unwrap_or_default();
        let (errors, warnings) = (self.count(Level::Error), self.count(Level::Warning));
        let Report { task_definition, applies, valid, .. } = self;
        // The level of an event is fixed where it is written, so there are two.
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    task_definition,
                    cluster,
                    applies,
                    valid,
                    errors,
                    warnings,
                    findings,
                    "task definition checked"
                )
            };
        }
        if *valid { log!(info) } else { log!(warn) }
    }
}
