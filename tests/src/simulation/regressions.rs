//! Histories that once broke a promise, by name: played in every test run.
//!
//! A change of what seeds draw makes other histories of them. The defects themselves are then still among the teeth.

/// A seed, and what it showed.
#[derive(Debug, Clone, Copy)]
pub struct Regression {
    /// What went wrong, in a few words.
    pub name: &'static str,
    /// The seed that found it.
    pub seed: u64,
}

/// All of them.
pub const REGRESSIONS: &[Regression] = &[
    Regression {
        name: "a refused password is tried every two minutes, since its host began to fail with the last log-on",
        seed: 466,
    },
    Regression { name: "hosts that take no command keep the same others waiting for ever", seed: 545 },
    Regression {
        name: "a refused check goes on as several commands, each with two hosts at work",
        seed: 2206,
    },
    Regression { name: "a check is sent while the cluster that fails could not be read", seed: 3451 },
    Regression { name: "a host whose gate could not be shut is sent a map", seed: 596 },
    Regression { name: "ten hosts that hang lead every check by turns", seed: 10_894 },
    Regression {
        name: "those that waited behind hosts that take no command are judged with them, and stay behind",
        seed: 44_514,
    },
    Regression {
        name: "hosts that take no command lead each check in which the last had them not",
        seed: 23_922,
    },
    Regression { name: "the breaker of a run that has heard failures which it cannot write", seed: 7968 },
];
