//! A changed share, and a second stack with the same drive letter.

use shared::share::RemotePath;
use shared::state::{Drain, Gate};
use tests::local_aws::ecs::instances::Status;
use tests::stack::Stack;

use super::{DISK, cause, mapped_fleet, open, with_disk};

const NEW: &str = r"\\fs2.corp.example.com\share";

#[tokio::test(start_paused = true)]
async fn after_a_change_of_the_share_no_gate_is_open_after_two_runs() {
    let mut stack = mapped_fleet(25, 500).await;
    {
        let mut aws = stack.local.aws();
        let document = aws.world.documents.values_mut().find(|one| one.settings(1).is_some()).unwrap();
        let mut settings = document.settings(1).unwrap().clone();
        NEW.clone_into(&mut settings.remote);
        document.update(settings);
    }
    stack.deploy(|config| config.share.remote = RemotePath::parse(NEW).unwrap());
    stack.minutes(2).await;
    assert!(open(&stack).is_empty(), "{} gates are open", open(&stack).len());
    let id = stack.instances("apps").remove(0);
    assert_eq!(cause(&stack, &id).as_deref(), Some("other-share"));
    // The result lines of earlier commands name the old share. A check follows ten minutes after such a command.
    stack.minutes(12).await;
    assert!(open(&stack).is_empty(), "the old share is still mapped");
    let elsewhere = |id: &String| cause(&stack, id).as_deref() == Some("mapped-elsewhere");
    assert!(stack.instances("apps").iter().any(elsewhere));
}

#[tokio::test(start_paused = true)]
async fn another_stack_with_the_same_letter_is_reported_and_its_drains_are_left_alone() {
    let mut stack = Stack::new(with_disk(26, 39));
    stack.minutes(40).await;
    assert_eq!((stack.status(DISK), stack.metrics()["OtherStack"].clone()), (Status::Draining, 0.into()));
    stack.deploy(|config| config.stack = "smb-other".to_owned());
    stack.minutes(2).await;
    assert!(stack.metrics()["OtherStack"].as_u64() > Some(35), "{}", stack.metrics());
    stack.local.aws().world.host(DISK).letter = tests::fleet::Letter::Free;
    stack.minutes(60).await;
    assert_eq!((stack.status(DISK), stack.attributes(DISK).gate), (Status::Draining, Gate::Mapped));
    assert!(matches!(stack.attributes(DISK).drain, Drain::Done { .. }));
    assert_eq!(stack.metrics()["OtherStack"], 1, "the proofs are its own by now, the drain is not");
}
