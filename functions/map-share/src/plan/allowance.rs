//! What the budget of refused log-ons allows of what would be sent.

use std::collections::BTreeMap;

use shared::budget::Budget;
use shared::ids::InstanceId;

use crate::batch::RecordId;
use crate::origin::Origin;
use crate::outcome::{Outcome, Reason};

/// The instances among those that would be sent to that were refused the fresh password; or why none is sent to. A person
/// may have one instance try a password that is not fresh, within the budget.
pub(crate) fn may_present(
    budget: &Budget,
    origin: Origin,
    targets: &BTreeMap<InstanceId, RecordId>,
) -> Result<Vec<InstanceId>, Outcome> {
    match origin {
        _ if budget.is_unreadable => Err(Outcome::Not(Reason::Doubt)),
        Origin::Hand if targets.len() == 1 && targets.keys().all(|id| budget.has_room(id)) => Ok(Vec::new()),
        _ if budget.is_fresh => {
            Ok(targets.keys().filter(|id| budget.refused_instances.contains(*id)).cloned().collect())
        }
        Origin::Hand if targets.len() > 1 => Err(Outcome::Not(Reason::OneByHand)),
        Origin::Hand => Err(Outcome::Withheld(withheld(budget))),
        _ => Err(Outcome::Not(Reason::NotFresh)),
    }
}

/// Why a person's command is not sent, and when it may be.
pub(super) fn withheld(budget: &Budget) -> String {
    let next = match budget.row_ends() {
        Some(ends) if budget.possible == 0 || budget.spent() >= budget.of => {
            format!("next try {ends:.0}, or raise REFUSAL_BUDGET")
        }
        _ => "next try when the commands in flight have ended".to_owned(),
    };
    format!("{}; {} more are possible; {next}", budget.describe(), budget.possible)
}
