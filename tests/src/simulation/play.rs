//! Plays one plan: the world, the schedule and the queue as three tasks on one thread, under paused time.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::chance::{FaultKind, Struck};
use super::deed::{Deed, id_of};
use super::invariants::{self, Violation, convergence, messages};
use super::plan::{Plan, STORY};
use super::sandbox::{Answer, Function};
use super::scene::Scene;
use super::stage;
use super::statistics::Statistics;
use crate::runtime_api::Message;
use crate::runtime_api::queue::settle;

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
    pub statistics: Statistics,
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
        let _listening = scene.output.listen();
        let tasks = LocalSet::new();
        tasks.spawn_local(world(scene.clone()));
        tasks.spawn_local(schedule(scene.clone()));
        tasks.spawn_local(queue(scene.clone()));
        tasks.run_until(conduct(&scene)).await;
        scene.ended()
    })
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
    scene.watched().checker.after_world(&aws);
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
        scene.acted(&mut aws);
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

async fn take(scene: Rc<Scene>, messages: Vec<Message>) {
    let payload = scene.inbox.borrow().event(&messages);
    let (run, answer) = scene.invoke(Function::MapShare, &payload, false).await;
    let Answer::Given(answer) = answer else { return };
    let (done, now) = (settle(&messages, Some(&answer)), scene.now());
    let (deleted, returned): (Vec<&Message>, Vec<&Message>) =
        messages.iter().partition(|one| done.contains(&&*one.id));
    let events = |of: &[&Message]| -> Vec<Value> {
        of.iter().map(|one| serde_json::from_str(&one.body).unwrap_or_default()).collect()
    };
    let mut watched = scene.watched();
    let holds = messages::are_deleted_only_when_done_with(
        &watched.checker.ground,
        run,
        &events(&deleted),
        &events(&returned),
    );
    watched.checker.hold(invariants::MESSAGES_ARE_DELETED_WHEN_DONE_WITH, holds, now);
    drop(watched);
    for message in deleted {
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
    {
        let mut aws = scene.local.aws();
        stage::end_disturbances(&mut aws, &scene.plan, scene.hosts().into_iter());
        scene.acted(&mut aws);
    }
    scene.note(|| "the faults stop".to_owned());
    let bound = convergence::bound(&scene.config.policy, &scene.local.aws().world);
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
        watched.statistics.longest_settling = since;
        if since > bound {
            let what = format!("{} min after the faults: {}", since.as_secs() / 60, unsettled.join("; "));
            watched.checker.hold(invariants::EVERYTHING_SETTLES, Err(what), now);
            return;
        }
    }
}
