//! What the SSM agent reports of a PowerShell step: its status, its exit code, and the text of its output.
//!
//! After the agent's own parser, plugin and output handling, version 3.3.0.

/// The limit of a plugin's output, in bytes.
const MOST_BYTES: usize = 2_500;
/// Between standard output and standard error.
const ERROR_TITLE: &str = "\n----------ERROR-------\n";
const OUTPUT_IS_CUT: &str = "\n---Output truncated---";
const ERROR_IS_CUT: &str = "\n---Error truncated----";

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// With this exit code.
    Exit(i64),
    /// At the document's time limit. On Windows the process then has the exit code -1.
    TimedOut,
    /// Somebody cancelled the command.
    Cancelled,
    /// It ended, but a process that it had started kept its output open until the time limit.
    ChildHeldOutput,
}

/// What the agent reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// The status of plugin and document.
    pub status: &'static str,
    /// `ResponseCode`.
    pub code: i64,
    /// What stands after standard output, with the agent's own note.
    pub stderr: String,
    /// `Output`.
    pub output: String,
}

impl StepEnd {
    /// The report of a step that wrote this.
    pub fn report(self, stdout: &str, stderr: &str) -> StepReport {
        let (status, code, note) = match self {
            // 3010 asks for a reboot, and 168 is success, as -1 is a time-out and 169 a failure.
            StepEnd::Exit(0 | 168) => ("Success", None, None),
            StepEnd::Exit(3010) => ("SuccessAndReboot", None, None),
            StepEnd::Exit(-1) | StepEnd::TimedOut => ("TimedOut", Some(-1), None),
            StepEnd::Exit(code) => ("Failed", None, Some(format!("exit status {code}"))),
            StepEnd::Cancelled => ("Cancelled", Some(-1), None),
            StepEnd::ChildHeldOutput => ("Failed", Some(1), Some("no such process".to_owned())),
        };
        let said = if self == StepEnd::Exit(168) { "" } else { stderr };
        let note = note.map_or_else(String::new, |note| format!("failed to run commands: {note}"));
        let exit = if let StepEnd::Exit(code) = self { code } else { -1 };
        let stderr = format!("{said}{note}");
        StepReport { status, code: code.unwrap_or(exit), output: output(stdout, &stderr), stderr }
    }
}

/// Standard output and standard error in one text. Where they do not fit, each keeps half of the room, and what the other
/// does not need.
pub fn output(stdout: &str, stderr: &str) -> String {
    let title = if stderr.is_empty() { "" } else { ERROR_TITLE };
    let room = MOST_BYTES - title.len();
    let half = room / 2;
    let [out, err] = if stdout.len() + stderr.len() <= room {
        [stdout.to_owned(), stderr.to_owned()]
    } else if stdout.len() <= half {
        [stdout.to_owned(), cut(stderr, room - stdout.len(), ERROR_IS_CUT)]
    } else if stderr.len() <= half {
        [cut(stdout, room - stderr.len(), OUTPUT_IS_CUT), stderr.to_owned()]
    } else {
        [cut(stdout, half, OUTPUT_IS_CUT), cut(stderr, half, ERROR_IS_CUT)]
    };
    format!("{out}{title}{err}")
}

/// At most so many bytes, the last of which say that it is cut. The agent cuts in the middle of a character, which the answer
/// then shows as `U+FFFD`.
fn cut(text: &str, most: usize, mark: &str) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let kept = &text.as_bytes()[..most - mark.len()];
    format!("{}{mark}", String::from_utf8_lossy(kept))
}

#[cfg(test)]
mod tests {
    use shared::history::Deadline;
    use shared::invocation::{InvocationResult, interpret};
    use shared::share::{DriveLetter, RemotePath, ShareMapping};

    use super::*;

    const MAPPED: &str = r#"{"smbMapping":"mapped","v":1,"drive":"G:","remote":"\\\\fs\\share"}"#;
    const FAILED: &str = r#"{"smbMapping":"failed","v":1,"cause":"1326","step":"create"}"#;

    fn meaning(report: &StepReport) -> String {
        let (drive, remote) = (DriveLetter::parse("G").unwrap(), RemotePath::parse(r"\\fs\share").unwrap());
        let share = ShareMapping { drive, remote };
        match interpret(&share, Some(report.status), &report.output, Deadline::Past) {
            InvocationResult::Mapped(_) => "mapped".to_owned(),
            InvocationResult::Failed(failure) => failure.cause.to_string(),
            InvocationResult::NoResult(cause) => format!("no {cause}"),
            InvocationResult::Pending => "pending".to_owned(),
        }
    }

    #[test]
    fn a_step_is_reported_and_understood_as_the_agent_does() {
        let line = |line: &str| format!("{line}\n");
        let exit = StepEnd::Exit;
        let (failed_75, failed_78) =
            ("failed to run commands: exit status 75", "failed to run commands: exit status 78");
        // How it ended, standard output and error; status, code, what follows the output, and what it means.
        let table = [
            (exit(75), line(FAILED), "", "Failed", 75, Some(failed_75), "1326"),
            (exit(78), line(FAILED), "", "Failed", 78, Some(failed_78), "1326"),
            (exit(0), line(MAPPED), "", "Success", 0, None, "mapped"),
            (exit(0), line(FAILED), "", "Success", 0, None, "1326"),
            (exit(0), line(MAPPED), "warn\n", "Success", 0, Some("warn\n"), "mapped"),
            (
                exit(78),
                line(FAILED),
                "warn\n",
                "Failed",
                78,
                Some("warn\nfailed to run commands: exit status 78"),
                "1326",
            ),
            (exit(78), String::new(), "", "Failed", 78, Some(failed_78), "no no-result"),
            (exit(78), line(MAPPED), "", "Failed", 78, Some(failed_78), "no no-result"),
            (StepEnd::TimedOut, line(MAPPED), "", "TimedOut", -1, None, "no timeout"),
            (StepEnd::Cancelled, line(MAPPED), "", "Cancelled", -1, None, "no undelivered"),
            (StepEnd::Cancelled, String::new(), "", "Cancelled", -1, None, "no undelivered"),
            (
                StepEnd::ChildHeldOutput,
                line(FAILED),
                "",
                "Failed",
                1,
                Some("failed to run commands: no such process"),
                "1326",
            ),
            (
                StepEnd::ChildHeldOutput,
                line(MAPPED),
                "",
                "Failed",
                1,
                Some("failed to run commands: no such process"),
                "no no-result",
            ),
            (exit(3010), line(MAPPED), "", "SuccessAndReboot", 3010, None, "no lost"),
            (exit(168), line(MAPPED), "dropped", "Success", 168, None, "mapped"),
            (
                exit(169),
                line(MAPPED),
                "",
                "Failed",
                169,
                Some("failed to run commands: exit status 169"),
                "no no-result",
            ),
            (exit(-1), line(MAPPED), "", "TimedOut", -1, None, "no timeout"),
            (exit(0), format!("caf\u{fffd} {MAPPED}\n"), "", "Success", 0, None, "mapped"),
        ];
        for (end, stdout, stderr, status, code, error, means) in table {
            let report = end.report(&stdout, stderr);
            let name = format!("{end:?}, {stdout:?}, {stderr:?}");
            let expected =
                error.map_or(stdout.clone(), |error| format!("{stdout}\n----------ERROR-------\n{error}"));
            assert_eq!((report.status, report.code, &report.output), (status, code, &expected), "{name}");
            assert_eq!(meaning(&report), means, "{name}");
        }
    }

    #[test]
    fn an_output_has_at_most_2500_bytes_of_which_a_short_part_stays_whole() {
        let of = |out: usize, err: usize| output(&"o".repeat(out), &"e".repeat(err));
        let count = |text: &str, letter: char| text.chars().filter(|one| *one == letter).count();
        for (out, err) in [(1_000, 4_000), (1_238, 4_000)] {
            let text = of(out, err);
            assert!(text.starts_with(&format!("{}{ERROR_TITLE}", "o".repeat(out))), "{out}");
            assert!(text.len() == 2_500 && text.ends_with(ERROR_IS_CUT), "{out}");
        }
        let both = of(1_239, 4_000);
        assert!(both.len() == 2_500 && both.contains(OUTPUT_IS_CUT) && both.ends_with(ERROR_IS_CUT));
        let text = of(4_000, 100);
        assert!(text.len() == 2_500 && text.contains(OUTPUT_IS_CUT) && text.ends_with(&"e".repeat(100)));
        for out in [3_000, 30_000] {
            let text = of(out, 0);
            assert!(text.len() == 2_500 && text.ends_with(OUTPUT_IS_CUT), "{out}");
            assert_eq!(count(&text, 'o'), 2_500 - OUTPUT_IS_CUT.len());
        }
        assert_eq!(of(2_500, 0).len(), 2_500);
        let cut = output(&"\u{65e5}".repeat(1_000), "");
        assert!(cut.contains('\u{fffd}') && cut.ends_with(OUTPUT_IS_CUT), "cut within a character");
    }
}
