//! What stands before `map-share`: EventBridge's rules, the queue, and Lambda's pollers with their batching window.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use map_share::App;
use serde_json::Value;
use shared::metrics::Metrics;
use tokio::time::{Instant, sleep};

use super::DELIVERY;
use crate::demo::fleet_setup::CLUSTER;
use crate::event_rules;
use crate::local_aws::in_process::{Local, Process};
use crate::runtime_api::queue::settle;
use crate::runtime_api::{Queue, QueueKind};
use crate::stack::Stack;

/// `BatchSize`, `MaximumBatchingWindowInSeconds`, `VisibilityTimeout`, `maxReceiveCount` and `Timeout` of the template.
const BATCH: usize = 500;
const WINDOW: Duration = Duration::from_secs(5);
const VISIBILITY: Duration = Duration::from_secs(365);
const MAX_RECEIVES: u32 = 5;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at the queue and the events.
const STEP: Duration = Duration::from_millis(100);

/// The queue with the function behind it.
pub(super) struct Source {
    local: Local,
    queue: RefCell<Queue>,
    began: Instant,
    pub(super) statistics: RefCell<Statistics>,
}

/// What went through the queue.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// Messages that the rules let through.
    pub(super) messages: usize,
    /// The longest time that a message waited until it was received.
    pub(super) oldest: Duration,
    /// How long each invocation took.
    pub(super) invocations: Vec<Duration>,
}

impl Source {
    pub(super) fn new(stack: &Stack) -> Self {
        let queue = Queue::new("instance-events", QueueKind::Standard, VISIBILITY, MAX_RECEIVES);
        Source {
            local: stack.local.clone(),
            queue: RefCell::new(queue),
            began: Instant::now(),
            statistics: RefCell::default(),
        }
    }

    /// Whether nothing waits, and nothing is being handled.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Sends events to the queue for ever.
    pub(super) async fn deliver(&self) -> Infallible {
        let mut on_the_way: Vec<(Instant, Value)> = Vec::new();
        loop {
            let events = self.local.aws().drain_events();
            let due = Instant::now() + DELIVERY;
            let matched = events.into_iter().filter(|event| event_rules::matches(event, CLUSTER));
            on_the_way.extend(matched.map(|event| (due, event)));
            let arrived = on_the_way.iter().take_while(|(due, _)| *due <= Instant::now()).count();
            for (_, event) in on_the_way.drain(..arrived) {
                self.statistics.borrow_mut().messages += 1;
                self.queue.borrow_mut().send(self.began.elapsed(), "", &event.to_string());
            }
            sleep(STEP).await;
        }
    }

    /// One of Lambda's pollers, with a sandbox of its own, for ever.
    pub(super) async fn poll(&self, stack: &Stack, written: &Arc<Mutex<Vec<u8>>>) -> Infallible {
        let config = stack.config().clone();
        let process = Process::new(&self.local, "map-share");
        let metrics = Metrics::to_writer(&config.metrics_namespace, &config.stack, written.clone());
        let app = App::new(config, process.clients(), metrics);
        loop {
            let visible = || self.queue.borrow().visible(self.began.elapsed());
            if visible() == 0 {
                sleep(STEP).await;
                continue;
            }
            let window = Instant::now() + WINDOW;
            while visible() < BATCH && Instant::now() < window {
                sleep(STEP).await;
            }
            self.invoke(&app).await;
        }
    }

    async fn invoke(&self, app: &App) {
        let now = self.began.elapsed();
        let batch = self.queue.borrow_mut().receive(now, BATCH);
        let payload = self.queue.borrow().event(&batch);
        if batch.is_empty() {
            return;
        }
        let records = payload["Records"].as_array().into_iter().flatten();
        let sent = records.filter_map(|record| record["attributes"]["SentTimestamp"].as_str()?.parse().ok());
        let oldest = sent.map(Duration::from_millis).min().map_or(Duration::ZERO, |sent| now - sent);
        let deadline = self.local.clock().now() + SignedDuration::try_from(TIMEOUT).expect("it fits");
        let answer = tokio::time::timeout(TIMEOUT, Box::pin(map_share::handle(app, payload, deadline))).await;
        let answer = answer.ok().and_then(Result::ok);
        let done = settle(&batch, answer.as_ref());
        let mut statistics = self.statistics.borrow_mut();
        statistics.oldest = statistics.oldest.max(oldest);
        statistics.invocations.push(self.began.elapsed() - now);
        done.iter().for_each(|id| self.queue.borrow_mut().delete(id));
    }
}
