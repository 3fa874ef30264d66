//! Spaces writes to ECS, so that most of the account's rate is left to the customer's own `RunTask`.

use std::time::Duration;

use tokio::time::Instant;

/// Lets one write through an interval. The first one does not wait.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// So many writes a second, at least one.
    pub fn new(per_second: u32) -> Self {
        Pace { interval: Duration::from_secs(1) / per_second.max(1), next: None }
    }

    /// Waits until the next write may be made.
    pub async fn turn(&mut self) {
        if let Some(next) = self.next {
            tokio::time::sleep_until(next).await;
        }
        self.next = Some(Instant::now() + self.interval);
    }
}
