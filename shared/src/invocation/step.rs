//! The script's steps, and what a code of Windows means at each of them.

/// A step of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The document's settings are read.
    Settings,
    /// The mutex is waited for.
    Mutex,
    /// Mappings and drive letters are listed.
    Look,
    /// The mapped root is read, which reconnects with the saved credential.
    Read,
    /// The host's membership of a domain is asked for.
    Domain,
    /// The file server's name is resolved.
    Dns,
    /// TCP port 445 is connected to.
    Port,
    /// The AWS tools for PowerShell are loaded.
    AwsTools,
    /// The two parameters are read.
    Parameters,
    /// The old mapping is removed.
    Remove,
    /// The mapping is created, with the parameters' password.
    Create,
    /// The new mapping's root is read.
    Proof,
    /// Anywhere else.
    Script,
    /// A word that this version does not know.
    Unknown,
}

impl Step {
    /// All that the script has.
    pub const ALL: [Step; 13] = [
        Step::Settings,
        Step::Mutex,
        Step::Look,
        Step::Read,
        Step::Domain,
        Step::Dns,
        Step::Port,
        Step::AwsTools,
        Step::Parameters,
        Step::Remove,
        Step::Create,
        Step::Proof,
        Step::Script,
    ];

    /// As the script writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Settings => "settings",
            Step::Mutex => "mutex",
            Step::Look => "look",
            Step::Read => "read",
            Step::Domain => "domain",
            Step::Dns => "dns",
            Step::Port => "port",
            Step::AwsTools => "aws-tools",
            Step::Parameters => "parameters",
            Step::Remove => "remove",
            Step::Create => "create",
            Step::Proof => "proof",
            Step::Script => "script",
            Step::Unknown => "unknown",
        }
    }

    /// Reads what the script wrote.
    pub fn parse(text: &str) -> Self {
        Step::ALL.into_iter().find(|step| step.as_str() == text).unwrap_or(Step::Unknown)
    }

    /// Whether the file server and the directory answer at this step. A code of Windows says something about them, the account
    /// and the share only here; elsewhere a call on the host itself failed.
    pub fn reaches_server(self) -> bool {
        matches!(self, Step::Read | Step::Create | Step::Proof)
    }
}
