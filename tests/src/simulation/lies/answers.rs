//! What a lying host answers: any result line under any status that an agent may produce.

use std::time::Duration;

use jiff::Timestamp;

use super::Generator;
use crate::fleet::{REMOTE, Scripted};

const CAUSES: [&str; 22] = [
    "1326",
    "1326",
    "1331",
    "1907",
    "1909",
    "1385",
    "5",
    "53",
    "64",
    "67",
    "85",
    "port-445",
    "dns",
    "not-mapped",
    "drive-in-use",
    "mapped-elsewhere",
    "parameter-store",
    "bad-credentials",
    "busy",
    "on fire, badly",
    "0x80070035",
    "9999999999",
];

const STEPS: [&str; 8] = ["look", "read", "create", "proof", "parameters", "read", "create", "anything"];

const STATUSES: [&str; 14] = [
    "Success",
    "Failed",
    "Failed",
    "Incomplete",
    "Undeliverable",
    "DeliveryTimedOut",
    "Terminated",
    "Cancelled",
    "ExecutionTimedOut",
    "TimedOut",
    "AccessDenied",
    "RateExceeded",
    "InProgress",
    "Cancelling",
];

impl Generator {
    /// One answer.
    pub(super) fn answer(&mut self, now: Timestamp) -> Scripted {
        let (details, output) = match self.rng.u8(0..12) {
            0..=2 => ("Success", self.mapped(now)),
            3..=5 => (self.one_of(&["Failed", "Failed", "Success"]), self.failed()),
            6 | 7 => (self.one_of(&["Success", "Success", "Failed"]), self.nothing(now)),
            8 => (self.one_of(&["Success", "Failed"]), self.long(now)),
            9 => ("Failed", self.mapped(now)),
            _ => (self.one_of(&STATUSES), if self.rng.bool() { self.mapped(now) } else { self.failed() }),
        };
        let exit_code = if details == "Success" { 0 } else { self.one_of(&[75, 78, 1, -1]) };
        let longest = self.one_of(&[4_000, 4_000, 8_000, 200_000]);
        let after = self.rng.u64(500..longest);
        let says_ended = (self.rng.u8(0..4) == 0).then(|| self.timestamp(now));
        let answer = Scripted::new(details, exit_code, &output).after(Duration::from_millis(after));
        Scripted { says_ended, ..answer }
    }

    /// It says that the share is mapped.
    fn mapped(&mut self, now: Timestamp) -> String {
        let (changed, drive) = (self.rng.bool(), self.one_of(&["G:", "G:", "G:", "g:"]));
        let status = self.one_of(&["OK", "OK", "Disconnected", "\\u0007\\u202egnp"]);
        let privacy = self.one_of(&["true", "false", "null"]);
        let boot = self.time(now);
        line(&format!(
            r#""mapped","v":1,"changed":{changed},"drive":"{drive}","remote":{},"status":"{status}","privacy":{privacy},"boot":"{boot}""#,
            serde_json::Value::from(REMOTE)
        ))
    }

    /// It says that the script failed.
    fn failed(&mut self) -> String {
        let (cause, step) = (self.one_of(&CAUSES), self.one_of(&STEPS));
        let refused =
            self.one_of(&["", r#","refused":0"#, r#","refused":1"#, r#","refused":3"#, r#","refused":250"#]);
        line(&format!(r#""failed","v":1,"cause":"{cause}","step":"{step}"{refused},"message":"not true""#))
    }

    /// It says nothing that counts.
    fn nothing(&mut self, now: Timestamp) -> String {
        let (mapped, failed) = (self.mapped(now), self.failed());
        match self.rng.u8(0..8) {
            0 => String::new(),
            1 => mapped[..self.rng.usize(1..mapped.len() - 1)].to_owned(),
            2 => mapped.replace("\"v\":1", "\"v\":2"),
            3 => format!("{mapped}\r\n{failed}\r\n"),
            4 => mapped.replace("share", "another"),
            5 => mapped.replace("G:", "H:").replace("g:", "h:"),
            6 => failed.replace("\"cause\"", "\"reason\""),
            _ => failed.replace("\"v\":1", "\"v\":-1"),
        }
    }

    /// Far more than a script may print, with characters that no log may take as they are.
    fn long(&mut self, now: Timestamp) -> String {
        let noise = "\u{202e}\u{7}\u{1b}[31m\u{2066}{\"smbMapping ".repeat(self.rng.usize(1..300));
        match self.rng.u8(0..4) {
            0 => format!("{noise}\n{}", self.mapped(now)),
            1 => format!("{}\n{noise}", self.failed()),
            2 => self.failed().replace("not true", &"\\u202e\\u0000\\n\\\"".repeat(self.rng.usize(1..300))),
            _ => self.failed().replace("anything", &"step\\r".repeat(self.rng.usize(1..100))),
        }
    }
}

fn line(members: &str) -> String {
    format!("{{\"smbMapping\":{members}}}")
}
