//! What an invocation truly ended with: what its host said, whether or not that is true.

use jiff::Timestamp;
use serde_json::{Deserializer, Value};

use super::ground_truth::DEADLINE;
use crate::fleet::{Mapping, REMOTE};
use crate::local_aws::ssm::{Command, Invocation};

/// The true result of one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TrueResult {
    Mapped {
        changed: bool,
    },
    Failed {
        cause: String,
        step: String,
        /// How many log-ons were refused, as it says.
        refused: u64,
    },
    /// Another share or letter is mapped.
    OtherShare,
    /// It has ended without a result line that counts.
    NoResult,
    /// It has not ended within the deadline.
    Lost,
    Pending,
}

/// The script's steps that call the file server or the directory.
const REACHES_SERVER: [&str; 3] = ["read", "create", "proof"];

/// Reads a result, independently of the product.
pub(super) fn true_result(command: &Command, invocation: &Invocation, now: Timestamp) -> TrueResult {
    if invocation.finished().is_none() {
        let is_late = now.duration_since(command.requested()) > DEADLINE;
        return if is_late { TrueResult::Lost } else { TrueResult::Pending };
    }
    let Some(line) = invocation.parsed(result_line) else { return TrueResult::NoResult };
    let text = |member: &str| line[member].as_str().unwrap_or_default().to_owned();
    let drive = text("drive");
    match (&*invocation.details, line["smbMapping"].as_str()) {
        ("Success", Some("mapped"))
            if drive.eq_ignore_ascii_case("G:") && Mapping::new(&text("remote"), "", "").names(REMOTE) =>
        {
            // A check changes nothing, whatever its line says.
            let is_map = command.parameter("Action") == Some("map");
            TrueResult::Mapped { changed: is_map && line["changed"] == true }
        }
        ("Success", Some("mapped")) if line["drive"].is_string() && line["remote"].is_string() => {
            TrueResult::OtherShare
        }
        ("Success" | "Failed" | "Incomplete", Some("failed")) if line["cause"].is_string() => {
            let refused = line["refused"].as_u64().unwrap_or_default();
            let (cause, step) = (text("cause"), text("step"));
            // A code of a call that reaches no server says nothing about one.
            let is_of_host =
                cause.trim().starts_with(|c: char| c.is_ascii_digit()) && !REACHES_SERVER.contains(&&*step);
            TrueResult::Failed {
                cause: if is_of_host { "wmi-failed".to_owned() } else { cause },
                step,
                refused,
            }
        }
        _ => TrueResult::NoResult,
    }
}

/// The one result line of an output. A cut one, one of a later version, or several that differ are none.
fn result_line(output: &str) -> Option<Value> {
    let mut found: Option<Value> = None;
    for (start, _) in output.match_indices("{\"smbMapping\"") {
        let line = Deserializer::from_str(&output[start..]).into_iter::<Value>().next()?.ok()?;
        let is_readable = line["v"].as_u64().is_some_and(|version| version <= 1);
        if !is_readable || found.as_ref().is_some_and(|other| *other != line) {
            return None;
        }
        found = Some(line);
    }
    found
}
