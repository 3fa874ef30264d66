//! The script's result line: one line of JSON in a command's output.

use jiff::Timestamp;
use serde::Deserialize;

use super::step::Step;
use crate::cause::Cause;
use crate::fingerprint::Fingerprint;
use crate::{text, time};

/// The newest version of the result line that this code can read.
const VERSION: u64 = 1;

/// The script logs on when it reads, when it creates, and when it proves. A larger number is not believed.
const MOST_REFUSED: u32 = 3;

/// The longest cause or status that is kept for the log.
const MOST_CHARACTERS_OF_A_WORD: usize = 40;

/// Every result line begins with this. Inside a JSON string its quotes are escaped, so no message contains it.
const MARK: &str = "{\"smbMapping\"";

/// The script read the mapped root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The script presented the parameters' password to make this mapping.
    pub changed: bool,
    /// `Get-SmbGlobalMapping`'s status after the read, e.g. `OK`.
    pub status: Option<String>,
    /// Whether the mapping was made with `RequirePrivacy`; without it containers lose access when idle.
    pub privacy: Option<bool>,
    /// When Windows started, by the host's own clock.
    pub boot: Option<Timestamp>,
    /// The script's version; `None` where it does not say.
    pub script: Option<Fingerprint>,
}

/// The script reported why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The cause as it is stored.
    pub cause: Cause,
    /// The cause as the script wrote it, for the log.
    pub said: String,
    /// The step that failed. Only `create` presents the parameters' password.
    pub step: Step,
    /// How many log-ons the script saw refused, at most [`MOST_REFUSED`]; `None` where it does not say.
    pub refused: Option<u32>,
    /// Windows's own message, possibly localised, cut and made fit for a log line.
    pub message: String,
    /// The script's version; `None` where it does not say.
    pub script: Option<Fingerprint>,
}

/// The script's result line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultLine {
    /// `"smbMapping":"mapped"`
    Mapped {
        /// Drive as the script names it, e.g. `G:`.
        drive: String,
        /// Remote path as the script names it.
        remote: String,
        /// What else it says.
        proof: Proof,
    },
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
    script: Option<String>,
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
        let script = raw.script.as_deref().and_then(Fingerprint::parse);
        match (raw.smb_mapping.as_str(), raw.drive, raw.remote, raw.cause) {
            ("mapped", Some(drive), Some(remote), _) => Ok(ResultLine::Mapped {
                drive,
                remote,
                proof: Proof {
                    changed: raw.changed,
                    status: raw.status.map(|status| text::clean(&status, MOST_CHARACTERS_OF_A_WORD)),
                    privacy: raw.privacy,
                    boot: raw.boot.as_deref().and_then(time::parse),
                    script,
                },
            }),
            ("failed", _, _, Some(said)) => {
                let step = Step::parse(raw.step.as_deref().unwrap_or_default());
                Ok(ResultLine::Failed(Failure {
                    cause: cause_at(step, &said),
                    said: text::clean(&said, MOST_CHARACTERS_OF_A_WORD),
                    step,
                    refused: raw.refused.map(|refused| refused.min(MOST_REFUSED)),
                    message: text::clean(&raw.message.unwrap_or_default(), text::MOST_CHARACTERS),
                    script,
                }))
            }
            _ => Err(NoResultLine::Unreadable),
        }
    }
}

/// The cause of a failure. A code of a call that reached no server is the host's, whatever it means elsewhere.
fn cause_at(step: Step, said: &str) -> Cause {
    let cause = Cause::new(said);
    if cause.is_code() && !step.reaches_server() { Cause::WMI_FAILED } else { cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(step: &str, cause: &str) -> Failure {
        let line =
            format!(r#"{{"smbMapping":"failed","v":1,"cause":"{cause}","step":"{step}","refused":1}}"#);
        let Ok(ResultLine::Failed(failure)) = ResultLine::find(&line) else { panic!("not read") };
        failure
    }

    #[test]
    fn a_code_means_what_windows_says_only_where_the_server_was_reached() {
        for step in Step::ALL.map(Step::as_str).into_iter().chain(["", "prove", "anywhere"]) {
            let reaches = ["read", "create", "proof"].contains(&step);
            for code in ["5", "1326", "53", "4711", "0x80041001", "0x8004100a"] {
                let expected = if reaches { Cause::new(code) } else { Cause::WMI_FAILED };
                let failure = failure(step, code);
                assert_eq!((failure.cause, failure.said.as_str()), (expected, code), "{step}");
                assert_eq!(failure.refused, Some(1), "what was refused before stays so");
            }
            for word in ["drive-in-use", "bad-credentials", "dns", "unlisted"] {
                assert_eq!(failure(step, word).cause, Cause::new(word), "{step}");
            }
        }
    }

    #[test]
    fn a_hosts_words_are_cut_and_hold_nothing_that_a_terminal_acts_on() {
        let message = format!(r"\u001b[2J\u202e{}", "x".repeat(2_000));
        let line = format!(
            r#"{{"smbMapping":"failed","v":1,"cause":"{}","step":"read","message":"{message}"}}"#,
            "on\\nfire ".repeat(20)
        );
        let Ok(ResultLine::Failed(failure)) = ResultLine::find(&line) else { panic!("not read") };
        assert_eq!(failure.message, format!("[2J{}", "x".repeat(297)));
        assert_eq!(failure.said, "on fire ".repeat(6)[..40]);
    }

    #[test]
    fn a_line_names_the_version_of_its_script_or_none() {
        for (said, expected) in [
            (r#""script":"1a2b3c4d","#, Fingerprint::parse("1a2b3c4d")),
            ("", None),
            (r#""script":"latest","#, None),
        ] {
            let mapped =
                format!(r#"{{"smbMapping":"mapped","v":1,{said}"drive":"G:","remote":"\\\\fs\\share"}}"#);
            let Ok(ResultLine::Mapped { proof, .. }) = ResultLine::find(&mapped) else { panic!("not read") };
            let failed = format!(r#"{{"smbMapping":"failed","v":1,{said}"cause":"53","step":"read"}}"#);
            let Ok(ResultLine::Failed(failure)) = ResultLine::find(&failed) else { panic!("not read") };
            assert_eq!([proof.script, failure.script], [expected; 2], "{said}");
        }
    }

    #[test]
    fn an_unlisted_cause_is_kept_in_full_for_the_log_only() {
        let line = r#"{"smbMapping":"failed","v":1,"cause":"on fire, badly","step":"look","message":""}"#;
        let Ok(ResultLine::Failed(failure)) = ResultLine::find(line) else { panic!("not read") };
        assert_eq!((failure.cause.as_str(), failure.said.as_str()), ("unlisted", "on fire, badly"));
    }
}
