//! From the evidence to the [`Budget`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::allowance::{Budget, LetIn, Refusal};
use super::evidence::{Attempt, Credential, Evidence, InFlight, Parameters, Stamps};
use crate::cause::{Cause, Class};
use crate::config::{Policy, ROW_GAP};
use crate::history::Action;
use crate::ids::InstanceId;
use crate::invocation::{Failure, InvocationResult, Step};

/// Counts the evidence.
pub fn assess(evidence: &Evidence<'_>, policy: &Policy, now: Timestamp) -> Budget {
    let mut attempts: Vec<&Attempt> = evidence.attempts.iter().collect();
    attempts.sort_by_key(|attempt| (attempt.ended_at, attempt.requested_at));
    let logons = Logons::of(evidence);
    let refusals: Vec<Refusal> = attempts.iter().filter_map(|attempt| refusal(attempt, &logons)).collect();
    let let_in = let_in(evidence, &attempts, &logons, &refusals);
    let is_unreadable = evidence.is_partial || evidence.parameters == Parameters::Unread;
    let is_fresh =
        !is_unreadable && let_in.as_ref().is_some_and(|one| now.duration_since(one.at) <= policy.freshness());
    let refused_instances = refused_instances(evidence, &attempts, &logons);
    let of_maps = || evidence.in_flight.iter().filter(|command| command.action == Action::Map);
    let mut budget = Budget {
        of: policy.refusal_budget,
        row: row(refusals, now),
        possible: 0,
        let_in,
        is_fresh,
        is_refused_instance_in_flight: of_maps()
            .any(|map| map.instances.iter().any(|id| refused_instances.contains(id))),
        refused_instances,
        unmapped_instances: unmapped_instances(evidence, &attempts),
        parameters_changed: evidence.parameters.changed(),
        is_unreadable,
        maps_in_flight: of_maps().map(|map| map.unfinished).sum(),
        last_map_in_flight: of_maps().map(|map| map.requested_at).max(),
    };
    budget.possible = evidence.in_flight.iter().map(|command| possible(command, &budget)).sum();
    budget
}

/// How many log-ons of a command in flight may yet be refused. Of those that are sent a `map` while the password is fresh,
/// only the ones that were refused it before count.
fn possible(command: &InFlight, budget: &Budget) -> u32 {
    command.possible_refusals(command.instances.iter().map(|id| match command.action {
        Action::Map if budget.is_fresh && !budget.refused_instances.contains(id) => 0,
        Action::Map => budget.refusals_of_map(id),
        Action::Check => 1,
    }))
}

/// When each instance logged on with the parameters' password of that time: what its attributes say, and the history.
struct Logons<'e> {
    parameters: Parameters,
    by_instance: BTreeMap<&'e InstanceId, BTreeSet<Timestamp>>,
}

impl<'e> Logons<'e> {
    fn of(evidence: &'e Evidence<'_>) -> Self {
        let stamped = evidence.stamps.iter().filter_map(|(id, stamps)| Some((id, stamps.logon?)));
        let seen = evidence.attempts.iter().filter(|attempt| is_log_on(attempt));
        let mut by_instance: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (id, at) in stamped.chain(seen.map(|attempt| (&attempt.instance, attempt.requested_at))) {
            by_instance.entry(id).or_default().insert(at);
        }
        Logons { parameters: evidence.parameters, by_instance }
    }

    /// The credential that the instance had saved when a command was requested.
    fn credential_before(&self, id: &InstanceId, requested: Timestamp) -> Credential {
        self.parameters.credential(self.before(id, requested))
    }

    /// Its last log-on before that.
    fn before(&self, id: &InstanceId, requested: Timestamp) -> Option<Timestamp> {
        self.by_instance.get(id)?.range(..requested).next_back().copied()
    }
}

/// A `check` never logs on with the parameters' password, whatever its result line says.
fn is_log_on(attempt: &Attempt) -> bool {
    let changed = matches!(&attempt.result, InvocationResult::Mapped(proof) if proof.changed);
    changed && attempt.action == Action::Map
}

/// A refused log-on. A `map` that reached the instance and brought no result line counts as one, because it may have tried.
/// One that mapped the share is none, whatever was refused before.
fn refusal(attempt: &Attempt, logons: &Logons<'_>) -> Option<Refusal> {
    let is_map = attempt.action == Action::Map;
    let (cause, step, weight) = match &attempt.result {
        InvocationResult::Failed(failure) => {
            let Failure { cause, step, refused, .. } = failure.as_ref();
            let least = u32::from(may_be_refused(attempt.action, failure));
            (*cause, Some(*step), refused.unwrap_or(least).max(least))
        }
        InvocationResult::NoResult(cause @ (Cause::NO_RESULT | Cause::TIMEOUT | Cause::LOST)) if is_map => {
            (*cause, None, 1)
        }
        _ => return None,
    };
    let credential = logons.credential_before(&attempt.instance, attempt.requested_at);
    // A `map` that failed for another reason was refused before, with the saved credential.
    let presents_current = is_map
        && match &attempt.result {
            InvocationResult::Failed(failure) => may_be_refused(attempt.action, failure),
            _ => true,
        }
        && logons.parameters.changed().is_some_and(|changed| attempt.requested_at > changed);
    (weight > 0).then(|| Refusal {
        at: attempt.ended_at,
        instance: attempt.instance.clone(),
        action: attempt.action,
        step,
        cause,
        weight,
        is_of_current_password: presents_current || credential == Credential::Current,
    })
}

/// The log-on was refused, or `create` failed for a reason that does not rule it out.
fn may_be_refused(action: Action, failure: &Failure) -> bool {
    let is_creation = action == Action::Map && failure.step == Step::Create;
    failure.cause.is_refused_logon() || is_creation && failure.cause.may_be_refused_logon()
}

/// The refusals back from now until a gap, oldest first.
fn row(mut refusals: Vec<Refusal>, now: Timestamp) -> Vec<Refusal> {
    let mut next = now;
    let first = refusals.iter().rposition(|refusal| {
        let is_apart = next.duration_since(refusal.at) >= ROW_GAP;
        next = refusal.at;
        is_apart
    });
    refusals.split_off(first.map_or(0, |first| first + 1))
}

/// The last instance that was let in with the current password, by a command requested after the last refusal's end. It
/// logged on: a `map` that made the mapping, or the proof that opened the gate of an instance which has that password
/// saved and had lost its session. Any other check proves nothing, since a live session makes no log-on.
fn let_in(
    evidence: &Evidence<'_>,
    attempts: &[&Attempt],
    logons: &Logons<'_>,
    refusals: &[Refusal],
) -> Option<LetIn> {
    let changed = evidence.parameters.changed()?;
    let since = refusals.last().map_or(changed, |last| last.at.max(changed));
    let is_one = |attempt: &&&Attempt| {
        let opened = || {
            let stamps = evidence.stamps.get(&attempt.instance).copied().unwrap_or_default();
            matches!(attempt.result, InvocationResult::Mapped(_))
                && stamps.opened_by == Some(attempt.requested_at)
                && logons.credential_before(&attempt.instance, attempt.requested_at) == Credential::Current
                && had_lost_its_session(attempt, &stamps, attempts, logons)
        };
        attempt.requested_at > since && (is_log_on(attempt) || opened())
    };
    let last = attempts.iter().rfind(is_one)?;
    // A host that gives a later end must not keep the password fresh.
    Some(LetIn { at: last.ended_at_least, instance: last.instance.clone() })
}

/// Whether the instance had no session when it proved its mapping: it has booted since it was last known to have one; or a
/// log-on failed since; or the file server was away, which more instances than this one tell.
fn had_lost_its_session(
    proof: &Attempt,
    stamps: &Stamps,
    attempts: &[&Attempt],
    logons: &Logons<'_>,
) -> bool {
    let words = last_words(attempts, |word| word.requested_at < proof.requested_at);
    let own = words.get(&proof.instance).filter(|(at, _)| stamps.unread < Some(*at));
    if let Some((_, word)) = own
        && let InvocationResult::Failed(failure) = &word.result
    {
        if failure.cause == Cause::PORT_445 {
            return words.values().filter(|(_, word)| did_not_connect(word)).count() > 1;
        }
        if failure.cause.class() == Class::Directory || refusal(word, logons).is_some() {
            return true;
        }
    }
    let shows_one = |one: &&&Attempt| {
        let is_earlier = one.instance == proof.instance && one.requested_at < proof.requested_at;
        is_earlier && shows_mapping(one) == Some(true) && refusal(one, logons).is_none()
    };
    let shown = attempts.iter().filter(shows_one).map(|one| one.ended_at).max();
    let had_one = shown.max(stamps.unread).max(logons.before(&proof.instance, proof.requested_at));
    let booted = match &proof.result {
        InvocationResult::Mapped(proof) => proof.boot,
        _ => None,
    };
    had_one.is_some() && booted > had_one
}

/// An error of a read leaves the session; without a connection there is none.
fn did_not_connect(word: &Attempt) -> bool {
    matches!(&word.result, InvocationResult::Failed(failure) if failure.cause == Cause::PORT_445)
}

/// The instances that have no mapping, by the last thing that tells: the attributes, a log-on, or a word of the script.
/// Where nothing tells there may be one, for the history does not go back to its last proof.
fn unmapped_instances(evidence: &Evidence<'_>, attempts: &[&Attempt]) -> BTreeSet<InstanceId> {
    let recorded = evidence.stamps.iter().filter_map(|(id, stamps)| Some((id, stamps.unmapped_at?, false)));
    let logged_on = evidence.stamps.iter().filter_map(|(id, stamps)| Some((id, stamps.logon?, true)));
    let told = attempts.iter().filter_map(|one| Some((&one.instance, one.requested_at, shows_mapping(one)?)));
    let last = latest(recorded.chain(logged_on).chain(told)).into_iter();
    last.filter(|(_, (_, is_mapped))| !is_mapped).map(|(id, _)| id.clone()).collect()
}

/// Whether the instance has a mapping, by one word of the script; `None` where it does not tell. The script has removed an
/// older mapping before it creates one.
fn shows_mapping(attempt: &Attempt) -> Option<bool> {
    match &attempt.result {
        InvocationResult::Mapped(_) => Some(true),
        InvocationResult::Failed(failure) if failure.cause == Cause::NOT_MAPPED => Some(false),
        InvocationResult::Failed(failure) => match failure.step {
            Step::Create if failure.cause.is_refused_logon() && attempt.action == Action::Map => Some(false),
            Step::Create => None,
            Step::Read | Step::Proof => Some(true),
            // A log-on before the mapping would have been removed.
            _ => failure.refused.filter(|refused| *refused > 0).map(|_| true),
        },
        InvocationResult::NoResult(_) | InvocationResult::Pending => None,
    }
}

/// The instances whose last word is a refusal of the current password, in the history or, where that says nothing of them,
/// in their state.
fn refused_instances(
    evidence: &Evidence<'_>,
    attempts: &[&Attempt],
    logons: &Logons<'_>,
) -> BTreeSet<InstanceId> {
    let last_words = last_words(attempts, |_| true);
    let in_history = last_words.iter().filter(|(_, (_, attempt))| {
        refusal(attempt, logons)
            .is_some_and(|refusal| refusal.is_of_current_password && refusal.cause.is_refused_logon())
    });
    let changed = evidence.parameters.changed();
    let in_state = evidence.stamps.iter().filter(|(id, Stamps { refused_by, .. })| {
        let is_newer = refused_by.is_some_and(|at| changed.is_some_and(|changed| at > changed));
        is_newer && last_words.get(id).is_none_or(|(at, _)| Some(*at) < *refused_by)
    });
    in_history.map(|(id, _)| (*id).clone()).chain(in_state.map(|(id, _)| id.clone())).collect()
}

/// What the script said last on each instance, of the attempts asked for.
fn last_words<'a>(
    attempts: &[&'a Attempt],
    is_asked: impl Fn(&Attempt) -> bool,
) -> BTreeMap<&'a InstanceId, (Timestamp, &'a Attempt)> {
    let words = attempts.iter().filter(|attempt| attempt.result.is_word() && is_asked(attempt));
    latest(words.map(|word| (&word.instance, word.requested_at, *word)))
}

/// The latest of what is told of each instance, with its time; of two at the same time, the one that comes last.
fn latest<'a, T>(
    told: impl Iterator<Item = (&'a InstanceId, Timestamp, T)>,
) -> BTreeMap<&'a InstanceId, (Timestamp, T)> {
    let mut latest: BTreeMap<&InstanceId, (Timestamp, T)> = BTreeMap::new();
    for (id, at, what) in told {
        if latest.get(id).is_none_or(|(known, _)| at >= *known) {
            latest.insert(id, (at, what));
        }
    }
    latest
}
