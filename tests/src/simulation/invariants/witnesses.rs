//! Invariant 4: a fault that may be shared drains a host only where others were proven meanwhile. No lie of one host is such
//! a proof by itself, and neither is one false attribute.

use jiff::Timestamp;
use shared::state::State;

use super::drains::was_known;
use super::{CheckResult, Step, ensure};
use crate::local_aws::ssm::Command;
use crate::simulation::ground_truth::{Registration, TrueResult, millis, true_result};

/// How another host was proven while this one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    True,
    /// Only it said so, or its attributes.
    False,
}

/// The others that were proven, for the earliest and the latest view of the fleet that the run may have had.
pub(super) fn are_enough(step: &Step<'_>, one: &Registration, views: [Timestamp; 2]) -> CheckResult {
    let possible = views.map(|read| {
        let others = step.ground_truth.registrations.values();
        let others = others.filter(|other| other.ec2 != one.ec2 && was_known(other, read));
        let needed = others.clone().count().min(3);
        (others.filter_map(|other| proof(step, one, other)).collect::<Vec<_>>(), needed)
    });
    let are_enough = possible.iter().any(|(proofs, needed)| *needed > 0 && proofs.len() >= *needed);
    ensure(are_enough, || format!("(witnesses, needed): {possible:?}"))?;
    let host = &step.aws.world.hosts[&one.ec2];
    let rests_on_one_lie = |(proofs, needed): &(Vec<Proof>, usize)| {
        proofs.len() >= *needed && proofs.iter().all(|proof| *proof == Proof::False) && proofs.len() == 1
    };
    let is_its_own = host.port_445_blocked || host.dns_broken || host.is_liar();
    ensure(is_its_own || one.was_edited || !possible.iter().all(rests_on_one_lie), || {
        "the only witness lies".to_owned()
    })
}

/// Whether another was proven between the first failure and the last attempt.
fn proof(step: &Step<'_>, one: &Registration, other: &Registration) -> Option<Proof> {
    let Some(State::Unmapped { judged, failing_since, .. }) = one.state() else { return None };
    let is_meanwhile = |at: Timestamp| at > *failing_since && at < *judged;
    let proofs = step.ground_truth.history(step.aws, &other.ec2).filter(|(command, target)| {
        let said = true_result(command, target, step.aws.now());
        is_meanwhile(requested(command)) && matches!(said, TrueResult::Mapped { .. })
    });
    let mut lies = proofs.map(|(_, target)| target.is_lie);
    let is_said = lies.next().map(|first| first && lies.all(|lie| lie));
    match is_said {
        Some(false) => Some(Proof::True),
        Some(true) => Some(Proof::False),
        None => {
            let is_written =
                matches!(other.state(), Some(State::Mapped { judged, .. }) if is_meanwhile(*judged));
            (other.was_edited && is_written).then_some(Proof::False)
        }
    }
}

fn requested(command: &Command) -> Timestamp {
    millis(command.requested())
}
