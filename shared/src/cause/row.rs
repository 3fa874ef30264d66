//! What a cause is, and what the table says of one.

use std::borrow::Cow;
use std::fmt;

/// A Win32 code (`1326`), an HRESULT (`0x80041001`) or a word (`drive-in-use`): at most 24 letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Cause(pub(super) Cow<'static, str>);

impl Cause {
    /// A cause of the table.
    pub(super) const fn listed(text: &'static str) -> Self {
        Cause(Cow::Borrowed(text))
    }

    /// As it is stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
