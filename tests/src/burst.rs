//! A scale-out as `map-share` sees it, and its AWS calls compared with the fewest possible.

#![allow(clippy::unwrap_used, reason = "test code: a wrong world is an error of the test")]

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet::Pace;
use crate::local_aws::in_process::Process;
use crate::map_share::{CALLER, Setup, failures, id, mapped, sqs_of, world};

/// A burst's figures.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// New instances.
    pub instances: usize,
    /// Records a batch.
    pub records: usize,
    /// Batches.
    pub batches: usize,
    /// Commands sent.
    pub commands: usize,
    /// AWS calls made.
    pub calls: usize,
    /// The fewest AWS calls with which it can be done.
    pub bound: usize,
}

impl Burst {
    /// The heading of a table of bursts.
    pub const HEADING: &str = "| new instances | records a batch | batches | commands | AWS calls | fewest | ratio |\n\
                               |---:|---:|---:|---:|---:|---:|---:|";

    /// Calls made for each that is needed.
    pub fn ratio(&self) -> f64 {
        self.calls as f64 / self.bound.max(1) as f64
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Burst { instances, records, batches, commands, calls, bound } = self;
        write!(
            f,
            "| {instances} | {records} | {batches} | {commands} | {calls} | {bound} | {:.2} |",
            self.ratio()
        )
    }
}

/// Instances that register at once. Every event comes twice, in random order, to a warm function. The password is fresh, the
/// agents are online, and commands stay in flight.
pub async fn scale_out(instances: usize, records: usize) -> Burst {
    let pace = Pace { steady: true, map: Duration::from_secs(500), ..Pace::default() };
    let fleet = world().pace(pace).windows_instance("apps", mapped).windows_instances("apps", instances);
    let story = Setup::fresh(fleet).await;
    let last = u64::try_from(instances).unwrap() + 1;
    let mut events: Vec<(u64, String)> = (2..=last)
        .flat_map(|n| [(n, 0), (n, 1)])
        .map(|(n, _)| (n, story.event(&id(n)).to_string()))
        .collect();
    fastrand::Rng::with_seed(7).shuffle(&mut events);
    story.calls();
    let app = story.app(&Process::new(&story.local, CALLER));
    let clock = story.local.clock();
    let (mut seen, mut bound, mut batches) = (BTreeSet::new(), 0, 0);
    let (mut let_in_at, mut unread) = (clock.now(), 1);
    for batch in events.chunks(records) {
        if clock.now().duration_since(let_in_at).as_secs() > 40 {
            story.let_in().await;
            (let_in_at, unread) = (clock.now(), 1);
        }
        let new = batch.iter().filter(|(n, _)| seen.insert(*n)).count();
        bound += fewest(new, story.local.aws().commands().count());
        if new > 0 {
            bound += std::mem::take(&mut unread);
        }
        batches += 1;
        let payload = sqs_of(batch.iter().map(|(_, body)| body.clone()));
        let deadline = clock.now() + Duration::from_secs(60);
        let answer = map_share::handle(&app, payload, deadline).await.unwrap();
        assert!(failures(&answer).is_empty(), "{answer}");
    }
    let calls = story.calls().len();
    let commands = story.commands();
    let mut targets: Vec<String> = commands.iter().flatten().cloned().collect();
    targets.sort();
    let all: Vec<String> = (2..=last).map(id).collect();
    assert_eq!(targets, all, "a command to each instance, once");
    Burst { instances, records, batches, commands: commands.len(), calls, bound }
}

/// The calls that a batch needs: a listing of the window's commands; for new instances their descriptions, their agents,
/// their commands, and the parameters' dates. A command by which one was let in is read once.
fn fewest(new: usize, commands: usize) -> usize {
    let listings = commands.div_ceil(50).max(1);
    listings + usize::from(new > 0) + new.div_ceil(100) + 2 * new.div_ceil(50)
}

/// A batch of events about tasks of mapped instances.
pub fn noise(records: usize) -> (Setup, Value) {
    let story = Setup::new((0..20).fold(world(), |world, _| world.windows_instance("apps", mapped)));
    let event = |n: usize| -> Value {
        let mut event = story.event(&id(u64::try_from(n % 20).unwrap() + 1));
        event["detail"]["version"] = json!(n);
        event["detail"]["runningTasksCount"] = json!(n % 7);
        event
    };
    let bodies: Vec<String> = (0..records).map(|n| event(n).to_string()).collect();
    (story, sqs_of(bodies))
}

/// AWS calls for such a batch.
pub async fn task_noise(records: usize) -> usize {
    let (story, batch) = noise(records);
    let answer = story.invoke(batch).await.unwrap();
    assert!(failures(&answer).is_empty());
    story.calls().len()
}
