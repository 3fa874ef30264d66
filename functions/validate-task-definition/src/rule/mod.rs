//! What a rule is, what it sees, and what it reports.

mod context;
mod doc;

pub(crate) use context::MUST_EXIST;
pub use context::{Context, Scope, Service};
pub use doc::{Doc, Setting};

use crate::finding::Level;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// `TD004`; stable, and never reused for another rule.
    pub code: &'static str,
    /// `unc-source-path`.
    pub name: &'static str,
    /// The level of its findings, unless its page says that it depends.
    pub level: Level,
    /// The definitions that it checks.
    pub scope: Scope,
    /// Checks one definition.
    pub check: fn(&Context<'_>) -> Vec<Violation>,
}

/// One place that violates a rule.
#[derive(Debug)]
pub struct Violation {
    /// JSON pointer into the definition.
    pub path: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do instead.
    pub help: String,
    /// The level, where it differs from the rule's.
    pub level: Option<Level>,
}

impl Violation {
    /// A violation at a place, with the rule's level.
    pub fn at(path: &str, message: impl Into<String>, help: impl Into<String>) -> Violation {
        Violation { path: path.to_owned(), message: message.into(), help: help.into(), level: None }
    }
}
