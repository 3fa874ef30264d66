//! The credential brake: fifty hosts never try a wrong password.
//!
//! Directories count bad log-ons for the *account*, so fifty hosts with one wrong password lock out the account that the
//! healthy ones use. Before every send this is asked whether the parameters' password may be presented, and whether the
//! credentials that Windows kept may be made to log on. It decides from evidence alone; it reads nothing.

use jiff::Timestamp;

use crate::config::Policy;
use crate::history::Action;

/// A credential failure of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialFailure {
    /// `failing-since` of its state; without a state, its own request time.
    pub began: Timestamp,
    /// Request time of the command that failed last.
    pub requested: Timestamp,
    /// What that command asked for; `None` where it has left the window.
    pub action: Option<Action>,
    /// It presented the password that the parameters hold: a `map` at `create`, or a `check` on an instance that has
    /// logged on since they changed, where Windows kept that very password.
    pub with_parameters_password: bool,
}

/// What is known about the password, across all watched clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The newest `logon` of the fleet. A part of the fleet may be looked at: fewer log-ons only brake more.
    pub newest_logon: Option<Timestamp>,
    /// Every instance's credential failure.
    pub failures: Vec<CredentialFailure>,
    /// What is known of the two parameters.
    pub parameters: Parameters,
}

/// What is known of the two parameters, never their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// The later of their last changes.
    Changed(Timestamp),
    /// One of them is not there: a `map` would end before it presents anything, and say so.
    Missing,
    /// They could not be read.
    Unread,
}

/// Whether the parameters' password may be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// It was let in since it last changed, and nothing speaks against it.
    Proven,
    /// Nobody has logged on with it since it changed, or a kept credential was refused.
    Unproven,
    /// It was refused since it last changed, and nobody was let in since that change, or since that host began to fail.
    Refused,
    /// The parameters' dates could not be read: nothing is presented.
    Unknown,
}

/// What the brake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// Whether the parameters' password may be presented.
    pub password: Password,
    /// No `check` is sent: credential failures are open on two or more instances.
    pub checks_withheld: bool,
    /// Credential failures that began after every log-on of the fleet.
    pub open_failures: usize,
}

/// Weighs the evidence. A failure that began before somebody logged on is its host's own and stops nobody.
pub fn assess(evidence: &Evidence) -> Brake {
    let is_open =
        |failure: &&CredentialFailure| evidence.newest_logon.is_none_or(|logon| failure.began > logon);
    let open: Vec<&CredentialFailure> = evidence.failures.iter().filter(is_open).collect();
    let password = match evidence.parameters {
        Parameters::Unread => Password::Unknown,
        Parameters::Missing => Password::Unproven,
        Parameters::Changed(changed) => {
            let is_let_in = evidence.newest_logon.is_some_and(|logon| logon > changed);
            // Until somebody is let in, a refusal of the changed password is the only word on it, however long its host
            // has failed.
            let counts = |failure: &&CredentialFailure| !is_let_in || is_open(failure);
            let refused = |f: &CredentialFailure| f.with_parameters_password && f.requested > changed;
            let kept_credential_refused = |f: &&CredentialFailure| f.action != Some(Action::Map);
            if evidence.failures.iter().filter(counts).any(refused) {
                Password::Refused
            } else if !is_let_in || open.iter().any(kept_credential_refused) {
                Password::Unproven
            } else {
                Password::Proven
            }
        }
    };
    Brake { password, checks_withheld: open.len() >= 2, open_failures: open.len() }
}

impl Brake {
    /// Whether the one instance that may try, the canary, is due: after its wait, and at once after a parameter changed. It
    /// waits from the last try, which is the window's last `map`, in flight or not, or what else has shown that the
    /// password is refused.
    pub fn is_canary_due(
        &self,
        evidence: &Evidence,
        last_map: Option<Timestamp>,
        policy: &Policy,
        now: Timestamp,
    ) -> bool {
        let pause = match self.password {
            Password::Proven | Password::Unknown => return false,
            Password::Unproven => policy.unproven_canary_wait(),
            Password::Refused => policy.refused_canary_wait(),
        };
        let refusals = evidence.failures.iter().filter(|f| f.with_parameters_password).map(|f| f.requested);
        let Some(last_try) = refusals.chain(last_map).max() else { return true };
        let changed_since = matches!(evidence.parameters, Parameters::Changed(changed) if changed > last_try);
        changed_since || now.duration_since(last_try) >= pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + minute * 60).unwrap()
    }

    fn failure(began: i64, requested: i64, action: Action, at_create: bool) -> CredentialFailure {
        CredentialFailure {
            began: at(began),
            requested: at(requested),
            action: Some(action),
            with_parameters_password: at_create,
        }
    }

    fn evidence(logon: Option<i64>, changed: i64, failures: &[CredentialFailure]) -> Evidence {
        Evidence {
            newest_logon: logon.map(at),
            failures: failures.to_vec(),
            parameters: Parameters::Changed(at(changed)),
        }
    }

    #[test]
    fn a_password_is_proven_by_a_log_on_after_its_last_change() {
        let table = [
            ("first deployment", evidence(None, 0, &[]), Password::Unproven),
            ("logged on", evidence(Some(5), 0, &[]), Password::Proven),
            ("changed after the log-on", evidence(Some(5), 6, &[]), Password::Unproven),
            ("refused", evidence(None, 0, &[failure(3, 3, Action::Map, true)]), Password::Refused),
            (
                "refused before it changed",
                evidence(None, 4, &[failure(3, 3, Action::Map, true)]),
                Password::Unproven,
            ),
            (
                "one host alone, others log on",
                evidence(Some(5), 0, &[failure(3, 9, Action::Map, true)]),
                Password::Proven,
            ),
            (
                "refused after it changed, on a host that has failed since before a log-on",
                evidence(Some(5), 6, &[failure(3, 9, Action::Map, true)]),
                Password::Refused,
            ),
            ("not at create", evidence(Some(2), 0, &[failure(3, 3, Action::Map, false)]), Password::Proven),
            (
                "a kept credential refused",
                evidence(Some(2), 0, &[failure(3, 3, Action::Check, false)]),
                Password::Unproven,
            ),
        ];
        for (name, evidence, expected) in table {
            assert_eq!(assess(&evidence).password, expected, "{name}");
        }
        let gone = CredentialFailure { action: None, ..failure(3, 3, Action::Map, false) };
        assert_eq!(assess(&evidence(Some(2), 0, &[gone])).password, Password::Unproven);
        let unread = Evidence { parameters: Parameters::Unread, ..evidence(Some(5), 0, &[]) };
        assert_eq!(assess(&unread).password, Password::Unknown);
        let missing = Evidence { parameters: Parameters::Missing, ..evidence(Some(5), 0, &[]) };
        assert_eq!(assess(&missing).password, Password::Unproven);
    }

    #[test]
    fn checks_are_withheld_while_two_instances_fail_after_every_log_on() {
        let (early, late) = (failure(1, 1, Action::Check, false), failure(7, 7, Action::Check, false));
        assert!(!assess(&evidence(Some(5), 0, &[late])).checks_withheld);
        assert!(!assess(&evidence(Some(5), 0, &[early, late])).checks_withheld);
        assert!(assess(&evidence(Some(5), 0, &[late, late])).checks_withheld);
        assert!(assess(&evidence(None, 0, &[early, late])).checks_withheld);
    }

    #[test]
    fn the_canary_waits_its_time_and_a_changed_parameter_ends_the_wait() {
        let policy = Policy::default();
        let due = |evidence: &Evidence, last: Option<i64>, now: i64| {
            assess(evidence).is_canary_due(evidence, last.map(at), &policy, at(now))
        };
        let refused = evidence(None, 0, &[failure(3, 3, Action::Map, true)]);
        assert!(!due(&refused, Some(3), 32) && due(&refused, Some(3), 33));
        let unproven = evidence(None, 0, &[]);
        assert!(due(&unproven, None, 1) && !due(&unproven, Some(1), 2) && due(&unproven, Some(1), 3));
        let changed = evidence(None, 4, &[failure(3, 3, Action::Map, true)]);
        assert!(due(&changed, Some(3), 4));
        let proven = evidence(Some(5), 0, &[]);
        assert!(!due(&proven, None, 99), "nobody is the canary of a proven password");
    }
}
