//! What a credential failure is, and whether it says something about the password that the parameters hold.

use jiff::Timestamp;

use crate::brake::Parameters;
use crate::cause::{Cause, Class};
use crate::history::Action;

/// The only step of the script that presents the parameters' password.
const CREATE: &str = "create";

/// Whether a cause is the account's or its password's.
pub fn is_credential_failure(cause: &Cause) -> bool {
    cause.class() == Class::Credentials
}

/// Whether the attempt that failed for its credentials presented the password that the parameters hold: a `map` at
/// `create`; or a `check`, which presents what Windows kept, where that was kept since the parameters last changed.
/// `logon` is the instance's last log-on with the parameters' password. An unknown action is taken for a `map`.
pub fn presented_parameters_password(
    action: Option<Action>,
    step: &str,
    logon: Option<Timestamp>,
    parameters: Parameters,
) -> bool {
    match action {
        Some(Action::Check) => {
            matches!((logon, parameters), (Some(logon), Parameters::Changed(changed)) if logon > changed)
        }
        Some(Action::Map) | None => step == CREATE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_password_is_presented_by_a_map_at_create_and_by_a_check_that_kept_it() {
        let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).unwrap();
        let changed = Parameters::Changed(at(10));
        let table = [
            (Some(Action::Map), "create", None, changed, true),
            (Some(Action::Map), "root", Some(at(11)), changed, false),
            (None, "create", None, changed, true),
            (None, "root", Some(at(11)), changed, false),
            (Some(Action::Check), "root", Some(at(11)), changed, true),
            (Some(Action::Check), "root", Some(at(10)), changed, false),
            (Some(Action::Check), "root", None, changed, false),
            (Some(Action::Check), "root", Some(at(11)), Parameters::Unread, false),
        ];
        for (action, step, logon, parameters, expected) in table {
            let presented = presented_parameters_password(action, step, logon, parameters);
            assert_eq!(presented, expected, "{action:?} at {step:?}, logon {logon:?}, {parameters:?}");
        }
    }
}
