//! A simulated fleet that tries to break the promises: one seed, one history, replayable.
//!
//! A seed draws a [`plan`]: a fleet, settings, what happens to it ([`deed`]) and how often which call, event or run fails
//! ([`chance`]). [`play`] then lets three virtual hours go by over the local AWS, with the very handlers that ship, and
//! after every step [`invariants`] are checked against the [`ground`] truth. When the faults stop, everything must settle.
//! What its tasks share is in `scene`; `watched` traces, counts and checks; [`seeds`] plays many.
//!
//! A history that breaks a promise is [shrunk](shrink) to the few things that it needs, and told as a timeline. `make
//! simulate SEEDS=10000` plays many seeds, `make simulate SEED=7` one; [`regressions`] are played in every test run.
//!
//! Everything is decided by the seed: paused tokio time on one thread, clocks and sleeps that follow it, hashes instead of
//! jitter. So the same seed gives the same [trace](play::Played::trace).

pub mod chance;
pub mod deed;
mod dictated;
mod draw;
pub mod ground;
mod inbox;
pub mod invariants;
pub mod plan;
pub mod play;
pub mod regressions;
mod sandbox;
mod scene;
pub mod seeds;
pub mod shrink;
mod stage;
pub mod statistics;
mod trace;
mod watched;
