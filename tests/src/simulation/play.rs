//! Plays one plan: the world, the schedule and the queue as three tasks on one thread, under paused time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::config::Config;
use shared::state::{Drain, Gate};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::chance::{Dice, FaultKind, Struck};
use super::deed::{Deed, HostNumber, id_of};
use super::ground::{Change, Ground, Run, RunId};
use super::inbox::{Inbox, batch};
use super::invariants::{Checker, Violation, convergence, messages, secrets};
use super::plan::{Plan, STORY};
use super::sandbox::{Answer, Fate, Function, Sandbox};
use super::stage;
use super::tally::Tally;
use super::trace::Trace;
use crate::fleet::Presented;
use crate::local_aws::LocalAws;
use crate::local_aws::ecs::{Status, cluster_arn};
use crate::local_aws::in_process::{Local, Moment};

/// The schedule's period.
const TICK: Duration = Duration::from_secs(60);

/// The queue's batching window.
const WINDOW: Duration = Duration::from_secs(5);

/// Invocations of `map-share` at a time, as the template has it.
const MOST_AT_ONCE: usize = 2;

/// After everything has settled it must stay so for a while.
const AFTERWARDS: u64 = 5;

/// One history.
#[derive(Debug)]
pub struct Played {
    /// The seed that drew it.
    pub seed: u64,
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// A hash of every call, reply and deed: the same seed gives the same.
    pub trace: u64,
    /// What happened, one line each, where it was asked for.
    pub timeline: Vec<String>,
    /// The faults that struck.
    pub struck: Vec<Struck>,
    /// What there was of everything.
    pub tally: Tally,
}

/// Plays a plan; with a timeline if `is_told`.
///
/// # Panics
/// Where the product or the local AWS does.
pub fn play(plan: &Plan, is_told: bool) -> Played {
    // The SDK draws its jitter from the thread's generator.
    fastrand::seed(plan.seed);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let scene = Rc::new(Scene::set(plan, is_told));
        let tasks = LocalSet::new();
        tasks.spawn_local(world(scene.clone()));
        tasks.spawn_local(schedule(scene.clone()));
        tasks.spawn_local(queue(scene.clone()));
        tasks.run_until(conduct(&scene)).await;
        scene.ended()
    })
}

/// Plays seeds on every core, as many as there are or until one breaks a promise: that one.
pub fn play_many(from: u64, seeds: u64) -> (Tally, Option<Played>) {
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let results = Mutex::new((Tally::default(), None::<Played>));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let played = play(&Plan::draw(seed), false);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.0 += &played.tally;
            if played.violation.is_some() {
                stop.store(true, Ordering::Relaxed);
                // The lowest, whichever core was faster.
                if results.1.as_ref().is_none_or(|other| played.seed < other.seed) {
                    results.1 = Some(played);
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What every call tells.
struct Watched {
    checker: Checker,
    trace: Trace,
    tally: Tally,
}

/// Everything that the tasks share.
struct Scene {
    plan: Plan,
    local: Local,
    config: Config,
    dice: Dice,
    watched: Arc<Mutex<Watched>>,
    /// A call may have set a timer that is due before what the world waits for.
    called: Arc<Notify>,
    inbox: RefCell<Inbox>,
    idle: RefCell<Vec<Sandbox>>,
    at_work: RefCell<BTreeMap<RunId, Function>>,
    /// Faults have stopped.
    is_over: Cell<bool>,
}

impl Scene {
    fn set(plan: &Plan, is_told: bool) -> Self {
        let mut aws = LocalAws::new(stage::world(plan));
        aws.lag.answer = plan.habits.answer;
        if plan.rates.contains_key(&FaultKind::ListingsLate) {
            (aws.lag.ssm, aws.lag.ecs) = (plan.habits.ssm_lag, plan.habits.ecs_lag);
        }
        aws.spaced_details = plan.habits.spaced_details;
        aws.partial_puts = plan.habits.partial_puts;
        let dice = Dice::new(plan.seed, plan.rates.clone(), plan.muted.clone());
        let of_calls = dice.clone();
        aws.faults.chance = Some(Box::new(move |caller, operation, now| {
            // The customer's own calls do not fail: they are there to make noise.
            (&*caller.0 != stage::CUSTOMER).then(|| of_calls.call(&caller.0, operation, now)).flatten()
        }));
        let watched_clusters = if plan.fleet.two_clusters { vec!["apps", "batch"] } else { vec!["apps"] };
        let config = config(plan, &watched_clusters);
        let ground = Ground::new(
            config.policy.clone(),
            watched_clusters,
            aws.lag.ecs + plan.habits.answer,
            aws.lag.ssm + plan.habits.answer,
        );
        let began = aws.now();
        let watched =
            Watched { checker: Checker::new(ground), trace: Trace::new(is_told), tally: Tally::default() };
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
            is_over: Cell::new(false),
        }
    }

    fn now(&self) -> Timestamp {
        self.local.clock().now()
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: impl FnOnce() -> String) {
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
        Sandbox::new(&self.local, function, &self.config, ahead, move |aws, reply, run| {
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
        let others: Vec<RunId> =
            at_work.iter().filter(|(_, other)| **other == function).map(|(other, _)| *other).collect();
        for other in &others {
            watched.checker.ground.runs[*other].overlapped = true;
        }
        watched.checker.ground.runs.push(Run {
            name: format!("{} #{id}", function.name()),
            is_sweep: function == Function::DrainUnmapped,
            is_by_hand,
            began: now,
            read: BTreeMap::new(),
            counted_draining: None,
            failed_calls: 0,
            overlapped: !others.is_empty(),
            ended_well: None,
        });
        at_work.insert(id, function);
        match function {
            Function::DrainUnmapped => watched.tally.sweeps += 1,
            Function::MapShare => watched.tally.batches += 1,
        }
        id
    }

    /// One invocation, from a free sandbox to its end.
    async fn invoke(&self, function: Function, payload: &Value, is_by_hand: bool) -> (RunId, Answer) {
        let sandbox = self.sandbox(function);
        let run = self.begin(function, is_by_hand);
        let answer = sandbox.invoke(run, payload, self.fate(function)).await;
        self.at_work.borrow_mut().remove(&run);
        let now = self.now();
        let printed = sandbox.take_printed();
        let mut watched = self.watched();
        watched.ended(run, &answer, &printed, now);
        drop(watched);
        if !matches!(answer, Answer::Gone) {
            self.idle.borrow_mut().push(sandbox);
        }
        (run, answer)
    }

    /// What AWS emitted is on its way.
    fn route(&self, aws: &mut LocalAws) {
        for event in aws.drain_events() {
            // No rule is for parameters.
            if event["source"] != "aws.ssm" {
                self.inbox.borrow_mut().emit(aws.now(), &event);
            }
        }
    }

    fn is_broken(&self) -> bool {
        self.watched().checker.broken.is_some()
    }

    /// Every host that there ever was.
    fn hosts(&self) -> Vec<HostNumber> {
        let launched = self.plan.story.iter().flat_map(|one| &one.deeds).filter_map(|(_, deed)| match deed {
            Deed::Launch(host, ..) => Some(*host),
            _ => None,
        });
        (1..=self.plan.fleet.hosts).chain(launched).collect()
    }

    fn ended(&self) -> Played {
        let now = self.now();
        let struck = self.dice.struck();
        let aws = self.local.aws();
        let mut watched = self.watched();
        let trace = watched.trace.hash();
        let timeline = watched.trace.take_lines();
        let placement = &watched.checker.watches.placement;
        let (placed, longest_exposure) = (placement.placed as u64, placement.longest_exposure);
        let violation = watched.checker.broken.clone();
        let mut tally = std::mem::take(&mut watched.tally);
        tally.seeds = 1;
        tally.time = now.duration_since(aws.world.base);
        tally.faults = struck.len() as u64;
        (tally.placed, tally.longest_exposure) = (placed, longest_exposure);
        let account = &aws.world.account;
        let count = |presented, good| account.count(presented, good) as u64;
        tally.log_ons = [
            count(Presented::Parameters, true),
            count(Presented::Parameters, false),
            count(Presented::Kept, true),
            count(Presented::Kept, false),
        ];
        tally.locked = u64::from(account.log_ons.iter().any(|one| one.result == Err(1909)));
        Played { seed: self.plan.seed, violation, trace, timeline, struck, tally }
    }
}

fn config(plan: &Plan, clusters: &[&str]) -> Config {
    let arns: Vec<String> = clusters.iter().map(|name| cluster_arn(name)).collect();
    let read = Config::read(|name| {
        let fixed = match name {
            "CLUSTERS" => Some(arns.join(",")),
            "STACK" => Some("smb-g".to_owned()),
            "REMOTE_PATH" => Some(stage::REMOTE.to_owned()),
            "DOCUMENT_NAME" => Some("ecs-smb-mapper-G".to_owned()),
            _ => None,
        };
        fixed.or_else(|| plan.variables.get(name).cloned())
    });
    read.expect("a plan's variables are valid")
}

impl Watched {
    fn after_call(&mut self, aws: &mut LocalAws, reply: &crate::local_aws::reply::Reply, run: RunId) {
        let Some(call) = aws.calls().last() else { return };
        let name = self.checker.ground.runs[run].name.clone();
        self.trace.call(aws.now(), &name, call, reply);
        self.tally.calls += 1;
        let before = self.checker.broken.is_some();
        let changes = self.checker.after_call(aws, run);
        self.count(&changes);
        self.tell_broken(before, aws.now());
    }

    fn after_world(&mut self, aws: &LocalAws) {
        let before = self.checker.broken.is_some();
        self.checker.after_world(aws);
        self.tell_broken(before, aws.now());
    }

    fn tell_broken(&mut self, was_broken: bool, now: Timestamp) {
        if let (false, Some(broken)) = (was_broken, &self.checker.broken) {
            let line = format!("BROKEN: {}: {}", broken.invariant, broken.what);
            self.trace.note(now, || line);
        }
    }

    fn count(&mut self, changes: &[Change]) {
        for Change { before, after } in changes {
            let Some(before) = before else { continue };
            match (before.standing.gate == Gate::Mapped, after.is_open()) {
                (false, true) => self.tally.gates[0] += 1,
                (true, false) => self.tally.gates[1] += 1,
                _ => {}
            }
            match (before.status, after.status) {
                (Status::Active, Status::Draining) => self.tally.drains[0] += 1,
                (Status::Draining, Status::Active)
                    if matches!(after.standing.drain, Drain::Released { .. }) =>
                {
                    self.tally.drains[1] += 1;
                }
                _ => {}
            }
        }
    }

    /// A run is over: whether well, and that it told no secret.
    fn ended(&mut self, run: RunId, answer: &Answer, printed: &[u8], now: Timestamp) {
        let (how, text) = match answer {
            Answer::Given(value) => ("ended", value.to_string()),
            Answer::Failed(error) => ("failed", error.clone()),
            Answer::Gone => ("is gone", String::new()),
        };
        let of = &mut self.checker.ground.runs[run];
        if matches!(answer, Answer::Given(_)) && of.failed_calls == 0 {
            of.ended_well = Some(now);
        }
        let name = of.name.clone();
        self.trace.note(now, || format!("{name} {how} {text}"));
        let is_told = secrets::contains(printed) || secrets::contains(text.as_bytes());
        let holds = if is_told { Err(format!("{name} told a password")) } else { Ok(()) };
        self.checker.hold("8 no credential leaves the host", holds, now);
    }
}

/// The world: what falls due by itself, and the plan's deeds, each a step.
async fn world(scene: Rc<Scene>) {
    let began = scene.now();
    let mut deeds: Vec<(Duration, Deed)> =
        scene.plan.story.iter().flat_map(|one| one.deeds.iter().cloned()).collect();
    deeds.sort_by_key(|(at, _)| *at);
    // What would happen after the story is part of its end.
    let mut deeds: VecDeque<_> = deeds.into_iter().filter(|(at, _)| *at < STORY).collect();
    loop {
        let due = step(&scene, &mut deeds, began);
        let wait = due.map_or(TICK, |due| due.duration_since(scene.now()).unsigned_abs());
        tokio::select! {
            biased;
            () = scene.called.notified() => {}
            () = sleep(wait) => {}
        }
    }
}

/// What has fallen due, each a step; when the next thing does.
fn step(scene: &Rc<Scene>, deeds: &mut VecDeque<(Duration, Deed)>, began: Timestamp) -> Option<Timestamp> {
    let mut aws = scene.local.aws();
    scene.watched().after_world(&aws);
    scene.route(&mut aws);
    while let Some((_, deed)) = deeds.pop_front_if(|(at, _)| began + *at <= aws.now()) {
        scene.note(|| format!("{deed:?}"));
        match &deed {
            Deed::Recycle => scene.idle.borrow_mut().clear(),
            Deed::AskByHand(hosts) => {
                let ids: Vec<_> = hosts.iter().map(|host| id_of(*host).to_string()).collect();
                tokio::task::spawn_local(ask_by_hand(scene.clone(), ids));
            }
            deed => stage::carry_out(&mut aws, deed, &scene.plan),
        }
        let mut watched = scene.watched();
        watched.checker.watches.world_changed(&aws);
        watched.after_world(&aws);
        drop(watched);
        scene.route(&mut aws);
    }
    aws.forget_calls();
    aws.next_due().into_iter().chain(deeds.front().map(|(at, _)| began + *at)).min()
}

async fn ask_by_hand(scene: Rc<Scene>, ids: Vec<String>) {
    scene.invoke(Function::MapShare, &json!({ "instanceIds": ids }), true).await;
}

/// A tick a minute. One run is over before the next begins, since Lambda ends it; sometimes a second one runs beside it.
async fn schedule(scene: Rc<Scene>) {
    sleep(Duration::from_secs(scene.plan.seed % 60)).await;
    loop {
        tokio::task::spawn_local(sweep(scene.clone(), Duration::ZERO));
        if let Some(more) = scene.dice.roll(FaultKind::Overlap, "sweep", scene.now()) {
            tokio::task::spawn_local(sweep(scene.clone(), Duration::from_millis(more % 30_000)));
        }
        sleep(TICK).await;
    }
}

async fn sweep(scene: Rc<Scene>, later: Duration) {
    sleep(later).await;
    let tick = json!({ "Records": [{ "messageId": "tick", "body": "{}" }] });
    scene.invoke(Function::DrainUnmapped, &tick, false).await;
}

/// Takes messages every few seconds, for two invocations at a time.
async fn queue(scene: Rc<Scene>) {
    loop {
        sleep(WINDOW).await;
        while scene.at_work.borrow().values().filter(|one| **one == Function::MapShare).count() < MOST_AT_ONCE
        {
            let messages = scene.inbox.borrow_mut().receive(scene.now(), scene.plan.habits.batch);
            if messages.is_empty() {
                break;
            }
            tokio::task::spawn_local(take(scene.clone(), messages));
            // It begins, and is counted.
            tokio::task::yield_now().await;
        }
    }
}

async fn take(scene: Rc<Scene>, messages: Vec<crate::runtime_api::Message>) {
    let (run, answer) = scene.invoke(Function::MapShare, &batch(&messages), false).await;
    let Answer::Given(answer) = answer else { return };
    let failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["itemIdentifier"].as_str())
        .collect();
    let now = scene.now();
    let events: Vec<(bool, Value)> = messages
        .iter()
        .map(|one| (failed.contains(&&*one.id), serde_json::from_str(&one.body).unwrap_or_default()))
        .collect();
    let of = |returned: bool| {
        events.iter().filter(move |(is, _)| *is == returned).map(|(_, event)| event).collect()
    };
    let (acknowledged, returned): (Vec<&Value>, Vec<&Value>) = (of(false), of(true));
    let mut watched = scene.watched();
    let holds =
        messages::are_deleted_only_when_done_with(&watched.checker.ground, run, &acknowledged, &returned);
    watched.checker.hold("9 a message is deleted only when done with", holds, now);
    drop(watched);
    for message in messages.iter().filter(|one| !failed.contains(&&*one.id)) {
        scene.inbox.borrow_mut().delete(now, message);
    }
}

/// The story, its end, and what must come of it.
async fn conduct(scene: &Scene) {
    let story_ends = scene.now() + STORY;
    while scene.now() < story_ends {
        sleep(TICK).await;
        if scene.is_broken() {
            return;
        }
    }
    scene.dice.put_away();
    scene.is_over.set(true);
    {
        let mut aws = scene.local.aws();
        stage::end_disturbances(&mut aws, &scene.plan, scene.hosts().into_iter());
        let mut watched = scene.watched();
        watched.checker.watches.world_changed(&aws);
        watched.after_world(&aws);
        drop(watched);
        scene.route(&mut aws);
    }
    scene.note(|| "the faults stop".to_owned());
    let bound = convergence::bound(&scene.config.policy);
    let mut settled_for = 0;
    while settled_for < AFTERWARDS {
        sleep(TICK).await;
        if scene.is_broken() {
            return;
        }
        let now = scene.now();
        let aws = scene.local.aws();
        let mut watched = scene.watched();
        let unsettled = convergence::unsettled(&aws, &watched.checker.ground);
        if unsettled.is_empty() {
            settled_for += 1;
            continue;
        }
        settled_for = 0;
        let since = now.duration_since(story_ends);
        watched.tally.longest_settling = since;
        if since > bound {
            let what = format!("{} min after the faults: {}", since.as_secs() / 60, unsettled.join("; "));
            watched.checker.hold("7 everything settles", Err(what), now);
            return;
        }
    }
}
