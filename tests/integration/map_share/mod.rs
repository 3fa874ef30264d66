//! The whole of `map-share`, with the real SDK clients over the local AWS: its input, its calls and its responses.

#![allow(clippy::unwrap_used, reason = "the helpers belong to the tests")]

mod answers;
mod brake;
mod calls;
mod order;
mod property;
mod rows;
pub(crate) mod samples;
mod sending;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use shared::metrics::Metrics;
use tests::fleet::{Host, World};
use tests::local_aws::LocalAws;
use tests::local_aws::in_process::Process;
use tests::map_share::*;
