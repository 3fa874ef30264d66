//! Why a mapping failed, and what kind of failure that is.
//!
//! A cause is a Win32 code or one of our words; its class decides who may be at fault. Only `host` causes can be the
//! instance's own; everything shared by the fleet comes in herds, and nothing unknown is ever a reason to drain.

use std::fmt;

/// A Win32 code (`1326`), an HRESULT (`0x80041001`) or a word (`drive-in-use`): at most 24 letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Cause(String);

/// What an unreadable or unheard-of cause is stored as.
const UNLISTED: &str = "unlisted";

impl Cause {
    /// Takes the script's or our own word. What is neither a code nor a known word becomes `unlisted`.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        if is_win32_code(text) || WORDS.iter().any(|&(word, _)| word == text) {
            Cause(text.to_owned())
        } else if is_hresult(text) {
            Cause(format!("0x{}", text[2..].to_ascii_uppercase()))
        } else {
            Cause(UNLISTED.to_owned())
        }
    }

    /// As it is stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Who or what is at fault.
    pub fn class(&self) -> Class {
        if let Some(&(_, class)) = WORDS.iter().find(|&&(word, _)| word == self.0) {
            return class;
        }
        CODES
            .iter()
            .find(|&&(_, codes)| codes.contains(&self.0.as_str()))
            .map_or(Class::Unknown, |&(class, _)| class)
    }

    /// How many quick retries (after 1, 2, 4, 8 × base) follow the first failure, of `most` in all: none where trying
    /// again soon cannot help.
    pub fn quick_retries(&self, most: u32) -> u32 {
        match (self.as_str(), self.class()) {
            ("85" | "1202" | "drive-in-use", _) => 0,
            ("67" | "161", _) => most.min(1),
            (_, Class::Network | Class::Directory | Class::Host | Class::Unknown) => most,
            (_, Class::Credentials | Class::Configuration) => 0,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_win32_code(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_hresult(text: &str) -> bool {
    text.len() == 10
        && (text.starts_with("0x") || text.starts_with("0X"))
        && text[2..].bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The way to the file server, DNS, or the parameter store out of reach.
    Network,
    /// The domain controllers.
    Directory,
    /// The account or its password.
    Credentials,
    /// A setting, a policy or the share itself.
    Configuration,
    /// The instance itself.
    Host,
    /// No word, or one never heard before. Never a reason to drain.
    Unknown,
}

impl Class {
    /// All of them, in the order of the documentation.
    pub const ALL: [Class; 6] = [
        Class::Network,
        Class::Directory,
        Class::Credentials,
        Class::Configuration,
        Class::Host,
        Class::Unknown,
    ];

    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Network => "network",
            Class::Directory => "directory",
            Class::Credentials => "credentials",
            Class::Configuration => "configuration",
            Class::Host => "host",
            Class::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const CODES: [(Class, &[&str]); 5] = [
    (
        Class::Network,
        &[
            "51", "53", "54", "55", "59", "64", "71", "121", "21", "1117", "1203", "1225", "1231", "1232",
            "1236",
        ],
    ),
    (Class::Directory, &["1311", "1355", "1396"]),
    (
        Class::Credentials,
        &[
            "5", "65", "86", "1312", "1317", "1326", "1327", "1328", "1329", "1330", "1331", "1385", "1793",
            "1907", "1909", "1937", "2202",
        ],
    ),
    (Class::Configuration, &["2", "3", "67", "87", "161"]),
    (Class::Host, &["8", "85", "1130", "1202", "1219", "1398", "1450", "1787", "1789", "0x80041001"]),
];

const WORDS: [(&str, Class); 25] = [
    ("dns", Class::Network),
    ("port-445", Class::Network),
    ("parameter-store", Class::Network),
    ("bad-credentials", Class::Credentials),
    ("parameter-missing", Class::Configuration),
    ("parameter-denied", Class::Configuration),
    ("kms-denied", Class::Configuration),
    ("aws-tools-missing", Class::Configuration),
    ("unsupported-os", Class::Configuration),
    ("bad-settings", Class::Configuration),
    ("unreadable", Class::Configuration),
    ("mapped-elsewhere", Class::Configuration),
    ("refused-by-ssm", Class::Configuration),
    ("drive-in-use", Class::Host),
    ("not-mapped", Class::Host),
    ("not-domain-joined", Class::Host),
    ("busy", Class::Host),
    ("lookup-hung", Class::Host),
    ("call-hung", Class::Host),
    ("no-result", Class::Unknown),
    ("timeout", Class::Unknown),
    ("lost", Class::Unknown),
    ("undelivered", Class::Unknown),
    ("silent", Class::Unknown),
    (UNLISTED, Class::Unknown),
];

/// Every cause that the product knows, with its class: what documentation and the report's remedies must cover.
pub fn known() -> impl Iterator<Item = (&'static str, Class)> {
    let codes = CODES.iter().flat_map(|&(class, codes)| codes.iter().map(move |&code| (code, class)));
    codes.chain(WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_cause_has_its_class_and_survives_storing() {
        for (text, class) in known() {
            let cause = Cause::new(text);
            assert_eq!((cause.as_str(), cause.class()), (text, class));
            assert!(text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        }
    }

    #[test]
    fn a_code_nobody_listed_is_kept_but_of_unknown_class() {
        assert_eq!(Cause::new("4711").as_str(), "4711");
        assert_eq!(Cause::new("4711").class(), Class::Unknown);
        assert_eq!(Cause::new("0x8007ffff").as_str(), "0x8007FFFF");
    }

    #[test]
    fn a_word_nobody_listed_is_stored_as_unlisted() {
        for text in [
            "",
            "the password is hunter2",
            "drive in use",
            "Drive-In-Use",
            "12345678901",
            "0xZZZZZZZZ",
            "0xéééé",
        ] {
            assert_eq!(Cause::new(text).as_str(), "unlisted", "{text:?}");
        }
    }

    #[test]
    fn quick_retries_are_few_where_trying_again_cannot_help() {
        let table = [
            ("53", 4),
            ("1355", 4),
            ("1326", 0),
            ("67", 1),
            ("161", 1),
            ("2", 0),
            ("85", 0),
            ("1219", 4),
            ("lost", 4),
        ];
        for (text, expected) in table {
            assert_eq!(Cause::new(text).quick_retries(4), expected, "{text}");
        }
        assert_eq!(Cause::new("67").quick_retries(0), 0);
    }
}
