//! Draining: one host's own fault, once, and back again when it is healed.

use shared::state::{Drain, Gate};
use tests::fleet::World;
use tests::local_aws::ecs::instances::Status;
use tests::stack::Stack;

use super::{base, calls, cause, open};

fn disk(world: World) -> World {
    world.windows_instance("apps", |host| host.disk_on_letter())
}

fn bad(stack: &Stack) -> String {
    let open = open(stack);
    stack.instances("apps").into_iter().find(|id| !open.contains(id)).expect("one is not open")
}

#[tokio::test(start_paused = true)]
async fn a_host_with_a_disk_on_the_letter_is_drained_once_with_that_cause() {
    let world = World::new(11, base()).cluster("apps").windows_instances("apps", 39);
    let stack = Stack::new(disk(world));
    stack.minutes(40).await;
    let id = bad(&stack);
    assert_eq!(cause(&stack, &id).as_deref(), Some("drive-in-use"));
    assert_eq!(stack.status(&id), Status::Draining);
    assert!(
        matches!(stack.attributes(&id).drain, Drain::Done { ref cause, .. } if cause.as_str() == "drive-in-use")
    );
    assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 1);
    assert_eq!(open(&stack).len(), 39);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_drained_before_the_time_or_in_another_mode() {
    for (mode, minutes) in [("enforce", 14), ("map", 60), ("report", 60)] {
        let world = World::new(12, base()).cluster("apps").windows_instances("apps", 39);
        let stack = Stack::with(disk(world), &[("MODE", mode)]);
        stack.minutes(minutes).await;
        assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 0, "{mode}");
        if mode == "report" {
            assert_eq!(
                calls(&stack, "SendCommand") + calls(&stack, "PutAttributes"),
                0,
                "report writes nothing"
            );
        }
        if mode == "map" {
            assert_eq!(stack.metrics()["DrainsWithheld"], 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_reach_port_445_alone_is_drained_and_given_back_when_the_port_opens() {
    let world = World::new(13, base())
        .cluster("apps")
        .windows_instances("apps", 40)
        .windows_instance("apps", |host| host.named("i-00000000000blockd").port_445_blocked());
    let stack = Stack::new(world);
    stack.minutes(65).await;
    let id = "i-00000000000blockd";
    assert_eq!(cause(&stack, id).as_deref(), Some("port-445"));
    assert_eq!(stack.status(id), Status::Draining);

    stack.local.aws().world.host(id).port_445_blocked = false;
    stack.minutes(15).await;
    assert_eq!((stack.status(id), stack.attributes(id).gate), (Status::Active, Gate::Mapped));
    assert!(matches!(stack.attributes(id).drain, Drain::Released { .. } | Drain::Absent));
    stack.minutes(45).await;
    assert_eq!(stack.attributes(id).drain, Drain::Absent, "the first proof after it deletes the mark");
    assert_eq!(calls(&stack, "UpdateContainerInstancesState"), 2);
}

#[tokio::test(start_paused = true)]
async fn two_blocked_hosts_share_the_budget_one_after_the_other() {
    let world = World::new(14, base())
        .cluster("apps")
        .windows_instances("apps", 17)
        .windows_instance("apps", |host| host.named("i-00000000000block1").port_445_blocked())
        .windows_instance("apps", |host| host.named("i-00000000000block2").port_445_blocked());
    let stack = Stack::new(world);
    stack.minutes(90).await;
    let draining = |stack: &Stack| {
        let ids = ["i-00000000000block1", "i-00000000000block2"].into_iter();
        ids.filter(|id| stack.status(id) == Status::Draining).collect::<Vec<_>>()
    };
    let first = draining(&stack);
    assert_eq!(first.len(), 1, "10 % of 19 is one");
    stack.local.aws().world.host(first[0]).port_445_blocked = false;
    stack.minutes(60).await;
    let second = draining(&stack);
    assert!(
        second.len() == 1 && second != first,
        "the other is drained once the first is given back: {second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_did_stays_done() {
    let world = World::new(15, base())
        .cluster("apps")
        .windows_instances("apps", 40)
        .windows_instance("apps", |host| host.named("i-0000000000drained").drained_by_operator())
        .windows_instance("apps", |host| {
            host.named("i-00000000000held00").disk_on_letter().attribute("smb.hold", "yes")
        })
        .windows_instance("apps", |host| host.named("i-0000000000disk000").disk_on_letter());
    let stack = Stack::new(world);
    stack.minutes(45).await;
    assert_eq!(stack.status("i-0000000000drained"), Status::Draining, "mapped, and still the operator's");
    assert_eq!(stack.attributes("i-0000000000drained").gate, Gate::Mapped);
    assert_eq!(stack.status("i-00000000000held00"), Status::Active);
    assert_eq!(stack.status("i-0000000000disk000"), Status::Draining);

    stack.local.aws().operator_sets_status("i-0000000000disk000", Status::Active);
    stack.minutes(60).await;
    assert_eq!(
        stack.status("i-0000000000disk000"),
        Status::Active,
        "re-activated by an operator: not drained again"
    );
    assert!(matches!(stack.attributes("i-0000000000disk000").drain, Drain::Released { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_instance_about_to_be_terminated_is_not_given_back() {
    let world = World::new(16, base()).cluster("apps").windows_instances("apps", 39);
    let stack = Stack::new(disk(world));
    stack.minutes(40).await;
    let id = bad(&stack);
    let released = "released 2026-03-01T12:41:00.000Z";
    stack.local.aws().operator_sets_attribute(&id, "smb.G.drain", Some(released));
    stack.local.aws().world.host(&id).letter = tests::fleet::Letter::Free;
    stack.minutes(40).await;
    assert_eq!((stack.attributes(&id).gate, stack.status(&id)), (Gate::Mapped, Status::Draining));
    assert_eq!(stack.metrics()["OwnershipUnproven"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_drain_value_is_not_ours() {
    let world = World::new(17, base())
        .cluster("apps")
        .windows_instances("apps", 20)
        .windows_instance("apps", |host| {
            host.named("i-0000000000somebdy").drained_by_operator().attribute("smb.G.drain", "done by me")
        });
    let stack = Stack::new(world);
    stack.minutes(30).await;
    assert_eq!(stack.status("i-0000000000somebdy"), Status::Draining);
}
