//! A run that is killed before or after the effect of any call: later runs reach the same end.

use shared::state::{Drain, Gate};
use tests::local_aws::ecs::instances::Status;
use tests::local_aws::in_process::Moment;
use tests::stack::Stack;

use super::{status_calls, with_disk};

/// The final state of each instance: gate, status, and the kind of the drain attribute.
fn end(stack: &Stack) -> Vec<(String, Gate, Status, &'static str)> {
    let kind = |drain: &Drain| match drain {
        Drain::Absent => "none",
        Drain::Requested { .. } => "requested",
        Drain::Done { .. } => "done",
        Drain::Released { .. } => "released",
        Drain::Foreign | Drain::OtherStack => "foreign",
    };
    let ids = stack.instances("apps").into_iter();
    ids.map(|id| {
        let attributes = stack.attributes(&id);
        let status = stack.status(&id);
        (id, attributes.gate, status, kind(&attributes.drain))
    })
    .collect()
}

/// Kills the run that begins after `before` minutes, at each of its calls, and lets `after` minutes pass. Returns the
/// number of kills.
async fn kill_at_every_call(before: u64, after: u64) -> usize {
    let undisturbed = Stack::new(with_disk(21, 11));
    undisturbed.minutes(before + after).await;
    let expected = end(&undisturbed);
    let mut kills = 0;
    for moment in [Moment::Before, Moment::After] {
        for call in 1.. {
            let stack = Stack::new(with_disk(21, 11));
            stack.minutes(before).await;
            if !stack.tick_killed_at(call, moment).await {
                break;
            }
            kills += 1;
            stack.minutes(after).await;
            let ended = end(&stack);
            for (got, wanted) in ended.iter().zip(&expected) {
                let unproven = got.2 == Status::Draining && got.3 == "requested";
                assert!(got == wanted || unproven, "killed {moment:?} call {call}: {got:?}, not {wanted:?}");
            }
            let drained = status_calls(&stack);
            assert!(drained <= 1, "killed {moment:?} call {call}: drained {drained} times");
        }
    }
    kills
}

#[tokio::test(start_paused = true)]
async fn a_first_run_killed_at_any_call_is_completed_by_later_runs() {
    // The first run sends a check, and the next one the canary.
    let kills = kill_at_every_call(0, 25).await + kill_at_every_call(1, 25).await;
    assert!(kills > 20, "{kills}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_reads_results_and_sends_killed_at_any_call_is_completed_by_later_runs() {
    assert!(kill_at_every_call(2, 25).await > 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_drains_killed_at_any_call_ends_drained_or_unproven() {
    // By then the host with the disk has failed for 15 minutes, and has one more attempt before its drain.
    let mut kills = 0;
    for minute in [16, 17, 18] {
        kills += kill_at_every_call(minute, 6).await;
    }
    assert!(kills > 20);
}
