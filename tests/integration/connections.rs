//! Connections of the real binaries to TLS endpoints: opened in the init phase, reused, and reopened after they were
//! closed, without a failed invocation and without a repeated command.

use std::time::Duration;

use shared::aws::warm;
use tests::bench::connections::{Opened, When, measure};
use tests::bench::scene::Work;
use tests::fleet::World;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::in_process::Process;
use tests::runtime_api::binaries::build_functions;
use tests::scenarios::base;
use tests::stack::Stack;
use tokio::time::Instant;

async fn handshakes(work: Work) -> Vec<(When, usize)> {
    let opened: Opened = measure(work, &build_functions().join(work.binary())).await;
    opened.into_iter().map(|(when, counts)| (when, counts.handshakes)).collect()
}

#[tokio::test]
async fn the_connections_of_the_init_phase_are_used_until_the_endpoint_closes_them() {
    for work in [Work::MapShare, Work::DrainUnmapped] {
        let expected = [
            (When::Init, 2),
            (When::First, 0),
            (When::Warm, 0),
            (When::Closed, 2),
            (When::Frozen, 2),
            (When::Forgotten, 2),
        ];
        assert_eq!(handshakes(work).await, expected, "{work:?}");
    }
}

#[tokio::test]
async fn a_cloudtrail_event_is_checked_without_a_connection() {
    let opened = handshakes(Work::ValidateRegistered).await;
    assert!(opened.iter().all(|(_, handshakes)| *handshakes == 0), "{opened:?}");
}

#[tokio::test]
async fn a_definition_by_name_needs_one_connection_which_is_reused() {
    let expected = [
        (When::Init, 0),
        (When::First, 1),
        (When::Warm, 0),
        (When::Closed, 1),
        (When::Frozen, 1),
        (When::Forgotten, 1),
    ];
    assert_eq!(handshakes(Work::ValidateNamed).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_init_phase_calls_each_service_once_and_waits_for_at_most_a_second() {
    let reads = ["DescribeParameters", "ListContainerInstances"];
    let unanswered = [Fault::Late(Duration::from_secs(600)), Fault::AnswerLost, Fault::NotReached];
    let refused = [Fault::ErrorBefore(503), Fault::Throttle, Fault::Denied];
    for fault in unanswered.into_iter().chain(refused) {
        let stack = Stack::new(World::new(1, base()).cluster("apps"));
        for read in reads {
            stack.local.aws().faults.add(FaultRule::once(read, fault.clone()).times(9));
        }
        let began = Instant::now();
        warm(&Process::new(&stack.local, "drain-unmapped").clients(), stack.config()).await;
        assert!(began.elapsed() <= Duration::from_secs(1), "{fault:?}: {:?}", began.elapsed());
        let aws = stack.local.aws();
        let made: Vec<&str> = aws.calls().iter().map(|call| call.operation.as_str()).collect();
        assert_eq!(made.len(), 2, "{fault:?}: {made:?}");
        assert!(reads.iter().all(|read| made.contains(read)), "{fault:?}: {made:?}");
    }
}
