//! Container instances whose custom attributes leave no room, or that `PutAttributes` refuses for another reason: no other
//! instance waits for them.

use serde_json::json;
use tests::fleet::{Host, World};
use tests::scenarios::base;
use tests::stack::Stack;

use super::open;

fn with_own_attributes(count: usize) -> impl FnOnce(Host) -> Host {
    move |host| (0..count).fold(host, |host, n| host.attribute(&format!("team.{n}"), "x"))
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_room_for_two_attributes_is_counted_and_delays_no_other() {
    for own in [8, 9, 10] {
        let world = World::new(61, base())
            .cluster("apps")
            .windows_instances("apps", 4)
            .windows_instance("apps", with_own_attributes(own));
        let stack = Stack::new(world);
        stack.minutes(4).await;
        let (fits, limit) = if own <= 8 { (5, 0) } else { (4, 1) };
        assert_eq!((open(&stack).len(), &stack.metrics()["AttributeLimit"]), (fits, &json!(limit)), "{own}");
        assert_eq!(refused_writes(&stack), 0, "{own}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_on_which_attributes_are_denied_delays_no_other() {
    let world = World::new(62, base())
        .cluster("apps")
        .windows_instance("apps", |host| host.with(|host| host.denies_attributes = true))
        .windows_instances("apps", 9);
    let stack = Stack::new(world);
    stack.minutes(4).await;
    assert_eq!(open(&stack).len(), 9);
    assert!(refused_writes(&stack) > 0 && stack.metrics()["Errors"] != json!(0));
}

#[tokio::test(start_paused = true)]
async fn a_denial_of_all_instances_costs_few_calls() {
    let world = World::new(63, base()).cluster("apps").windows_instances("apps", 100);
    let stack = Stack::new(world);
    for id in stack.instances("apps") {
        stack.local.aws().world.host(&id).denies_attributes = true;
    }
    stack.minutes(4).await;
    let before = refused_writes(&stack);
    stack.minutes(1).await;
    // Each of twenty calls with five instances once, and two of them for each instance alone.
    assert!((20..50).contains(&(refused_writes(&stack) - before)));
}

fn refused_writes(stack: &Stack) -> usize {
    let aws = stack.local.aws();
    aws.calls().iter().filter(|call| call.operation == "PutAttributes" && call.error.is_some()).count()
}
