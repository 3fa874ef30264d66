//! Fuzz targets: whatever comes in, no parser panics, and what it makes of it keeps its promises.
//!
//! | target | what comes in |
//! |---|---|
//! | `events` | what `map-share` is invoked with: a batch, a bare event, a call by hand |
//! | `state` | the attributes on a container instance |
//! | `result_line` | what a command printed |
//! | `validator` | task definitions, their paths and constraints |
//!
//! Each is tried with inputs of [`inputs`], the same in every run, others and more with `make fuzz`; and with its corpus,
//! by bolero. `cargo bolero test fuzz::state::fuzz_text --engine libfuzzer` (cargo-bolero, nightly) goes on from there,
//! led by coverage; what it finds is kept under `__fuzz__`.

mod events;
mod inputs;
mod result_line;
mod state;
mod validator;

/// `fuzz!(property, cases, seeds)`: tries a `fn(&[u8])` that panics where something does not hold. Must stand in the
/// test itself, whose name is the corpus's.
macro_rules! fuzz {
    ($property:expr, $cases:expr, $seeds:expr) => {
        // First, for bolero silences the thread's later panics.
        $crate::fuzz::inputs::try_all($property, $cases, &$seeds);
        bolero::check!().with_iterations(0).for_each($property);
    };
}
use fuzz;
