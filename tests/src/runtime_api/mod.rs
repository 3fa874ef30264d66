//! A local Lambda: runs function binaries, unchanged, as AWS Lambda runs them on `provided.al2023`.
//!
//! | module | what it is |
//! |---|---|
//! | [`protocol`] | the calls of the Lambda Runtime API 2018-06-01, as values; pure |
//! | [`sandbox`] | one process with a Runtime API of its own, from start to crash, time-out or kill |
//! | [`function`] | a function: its settings, and one warm sandbox at most; invocations wait their turn |
//! | [`queue`] | Amazon SQS as far as an event source needs it, standard and FIFO; pure |
//! | [`event_source`] | takes batches from a queue to a function and settles what the answer says |
//! | [`binaries`] | where tests find the functions' binaries |
//!
//! Deliberately absent: concurrency above one sandbox a function, extensions, response streaming, SnapStart,
//! Lambda's second try of a failed init, asynchronous invocation with its retries (a queue stands before every
//! function that needs them), memory limits and throttled CPU.

pub mod binaries;
pub mod event_source;
pub mod function;
pub mod protocol;
pub mod queue;
pub mod sandbox;

pub use event_source::{Batch, EventSource, Settings};
pub use function::{Failure, Function, FunctionSettings, Invocation};
pub use queue::{Kind, Message, Queue};
pub use sandbox::{Line, Stream};
