//! What an invocation means: one function from SSM's status and the script's result line.
//!
//! SSM reports `Success` for a step that was skipped, so only the script's result line proves anything. What follows from a
//! result is decided elsewhere. See docs/architecture.md, Invocation results.

mod result_line;
mod step;

pub use result_line::{Failure, NoResultLine, Proof, ResultLine};
pub use step::Step;

use std::sync::Arc;

use jiff::Timestamp;

use crate::cause::Cause;
use crate::fingerprint::Fingerprint;
use crate::history::{Command, Deadline, Invocation};
use crate::ids::InstanceId;
use crate::share::ShareMapping;
use crate::time;

/// What an invocation means. Copies share what the host said: a fleet has many results, and a run several copies of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvocationResult {
    /// Not final, and within its deadline.
    Pending,
    /// Our share behind our letter, read.
    Mapped(Arc<Proof>),
    /// The script reported a failure.
    Failed(Arc<Failure>),
    /// There is no result line, or one of another share. The cause is `no-result`, `other-share`, `lost`, `undelivered`,
    /// `timeout` or `refused-by-ssm`. It proves nothing about the mapping.
    NoResult(Cause),
}

impl InvocationResult {
    /// Whether the invocation is over, or counts as over.
    pub fn is_final(&self) -> bool {
        *self != InvocationResult::Pending
    }

    /// The script said how it went. `busy` is no attempt.
    pub fn is_word(&self) -> bool {
        match self {
            InvocationResult::Mapped(_) => true,
            InvocationResult::Failed(failure) => failure.cause != Cause::BUSY,
            InvocationResult::NoResult(_) | InvocationResult::Pending => false,
        }
    }

    /// The version of the script that wrote the result line, where it says so.
    pub fn script(&self) -> Option<Fingerprint> {
        match self {
            InvocationResult::Mapped(proof) => proof.script,
            InvocationResult::Failed(failure) => failure.script,
            InvocationResult::NoResult(_) | InvocationResult::Pending => None,
        }
    }

    /// The same without the host's own words, which only the log of a verdict needs.
    pub fn without_texts(&self) -> Self {
        match self {
            InvocationResult::Failed(failure) => {
                let (said, message) = (String::new(), String::new());
                let Failure { cause, step, refused, script, .. } = **failure;
                InvocationResult::Failed(Arc::new(Failure { cause, said, step, refused, message, script }))
            }
            other => other.clone(),
        }
    }
}

/// What an invocation means, from its `StatusDetails` (`None`: not listed yet), its output and its command's deadline. Spaces
/// and case of the status are ignored; `Canceled` is `Cancelled`.
///
/// Source: `ListCommandInvocations`, and the table of states under "Understanding command statuses" in the Systems
/// Manager user guide, which prints them spaced.
pub fn interpret(
    share: &ShareMapping,
    status_details: Option<&str>,
    output: &str,
    deadline: Deadline,
) -> InvocationResult {
    let no_result = InvocationResult::NoResult;
    match plain(status_details.unwrap_or("pending")).as_str() {
        "success" => match ResultLine::find(output) {
            Ok(ResultLine::Mapped { drive, remote, proof }) if share.is_same(&drive, &remote) => {
                InvocationResult::Mapped(Arc::new(proof))
            }
            Ok(ResultLine::Failed(failure)) => InvocationResult::Failed(Arc::new(failure)),
            // Sent before RemotePath was changed. No log-on was refused.
            Ok(ResultLine::Mapped { .. }) => no_result(Cause::OTHER_SHARE),
            Err(_) => no_result(Cause::NO_RESULT),
        },
        "failed" | "incomplete" => match ResultLine::find(output) {
            Ok(ResultLine::Failed(failure)) => InvocationResult::Failed(Arc::new(failure)),
            Ok(ResultLine::Mapped { .. }) | Err(_) => no_result(Cause::NO_RESULT),
        },
        "deliverytimedout" | "undeliverable" | "terminated" | "cancelled" | "canceled" | "rateexceeded" => {
            no_result(Cause::UNDELIVERED)
        }
        // An old agent reports the status `TimedOut` instead of its details.
        "executiontimedout" | "timedout" => no_result(Cause::TIMEOUT),
        "accessdenied" | "invalidplatform" | "noinstancesintag" => no_result(Cause::REFUSED_BY_SSM),
        _ if deadline == Deadline::Past => no_result(Cause::LOST),
        _ => InvocationResult::Pending,
    }
}

/// Whether SSM ended an invocation before it reached the instance, because other targets failed, the command was cancelled,
/// or a rate was exceeded.
pub fn is_stopped(status_details: &str) -> bool {
    matches!(plain(status_details).as_str(), "terminated" | "cancelled" | "canceled" | "rateexceeded")
}

/// Without spaces and in lower case: SSM's answers and its documentation differ in both.
fn plain(status_details: &str) -> String {
    status_details.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
}

/// What one invocation reported. No time of a host is believed that is ahead of our clock.
#[derive(Debug)]
pub struct Reported {
    /// The instance.
    pub instance: InstanceId,
    /// When the script's step ended, as its agent says.
    pub ended_at: Option<Timestamp>,
    /// SSM stopped the command before it reached the instance.
    pub is_stopped: bool,
    /// What it means.
    pub result: InvocationResult,
}

impl Reported {
    /// Interprets what SSM listed.
    pub fn new(raw: Invocation, command: &Command, share: &ShareMapping, now: Timestamp) -> Self {
        let details = Some(raw.status_details.as_str());
        let mut result = interpret(share, details, &raw.output, command.deadline(now));
        if let InvocationResult::Mapped(proof) = &mut result {
            let proof = Arc::make_mut(proof);
            proof.boot = proof.boot.and_then(|at| time::not_ahead(at, now));
        }
        Reported {
            instance: raw.instance_id,
            ended_at: raw.finished_at.and_then(|at| time::not_ahead(at, now)),
            is_stopped: is_stopped(&raw.status_details),
            result,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

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

    /// `mapped`, `pending`, or the cause.
    fn result(details: &str, output: &str, deadline: Deadline) -> String {
        match interpret(&share(), Some(details), output, deadline) {
            InvocationResult::Pending => "pending".to_owned(),
            InvocationResult::Mapped(_) => "mapped".to_owned(),
            InvocationResult::Failed(failure) => failure.cause.to_string(),
            InvocationResult::NoResult(cause) => format!("no result: {cause}"),
        }
    }

    #[test]
    fn a_stopped_invocation_differs_from_an_undelivered_one() {
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
            ("Success", "", "no result: no-result"),
            ("Success", "Step execution skipped due to unsatisfied preconditions", "no result: no-result"),
            ("Success", cut, "no result: no-result"),
            ("Success", &newer, "no result: no-result"),
            ("Success", &two, "no result: no-result"),
            ("Success", ELSEWHERE, "no result: other-share"),
            ("Success", no_drive, "no result: no-result"),
            ("Success", REFUSED, "1326"),
            ("Failed", REFUSED, "1326"),
            ("Incomplete", REFUSED, "1326"),
            ("Failed", MAPPED, "no result: no-result"),
            ("Failed", "", "no result: no-result"),
            ("Incomplete", "", "no result: no-result"),
        ];
        for (details, output, expected) in table {
            assert_eq!(result(details, output, Deadline::Ahead), expected, "{details} {output}");
            assert_eq!(
                result(details, output, Deadline::Past),
                expected,
                "a final result stays when late: {details} {output}"
            );
        }
    }

    #[test]
    fn every_other_status_proves_nothing() {
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
            assert_eq!(result(details, MAPPED, Deadline::Ahead), format!("no result: {cause}"), "{details}");
        }
    }

    #[test]
    fn an_invocation_is_pending_until_it_is_final_or_past_its_deadline() {
        for details in ["Pending", "InProgress", "In Progress", "Delayed", "Cancelling", "Exploded", ""] {
            assert_eq!(result(details, MAPPED, Deadline::Ahead), "pending", "{details}");
            assert_eq!(result(details, MAPPED, Deadline::Past), "no result: lost", "{details}");
        }
        assert_eq!(interpret(&share(), None, "", Deadline::Ahead), InvocationResult::Pending);
        assert_eq!(interpret(&share(), None, "", Deadline::Past), InvocationResult::NoResult(Cause::LOST));
    }

    /// What a piece of an output means.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Meaning {
        /// It is no result line.
        Noise,
        Mapped,
        Failed,
        /// A result line of another share or letter, of a later version, or with a member missing.
        Nothing,
    }

    const PIECES: [(Meaning, &str); 10] = [
        (Meaning::Noise, "WARNING: slow, {not} a result; smbMapping"),
        (Meaning::Noise, ""),
        (Meaning::Mapped, MAPPED),
        (Meaning::Mapped, r#"{"smbMapping":"mapped","v":0,"drive":"g","remote":"//fs/share/"} done"#),
        (
            Meaning::Failed,
            r#"VERBOSE: {"smbMapping":"failed","v":1,"cause":"1326","step":"create","message":"{\"smbMapping\""}"#,
        ),
        (Meaning::Failed, r#"{"smbMapping":"failed","v":1,"cause":"on fire","step":"look"}"#),
        (
            Meaning::Nothing,
            r#"{"smbMapping":"mapped","v":1,"drive":"G:","remote":"\\\\fs\\share\\directory"}"#,
        ),
        (Meaning::Nothing, r#"{"smbMapping":"mapped","v":1,"drive":"H:","remote":"\\\\fs\\share"}"#),
        (Meaning::Nothing, r#"{"smbMapping":"mapped","v":2,"drive":"G:","remote":"\\\\fs\\share"}"#),
        (Meaning::Nothing, r#"{"smbMapping":"mapped","v":1}"#),
    ];

    fn pieces() -> impl Strategy<Value = Vec<(Meaning, &'static str)>> {
        let cut = ("{\"smbMapping\"".len()..MAPPED.len()).prop_map(|n| (Meaning::Nothing, &MAPPED[..n]));
        vec(prop_oneof![10 => select(&PIECES[..]), 1 => cut], 1..=4)
    }

    /// A result line with a part replaced.
    fn edited_line() -> impl Strategy<Value = String> {
        let line = select(&[MAPPED, ELSEWHERE, REFUSED][..]);
        (line, any::<Index>(), 0..12_usize, "[ -~]{0,12}").prop_map(|(line, at, length, replacement)| {
            let from = at.index(line.len());
            format!("{}{replacement}{}", &line[..from], &line[(from + length).min(line.len())..])
        })
    }

    proptest! {
        #[test]
        fn an_output_means_what_its_result_lines_mean_if_all_are_the_same(
            pieces in pieces(),
            details in select(&["Success", "Failed", "Incomplete"][..]),
        ) {
            let output = pieces.iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\r\n");
            let mut lines: Vec<_> = pieces.into_iter().filter(|(meaning, _)| *meaning != Meaning::Noise).collect();
            lines.dedup();
            let result = interpret(&share(), Some(details), &output, Deadline::Ahead);
            let is_expected = match (lines.as_slice(), details) {
                ([(Meaning::Mapped, _)], "Success") => matches!(result, InvocationResult::Mapped(_)),
                ([(Meaning::Failed, _)], _) => matches!(result, InvocationResult::Failed(_)),
                _ => matches!(result, InvocationResult::NoResult(_)),
            };
            prop_assert!(is_expected, "{result:?}");
        }

        #[test]
        fn an_edited_result_line_proves_no_other_share_and_has_a_storable_cause(output in edited_line()) {
            match interpret(&share(), Some("Success"), &output, Deadline::Ahead) {
                InvocationResult::Mapped(_) => {
                    let Ok(ResultLine::Mapped { remote, .. }) = ResultLine::find(&output) else {
                        return Err(TestCaseError::fail("no line says so"));
                    };
                    let remote = remote.replace('/', "\\");
                    prop_assert_eq!(remote.trim_end_matches('\\').to_lowercase(), r"\\fs\share");
                }
                InvocationResult::Failed(failure) => {
                    let cause = failure.cause.as_str();
                    prop_assert!((1..=24).contains(&cause.len()));
                    prop_assert!(cause.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{cause}");
                }
                InvocationResult::NoResult(cause) => {
                    prop_assert!([Cause::NO_RESULT, Cause::OTHER_SHARE].contains(&cause));
                }
                InvocationResult::Pending => prop_assert!(false, "it has ended"),
            }
        }

        #[test]
        fn any_output_is_read_and_proves_nothing(output in "(?s).{0,300}") {
            let result = interpret(&share(), Some("Success"), &output, Deadline::Past);
            prop_assert!(!matches!(result, InvocationResult::Mapped(_)));
        }
    }
}
