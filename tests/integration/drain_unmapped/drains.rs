//! Draining: an instance is drained for its own fault only, once, and given back when it is healed.

use shared::state::{Drain, Gate};
use tests::fleet::{Host, Letter};
use tests::local_aws::ecs::instances::Status;
use tests::stack::Stack;

use super::{DISK, calls, cause, fleet, open, status_calls, with_disk};

const BLOCKED: [&str; 2] = ["i-00000000000block1", "i-00000000000block2"];

fn blocked(id: &str) -> impl FnOnce(Host) -> Host {
    move |host| host.named(id).port_445_blocked()
}

#[tokio::test(start_paused = true)]
async fn a_host_with_a_disk_on_the_letter_is_drained_once_with_that_cause() {
    let stack = Stack::new(with_disk(11, 39));
    stack.minutes(40).await;
    assert_eq!(cause(&stack, DISK).as_deref(), Some("drive-in-use"));
    assert_eq!(stack.status(DISK), Status::Draining);
    let drain = stack.attributes(DISK).drain;
    assert!(matches!(drain, Drain::Done { ref cause, .. } if cause.as_str() == "drive-in-use"));
    assert_eq!((status_calls(&stack), open(&stack).len()), (1, 39));
}

#[tokio::test(start_paused = true)]
async fn no_instance_is_drained_before_drain_after_minutes_or_in_another_mode() {
    for (mode, minutes) in [("enforce", 14), ("map", 60), ("report", 60)] {
        let stack = Stack::with(with_disk(12, 39), &[("MODE", mode)]);
        stack.minutes(minutes).await;
        assert_eq!(status_calls(&stack), 0, "{mode}");
        if mode == "report" {
            let writes = calls(&stack, "SendCommand") + calls(&stack, "PutAttributes");
            assert_eq!(writes, 0, "report changes nothing");
        }
        if mode == "map" {
            assert_eq!(stack.metrics()["DrainsWithheld"], 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_alone_cannot_reach_port_445_is_drained_and_given_back_when_the_port_opens() {
    let id = BLOCKED[0];
    let stack = Stack::new(fleet(13, 40).windows_instance("apps", blocked(id)));
    stack.minutes(65).await;
    assert_eq!(cause(&stack, id).as_deref(), Some("port-445"));
    assert_eq!(stack.status(id), Status::Draining);

    stack.local.aws().world.host(id).port_445_blocked = false;
    stack.minutes(15).await;
    assert_eq!((stack.status(id), stack.attributes(id).gate), (Status::Active, Gate::Mapped));
    assert!(matches!(stack.attributes(id).drain, Drain::Released { .. } | Drain::Absent));
    stack.minutes(45).await;
    assert_eq!(stack.attributes(id).drain, Drain::Absent, "the next proof deletes the attribute");
    assert_eq!(status_calls(&stack), 2);
}

#[tokio::test(start_paused = true)]
async fn a_second_host_is_drained_only_after_the_first_was_given_back() {
    let world = fleet(14, 17).windows_instance("apps", blocked(BLOCKED[0]));
    let stack = Stack::new(world.windows_instance("apps", blocked(BLOCKED[1])));
    let draining =
        || BLOCKED.into_iter().filter(|id| stack.status(id) == Status::Draining).collect::<Vec<_>>();
    stack.minutes(90).await;
    let first = draining();
    assert_eq!(first.len(), 1, "10 % of 19 is one");
    stack.local.aws().world.host(first[0]).port_445_blocked = false;
    stack.minutes(60).await;
    let second = draining();
    assert!(second.len() == 1 && second != first, "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_did_is_not_undone() {
    let (drained, held) = ("i-0000000000drained", "i-00000000000held00");
    let world = with_disk(15, 40)
        .windows_instance("apps", |host| host.named(drained).drained_by_operator())
        .windows_instance("apps", |host| host.named(held).disk_on_letter().attribute("smb.hold", "yes"));
    let stack = Stack::new(world);
    stack.minutes(45).await;
    assert_eq!((stack.status(drained), stack.attributes(drained).gate), (Status::Draining, Gate::Mapped));
    assert_eq!(stack.status(held), Status::Active);
    assert_eq!(stack.status(DISK), Status::Draining);

    stack.local.aws().operator_sets_status(DISK, Status::Active);
    stack.minutes(60).await;
    assert_eq!(stack.status(DISK), Status::Active, "re-activated by an operator: not drained again");
    assert!(matches!(stack.attributes(DISK).drain, Drain::Released { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_being_terminated_is_not_given_back() {
    let stack = Stack::new(with_disk(16, 39));
    stack.minutes(40).await;
    let released = "released 2026-03-01T12:41:00.000Z";
    stack.local.aws().operator_sets_attribute(DISK, "smb.G.drain", Some(released));
    stack.local.aws().world.host(DISK).letter = Letter::Free;
    stack.minutes(40).await;
    assert_eq!((stack.attributes(DISK).gate, stack.status(DISK)), (Gate::Mapped, Status::Draining));
    assert_eq!(stack.metrics()["OwnershipUnproven"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_drain_attribute_is_not_ours() {
    let id = "i-0000000000somebdy";
    let stack = Stack::new(fleet(17, 20).windows_instance("apps", |host| {
        host.named(id).drained_by_operator().attribute("smb.G.drain", "done by me")
    }));
    stack.minutes(30).await;
    assert_eq!(stack.status(id), Status::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_drained_host_that_is_stopped_does_not_keep_the_next_one_from_being_drained() {
    let ids = ["i-0000000000disk001", "i-0000000000disk002"];
    let with_disks = ids.into_iter().fold(fleet(18, 17), |world, id| {
        world.windows_instance("apps", |host| host.named(id).disk_on_letter())
    });
    let stack = Stack::new(with_disks);
    let draining = || ids.into_iter().filter(|id| stack.status(id) == Status::Draining).collect::<Vec<_>>();
    stack.minutes(60).await;
    let first = draining();
    assert_eq!(first.len(), 1, "10 % of 19 is one");
    let gauges = |names: [&str; 3]| names.map(|name| stack.metrics()[name].clone());
    let names = ["Draining", "DrainedByUs", "DrainsWithheld"];
    assert_eq!(gauges(names), [1, 1, 1]);

    // As map-share records it.
    let stopped = format!("restarted {:.3} -", stack.local.aws().now());
    stack.local.aws().stop(first[0]);
    stack.local.aws().operator_sets_attribute(first[0], "smb.G.state", Some(&stopped));
    stack.minutes(2).await;
    assert_eq!(draining().len(), 2);
    assert_eq!(gauges(names), [1, 2, 0]);
}
