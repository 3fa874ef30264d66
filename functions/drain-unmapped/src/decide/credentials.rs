//! Whether the parameters' password may be presented: the evidence of the whole fleet, put to the credential brake.
//!
//! See docs/architecture.md, Credentials. The brake itself is [`shared::brake`].

use jiff::Timestamp;
use shared::brake::{self, Brake, CredentialFailure, Evidence, Parameters};
use shared::config::Policy;
use shared::credentials::{is_credential_failure, presented_parameters_password};
use shared::history::{Action, WINDOW};
use shared::invocation::InvocationResult;
use shared::state::State;

use super::verdict::judge;
use crate::fleet::{Fleet, Instance};

/// What the credential brake says.
#[derive(Debug, Clone, Copy)]
pub struct Credentials {
    /// Whether the password may be presented, and checks may be sent.
    pub brake: Brake,
    /// One instance, the canary, may try the parameters' password now.
    pub canary_due: bool,
}

/// Asks the brake.
pub(super) fn ask(fleet: &Fleet, policy: &Policy, now: Timestamp) -> Credentials {
    let evidence = evidence(fleet, now);
    let mut brake = brake::assess(&evidence);
    // Credential failures in the part that was not read are unknown.
    brake.checks_withheld |= fleet.is_partial;
    let listed = fleet.commands.iter().filter(|c| c.action == Action::Map).map(|c| c.requested_at);
    let unconfirmed = fleet.unconfirmed_sends.iter().filter(|s| s.action == Action::Map).map(|s| s.at);
    let last_map = listed.chain(unconfirmed).max();
    let one_in_flight = fleet.at_work(Action::Map, policy, now).next().is_some();
    let canary_due = !one_in_flight && brake.is_canary_due(&evidence, last_map, policy, now);
    Credentials { brake, canary_due }
}

/// What the brake weighs, from the whole fleet.
fn evidence(fleet: &Fleet, now: Timestamp) -> Evidence {
    let parameters = if fleet.is_partial { Parameters::Unread } else { fleet.parameters };
    Evidence {
        newest_logon: fleet.newest_logon(),
        failures: fleet.instances.values().filter_map(|i| credential_failure(i, parameters, now)).collect(),
        parameters,
    }
}

/// The credential failure that an instance reported last. One of a disconnected instance counts while it is in the
/// window, so that an instance that stays away does not hold up the others for ever.
fn credential_failure(
    instance: &Instance,
    parameters: Parameters,
    now: Timestamp,
) -> Option<CredentialFailure> {
    // The result of a disconnected instance is not written yet, but it counts.
    let is_away = !instance.record.is_connected;
    let verdict = if is_away { judge(instance).map(|(_, verdict)| verdict.state) } else { None };
    let (began, requested) = match verdict.as_ref().or(instance.state()) {
        Some(State::Unmapped { judged, cause, failing_since, .. }) if is_credential_failure(cause) => {
            (*failing_since, *judged)
        }
        Some(State::Unmapped { .. } | State::Mapped { .. } | State::Doubtful { .. }) => return None,
        // A restart voids a proof, but a password that was refused before it is no better after it.
        Some(State::Restarted { .. }) | None => {
            let requested = last_result_was_a_refusal(instance)?;
            (requested, requested)
        }
    };
    let counts = instance.counts() || now.duration_since(requested) < WINDOW;
    let result = instance.results.iter().find(|result| result.requested_at == requested);
    let logon = instance.state().and_then(State::logon);
    let with_parameters_password = result.is_some_and(|result| match &result.result {
        Some(InvocationResult::Failed(failure)) => {
            presented_parameters_password(Some(result.action), &failure.step, logon, parameters)
        }
        Some(_) => false,
        // A result that was not read again is taken for the worse.
        None => true,
    });
    counts.then(|| CredentialFailure {
        began,
        requested,
        action: result.map(|result| result.action),
        with_parameters_password,
    })
}

fn last_result_was_a_refusal(instance: &Instance) -> Option<Timestamp> {
    let last = instance.results.iter().rev().find_map(|result| match &result.result {
        Some(InvocationResult::Failed(failure)) => Some((result, is_credential_failure(&failure.cause))),
        Some(InvocationResult::Mapped(_)) => Some((result, false)),
        Some(InvocationResult::Pending | InvocationResult::NoResult(_)) | None => None,
    });
    last.filter(|(_, is_refusal)| *is_refusal).map(|(result, _)| result.requested_at)
}
