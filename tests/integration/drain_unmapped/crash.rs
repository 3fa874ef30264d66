//! Killed before and after the effect of every single call, the controller converges to the same end.

use shared::state::{Drain, Gate};
use tests::fleet::World;
use tests::local_aws::ecs::instances::Status;
use tests::local_aws::in_process::Moment;
use tests::stack::Stack;

use super::{base, calls};

/// Everything that a scenario ends with: gate, status and whose drain, by instance.
fn end(stack: &Stack) -> Vec<(String, Gate, Status, &'static str)> {
    let kind = |drain: &Drain| match drain {
        Drain::Absent => "none",
        Drain::Requested { .. } => "requested",
        Drain::Done { .. } => "done",
        Drain::Released { .. } => "released",
        Drain::Foreign => "foreign",
    };
    let ids = stack.instances("apps").into_iter();
    ids.map(|id| {
        let attributes = stack.attributes(&id);
        let status = stack.status(&id);
        (id, attributes.gate, status, kind(&attributes.drain))
    })
    .collect()
}

fn world() -> World {
    World::new(21, base())
        .cluster("apps")
        .windows_instances("apps", 11)
        .windows_instance("apps", |host| host.named("i-0000000000disk000").disk_on_letter())
}

/// Kills the run that begins `before` minutes into the story at every call it makes, and lets `after` minutes go by.
async fn kill_everywhere(before: u64, after: u64) -> usize {
    let undisturbed = Stack::new(world());
    undisturbed.minutes(before + after).await;
    let expected = end(&undisturbed);
    let mut kills = 0;
    for moment in [Moment::Before, Moment::After] {
        for call in 1.. {
            let stack = Stack::new(world());
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
            let drained = calls(&stack, "UpdateContainerInstancesState");
            assert!(drained <= 1, "killed {moment:?} call {call}: drained {drained} times");
        }
    }
    kills
}

#[tokio::test(start_paused = true)]
async fn a_first_run_killed_at_any_call_is_made_good() {
    assert!(kill_everywhere(0, 25).await > 20);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_judges_and_sends_killed_at_any_call_is_made_good() {
    assert!(kill_everywhere(2, 25).await > 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_drains_killed_at_any_call_ends_drained_or_unproven() {
    // The disk's host has failed for 15 minutes by then, and is tried once more for the drain to rest on.
    let mut kills = 0;
    for minute in [16, 17, 18] {
        kills += kill_everywhere(minute, 6).await;
    }
    assert!(kills > 20);
}
