//! What must hold of every plan, said anew and not with the deciders' own functions.

mod drains;
mod gates;
mod sends;

use std::collections::BTreeSet;

use jiff::Timestamp;
use shared::config::Policy;
use shared::ecs::Status;
use shared::state::State;

use crate::decide::{DrainAction, Plan, PlannedCommand, PlannedDrain};
use crate::fleet::{Fleet, Instance};

/// The first sentence that does not hold.
pub(super) type Holds = Result<(), String>;

fn must(holds: bool, sentence: &str) -> Holds {
    if holds { Ok(()) } else { Err(sentence.to_owned()) }
}

/// All of them.
pub(super) fn hold(before: &Fleet, policy: &Policy, plan: &Plan) -> Holds {
    let mut written = BTreeSet::new();
    for write in plan.shut_or_kept.iter().chain(&plan.opened) {
        must(written.insert(&write.arn), "an instance is written once")?;
        gates::a_gate_moves_only_on_a_word(&before.instances[&write.arn], write, policy, plan)?;
    }
    must(plan.opened.iter().all(|write| write.opens()), "what is opened was shut")?;
    let orders: Vec<&PlannedCommand> = plan.commands.iter().collect();
    let mut drained = BTreeSet::new();
    for PlannedDrain { arn, action } in &plan.drains {
        let (before, after) = (&before.instances[arn], &plan.fleet.instances[arn]);
        drains::what_an_operator_did_stays_done(before, after, action)?;
        if let DrainAction::Drain(_) = action {
            drained.insert(arn);
            drains::only_the_hosts_own_lasting_fault_drains(after, plan, policy)?;
        }
    }
    for instance in before.instances.values() {
        gates::a_contrary_word_shuts(instance, &plan.fleet.instances[&instance.record.arn])?;
    }
    sends::what_is_sent_fits(&plan.fleet, &orders)?;
    sends::the_password_is_presented_by_one_at_a_time_until_it_is_proven(plan, policy, &orders)?;
    sends::kept_credentials_are_rationed(plan, policy, &orders)?;
    drains::drains_stay_within_bounds(plan, policy, &drained)
}

fn counts(instance: &Instance) -> bool {
    instance.record.is_connected && instance.record.status != Status::Other
}

/// Everything that voids an older word.
fn voided_until(instance: &Instance) -> Timestamp {
    let state = match instance.state() {
        Some(State::Restarted { at, .. }) => *at,
        Some(
            State::Mapped { judged, .. } | State::Doubtful { judged, .. } | State::Unmapped { judged, .. },
        ) => *judged,
        None => Timestamp::MIN,
    };
    state.max(instance.record.registered_at)
}
