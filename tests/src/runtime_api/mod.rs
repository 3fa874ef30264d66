//! A local Lambda: runs the unchanged function binaries as AWS Lambda runs them on `provided.al2023`.
//!
//! | module | what it is |
//! |---|---|
//! | [`protocol`] | the calls of the Lambda Runtime API 2018-06-01, as values; pure |
//! | [`sandbox`] | one process with its own Runtime API, until it crashes, times out or is killed |
//! | [`function`] | a function: its settings, and at most one warm sandbox; invocations run one after the other |
//! | [`queue`] | the parts of Amazon SQS that an event source needs, standard and FIFO; pure |
//! | [`event_source`] | passes batches from a queue to a function and deletes what the function handled |
//! | [`binaries`] | builds the functions' binaries for tests |
//!
//! Deliberately absent: more than one sandbox per function, extensions, response streaming, SnapStart, the retry of a
//! failed init, asynchronous invocation (every function that needs its retries has a queue), memory and CPU limits.

pub mod binaries;
pub mod event_source;
pub mod function;
pub mod protocol;
pub mod queue;
pub mod sandbox;

pub use event_source::{BatchSettings, DeliveredBatch, EventSource};
pub use function::{Function, FunctionSettings, InvocationFailure, InvocationOutcome};
pub use queue::{Message, Queue, QueueKind};
pub use sandbox::{Line, Stream};
