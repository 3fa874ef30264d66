//! The event source mapping between a [`Queue`] and a [`Function`]: one batch at a time.
//!
//! There is one poller, so one queue never causes two concurrent runs. Lambda scales the pollers of standard queues.

use super::function::{Function, InvocationOutcome};
use super::queue::{Queue, settle};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// The settings of the mapping.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// The largest number of messages in a batch.
    pub batch_size: usize,
    /// How long the first message waits for others, unless the batch is full earlier.
    pub window: Duration,
}

/// A batch that the function got.
#[derive(Debug)]
pub struct DeliveredBatch {
    /// The number of messages.
    pub size: usize,
    /// The number of messages that stay on the queue.
    pub kept: usize,
    /// The invocation.
    pub invocation: InvocationOutcome,
}

/// A queue and its function. [`Self::send`] may be called while [`Self::run`] runs.
pub struct EventSource {
    queue: Mutex<Queue>,
    function: Arc<Function>,
    settings: BatchSettings,
    arrived: Notify,
    started: Instant,
}

impl EventSource {
    /// A mapping that does nothing until [`Self::run`] is polled.
    pub fn new(queue: Queue, function: Arc<Function>, settings: BatchSettings) -> Self {
        let (arrived, started) = (Notify::new(), Instant::now());
        Self { queue: Mutex::new(queue), function, settings, arrived, started }
    }

    /// Puts a message on the queue.
    pub fn send(&self, group: &str, body: &str) {
        self.queue().send(self.now(), group, body);
        self.arrived.notify_one();
    }

    /// The queue.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock can panic")
    }

    /// Delivers batches for ever, and sends each to `batches`.
    pub async fn run(&self, batches: mpsc::UnboundedSender<DeliveredBatch>) {
        loop {
            self.wait_for_message().await;
            self.wait_for_batch().await;
            if let Some(batch) = self.pump().await {
                // The receiver may be gone.
                let _ = batches.send(batch);
            }
        }
    }

    /// Delivers one batch of the visible messages; `None` where there are none.
    pub async fn pump(&self) -> Option<DeliveredBatch> {
        let (messages, event) = {
            let mut queue = self.queue();
            let messages = queue.receive(self.now(), self.settings.batch_size);
            let event = queue.event(&messages);
            (messages, event)
        };
        if messages.is_empty() {
            return None;
        }
        let invocation = self.function.invoke(&event).await;
        let done = settle(&messages, invocation.outcome.as_ref().ok());
        let mut queue = self.queue();
        done.iter().for_each(|id| queue.delete(id));
        Some(DeliveredBatch { size: messages.len(), kept: messages.len() - done.len(), invocation })
    }

    async fn wait_for_message(&self) {
        loop {
            let arrived = self.arrived.notified();
            let wait = match self.queue().next_visible() {
                Some(at) => at.saturating_sub(self.now()),
                None => Duration::MAX,
            };
            if wait.is_zero() {
                return;
            }
            // A message ends the wait early. `timeout` accepts a duration that no clock can hold.
            let _ = tokio::time::timeout(wait, arrived).await;
        }
    }

    async fn wait_for_batch(&self) {
        let full = async {
            loop {
                let arrived = self.arrived.notified();
                if self.queue().visible(self.now()) >= self.settings.batch_size {
                    return;
                }
                arrived.await;
            }
        };
        // The batch is delivered when the window ends or the batch is full.
        let _ = tokio::time::timeout(self.settings.window, full).await;
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
