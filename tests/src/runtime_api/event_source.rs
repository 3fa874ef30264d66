//! The event source mapping between a [`Queue`] and a [`Function`]: one batch at a time, settled by its answer.
//!
//! One poller, so a function never runs twice at once from one queue; Lambda scales pollers on standard queues.

use super::function::{Function, Invocation};
use super::queue::{Queue, settle};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Of the mapping.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Messages a batch, at most.
    pub batch_size: usize,
    /// How long a first message waits for company, unless the batch is full before.
    pub window: Duration,
}

/// A batch that was handed to the function and settled.
#[derive(Debug)]
pub struct Batch {
    /// Messages in it.
    pub size: usize,
    /// Messages that will come again.
    pub kept: usize,
    /// What the function made of it.
    pub invocation: Invocation,
}

/// A queue with a function behind it. [`Self::send`] may be called while [`Self::run`] runs.
pub struct EventSource {
    queue: Mutex<Queue>,
    function: Arc<Function>,
    settings: Settings,
    arrived: Notify,
    started: Instant,
}

impl EventSource {
    /// A mapping that does nothing until [`Self::run`] is polled.
    pub fn new(queue: Queue, function: Arc<Function>, settings: Settings) -> Self {
        let (arrived, started) = (Notify::new(), Instant::now());
        Self { queue: Mutex::new(queue), function, settings, arrived, started }
    }

    /// Puts a message on the queue.
    pub fn send(&self, group: &str, body: &str) {
        self.queue().send(self.now(), group, body);
        self.arrived.notify_one();
    }

    /// The queue, to look at.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock can panic")
    }

    /// Hands over batches for ever, and tells `batches` of each.
    pub async fn run(&self, batches: mpsc::UnboundedSender<Batch>) {
        loop {
            self.wait_for_message().await;
            self.wait_for_batch().await;
            if let Some(batch) = self.pump().await {
                // Nobody need listen.
                let _ = batches.send(batch);
            }
        }
    }

    /// Hands over one batch of what is visible now. `None`: nothing is.
    pub async fn pump(&self) -> Option<Batch> {
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
        Some(Batch { size: messages.len(), kept: messages.len() - done.len(), invocation })
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
            // Cut short by a message; `timeout` caps a time too far away to reckon with.
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
        // Over or full, the batch goes.
        let _ = tokio::time::timeout(self.settings.window, full).await;
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
