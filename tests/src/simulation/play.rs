//! Plays one plan: the world, the schedule and the queue are three tasks on one thread, under paused time.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use super::fault_rates::{FaultKind, InjectedFault};
use super::ground_truth::Origin;
use super::invariants::{
    EVERYTHING_CONVERGES, MESSAGES_ARE_DELETED_ONCE_HANDLED, Violation, convergence, messages,
};
use super::lies;
use super::plan::{FAULT_PERIOD, Plan};
use super::sandbox::{Answer, Function};
use super::simulator::Simulator;
use super::statistics::Statistics;
use super::world;
use super::world_event::{Fate, TimedEvent, WorldEvent, host_of, id_of};
use crate::local_aws::LocalAws;
use crate::local_aws::in_process::in_virtual_time;
use crate::runtime_api::Message;
use crate::runtime_api::queue::settle;
use crate::stack::tick;

/// The schedule's period.
const PERIOD: Duration = Duration::from_secs(60);

/// The queue's batching window.
const BATCHING_WINDOW: Duration = Duration::from_secs(5);

/// Concurrent invocations of `map-share`, as in the template.
const MOST_CONCURRENT: usize = 2;

/// The fleet must stay converged for this many minutes.
const MINUTES_CONVERGED: u64 = 5;

/// One history.
#[derive(Debug)]
pub struct History {
    /// The seed of its plan.
    pub seed: u64,
    /// The first broken invariant.
    pub violation: Option<Violation>,
    /// A hash of every call and reply. The same seed gives the same.
    pub trace: u64,
    /// What happened, in lines, if it was asked for.
    pub timeline: Vec<String>,
    /// The faults that occurred.
    pub(super) faults: Vec<InjectedFault>,
    /// How much happened.
    pub statistics: Statistics,
}

/// Plays a plan.
///
/// # Panics
/// If the product or the local AWS does.
pub fn play(plan: &Plan, with_timeline: bool) -> History {
    // The SDK draws its jitter from the thread's generator.
    fastrand::seed(plan.seed);
    in_virtual_time(async {
        let simulator = Rc::new(Simulator::new(plan, with_timeline));
        let _listening = simulator.output.listen();
        let tasks = LocalSet::new();
        tasks.spawn_local(change_world(simulator.clone()));
        tasks.spawn_local(schedule(simulator.clone()));
        tasks.spawn_local(poll_queue(simulator.clone()));
        tasks.run_until(run_to_end(&simulator)).await;
        simulator.history()
    })
}

/// What is still to happen.
struct Events {
    /// In order.
    due: VecDeque<TimedEvent>,
    /// What becomes of the next hosts that are refused, and how soon.
    fates: VecDeque<(Fate, Duration)>,
    /// How many log-ons were looked at.
    log_ons: usize,
    began: Timestamp,
}

impl Events {
    /// Each host that was refused since the last step meets the next fate.
    fn seal_fates(&mut self, aws: &LocalAws) {
        let log_ons = &aws.world.account.log_ons;
        for refused in log_ons[self.log_ons..].iter().filter(|one| one.result.is_err()) {
            let Some(host) = host_of(&refused.instance) else { continue };
            let Some((fate, after)) = self.fates.pop_front() else { break };
            let at = aws.now().duration_since(self.began).unsigned_abs() + after;
            match fate {
                Fate::RegistersAgain => self.due.push_back((at, WorldEvent::RegisterAgain(host))),
                Fate::Ends => self.due.push_back((at, WorldEvent::Terminate(host))),
                Fate::StopsFor(time) => {
                    let stops = [(at, WorldEvent::Stop(host)), (at + time, WorldEvent::Start(host))];
                    self.due.extend(stops);
                }
            }
        }
        self.log_ons = log_ons.len();
        self.due.retain(|(at, _)| *at < FAULT_PERIOD);
        self.due.make_contiguous().sort_by_key(|(at, _)| *at);
    }
}

/// The world's own timers and the plan's events, each a step.
async fn change_world(simulator: Rc<Simulator>) {
    let began = simulator.now();
    let events = simulator.plan.disturbances.iter().flat_map(|one| one.events.iter().cloned());
    // The end of the disturbances replaces all later events.
    let mut events: Vec<TimedEvent> = events.filter(|(at, _)| *at < FAULT_PERIOD).collect();
    events.sort_by_key(|(at, _)| *at);
    let mut events = Events { due: VecDeque::from(events), fates: VecDeque::new(), log_ons: 0, began };
    loop {
        let next = step(&simulator, &mut events);
        let wait = next.map_or(PERIOD, |next| next.duration_since(simulator.now()).unsigned_abs());
        tokio::select! {
            biased;
            () = simulator.called.notified() => {}
            () = sleep(wait) => {}
        }
    }
}

/// Everything that is due, each a step. The answer is when the next thing is due.
fn step(simulator: &Rc<Simulator>, events: &mut Events) -> Option<Timestamp> {
    let mut aws = simulator.local.aws();
    simulator.observer().checker.after_world(&aws);
    simulator.route(&mut aws);
    events.seal_fates(&aws);
    let began = events.began;
    while let Some((_, event)) = events.due.pop_front_if(|(at, _)| began + *at <= aws.now()) {
        simulator.note(|| format!("{event:?}"));
        match &event {
            WorldEvent::EndSandboxes => simulator.idle.borrow_mut().clear(),
            WorldEvent::InvokeByHand(hosts) => {
                let ids: Vec<_> = hosts.iter().map(|host| id_of(*host).to_string()).collect();
                spawn_local(invoke_by_hand(simulator.clone(), ids));
            }
            WorldEvent::Forge { event, registration_of } => {
                let event = lies::forged(&aws, event, *registration_of);
                simulator.queue.borrow_mut().send(aws.now(), &event);
            }
            WorldEvent::Replay(ago) => simulator.queue.borrow_mut().replay(aws.now(), *ago),
            WorldEvent::Look(payload) => _ = spawn_local(look(simulator.clone(), payload.clone())),
            WorldEvent::NextRefused { fate, after } => events.fates.push_back((*fate, *after)),
            event => world::apply(&mut aws, event, &simulator.plan),
        }
        simulator.world_changed(&mut aws);
    }
    aws.forget_calls();
    aws.next_due().into_iter().chain(events.due.front().map(|(at, _)| began + *at)).min()
}

async fn invoke_by_hand(simulator: Rc<Simulator>, ids: Vec<String>) {
    simulator.invoke(Function::MapShare, &json!({ "instanceIds": ids }), Origin::Hand).await;
}

async fn look(simulator: Rc<Simulator>, payload: Value) {
    simulator.invoke(Function::DrainUnmapped, &payload, Origin::Look).await;
}

/// Invokes `drain-unmapped` every minute. Lambda's time-out ends a run before the next, but a fault may add a second run.
async fn schedule(simulator: Rc<Simulator>) {
    sleep(Duration::from_secs(simulator.plan.seed % 60)).await;
    loop {
        spawn_local(reconcile(simulator.clone(), Duration::ZERO));
        // "sweep" is part of every seed's history; see `fault_rates`.
        if let Some(random) = simulator.faults.draw(FaultKind::Overlap, "sweep", simulator.now()) {
            spawn_local(reconcile(simulator.clone(), Duration::from_millis(random % 30_000)));
        }
        sleep(PERIOD).await;
    }
}

async fn reconcile(simulator: Rc<Simulator>, later: Duration) {
    sleep(later).await;
    simulator.invoke(Function::DrainUnmapped, &tick(), Origin::Queue).await;
}

/// Invokes `map-share` with the messages of each batching window.
async fn poll_queue(simulator: Rc<Simulator>) {
    let is_map_share = |function: &&Function| **function == Function::MapShare;
    loop {
        sleep(BATCHING_WINDOW).await;
        while simulator.running.borrow().values().filter(is_map_share).count() < MOST_CONCURRENT {
            let messages =
                simulator.queue.borrow_mut().receive(simulator.now(), simulator.plan.conditions.batch);
            if messages.is_empty() {
                break;
            }
            spawn_local(handle_messages(simulator.clone(), messages));
            // The new task begins, so that it counts as running.
            tokio::task::yield_now().await;
        }
    }
}

async fn handle_messages(simulator: Rc<Simulator>, messages: Vec<Message>) {
    let payload = simulator.queue.borrow().event(&messages);
    let (run, answer) = simulator.invoke(Function::MapShare, &payload, Origin::Queue).await;
    let Answer::Value(answer) = answer else { return };
    let (done, now) = (settle(&messages, Some(&answer)), simulator.now());
    let (deleted, returned): (Vec<&Message>, Vec<&Message>) =
        messages.iter().partition(|one| done.contains(&&*one.id));
    let events = |of: &[&Message]| -> Vec<Value> {
        of.iter().map(|one| serde_json::from_str(&one.body).unwrap_or_default()).collect()
    };
    let mut observer = simulator.observer();
    let (ground_truth, deleted_events) = (&observer.checker.ground_truth, events(&deleted));
    let result = messages::are_deleted_once_handled(ground_truth, run, &deleted_events, &events(&returned));
    observer.checker.record(MESSAGES_ARE_DELETED_ONCE_HANDLED, result, now);
    drop(observer);
    for message in deleted {
        simulator.queue.borrow_mut().delete(now, message);
    }
}

/// Waits for the end of the faults, then for convergence.
async fn run_to_end(simulator: &Simulator) {
    let faults_end = simulator.now() + FAULT_PERIOD;
    while simulator.now() < faults_end {
        sleep(PERIOD).await;
        if simulator.is_broken() {
            return;
        }
    }
    simulator.faults.stop();
    {
        let mut aws = simulator.local.aws();
        world::end_disturbances(&mut aws, &simulator.plan, simulator.hosts().into_iter());
        simulator.world_changed(&mut aws);
    }
    simulator.note(|| "the faults stop".to_owned());
    let bound = convergence::bound(&simulator.config.policy, &simulator.local.aws().world);
    let mut minutes_converged = 0;
    while minutes_converged < MINUTES_CONVERGED {
        sleep(PERIOD).await;
        if simulator.is_broken() {
            return;
        }
        let now = simulator.now();
        let aws = simulator.local.aws();
        let mut observer = simulator.observer();
        let not_converged = convergence::not_converged(&aws, &observer.checker.ground_truth);
        if not_converged.is_empty() {
            minutes_converged += 1;
            continue;
        }
        minutes_converged = 0;
        let since = now.duration_since(faults_end);
        observer.statistics.longest_convergence = since;
        if since > bound {
            let what = format!("{} min after the faults: {}", since.as_secs() / 60, not_converged.join("; "));
            observer.checker.record(EVERYTHING_CONVERGES, Err(what), now);
            return;
        }
    }
}
