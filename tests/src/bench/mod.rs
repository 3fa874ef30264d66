//! Benchmarks of the functions: time to start, connections, calls, size.
//!
//! | module | what it is |
//! |---|---|
//! | [`scene`] | one function's binary with real work to do |
//! | [`processes`] | init, first and warm invocation, memory |
//! | [`connections`] | connections of an invocation: after init, warm, and after the endpoint closed them |
//! | [`instructions`] | what valgrind counts |
//! | [`calls`] | AWS calls compared with the fewest possible |
//! | [`memory`] | the controller's memory after a long outage of a large fleet |
//! | [`items`] | what criterion measured of the pure parts |
//! | [`report`] | the tables |
//! | [`guard`] | what must not get worse |
//!
//! Deliberately absent: throttled CPU and memory limits, which the local Lambda does not have. Times are therefore compared
//! with those of a function that does nothing.

pub mod calls;
pub mod connections;
pub mod guard;
pub mod instructions;
pub mod items;
pub mod memory;
pub mod processes;
pub mod report;
pub mod scene;
