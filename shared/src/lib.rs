//! What the functions of ecs-smb-mapper share.
//!
//! Without I/O: [`ids`], [`share`], [`state`], [`cause`], [`invocation`], [`history`] (what is in flight), [`budget`]
//! (refused log-ons), [`fingerprint`], [`text`], [`time`]. With I/O: [`config`], [`aws`] (clients), [`ssm`], [`invocation_cache`], [`ecs`],
//! [`task_definitions`], [`send`], [`pace`], [`metrics`], [`logs`].
//!
//! Deliberately absent: a trait over the AWS SDK. The functions hold real clients; tests replace the HTTP client below.

#![cfg_attr(not(test), warn(clippy::too_many_lines, clippy::fn_params_excessive_bools))]

pub mod aws;
pub mod budget;
pub mod cause;
pub mod config;
pub mod ecs;
pub mod fingerprint;
pub mod history;
pub mod ids;
pub mod invocation;
pub mod invocation_cache;
pub mod logs;
pub mod metrics;
pub mod pace;
pub mod send;
pub mod share;
pub mod ssm;
pub mod state;
pub mod task_definitions;
pub mod text;
pub mod time;
