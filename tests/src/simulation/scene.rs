//! What the tasks of one history share: the world, the dice, the functions' sandboxes, and who watches all of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::config::Config;
use tokio::sync::Notify;

use super::chance::{Dice, FaultKind};
use super::deed::{Deed, HostNumber};
use super::ground::{Ground, Run, RunId};
use super::inbox::Inbox;
use super::invariants::Checker;
use super::plan::Plan;
use super::play::Played;
use super::sandbox::{Answer, Fate, Function, Sandbox};
use super::stage;
use super::statistics::Statistics;
use super::trace::Trace;
use super::watched::Watched;
use crate::fleet::Presented;
use crate::local_aws::LocalAws;
use crate::local_aws::in_process::{Local, Moment};
use crate::output::Output;
use crate::stack::config_of;

/// Everything that the tasks share.
pub(super) struct Scene {
    pub(super) plan: Plan,
    pub(super) local: Local,
    pub(super) config: Config,
    pub(super) dice: Dice,
    watched: Arc<Mutex<Watched>>,
    /// A call may have set a timer that is due before what the world waits for.
    pub(super) called: Arc<Notify>,
    pub(super) inbox: RefCell<Inbox>,
    pub(super) idle: RefCell<Vec<Sandbox>>,
    pub(super) at_work: RefCell<BTreeMap<RunId, Function>>,
    /// Logs and metrics of all sandboxes.
    pub(super) output: Output,
}

impl Scene {
    pub(super) fn set(plan: &Plan, is_told: bool) -> Self {
        let mut aws = LocalAws::new(stage::world(plan));
        aws.lag.answer = plan.habits.answer;
        if plan.rates.contains_key(&FaultKind::ListingsLate) {
            (aws.lag.ssm, aws.lag.ecs) = (plan.habits.ssm_lag, plan.habits.ecs_lag);
        }
        aws.spaced_details = plan.habits.spaced_details;
        aws.partial_puts = plan.habits.partial_puts;
        let dice = Dice::new(plan.seed, plan.rates.clone(), plan.muted.clone());
        let of_calls = dice.clone();
        aws.faults.random = Some(Box::new(move |caller, operation, now| {
            // The customer's own calls do not fail: they are there to make noise.
            (&*caller.0 != stage::CUSTOMER).then(|| of_calls.call(&caller.0, operation, now)).flatten()
        }));
        let watched_clusters = if plan.fleet.two_clusters { vec!["apps", "batch"] } else { vec!["apps"] };
        let config = config_of(&watched_clusters, |name| plan.variables.get(name).cloned());
        let ground = Ground::new(
            config.policy.clone(),
            watched_clusters,
            aws.lag.ecs + plan.habits.answer,
            aws.lag.ssm + plan.habits.answer,
        );
        let began = aws.now();
        let watched = Watched {
            checker: Checker::new(ground),
            trace: Trace::new(is_told),
            statistics: Statistics::default(),
        };
        Scene {
            plan: plan.clone(),
            local: Local::new(aws),
            config,
            inbox: RefCell::new(Inbox::new(dice.clone(), began, plan.habits.visibility)),
            dice,
            watched: Arc::new(Mutex::new(watched)),
            called: Arc::default(),
            idle: RefCell::default(),
            at_work: RefCell::default(),
            output: Output::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.local.clock().now()
    }

    pub(super) fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        let now = self.now();
        self.watched().trace.note(now, what);
    }

    /// A sandbox that is free, or a cold one.
    fn sandbox(&self, function: Function) -> Sandbox {
        let mut idle = self.idle.borrow_mut();
        if let Some(place) = idle.iter().position(|one| one.function == function) {
            return idle.remove(place);
        }
        let ahead = self.dice.roll(FaultKind::ClockOff, function.name(), self.now());
        let ahead = SignedDuration::from_millis(ahead.map_or(0, |more| (more % 6_001) as i64 - 3_000));
        let (watched, called) = (self.watched.clone(), self.called.clone());
        Sandbox::new(&self.local, function, &self.config, ahead, &self.output, move |aws, reply, run| {
            let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.after_call(aws, reply, run);
            called.notify_one();
        })
    }

    fn fate(&self, function: Function) -> Fate {
        let now = self.now();
        let killed = self.dice.roll(FaultKind::Killed, function.name(), now).map(|more| {
            let moment = if more % 2 == 0 { Moment::Before } else { Moment::After };
            (1 + (more / 2 % 14) as u32, moment)
        });
        let cut_off = self.dice.roll(FaultKind::CutOff, function.name(), now);
        let cut_off = cut_off.map(|more| Duration::from_millis(more % function.timeout().as_millis() as u64));
        Fate { killed, cut_off }
    }

    fn begin(&self, function: Function, is_by_hand: bool) -> RunId {
        let now = self.now();
        let mut watched = self.watched();
        let id = watched.checker.ground.runs.len();
        let mut at_work = self.at_work.borrow_mut();
        let is_sweep = function == Function::DrainUnmapped;
        let ground = &mut watched.checker.ground;
        let lag = ground.ssm_lag.max(ground.ecs_lag);
        let mut beside = 0;
        for other in ground.runs.iter_mut().rev().filter(|other| other.is_sweep == is_sweep).take(20) {
            if other.ended.is_none_or(|ended| now < ended + lag) {
                other.beside += 1;
                beside += 1;
            }
        }
        ground.runs.push(Run {
            name: format!("{} #{id}", function.name()),
            is_sweep,
            is_by_hand,
            began: now,
            read: BTreeMap::new(),
            counted_draining: None,
            failed_calls: 0,
            beside,
            ended: None,
            ended_well: None,
        });
        at_work.insert(id, function);
        match function {
            Function::DrainUnmapped => watched.statistics.sweeps += 1,
            Function::MapShare => watched.statistics.batches += 1,
        }
        id
    }

    /// One invocation, from a free sandbox to its end.
    pub(super) async fn invoke(
        &self,
        function: Function,
        payload: &Value,
        is_by_hand: bool,
    ) -> (RunId, Answer) {
        let sandbox = self.sandbox(function);
        let run = self.begin(function, is_by_hand);
        let answer = sandbox.invoke(run, payload, self.fate(function)).await;
        self.at_work.borrow_mut().remove(&run);
        let now = self.now();
        let output = self.output.take();
        let mut watched = self.watched();
        watched.ended(run, &answer, &output, now);
        drop(watched);
        if !matches!(answer, Answer::Gone) {
            self.idle.borrow_mut().push(sandbox);
        }
        (run, answer)
    }

    /// What AWS emitted is on its way.
    pub(super) fn route(&self, aws: &mut LocalAws) {
        for event in aws.drain_events() {
            // No rule is for parameters.
            if event["source"] != "aws.ssm" {
                self.inbox.borrow_mut().emit(aws.now(), &event);
            }
        }
    }

    /// The world itself, or an operator, has done something: it is looked at, and what AWS emits is on its way.
    pub(super) fn acted(&self, aws: &mut LocalAws) {
        let mut watched = self.watched();
        watched.checker.watches.world_changed(aws);
        watched.checker.after_world(aws);
        drop(watched);
        self.route(aws);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.watched().checker.broken.is_some()
    }

    /// Every host that there ever was.
    pub(super) fn hosts(&self) -> Vec<HostNumber> {
        let launched = self.plan.story.iter().flat_map(|one| &one.deeds).filter_map(|(_, deed)| match deed {
            Deed::Launch(host, ..) => Some(*host),
            _ => None,
        });
        (1..=self.plan.fleet.hosts).chain(launched).collect()
    }

    pub(super) fn ended(&self) -> Played {
        let now = self.now();
        let struck = self.dice.struck();
        let aws = self.local.aws();
        let mut watched = self.watched();
        let trace = watched.trace.hash();
        let placement = &watched.checker.watches.placement;
        let (placed, longest_exposure) = (placement.placed as u64, placement.longest_exposure);
        let violation = watched.checker.broken.clone();
        let timeline = watched.trace.take_lines(&struck, &aws, violation.as_ref());
        let mut statistics = std::mem::take(&mut watched.statistics);
        statistics.seeds = 1;
        statistics.time = now.duration_since(aws.world.base);
        statistics.faults = struck.len() as u64;
        (statistics.placed, statistics.longest_exposure) = (placed, longest_exposure);
        let account = &aws.world.account;
        let count = |presented, good| account.count(presented, good) as u64;
        statistics.log_ons = [
            count(Presented::Parameters, true),
            count(Presented::Parameters, false),
            count(Presented::Kept, true),
            count(Presented::Kept, false),
        ];
        statistics.locked = u64::from(account.log_ons.iter().any(|one| one.result == Err(1909)));
        Played { seed: self.plan.seed, violation, trace, timeline, struck, statistics }
    }
}
