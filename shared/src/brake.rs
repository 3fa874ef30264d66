//! The credential brake: a wrong password is not presented by many instances.
//!
//! A directory counts failed log-ons by *account*, so many instances with one wrong password lock the account that the
//! healthy ones use. Before every send the brake says whether the parameters' password may be presented, and whether checks
//! may be sent, which present the credentials that Windows kept. It decides from evidence and reads nothing itself.
//! See docs/architecture.md, Credentials.

use jiff::Timestamp;

use crate::config::Policy;
use crate::history::Action;

/// A credential failure of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialFailure {
    /// `failing-since` of its state; without a state, the request time of the command.
    pub began: Timestamp,
    /// Request time of the command that failed last.
    pub requested: Timestamp,
    /// The action of that command; `None` where SSM no longer lists it.
    pub action: Option<Action>,
    /// It presented the password that the parameters hold, see [`crate::credentials::presented_parameters_password`].
    pub with_parameters_password: bool,
}

/// What is known about the password, across all watched clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The newest `logon` of the fleet, or of a part of it: with fewer log-ons the brake only withholds more.
    pub newest_logon: Option<Timestamp>,
    /// The credential failure of each instance that has one.
    pub failures: Vec<CredentialFailure>,
    /// The two parameters.
    pub parameters: Parameters,
}

/// What is known of the two parameters, never their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// The later of their last changes.
    Changed(Timestamp),
    /// One of them does not exist: a `map` fails before it presents anything, and reports that.
    Missing,
    /// They could not be read.
    Unread,
}

/// Whether the parameters' password may be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// An instance logged on with it since it last changed, and no open failure contradicts that.
    Proven,
    /// No instance has logged on with it since it changed, or a credential that Windows kept was refused.
    Unproven,
    /// It was refused since it last changed, and no instance logged on since that change, or since that instance began to
    /// fail.
    Refused,
    /// The parameters' dates could not be read: no password is presented.
    Unknown,
}

/// What the brake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// Whether the parameters' password may be presented.
    pub password: Password,
    /// No `check` is sent, because credential failures are open on two or more instances.
    pub checks_withheld: bool,
    /// Open failures: those that began after every log-on of the fleet.
    pub open_failures: usize,
}

/// Weighs the evidence. A failure that began before another instance logged on is that host's own and withholds nothing.
pub fn assess(evidence: &Evidence) -> Brake {
    let is_open =
        |failure: &&CredentialFailure| evidence.newest_logon.is_none_or(|logon| failure.began > logon);
    let open: Vec<&CredentialFailure> = evidence.failures.iter().filter(is_open).collect();
    let password = match evidence.parameters {
        Parameters::Unread => Password::Unknown,
        Parameters::Missing => Password::Unproven,
        Parameters::Changed(changed) => {
            let has_logged_on = evidence.newest_logon.is_some_and(|logon| logon > changed);
            // Until an instance logs on, every refusal of the changed password counts, however long its host has failed.
            let counts = |failure: &&CredentialFailure| !has_logged_on || is_open(failure);
            let refused = |f: &CredentialFailure| f.with_parameters_password && f.requested > changed;
            let kept_credential_refused = |f: &&CredentialFailure| f.action != Some(Action::Map);
            if evidence.failures.iter().filter(counts).any(refused) {
                Password::Refused
            } else if !has_logged_on || open.iter().any(kept_credential_refused) {
                Password::Unproven
            } else {
                Password::Proven
            }
        }
    };
    Brake { password, checks_withheld: open.len() >= 2, open_failures: open.len() }
}

impl Brake {
    /// Whether one instance, the canary, may try the password now: after its wait, or at once after a parameter changed. The
    /// wait starts at the last attempt: the last `map` in the history, or a later refusal of the password.
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
        let Some(last_attempt) = refusals.chain(last_map).max() else { return true };
        let changed_since =
            matches!(evidence.parameters, Parameters::Changed(changed) if changed > last_attempt);
        changed_since || now.duration_since(last_attempt) >= pause
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
        assert!(!due(&proven, None, 99), "a proven password has no canary");
    }
}
