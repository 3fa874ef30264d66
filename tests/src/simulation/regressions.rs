//! Seeds that once broke an invariant, with the defect that each found. Every test run plays them.
//!
//! A change of the generator makes other histories of these seeds. The defects themselves are also in `tests/defects`.

/// The seeds, each with its defect.
pub const REGRESSIONS: [(u64, &str); 15] = [
    (
        466,
        "a refused password was presented every two minutes, because its host began to fail with the last log-on",
    ),
    (545, "hosts that accept no command kept the same others waiting for ever"),
    (2206, "after a refusal a check went on as several commands, each with two hosts at a time"),
    (3451, "a check was sent while the cluster with the credential failures could not be read"),
    (596, "an instance whose gate could not be shut was sent a map"),
    (10_894, "ten hosts with hanging scripts were in turn the first target of every check"),
    (
        44_514,
        "targets that waited behind hosts that accept no command were judged with them, and stayed behind them",
    ),
    (
        23_922,
        "hosts that accept no command were the first targets of every check that followed one without them",
    ),
    (
        200_010,
        "hosts that registered again took their refusals with them, and more than the budget were refused",
    ),
    (7968, "the breaker ignored failures that the run had read and could not write"),
    (9_001_533, "a time that somebody wrote a few minutes ahead was carried into the next state"),
    (400_062, "a parameter that changed within a run was presented by a whole wave"),
    (
        9_014_477,
        "a fleet of slow hosts was sent checks that SSM could not deliver in time, and never converged",
    ),
    (
        9_010_677,
        "a host that reported another share was checked every few seconds, and an unconfirmed check was sent again",
    ),
    (
        9_018_389,
        "a host that had registered anew counted as without a mapping, and a fifth log-on was refused",
    ),
];
