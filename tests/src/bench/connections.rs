//! What a function opens towards AWS's endpoints, invocation by invocation.
//!
//! Nothing here depends on how long anything takes: no connection is closed before its time has come.

use std::path::Path;
use std::time::Duration;

use super::scene::{Scene, Way, Work};
use crate::local_aws::endpoint::{Counts, Endpoint};

/// After so long an idle connection is closed, once that is asked for: instead of the 20 s and more of AWS's endpoints.
const IDLE: Duration = Duration::from_millis(100);

/// When an invocation comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum When {
    /// Init, and no invocation at all.
    Init,
    /// Right after init.
    First,
    /// While the endpoint keeps what is open.
    Warm,
    /// After the endpoint closed what was open, and said so.
    Closed,
    /// The same, while the sandbox was frozen.
    Frozen,
    /// The endpoint closes what is open when it is used: its word was lost while the sandbox was frozen.
    Forgotten,
}

impl When {
    /// In the order in which they are tried, on one process.
    pub const ALL: [When; 6] =
        [When::Init, When::First, When::Warm, When::Closed, When::Frozen, When::Forgotten];

    /// Its heading in tables.
    pub fn heading(self) -> &'static str {
        match self {
            When::Init => "at init",
            When::First => "first",
            When::Warm => "warm",
            When::Closed => "after a close",
            When::Frozen => "closed while frozen",
            When::Forgotten => "closed without a word",
        }
    }
}

/// What was opened and asked at each time.
pub type Opened = Vec<(When, Counts)>;

/// Runs a function's binary through all of them. Every invocation must be answered, and nothing sent twice.
///
/// # Panics
/// Where an invocation fails, or a command is sent twice.
pub async fn measure(work: Work, program: &Path) -> Opened {
    let mut scene = Scene::open(work, program, Way::Tls).await.expect("a free port");
    let mut opened = Opened::new();
    let mut before = Counts::default();
    for when in When::ALL {
        match when {
            When::Init => {
                scene.function.initialize().await.unwrap_or_else(|failure| panic!("{work:?}: {failure}"));
            }
            When::First | When::Warm => answer(&mut scene, when).await,
            When::Closed => {
                endpoint(&scene).close_idle(IDLE).await;
                answer(&mut scene, when).await;
            }
            When::Frozen => {
                let process = scene.function.process_id().await.expect("a warm process");
                signal("-STOP", process).await;
                endpoint(&scene).close_idle(IDLE).await;
                // The work and the endpoint's word are both there when the process goes on.
                let thaw = async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    signal("-CONT", process).await;
                };
                tokio::join!(answer(&mut scene, when), thaw);
            }
            When::Forgotten => {
                endpoint(&scene).forget_all();
                answer(&mut scene, when).await;
            }
        }
        let now = endpoint(&scene).counts();
        opened.push((when, difference(now, before)));
        before = now;
    }
    let mut sent = scene.commanded();
    let count = sent.len();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), count, "{work:?}: a command was sent twice");
    opened
}

fn endpoint(scene: &Scene) -> &Endpoint {
    scene.endpoint.as_ref().expect("the scene was opened with TLS")
}

async fn answer(scene: &mut Scene, when: When) {
    if let Err(failure) = scene.invoke().await {
        panic!("{when:?}: {failure}");
    }
}

async fn signal(signal: &str, process: u32) {
    let sent = tokio::process::Command::new("kill").args([signal, &process.to_string()]).status().await;
    assert!(sent.is_ok_and(|status| status.success()), "kill {signal} {process}");
}

fn difference(now: Counts, before: Counts) -> Counts {
    Counts {
        connections: now.connections - before.connections,
        handshakes: now.handshakes - before.handshakes,
        requests: now.requests - before.requests,
    }
}
