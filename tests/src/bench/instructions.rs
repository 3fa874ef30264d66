//! Instructions that a function executes, counted by valgrind. The counts of two runs differ by a fraction of a percent,
//! however busy the machine is.
//!
//! TLS is left out, for its keys are random. Counts of another compiler, C library or valgrind cannot be compared.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::scene::{Scene, Way, Work};

/// Instructions of one function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Instructions {
    /// From the start of the process to its first request for work.
    pub init: u64,
    /// One invocation of the warm process.
    pub invocation: u64,
}

/// Invocations that are counted. The first is not, since it sets things up.
const INVOCATIONS: u64 = 30;

/// Far more than valgrind needs to write its line.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts a function's instructions.
///
/// # Errors
/// When the process cannot be started or does not answer, or valgrind prints no count.
pub async fn count(work: Work, program: &Path) -> Result<Instructions, Box<dyn std::error::Error>> {
    // With one address for both services, the number of connections that they share is random.
    let init = count_until(work, program, Way::Refused, 0).await?;
    let one = count_until(work, program, Way::Plain, 1).await?;
    let all = count_until(work, program, Way::Plain, 1 + INVOCATIONS).await?;
    Ok(Instructions { init, invocation: all.saturating_sub(one) / INVOCATIONS })
}

/// Counts from the start of a process to the end of its n-th invocation.
async fn count_until(
    work: Work,
    program: &Path,
    way: Way,
    invocations: u64,
) -> Result<u64, Box<dyn std::error::Error>> {
    let directory = TempDir::new()?;
    let (log, counted) = (directory.path().join("log"), directory.path().join("counted"));
    let script = format!(
        "#!/bin/sh\nexec valgrind --vgdb=no --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file='{}' '{}'\n",
        log.display(),
        program.display(),
    );
    std::fs::write(&counted, script)?;
    std::fs::set_permissions(&counted, std::fs::Permissions::from_mode(0o755))?;
    let mut scene = Scene::open(work, &counted, way).await?;
    scene.function.initialize().await?;
    for _ in 0..invocations {
        scene.invoke().await?;
    }
    let process = scene.function.process_id().await.ok_or("the process has ended")?;
    let told = tokio::process::Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .stdin(Stdio::null())
        .status()
        .await?;
    if !told.success() {
        return Err("the process has ended".into());
    }
    let read = async {
        loop {
            // `==123== I refs:        1,234,567`, and more lines after it.
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let count =
                text.lines().find_map(|line| line.split_once("I refs:").or(line.split_once("I   refs:")));
            if let Some((_, count)) = count {
                return count.trim().replace(',', "").parse::<u64>();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, read).await??)
}
