//! Connections of the real binaries to endpoints as AWS's are: opened at init, kept, and opened again once they are
//! closed, without a failed invocation and without a command sent twice.

use tests::bench::connections::{Opened, When, measure};
use tests::bench::scene::Work;
use tests::runtime_api::binaries::build_functions;

async fn handshakes(work: Work) -> Vec<(When, usize)> {
    let opened: Opened = measure(work, &build_functions().join(work.binary())).await;
    opened.into_iter().map(|(when, counts)| (when, counts.handshakes)).collect()
}

#[tokio::test]
async fn what_is_opened_at_init_serves_until_the_endpoint_closes_it() {
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
async fn what_cloudtrail_tells_is_checked_without_a_connection() {
    let opened = handshakes(Work::ValidateRegistered).await;
    assert!(opened.iter().all(|(_, handshakes)| *handshakes == 0), "{opened:?}");
}

#[tokio::test]
async fn a_definition_by_name_takes_one_connection_and_keeps_it() {
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
