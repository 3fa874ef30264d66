//! Invariant 1: the gate opens only on a proof requested after the registration and the restart; it shuts on the first
//! judged contrary word, the second where the first is doubtful.

use shared::cause::Class;
use shared::config::Policy;
use shared::invocation::InvocationResult;
use shared::state::{Gate, State, StateAttribute};

use super::sends::open_failures;
use super::{Holds, counts, must, voided_until};
use crate::decide::{GateWrite, Plan, Why};
use crate::fleet::{AgentState, CommandResult, Instance};
use crate::tests::build::NOW;

pub(super) fn a_gate_moves_only_on_a_word(
    before: &Instance,
    write: &GateWrite,
    policy: &Policy,
    plan: &Plan,
) -> Holds {
    let GateWrite { verdict: after, why, .. } = write;
    must(before.record.is_connected, "1: nothing is written to a disconnected instance")?;
    let word = last_word(before);
    let was_open = before.record.attributes.gate == Gate::Mapped;
    if let State::Mapped { judged, logon, .. } = &after.state {
        let proof = word.filter(|answer| matches!(answer.result, Some(InvocationResult::Mapped(_))));
        let is_proven = proof.is_some_and(|answer| answer.requested_at == *judged);
        let is_unreadable =
            was_open && before.record.attributes.state == StateAttribute::Unreadable && logon.is_none();
        must(is_proven || is_unreadable, "1: mapped is written only on a proof that counts")?;
        must(
            is_proven
                || policy
                    .verify_every
                    .is_none_or(|p| *judged <= NOW - p || *judged == before.record.registered_at),
            "1: what is not proven is due",
        )?;
        must(after.gate == Gate::Mapped, "1: a proof opens the gate")?;
    }
    if after.gate == Gate::Mapped && !was_open {
        must(matches!(after.state, State::Mapped { .. }), "1: the gate opens only on a proof")?;
    }
    if after.gate == Gate::Shut && was_open {
        let by_hand = matches!(before.state(), Some(State::Unmapped { .. } | State::Restarted { .. }));
        let by_word = word.is_some_and(|answer| matches!(answer.result, Some(InvocationResult::Failed(_))));
        let by_silence = *why == Why::Silent && silence_is_the_hosts(before, policy, plan);
        must(by_hand || by_word || by_silence, "1: only the script's word shuts a gate, or long silence")?;
    }
    let has_moved = Some(&after.state) != before.state() || after.gate != before.record.attributes.gate;
    must(has_moved, "1: nothing is written that stands there already")
}

fn silence_is_the_hosts(instance: &Instance, policy: &Policy, plan: &Plan) -> bool {
    let Some(period) = policy.verify_every else { return false };
    let is_late = instance.state().is_some_and(|state| NOW.duration_since(state.judged()) > period * 2);
    let cannot_or_did_not_answer = matches!(instance.agent, AgentState::Offline { .. })
        || instance.results.iter().any(|answer| matches!(answer.result, Some(InvocationResult::NoResult(_))));
    let is_at_work = instance.results.iter().any(|answer| {
        answer.result == Some(InvocationResult::Pending) && answer.requested_at > voided_until(instance)
    });
    // More at a time, of those that were open, are SSM's silence.
    let silent = plan.shut_or_kept.iter().filter(|write| write.why == Why::Silent).count();
    let open = silent + plan.fleet.instances.values().filter(|i| counts(i) && i.is_open()).count();
    let are_few = silent * 2 < open && silent * 100 < open * policy.breaker_percent as usize + 100;
    is_late && cannot_or_did_not_answer && !is_at_work && are_few && open_failures(plan) < 2
}

pub(super) fn a_contrary_word_shuts(before: &Instance, after: &Instance) -> Holds {
    let Some(CommandResult { result: Some(InvocationResult::Failed(failure)), .. }) = last_word(before)
    else {
        return Ok(());
    };
    if !before.record.is_connected {
        return Ok(());
    }
    let may_pass = matches!(failure.cause.class(), Class::Network | Class::Directory);
    let is_first = before.record.attributes.gate == Gate::Mapped
        && (before.is_mapped() || before.record.attributes.state == StateAttribute::Unreadable);
    let is_open = after.record.attributes.gate == Gate::Mapped;
    must(is_open == (may_pass && is_first), "1: a contrary word shuts, or casts doubt once")?;
    must(!is_open || matches!(after.state(), Some(State::Doubtful { .. })), "1: the doubt is written down")
}

/// The last word of the script's that counts.
fn last_word(instance: &Instance) -> Option<&CommandResult> {
    let counts = |answer: &&CommandResult| {
        let is_word = match &answer.result {
            Some(InvocationResult::Mapped(_)) => true,
            Some(InvocationResult::Failed(failure)) => failure.cause.as_str() != "busy",
            _ => false,
        };
        is_word && answer.requested_at > voided_until(instance)
    };
    instance.results.iter().filter(counts).max_by_key(|answer| answer.requested_at)
}
