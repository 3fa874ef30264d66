//! The script's result line: one line of JSON in a command's output.

use jiff::Timestamp;
use serde::Deserialize;

use crate::cause::Cause;

/// The newest version of the result line that this code can read.
const VERSION: u64 = 1;

/// The script logs on when it reads, when it creates, and when it proves. A larger number is not believed.
const MOST_REFUSED: u32 = 3;

/// Every result line begins with this. Inside a JSON string its quotes are escaped, so no message contains it.
const MARK: &str = "{\"smbMapping\"";

/// The script read the mapped root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The script presented the parameters' password to make this mapping.
    pub changed: bool,
    /// Drive as the script names it, e.g. `G:`.
    pub drive: String,
    /// Remote path as the script names it.
    pub remote: String,
    /// `Get-SmbGlobalMapping`'s status after the read, e.g. `OK`.
    pub status: Option<String>,
    /// Whether the mapping was made with `RequirePrivacy`; without it containers lose access when idle.
    pub privacy: Option<bool>,
    /// When Windows started, by the host's own clock.
    pub boot: Option<Timestamp>,
}

/// The script reported why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The cause as it is stored.
    pub cause: Cause,
    /// The cause as the script wrote it, for the log.
    pub said: String,
    /// The step that failed. Only `create` presents the parameters' password.
    pub step: String,
    /// How many log-ons the script saw refused, at most [`MOST_REFUSED`]; `None` where it does not say.
    pub refused: Option<u32>,
    /// Windows's own message, possibly localised.
    pub message: String,
}

/// The script's result line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultLine {
    /// `"smbMapping":"mapped"`
    Mapped(Proof),
    /// `"smbMapping":"failed"`
    Failed(Failure),
}

/// Why an output has no usable result line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoResultLine {
    /// The step was skipped or the script was killed.
    #[error("no result line")]
    Missing,
    /// It was cut, or has another form.
    #[error("a result line that cannot be read")]
    Unreadable,
    /// There are two that differ.
    #[error("several result lines that differ")]
    Several,
    /// A later version of the script wrote it.
    #[error("a result line of a later version")]
    Newer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLine {
    smb_mapping: String,
    v: u64,
    #[serde(default)]
    changed: bool,
    drive: Option<String>,
    remote: Option<String>,
    status: Option<String>,
    privacy: Option<bool>,
    boot: Option<String>,
    cause: Option<String>,
    step: Option<String>,
    refused: Option<u32>,
    message: Option<String>,
}

impl ResultLine {
    /// Finds the result line in a command's output, on a line of its own or with text around it.
    pub fn find(output: &str) -> Result<Self, NoResultLine> {
        let mut found: Option<Self> = None;
        for (start, _) in output.match_indices(MARK) {
            let line = Self::parse(&output[start..])?;
            match &found {
                Some(earlier) if *earlier != line => return Err(NoResultLine::Several),
                _ => found = Some(line),
            }
        }
        found.ok_or(NoResultLine::Missing)
    }

    fn parse(text: &str) -> Result<Self, NoResultLine> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<RawLine>();
        let Some(Ok(raw)) = values.next() else { return Err(NoResultLine::Unreadable) };
        if raw.v > VERSION {
            return Err(NoResultLine::Newer);
        }
        match (raw.smb_mapping.as_str(), raw.drive, raw.remote, raw.cause) {
            ("mapped", Some(drive), Some(remote), _) => Ok(ResultLine::Mapped(Proof {
                changed: raw.changed,
                drive,
                remote,
                status: raw.status,
                privacy: raw.privacy,
                boot: raw.boot.and_then(|text| text.parse().ok()),
            })),
            ("failed", _, _, Some(said)) => Ok(ResultLine::Failed(Failure {
                cause: Cause::new(&said),
                said,
                step: raw.step.unwrap_or_default(),
                refused: raw.refused.map(|refused| refused.min(MOST_REFUSED)),
                message: raw.message.unwrap_or_default(),
            })),
            _ => Err(NoResultLine::Unreadable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlisted_cause_is_kept_in_full_for_the_log_only() {
        let line = r#"{"smbMapping":"failed","v":1,"cause":"on fire, badly","step":"look","message":""}"#;
        let Ok(ResultLine::Failed(failure)) = ResultLine::find(line) else { panic!("not read") };
        assert_eq!((failure.cause.as_str(), failure.said.as_str()), ("unlisted", "on fire, badly"));
    }
}
