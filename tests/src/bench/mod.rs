//! What the functions cost: how long they take to start, what they open and ask, how large they are.
//!
//! | module | what it is |
//! |---|---|
//! | [`scene`] | one function's binary with real work to do |
//! | [`processes`] | init, first and warm invocation, memory |
//! | [`connections`] | what an invocation opens: after init, warm, and after the endpoint closed what was open |
//! | [`instructions`] | what valgrind counts |
//! | [`calls`] | AWS calls beside the fewest that would do |
//! | [`items`] | what criterion measured of the pure parts |
//! | [`report`] | the tables |
//! | [`guard`] | what must not get worse |
//!
//! Deliberately absent: throttled CPU and memory limits, as the local Lambda has neither. Times are therefore shown beside
//! those of a function that does nothing, measured in turn.

pub mod calls;
pub mod connections;
pub mod guard;
pub mod instructions;
pub mod items;
pub mod processes;
pub mod report;
pub mod scene;
