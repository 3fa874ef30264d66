//! What the tasks of one history share: the local AWS, the fault injector, the functions' sandboxes, the observer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::config::Config;
use tokio::sync::Notify;

use super::event_queue::EventQueue;
use super::fault_rates::{FaultInjector, FaultKind};
use super::ground_truth::{GroundTruth, Origin, Run, RunId};
use super::observer::Observer;
use super::plan::Plan;
use super::play::History;
use super::sandbox::{Answer, Function, Interruption, Sandbox};
use super::world;
use super::world_event::{HostNumber, WorldEvent};
use crate::fleet::Presented;
use crate::local_aws::LocalAws;
use crate::local_aws::in_process::{Local, Moment};
use crate::output::Output;
use crate::stack::config_of;

/// Everything that the tasks share.
pub(super) struct Simulator {
    pub(super) plan: Plan,
    pub(super) local: Local,
    pub(super) config: Config,
    pub(super) faults: FaultInjector,
    observer: Arc<Mutex<Observer>>,
    /// A call was made: something may now be due earlier than the world waits for.
    pub(super) called: Arc<Notify>,
    pub(super) queue: RefCell<EventQueue>,
    pub(super) idle: RefCell<Vec<Sandbox>>,
    pub(super) running: RefCell<BTreeMap<RunId, Function>>,
    /// Logs and metrics of all sandboxes.
    pub(super) output: Output,
}

impl Simulator {
    pub(super) fn new(plan: &Plan, with_timeline: bool) -> Self {
        let mut aws = LocalAws::new(world::initial_world(plan));
        aws.lag.answer = plan.conditions.latency;
        if plan.rates.contains_key(&FaultKind::ListingsLate) {
            (aws.lag.ssm, aws.lag.ecs) = (plan.conditions.ssm_lag, plan.conditions.ecs_lag);
        }
        aws.spaced_details = plan.conditions.spaced_details;
        aws.partial_puts = plan.conditions.partial_puts;
        aws.most_a_page = plan.conditions.most_a_page;
        let faults = FaultInjector::new(plan.seed, plan.rates.clone(), plan.muted.clone());
        let of_calls = faults.clone();
        aws.faults.random = Some(Box::new(move |caller, operation, now| {
            // The customer's own calls only use up AWS's limits.
            let is_ours = &*caller.0 != world::CUSTOMER;
            is_ours.then(|| of_calls.draw_for_call(&caller.0, operation, now)).flatten()
        }));
        let watched_clusters = if plan.fleet.two_clusters { vec!["apps", "batch"] } else { vec!["apps"] };
        let config = config_of(&watched_clusters, |name| plan.variables.get(name).cloned());
        let ground_truth = GroundTruth::new(
            config.policy.clone(),
            watched_clusters,
            aws.lag.ecs + plan.conditions.latency,
            aws.lag.ssm + plan.conditions.latency,
        );
        let queue = EventQueue::new(faults.clone(), aws.now(), plan.conditions.visibility);
        Simulator {
            plan: plan.clone(),
            local: Local::new(aws),
            config,
            faults,
            observer: Arc::new(Mutex::new(Observer::new(ground_truth, with_timeline))),
            called: Arc::default(),
            queue: RefCell::new(queue),
            idle: RefCell::default(),
            running: RefCell::default(),
            output: Output::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.local.clock().now()
    }

    pub(super) fn observer(&self) -> MutexGuard<'_, Observer> {
        self.observer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        let now = self.now();
        self.observer().trace.note(now, what);
    }

    /// An idle sandbox, or else a new one.
    fn sandbox(&self, function: Function) -> Sandbox {
        let mut idle = self.idle.borrow_mut();
        if let Some(index) = idle.iter().position(|one| one.function == function) {
            return idle.remove(index);
        }
        let ahead = self.faults.draw(FaultKind::ClockOff, function.name(), self.now());
        let ahead = SignedDuration::from_millis(ahead.map_or(0, |random| (random % 6_001) as i64 - 3_000));
        let (observer, called) = (self.observer.clone(), self.called.clone());
        Sandbox::new(&self.local, function, &self.config, ahead, &self.output, move |aws, reply, run| {
            let mut observer = observer.lock().unwrap_or_else(PoisonError::into_inner);
            observer.after_call(aws, reply, run);
            called.notify_one();
        })
    }

    fn interruption(&self, function: Function) -> Interruption {
        let now = self.now();
        let killed = self.faults.draw(FaultKind::Killed, function.name(), now).map(|random| {
            let moment = if random % 2 == 0 { Moment::Before } else { Moment::After };
            (1 + (random / 2 % 14) as u32, moment)
        });
        let cut_off = self.faults.draw(FaultKind::CutOff, function.name(), now);
        let cut_off =
            cut_off.map(|random| Duration::from_millis(random % function.timeout().as_millis() as u64));
        Interruption { killed, cut_off }
    }

    fn begin(&self, function: Function, origin: Origin) -> RunId {
        let now = self.now();
        let mut observer = self.observer();
        match function {
            _ if origin == Origin::Look => {}
            Function::DrainUnmapped => observer.statistics.reconcile_runs += 1,
            Function::MapShare => observer.statistics.batches += 1,
        }
        let ground_truth = &mut observer.checker.ground_truth;
        let id = ground_truth.runs.len();
        let is_reconcile_run = function == Function::DrainUnmapped && origin != Origin::Look;
        let lag = ground_truth.ssm_lag.max(ground_truth.ecs_lag);
        let mut overlapping = 0;
        let same_function = ground_truth.runs.iter_mut().rev().filter(|other| {
            other.is_reconcile_run == is_reconcile_run && Origin::Look != origin && other.may_act
        });
        for other in same_function.take(20).filter(|other| other.ended.is_none_or(|ended| now < ended + lag))
        {
            other.overlapping += 1;
            overlapping += 1;
        }
        ground_truth.runs.push(Run {
            name: format!("{} #{id}", function.name()),
            is_reconcile_run,
            is_by_hand: origin == Origin::Hand,
            may_act: origin != Origin::Look,
            began: now,
            read: BTreeMap::new(),
            counted_draining: None,
            described: BTreeMap::new(),
            failed_calls: 0,
            overlapping,
            ended: None,
            ended_well: None,
        });
        self.running.borrow_mut().insert(id, function);
        id
    }

    /// One invocation, from a sandbox to its end.
    pub(super) async fn invoke(
        &self,
        function: Function,
        payload: &Value,
        origin: Origin,
    ) -> (RunId, Answer) {
        let sandbox = self.sandbox(function);
        let run = self.begin(function, origin);
        let answer = sandbox.invoke(run, payload, self.interruption(function)).await;
        self.running.borrow_mut().remove(&run);
        let now = self.now();
        let output = self.output.take();
        self.observer().ended(run, &answer, &output, now);
        if !matches!(answer, Answer::Killed) {
            self.idle.borrow_mut().push(sandbox);
        }
        (run, answer)
    }

    /// Hands AWS's events to the queue.
    pub(super) fn route(&self, aws: &mut LocalAws) {
        for event in aws.drain_events() {
            // No rule forwards changes of parameters.
            if event["source"] != "aws.ssm" {
                self.queue.borrow_mut().emit(aws.now(), &event);
            }
        }
    }

    /// To be called after every change of the world that no function made.
    pub(super) fn world_changed(&self, aws: &mut LocalAws) {
        self.observer().checker.world_changed(aws);
        self.route(aws);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.observer().checker.violation.is_some()
    }

    /// Every host that there ever was.
    pub(super) fn hosts(&self) -> Vec<HostNumber> {
        let events = self.plan.disturbances.iter().flat_map(|one| &one.events);
        let launched = events.filter_map(|(_, event)| match event {
            WorldEvent::Launch { host, .. } => Some(*host),
            _ => None,
        });
        (1..=self.plan.fleet.hosts).chain(launched).collect()
    }

    pub(super) fn history(&self) -> History {
        let now = self.now();
        let faults = self.faults.injected();
        let aws = self.local.aws();
        let mut observer = self.observer();
        let trace = observer.trace.hash();
        let violation = observer.checker.violation.clone();
        let timeline = observer.trace.take_timeline(&faults, &aws, violation.as_ref());
        let mut statistics = std::mem::take(&mut observer.statistics);
        statistics.seeds = 1;
        statistics.time = now.duration_since(aws.world.base);
        statistics.faults = faults.len() as u64;
        (statistics.placed, statistics.longest_exposure) = observer.checker.placements();
        let account = &aws.world.account;
        let count = |presented, good| account.count(presented, good) as u64;
        statistics.log_ons = [
            count(Presented::Parameters, true),
            count(Presented::Parameters, false),
            count(Presented::Kept, true),
            count(Presented::Kept, false),
        ];
        statistics.locked = u64::from(account.log_ons.iter().any(|one| one.result == Err(1909)));
        History { seed: self.plan.seed, violation, trace, timeline, faults, statistics }
    }
}
