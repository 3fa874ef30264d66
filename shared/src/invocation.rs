//! What an invocation means: one total function from SSM's words and the script's result line.
//!
//! SSM reports `Success` for a step that was skipped, so only the script's own line proves anything. This module reads;
//! what follows from a word is decided elsewhere.

use serde::Deserialize;

use crate::cause::Cause;
use crate::share::ShareMapping;

/// The newest result line version that this code understands.
const VERSION: u64 = 1;

/// What every result line begins with. Inside a JSON text its quotes would be escaped, so it cannot stand in a message.
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
}

/// The script said why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The cause as it is stored.
    pub cause: Cause,
    /// The cause as the script spelled it, for the log.
    pub said: String,
    /// Where in the script, e.g. `create`: only there is the parameters' password presented.
    pub step: String,
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

/// Why an output holds no usable result line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoResultLine {
    /// Skipped, killed, or a script that does not print one.
    #[error("no result line")]
    Missing,
    /// Cut, or not of the agreed form.
    #[error("a result line that cannot be read")]
    Unreadable,
    /// Two that differ: which one is true cannot be told.
    #[error("several result lines that differ")]
    Several,
    /// Written by a script of a later version.
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
    cause: Option<String>,
    step: Option<String>,
    message: Option<String>,
}

impl ResultLine {
    /// Finds the result line in a command's output: on a line of its own or with text around it, CRLF or LF.
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
            })),
            ("failed", _, _, Some(said)) => Ok(ResultLine::Failed(Failure {
                cause: Cause::new(&said),
                said,
                step: raw.step.unwrap_or_default(),
                message: raw.message.unwrap_or_default(),
            })),
            _ => Err(NoResultLine::Unreadable),
        }
    }
}

/// What an invocation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvocationResult {
    /// Not final, and within its deadline.
    Pending,
    /// Our share behind our letter, read.
    Mapped(Proof),
    /// The script's own word.
    Failed(Failure),
    /// No word of the script's. The cause says what is known: `no-result`, `lost`, `undelivered`, `timeout` or
    /// `refused-by-ssm`. It proves nothing about the mapping.
    NoResult(Cause),
}

impl InvocationResult {
    /// Whether the invocation is over, or counts as over.
    pub fn is_final(&self) -> bool {
        *self != InvocationResult::Pending
    }
}

/// What an invocation means, from its `StatusDetails` (`None`: not listed yet), its output, and whether it is past its
/// deadline. Spaces and case do not count; `Canceled` is `Cancelled`.
///
/// Source: `ListCommandInvocations`, and the table of states under "Understanding command statuses" in the Systems
/// Manager user guide, which prints them spaced.
pub fn interpret(
    share: &ShareMapping,
    status_details: Option<&str>,
    output: &str,
    past_deadline: bool,
) -> InvocationResult {
    let no_result = |cause: &str| InvocationResult::NoResult(Cause::new(cause));
    match plain(status_details.unwrap_or("pending")).as_str() {
        "success" => match ResultLine::find(output) {
            Ok(ResultLine::Mapped(proof)) if share.is_same(&proof.drive, &proof.remote) => {
                InvocationResult::Mapped(proof)
            }
            Ok(ResultLine::Failed(failure)) => InvocationResult::Failed(failure),
            Ok(ResultLine::Mapped(_)) | Err(_) => no_result("no-result"),
        },
        "failed" | "incomplete" => match ResultLine::find(output) {
            Ok(ResultLine::Failed(failure)) => InvocationResult::Failed(failure),
            Ok(ResultLine::Mapped(_)) | Err(_) => no_result("no-result"),
        },
        "deliverytimedout" | "undeliverable" | "terminated" | "cancelled" | "canceled" | "rateexceeded" => {
            no_result("undelivered")
        }
        // `TimedOut` is the status whose details these are; seen alone where an old agent reports.
        "executiontimedout" | "timedout" => no_result("timeout"),
        "accessdenied" | "invalidplatform" | "noinstancesintag" => no_result("refused-by-ssm"),
        _ if past_deadline => no_result("lost"),
        _ => InvocationResult::Pending,
    }
}

/// Whether SSM gave an invocation up before it got to the instance, because others of the command failed, somebody
/// cancelled it, or rates were exceeded.
pub fn is_stopped(status_details: &str) -> bool {
    matches!(plain(status_details).as_str(), "terminated" | "cancelled" | "canceled" | "rateexceeded")
}

/// Without spaces and case, in which SSM's answers and its documentation differ.
fn plain(status_details: &str) -> String {
    status_details.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::share::{DriveLetter, RemotePath};

    const MAPPED: &str = r#"{"smbMapping":"mapped","v":1,"changed":true,"drive":"G:","remote":"\\\\FS\\Share","status":"OK","privacy":true,"boot":"2026-11-22T08:00:00Z"}"#;
    const ELSEWHERE: &str =
        r#"{"smbMapping":"mapped","v":1,"changed":false,"drive":"G:","remote":"\\\\other\\share"}"#;
    const REFUSED: &str = r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"create","message":"\u30e6\u30fc\u30b6\u30fc"}"#;

    fn share() -> ShareMapping {
        ShareMapping {
            drive: DriveLetter::parse("G").unwrap(),
            remote: RemotePath::parse(r"\\fs\share").unwrap(),
        }
    }

    /// `mapped`, `wait`, or the cause.
    fn word(details: &str, output: &str, past: bool) -> String {
        match interpret(&share(), Some(details), output, past) {
            InvocationResult::Pending => "wait".to_owned(),
            InvocationResult::Mapped(_) => "mapped".to_owned(),
            InvocationResult::Failed(failure) => failure.cause.to_string(),
            InvocationResult::NoResult(cause) => format!("no word: {cause}"),
        }
    }

    #[test]
    fn a_stopped_invocation_is_told_from_one_that_did_not_get_through() {
        for details in ["Terminated", "Cancelled", "Canceled", "Rate Exceeded", "RateExceeded"] {
            assert!(is_stopped(details), "{details}");
        }
        for details in ["DeliveryTimedOut", "Undeliverable", "Execution Timed Out", "Failed", "Success", ""] {
            assert!(!is_stopped(details), "{details}");
        }
    }

    #[test]
    fn only_our_own_result_line_under_success_means_mapped() {
        let cut = &MAPPED[..60];
        let newer = MAPPED.replace("\"v\":1", "\"v\":2");
        let older = MAPPED.replace("\"v\":1", "\"v\":0");
        let two = format!("{MAPPED}\r\n{REFUSED}\r\n");
        let twice = format!("{MAPPED}\n{MAPPED}");
        let around = format!("\u{feff}WARNING: slow\r\n{MAPPED}\r\n--output truncated--");
        let same_line = format!("VERBOSE: {MAPPED} done");
        let no_drive = r#"{"smbMapping":"mapped","v":1}"#;
        let table = [
            ("Success", MAPPED, "mapped"),
            ("Success", &around, "mapped"),
            ("Success", &same_line, "mapped"),
            ("Success", &older, "mapped"),
            ("Success", &twice, "mapped"),
            ("Success", "", "no word: no-result"),
            ("Success", "Step execution skipped due to unsatisfied preconditions", "no word: no-result"),
            ("Success", cut, "no word: no-result"),
            ("Success", &newer, "no word: no-result"),
            ("Success", &two, "no word: no-result"),
            ("Success", ELSEWHERE, "no word: no-result"),
            ("Success", no_drive, "no word: no-result"),
            ("Success", REFUSED, "1326"),
            ("Failed", REFUSED, "1326"),
            ("Incomplete", REFUSED, "1326"),
            ("Failed", MAPPED, "no word: no-result"),
            ("Failed", "", "no word: no-result"),
            ("Incomplete", "", "no word: no-result"),
        ];
        for (details, output, expected) in table {
            assert_eq!(word(details, output, false), expected, "{details} {output}");
            assert_eq!(
                word(details, output, true),
                expected,
                "a final word stays when late: {details} {output}"
            );
        }
    }

    #[test]
    fn every_other_word_of_ssm_proves_nothing() {
        let table = [
            ("DeliveryTimedOut", "undelivered"),
            ("Delivery Timed Out", "undelivered"),
            ("Undeliverable", "undelivered"),
            ("Terminated", "undelivered"),
            ("Cancelled", "undelivered"),
            ("Canceled", "undelivered"),
            ("Rate Exceeded", "undelivered"),
            ("ExecutionTimedOut", "timeout"),
            ("Execution Timed Out", "timeout"),
            ("executiontimedout", "timeout"),
            ("AccessDenied", "refused-by-ssm"),
            ("Access Denied", "refused-by-ssm"),
            ("InvalidPlatform", "refused-by-ssm"),
            ("No Instances In Tag", "refused-by-ssm"),
        ];
        for (details, cause) in table {
            assert_eq!(word(details, MAPPED, false), format!("no word: {cause}"), "{details}");
        }
    }

    #[test]
    fn what_is_not_final_is_waited_for_until_its_deadline() {
        for details in ["Pending", "InProgress", "In Progress", "Delayed", "Cancelling", "Exploded", ""] {
            assert_eq!(word(details, MAPPED, false), "wait", "{details}");
            assert_eq!(word(details, MAPPED, true), "no word: lost", "{details}");
        }
        assert_eq!(interpret(&share(), None, "", false), InvocationResult::Pending);
        assert_eq!(interpret(&share(), None, "", true), InvocationResult::NoResult(Cause::new("lost")));
    }

    #[test]
    fn an_unheard_of_cause_is_kept_in_full_for_the_log_only() {
        let line = r#"{"smbMapping":"failed","v":1,"cause":"on fire, badly","step":"look","message":""}"#;
        let Ok(ResultLine::Failed(failure)) = ResultLine::find(line) else { panic!("not read") };
        assert_eq!((failure.cause.as_str(), failure.said.as_str()), ("unlisted", "on fire, badly"));
    }

    proptest! {
        #[test]
        fn any_output_is_judged_without_panic_and_never_proves_anything(output in "(?s).{0,300}") {
            prop_assert!(!matches!(interpret(&share(), Some("Success"), &output, true), InvocationResult::Mapped(_)));
        }

        #[test]
        fn a_result_line_is_found_in_any_text_without_another(before in "[^{]{0,80}", after in "(?s)[^{]{0,80}") {
            let output = format!("{before}{MAPPED}{after}");
            prop_assert!(matches!(interpret(&share(), Some("Success"), &output, false), InvocationResult::Mapped(_)));
        }

        #[test]
        fn a_cut_result_line_is_never_a_proof(length in 0..MAPPED.len()) {
            prop_assert_eq!(word("Success", &MAPPED[..length], false), "no word: no-result");
        }
    }
}
