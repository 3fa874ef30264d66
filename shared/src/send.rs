//! Sends the document to instances.
//!
//! `SendCommand` has no client token: a retry after a lost answer could send twice, and that means two log-ons. So the SDK
//! retries this call on throttling only. A lost answer is reported as [`SendError::Lost`]; SSM's history tells later whether
//! the command exists. See docs/architecture.md, Unconfirmed sends.

mod command;
mod groups;

pub use command::{CommandRequest, MaxErrors, RateControl, SendError, TARGETS_A_COMMAND, send_command};
pub use groups::{Denials, Sent, send_in_groups};
