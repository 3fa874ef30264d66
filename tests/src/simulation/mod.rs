//! A simulated fleet that tries to break the invariants. One seed gives one history, which can be played again.
//!
//! [`Plan::generate`](plan::Plan::generate) draws from the seed a fleet, its settings, what happens to it (`world_event`)
//! and how often calls, events and runs fail (`fault_rates`). [`play`] then simulates three hours: the handlers that ship
//! run against the local AWS, and after every step the [`invariants`] are checked against the `ground_truth`. When the
//! faults stop, the fleet must converge. `simulator` holds what the tasks of a history share; `observer` traces, counts
//! and checks; [`seeds`] plays many histories.
//!
//! Every eighth history also lies (`lies`): hosts answer falsely for themselves, anyone writes attributes, events are forged, and
//! people invoke the functions. What a host said is still what its gate follows; what somebody wrote is believed of that
//! instance alone. Each check says what that excuses. `simulate --lies` plays only these.
//!
//! A history that breaks an invariant is [shrunk](shrink) to the few events and faults that it needs, and printed as a
//! timeline. `make simulate SEEDS=10000` plays many seeds, `make simulate SEED=7` one. Every test run plays the
//! [`regressions`].
//!
//! The seed decides everything: tokio's time is paused on one thread, all clocks and sleeps follow it, and hashes stand
//! in for jitter. So the same seed gives the same trace.

mod causes;
mod edits;
mod event_queue;
mod fault_rates;
mod generate;
mod ground_truth;
pub mod invariants;
mod lies;
mod observer;
pub mod plan;
pub mod play;
mod refusal_events;
mod registration;
pub mod regressions;
mod sandbox;
pub mod seeds;
pub mod shrink;
mod simulator;
pub mod statistics;
mod trace;
mod true_result;
mod world;
mod world_event;
