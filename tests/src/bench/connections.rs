//! Connections that a function opens to AWS's endpoints, by invocation.
//!
//! Nothing here depends on how long anything takes.

use std::path::Path;
use std::time::Duration;

use super::scene::{Scene, Way, Work};
use crate::local_aws::endpoint::{Counts, Endpoint};

/// How long a connection is idle before the endpoint closes it. AWS's endpoints wait 20 s and more.
const IDLE: Duration = Duration::from_millis(100);

/// When an invocation comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum When {
    /// Init, and no invocation at all.
    Init,
    /// Right after init.
    First,
    /// While the endpoint keeps the connections.
    Warm,
    /// After the endpoint closed the connections, and the function was told.
    Closed,
    /// The same, while the sandbox was frozen.
    Frozen,
    /// After the endpoint closed the connections, and the function was not told: the packets were lost.
    Forgotten,
}

impl When {
    /// In the order in which one process goes through them.
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

/// Connections and requests at each time.
pub type Opened = Vec<(When, Counts)>;

/// Runs a function's binary through all of them. Every invocation must be answered, and no command sent twice.
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
                // When the process resumes, both the invocation and the end of the connections have arrived.
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
