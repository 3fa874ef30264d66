//! Histories that once broke a promise, by name: played in every test run.

/// A seed, and what it showed.
#[derive(Debug, Clone, Copy)]
pub struct Regression {
    /// What went wrong, in a few words.
    pub name: &'static str,
    /// The seed that found it.
    pub seed: u64,
}

/// All of them.
pub const REGRESSIONS: &[Regression] = &[];
