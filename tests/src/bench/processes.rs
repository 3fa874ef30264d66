//! How long a function takes to start and to answer, and how much memory it holds after its first real invocation.

use std::path::Path;
use std::time::Duration;

use super::scene::{Scene, Way, Work};

/// Invocations of a warm process in one round, of which the median is taken.
const WARM: usize = 9;

/// One process's figures, or the medians of many.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Sample {
    /// From the start of the process to the first `next`, in ms, when the endpoints answer the warm-up.
    pub init_answered_ms: f64,
    /// The first invocation after that, in ms.
    pub first_ms: f64,
    /// The median of the following ones.
    pub warm_ms: f64,
    /// Resident after the first invocation, in MiB.
    pub resident_mib: f64,
}

/// From the start of a function's process to its first `next`, in ms, when nobody answers the warm-up. It is started once
/// before without being measured, so that its files are in memory.
///
/// # Panics
/// Where it does not start.
pub async fn init_refused_ms(work: Work, program: &Path) -> f64 {
    start(work, program).await;
    start(work, program).await
}

/// Measures a function's process before a local AWS that answers everything.
///
/// # Panics
/// Where it does not start, or does not answer.
pub async fn run(work: Work, program: &Path) -> Sample {
    let mut scene = Scene::open(work, program, Way::Tls).await.expect("a free port");
    let init_answered_ms = initialize(&scene).await;
    let first_ms = invoke(&mut scene).await;
    let process = scene.function.process_id().await.expect("a warm process");
    let resident_mib = resident_mib(process).expect("Linux tells");
    let mut warm = Vec::with_capacity(WARM);
    for _ in 0..WARM {
        warm.push(invoke(&mut scene).await);
    }
    scene.function.stop().await;
    Sample { init_answered_ms, first_ms, warm_ms: median(warm), resident_mib }
}

/// One start when nobody answers. The process has ended when this returns, so that it does not slow the next one down.
async fn start(work: Work, program: &Path) -> f64 {
    let scene = Scene::open(work, program, Way::Refused).await.expect("a free port");
    let took = initialize(&scene).await;
    scene.function.stop().await;
    took
}

async fn initialize(scene: &Scene) -> f64 {
    millis(scene.function.initialize().await.unwrap_or_else(|failure| panic!("{failure}")))
}

async fn invoke(scene: &mut Scene) -> f64 {
    let invocation = scene.invoke().await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(!invocation.cold_start, "the process was initialized before");
    millis(invocation.took)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// `VmRSS` of a process.
fn resident_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next())?;
    Some(kib.parse::<f64>().ok()? / 1_024.0)
}

/// The median of each figure.
pub fn medians(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    Sample {
        init_answered_ms: of(|sample| sample.init_answered_ms),
        first_ms: of(|sample| sample.first_ms),
        warm_ms: of(|sample| sample.warm_ms),
        resident_mib: of(|sample| sample.resident_mib),
    }
}

/// The middle one of an odd number of figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
