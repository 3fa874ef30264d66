//! What the causes mean that a simulated host can name, or a function in its place. It is written down here again, not
//! read from the product's table, so that a wrong row of that table breaks an invariant.

/// Where the fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Network,
    Directory,
    Account,
    Settings,
    Host,
    /// Nobody knows.
    Unknown,
}

impl Fault {
    /// Those that are not the host's own.
    pub(super) const SHARED: [Fault; 5] =
        [Fault::Network, Fault::Directory, Fault::Account, Fault::Settings, Fault::Unknown];

    /// The fault that a cause names.
    pub(super) fn of(cause: &str) -> Fault {
        match cause {
            "53" | "59" | "64" | "0x80041001" | "dns" | "port-445" | "parameter-store" => Fault::Network,
            "1311" | "1355" => Fault::Directory,
            "5" | "86" | "1326" | "1329" | "1331" | "1385" | "1907" | "1909" | "bad-credentials" => {
                Fault::Account
            }
            "2" | "67" | "mapped-elsewhere" | "parameter-missing" | "parameter-denied" | "kms-denied"
            | "other-share" | "refused-by-ssm" => Fault::Settings,
            "85" | "1219" | "busy" | "call-hung" | "drive-in-use" | "not-domain-joined" | "not-mapped"
            | "wmi-failed" => Fault::Host,
            _ => Fault::Unknown,
        }
    }

    /// A fail-over or a maintenance ends by itself.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Fault::Network | Fault::Directory)
    }
}

/// The directory refused a log-on. 5 is an answer to an account that was let in; without credentials none is tried.
pub(super) fn is_refused_logon(cause: &str) -> bool {
    Fault::of(cause) == Fault::Account && !["5", "bad-credentials"].contains(&cause)
}

/// A creation that failed with it may have been a refused log-on, though Windows does not say so.
pub(super) fn may_be_refused_logon(cause: &str) -> bool {
    match Fault::of(cause) {
        Fault::Account | Fault::Unknown => true,
        Fault::Network | Fault::Directory | Fault::Host => cause == "0x80041001",
        // 2 and 67 are answers to an account that was let in. A word is no code of a log-on.
        Fault::Settings => false,
    }
}

/// How many quick retries come before a drain: none where the letter is taken, which no retry changes.
pub(super) fn quick_retries(cause: &str, most: u32) -> u32 {
    if matches!(cause, "85" | "drive-in-use") { 0 } else { most }
}
