//! What a cause is, and what the table says of one.

use std::cmp::Ordering;
use std::fmt;

/// The longest text that is stored.
const MOST_BYTES: usize = 24;

/// A Win32 code (`1326`), an HRESULT (`0x80041001`) or a word (`drive-in-use`): at most 24 letters, digits and `-`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Padded with zeros.
    bytes: [u8; MOST_BYTES],
    len: u8,
}

impl Cause {
    /// A cause of the table, or a code. A longer text does not compile in a constant.
    pub(super) const fn listed(text: &str) -> Self {
        let mut bytes = [0; MOST_BYTES];
        let (head, _) = bytes.split_at_mut(text.len());
        head.copy_from_slice(text.as_bytes());
        Cause { bytes, len: text.len() as u8 }
    }

    /// As it is stored and shown.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl PartialOrd for Cause {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cause {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl serde::Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({})", self.as_str())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a fault may lie.
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
    /// No result, or a cause that is not in the table. Never a reason to drain.
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

/// How many of the quick retries a cause gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QuickRetries {
    /// `MAX_ATTEMPTS`: the fault may pass by itself.
    All,
    /// One: the fault passes only where the share or its path was being changed at that moment.
    Once,
    /// No one: somebody has to change something first.
    Never,
}

/// Who gives a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The script, in its result line.
    Script,
    /// The functions, from what SSM says of an invocation that brought no result line.
    Functions,
}

/// One cause.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The code or word.
    pub cause: Cause,
    /// Microsoft's name of the code; empty for a word.
    pub name: &'static str,
    /// Where the fault may lie.
    pub class: Class,
    /// How many quick retries follow.
    pub quick_retries: QuickRetries,
    /// Who gives it.
    pub source: Source,
    /// What it means.
    pub meaning: &'static str,
    /// What an operator does about it.
    pub remedy: &'static str,
}

impl Row {
    pub(super) const fn new(cause: Cause, class: Class, quick_retries: QuickRetries) -> Self {
        Row { cause, name: "", class, quick_retries, source: Source::Script, meaning: "", remedy: "" }
    }

    pub(super) const fn means(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    pub(super) const fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = remedy;
        self
    }

    /// The script's exit code: 75 where the fault may pass by itself, else 78; `None` where the script never gives the
    /// cause. A check that finds the letter free ends with 0 all the same, for it did what it was sent for.
    pub fn exit_code(&self) -> Option<u8> {
        match (self.source, self.quick_retries) {
            (Source::Functions, _) => None,
            (Source::Script, QuickRetries::All) => Some(75),
            (Source::Script, QuickRetries::Once | QuickRetries::Never) => Some(78),
        }
    }
}
