//! What a command printed: only the script's own line about our share under `Success` means mapped.

use serde_json::Value;
use shared::history::Deadline;
use shared::invocation::{InvocationResult, interpret};
use shared::share::{DriveLetter, RemotePath, ShareMapping};

use super::fuzz;
use super::inputs::files;

const SEEDS: &str = "integration/fuzz/__fuzz__/fuzz__result_line__text/corpus";

/// What SSM says of an invocation that ran.
const RAN: [&str; 3] = ["Success", "Failed", "Incomplete"];

fn share() -> ShareMapping {
    ShareMapping {
        drive: DriveLetter::parse("G").expect("a letter"),
        remote: RemotePath::parse(r"\\fs\share").expect("a path"),
    }
}

/// An oracle of its own: every line that claims to be a result is JSON, and says `mapped` of our share.
fn speaks_of_our_share(output: &str) -> bool {
    let lines = output.match_indices("{\"smbMapping\"").map(|(start, _)| {
        let mut values = serde_json::Deserializer::from_str(&output[start..]).into_iter::<Value>();
        values.next().and_then(Result::ok).unwrap_or_default()
    });
    let is_ours = |line: &Value| {
        let word = |member: &str| line[member].as_str().unwrap_or_default().to_lowercase().replace('/', "\\");
        line["smbMapping"] == "mapped"
            && line["v"].as_u64().is_some_and(|version| version <= 1)
            && ["g", "g:"].contains(&&*word("drive"))
            && word("remote").trim_end_matches('\\') == r"\\fs\share"
    };
    let lines: Vec<Value> = lines.collect();
    !lines.is_empty() && lines.iter().all(is_ours)
}

fn check_text(bytes: &[u8]) {
    let output = &*String::from_utf8_lossy(bytes);
    for details in RAN {
        let word = interpret(&share(), Some(details), output, Deadline::Ahead);
        // A final word stays when late.
        assert_eq!(interpret(&share(), Some(details), output, Deadline::Past), word, "{details}: {output:?}");
        match word {
            InvocationResult::Mapped(_) => {
                assert!(details == "Success" && speaks_of_our_share(output), "{details}: {output:?}");
            }
            InvocationResult::Failed(failure) => {
                let cause = failure.cause.as_str();
                let fits = cause.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                assert!(fits && (1..=24).contains(&cause.len()), "{cause:?} cannot be stored");
                assert!(output.contains("{\"smbMapping\""), "{output:?}");
            }
            InvocationResult::NoResult(cause) => assert_eq!(cause.as_str(), "no-result", "{output:?}"),
            InvocationResult::Pending => panic!("it has ended: {output:?}"),
        }
    }
}

#[test]
fn fuzz_text() {
    fuzz!(check_text, 20_000, files(SEEDS));
}

/// What an output may be pieced together from, and what each piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Noise(&'static str),
    Ours(&'static str),
    Failed(&'static str),
    /// Of another share or letter, of a later version, or without what it must have.
    Useless(&'static str),
    /// One of ours, cut after so many bytes.
    Cut(usize),
}

use Piece::{Cut, Failed, Noise, Ours, Useless};

const OURS: &str = r#"{"smbMapping":"mapped","v":1,"changed":true,"drive":"G:","remote":"\\\\FS\\Share","status":"OK","privacy":true}"#;

const PIECES: [Piece; 10] = [
    Noise("WARNING: slow, {not} a result; smbMapping"),
    Noise(""),
    Ours(OURS),
    Ours(r#"{"smbMapping":"mapped","v":0,"drive":"g","remote":"//fs/share/"} done"#),
    Failed(
        r#"VERBOSE: {"smbMapping":"failed","v":1,"cause":"1326","step":"create","message":"{\"smbMapping\""}"#,
    ),
    Failed(r#"{"smbMapping":"failed","v":1,"cause":"on fire","step":"look"}"#),
    Useless(r#"{"smbMapping":"mapped","v":1,"drive":"G:","remote":"\\\\fs\\share\\directory"}"#),
    Useless(r#"{"smbMapping":"mapped","v":1,"drive":"H:","remote":"\\\\fs\\share"}"#),
    Useless(r#"{"smbMapping":"mapped","v":2,"drive":"G:","remote":"\\\\fs\\share"}"#),
    Useless(r#"{"smbMapping":"mapped","v":1}"#),
];

impl Piece {
    /// From two bytes.
    fn chosen_by(kind: u8, length: u8) -> Self {
        let kind = usize::from(kind) % (PIECES.len() + 1);
        let shortest = "{\"smbMapping\"".len();
        PIECES.get(kind).copied().unwrap_or(Cut(shortest + usize::from(length) % (OURS.len() - shortest)))
    }

    fn text(self) -> &'static str {
        match self {
            Noise(text) | Ours(text) | Failed(text) | Useless(text) => text,
            Cut(length) => &OURS[..length],
        }
    }
}

/// Pieced together, an output means what its result lines mean if all are the same, and nothing otherwise.
fn check_pieces(bytes: &[u8]) {
    let pieces: Vec<Piece> =
        bytes.chunks_exact(2).take(1 + bytes.len() % 4).map(|b| Piece::chosen_by(b[0], b[1])).collect();
    let output = pieces.iter().map(|piece| piece.text()).collect::<Vec<_>>().join("\r\n");
    let mut lines: Vec<Piece> = pieces.into_iter().filter(|piece| !matches!(piece, Noise(_))).collect();
    lines.dedup();
    for details in RAN {
        let word = interpret(&share(), Some(details), &output, Deadline::Ahead);
        let as_expected = match (lines.as_slice(), details) {
            ([Ours(_)], "Success") => matches!(word, InvocationResult::Mapped(_)),
            ([Failed(_)], _) => matches!(word, InvocationResult::Failed(_)),
            _ => matches!(word, InvocationResult::NoResult(_)),
        };
        assert!(as_expected, "{details} of {lines:?} is {word:?}");
    }
}

#[test]
fn fuzz_pieces() {
    fuzz!(check_pieces, 20_000, []);
}
