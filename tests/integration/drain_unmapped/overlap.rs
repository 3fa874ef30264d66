//! Two runs at once, minute after minute: what the queue prevents, and what still holds where it did not.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::state::Drain;
use tests::fleet::{LockOut, Presented, World};
use tests::local_aws::ecs::instances::Status;
use tests::stack::{Stack, TICK};

use super::{base, calls, cause, open};

/// Two runs a minute, both begun at its full second.
async fn minutes_of_two(stack: &Stack, minutes: u32, mut look: impl FnMut(&Stack)) {
    for minute in 1..=minutes {
        let next = base() + TICK * minute;
        let wait = next.duration_since(stack.now());
        stack.local.wait(Duration::try_from(wait).unwrap_or_default()).await;
        stack.two_ticks_at_once().await;
        look(stack);
    }
}

#[tokio::test(start_paused = true)]
async fn two_overlapping_runs_exceed_the_budget_by_at_most_one_instance() {
    // Of 19, one may be draining; three have a disk on the letter.
    let world = World::new(71, base()).cluster("apps").windows_instances("apps", 16);
    let world = (0..3).fold(world, |world, _| world.windows_instance("apps", |host| host.disk_on_letter()));
    let stack = Stack::new(world);
    let mut most = 0;
    minutes_of_two(&stack, 60, |stack| {
        let ids = stack.instances("apps").into_iter();
        let draining: Vec<String> = ids.filter(|id| stack.status(id) == Status::Draining).collect();
        most = most.max(draining.len());
        for id in &draining {
            assert_eq!(cause(stack, id).as_deref(), Some("drive-in-use"));
            assert!(matches!(stack.attributes(id).drain, Drain::Done { .. }), "{id}: whose drain is it?");
        }
    })
    .await;
    assert!((1..=2).contains(&most), "{most} were draining");
    assert_eq!(open(&stack).len(), 16);
    assert!(calls(&stack, "UpdateContainerInstancesState") <= 2 * most);
}

#[tokio::test(start_paused = true)]
async fn two_overlapping_runs_try_a_password_on_two_instances_at_most() {
    let lock_out =
        LockOut { threshold: 5, window: Duration::from_secs(1800), duration: Duration::from_secs(1800) };
    let world = World::new(72, base()).cluster("apps").windows_instances("apps", 20).with(|world| {
        world.account.lock_out = Some(lock_out);
        world.change_password_in_directory("another horse");
    });
    let stack = Stack::new(world);
    minutes_of_two(&stack, 120, |_| ()).await;
    let aws = stack.local.aws();
    let account = &aws.world.account;
    assert!(!account.log_ons.iter().any(|one| one.result == Err(1909)), "the account was locked");
    assert_eq!(account.count(Presented::Parameters, true), 0);
    let mut by_half_hour = BTreeMap::<i64, usize>::new();
    for log_on in &account.log_ons {
        *by_half_hour.entry(log_on.at.duration_since(base()).as_secs() / 1800).or_default() += 1;
    }
    assert!(!by_half_hour.is_empty() && by_half_hour.values().all(|tries| *tries <= 2), "{by_half_hour:?}");
}
