//! Two concurrent runs every minute: the queue prevents this, but limits hold without it, too.

use std::collections::BTreeSet;
use std::time::Duration;

use shared::config::ROW_GAP;
use shared::state::Drain;
use tests::fleet::{LogOn, Presented};
use tests::local_aws::ecs::instances::Status;
use tests::scenarios::base;
use tests::stack::{Stack, TICK};

use super::{cause, fleet, lock_out, open, status_calls, was_locked};

/// Starts two runs at each full minute, and calls `look` after them.
async fn two_runs_a_minute(stack: &Stack, minutes: u32, mut look: impl FnMut(&Stack)) {
    for minute in 1..=minutes {
        let wait = (base() + TICK * minute).duration_since(stack.now());
        stack.local.wait(Duration::try_from(wait).unwrap_or_default()).await;
        stack.two_ticks_at_once().await;
        look(stack);
    }
}

#[tokio::test(start_paused = true)]
async fn two_overlapping_runs_exceed_the_drain_budget_by_at_most_one_instance() {
    // One of 19 instances may be draining; three have a disk on the drive letter.
    let add = |world: tests::fleet::World, _| world.windows_instance("apps", |host| host.disk_on_letter());
    let stack = Stack::new((0..3).fold(fleet(71, 16), add));
    let mut most = 0;
    two_runs_a_minute(&stack, 60, |stack| {
        let ids = stack.instances("apps").into_iter();
        let draining: Vec<String> = ids.filter(|id| stack.status(id) == Status::Draining).collect();
        most = most.max(draining.len());
        for id in &draining {
            assert_eq!(cause(stack, id).as_deref(), Some("drive-in-use"));
            assert!(matches!(stack.attributes(id).drain, Drain::Done { .. }), "{id} is not marked as ours");
        }
    })
    .await;
    assert!((1..=2).contains(&most), "{most} were draining");
    assert_eq!(open(&stack).len(), 16);
    assert!(status_calls(&stack) <= 2 * most);
}

#[tokio::test(start_paused = true)]
async fn two_overlapping_runs_try_a_password_on_at_most_two_instances() {
    let stack = Stack::new(fleet(72, 20).with(|world| {
        world.account.lock_out = Some(lock_out(5));
        world.change_password_in_directory("another horse");
    }));
    two_runs_a_minute(&stack, 120, |_| ()).await;
    assert!(!was_locked(&stack));
    let aws = stack.local.aws();
    let account = &aws.world.account;
    assert_eq!(account.count(Presented::Parameters, true), 0);
    // Both runs send the canary, twice: a row holds two instances, and one refusal more than the budget. The next row
    // begins when the last refusal is 31 minutes old.
    let mut rows: Vec<Vec<&LogOn>> = Vec::new();
    for log_on in &account.log_ons {
        let is_apart = |last: &LogOn| log_on.at.duration_since(last.at) >= ROW_GAP;
        if rows.last().and_then(|row| row.last()).is_none_or(|last| is_apart(last)) {
            rows.push(Vec::new());
        }
        rows.last_mut().expect("just pushed").push(log_on);
    }
    assert_eq!(rows.len(), 4, "in two hours");
    for row in rows {
        let instances: BTreeSet<_> = row.iter().map(|log_on| &log_on.instance).collect();
        assert!(row.len() <= 4 && instances.len() <= 2, "{row:?}");
    }
}
