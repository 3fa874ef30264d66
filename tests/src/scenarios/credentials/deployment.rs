//! Both functions over a modelled fleet in virtual time, as the template connects them: a reconcile run a minute, and
//! events that reach map-share through a queue.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::metrics::Metrics;
use shared::state::State;
use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::hosts::{Manners, run_scripts};
use super::measures::Refusals;
use super::record::{Record, watch};
use crate::event_rules;
use crate::fleet::{Host, InstanceId, Letter, Mapping, Platform, Scripts, World};
use crate::local_aws::in_process::Process;
use crate::runtime_api::queue::settle;
use crate::runtime_api::{Queue, QueueKind};
use crate::scenarios::base;
use crate::stack::{Stack, TICK};

/// The watched cluster.
pub(super) const CLUSTER: &str = "apps";
/// The share's path.
pub(super) const REMOTE: &str = r"\\fs1.corp.example.com\share";
/// The account's name.
pub(super) const USER: &str = r"CORP\svc-ecs-share";
/// The password that directory and parameters hold at first.
pub(super) const RIGHT: &str = "correct horse";
/// The password that the directory changes to.
pub(super) const NEW: &str = "new horse";
/// A password that the directory never had.
pub(super) const WRONG: &str = "wrong horse";

/// How late Systems Manager's listings are.
const LISTING_LAG: Duration = Duration::from_secs(1);
/// `MaximumBatchingWindowInSeconds`, `BatchSize`, `VisibilityTimeout`, `maxReceiveCount` and `Timeout` of map-share.
const WINDOW: Duration = Duration::from_secs(5);
const BATCH: usize = 500;
const VISIBILITY: Duration = Duration::from_secs(365);
const MOST_RECEIVES: u32 = 5;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A measure of delay: its name, and a number or one for each repetition.
pub type Delay = (&'static str, Vec<i64>);

/// What one history gave.
#[derive(Debug, Clone)]
pub struct Played {
    /// Refused log-ons.
    pub refusals: Refusals,
    /// Delays and counts, as the model names them.
    pub delays: Vec<Delay>,
    /// Commands and log-ons in lines, to look into a history.
    pub lines: Vec<String>,
}

/// An empty watched cluster.
pub(super) fn empty(seed: u64) -> World {
    World::new(seed, base()).cluster(CLUSTER)
}

/// A cluster of hosts that were mapped ten hours ago and checked since, each at another time within ten minutes.
pub(super) fn mapped(seed: u64, hosts: usize) -> World {
    (0..hosts).fold(empty(seed), |world, n| world.windows_instance(CLUSTER, |host| mapped_host(host, n)))
}

fn mapped_host(host: Host, n: usize) -> Host {
    let logon = base() - SignedDuration::from_hours(10);
    let judged = base() - SignedDuration::from_secs(i64::try_from(n * 37 % 600).expect("it fits"));
    let state = State::Mapped { since: logon, judged, logon: Some(logon) };
    host.attribute("smb.G", "mapped").attribute("smb.G.state", &state.print()).with(|host| {
        let mut mapping = Mapping::new(REMOTE, USER, RIGHT);
        mapping.session = Some((0, judged));
        host.letter = Letter::Smb(mapping);
    })
}

/// A deployment with its fleet. It works in the background of a `LocalSet`.
pub(super) struct Fleet {
    stack: Rc<Stack>,
    record: Rc<RefCell<Record>>,
    manners: Rc<RefCell<Manners>>,
    seed: u64,
}

impl Fleet {
    /// Starts the deployment over a world. The seed says when in a minute the schedule fires.
    pub(super) fn start(world: World) -> Self {
        let seed = world.seed;
        let stack = Rc::new(Stack::new(world.with(|world| world.scripts = Scripts::External)));
        stack.local.aws().lag.ssm = LISTING_LAG;
        let (record, manners) = (Rc::default(), Rc::default());
        spawn_local(run_scripts(stack.local.clone(), Rc::clone(&manners)));
        spawn_local(watch(stack.local.clone(), Rc::clone(&record)));
        spawn_local(deliver_events(Rc::clone(&stack)));
        spawn_local(reconcile(Rc::clone(&stack), Duration::from_secs(seed * 17 % 60)));
        Fleet { stack, record, manners, seed }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.stack.now()
    }

    /// A number below `below` that the seed and `what` give.
    pub(super) fn random(&self, what: &str, below: u64) -> u64 {
        crate::fleet::hash(self.seed, what, 0) % below
    }

    /// What is recorded so far.
    pub(super) fn record(&self) -> Ref<'_, Record> {
        self.record.borrow()
    }

    /// The metrics and the local AWS of the deployment.
    pub(super) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Changes what hosts do.
    pub(super) fn manners(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.manners.borrow_mut());
    }

    /// Changes the world.
    pub(super) fn world(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.stack.local.aws().world);
    }

    /// Writes the password's parameter.
    pub(super) fn write_parameter(&self, password: &str) {
        let now = self.now();
        self.world(|world| world.write_password_parameter(password, now));
    }

    /// The EC2 ids of all hosts, in the order of their launch.
    pub(super) fn hosts(&self) -> Vec<InstanceId> {
        self.stack.local.aws().world.hosts.keys().cloned().collect()
    }

    /// Launches hosts.
    pub(super) fn launch(&self, hosts: usize) -> Vec<InstanceId> {
        let mut aws = self.stack.local.aws();
        (0..hosts).map(|_| aws.launch(Platform::Windows, Some(CLUSTER), |host| host)).collect()
    }

    /// Lets minutes pass.
    pub(super) async fn minutes(&self, minutes: u64) {
        sleep(Duration::from_secs(60 * minutes)).await;
    }

    /// Waits until something holds, at most so many minutes, and returns how many seconds that took.
    pub(super) async fn until(&self, minutes: u64, holds: impl Fn(&Self) -> bool) -> i64 {
        let (began, limit) = (Instant::now(), Duration::from_secs(60 * minutes));
        while began.elapsed() < limit && !holds(self) {
            sleep(Duration::from_secs(1)).await;
        }
        i64::try_from(began.elapsed().as_secs()).expect("it fits")
    }

    /// Waits until all these gates are open.
    pub(super) async fn until_open(&self, hosts: &[InstanceId]) -> i64 {
        self.until(6 * 60, |fleet| hosts.iter().all(|id| fleet.record().is_open(id))).await
    }

    /// Refused log-ons since then.
    pub(super) fn refused_since(&self, since: Timestamp, of: &[InstanceId]) -> i64 {
        let aws = self.stack.local.aws();
        let counts = aws.world.account.log_ons.iter().filter(|one| one.at >= since && one.result.is_err());
        i64::try_from(counts.filter(|one| of.contains(&one.instance)).count()).expect("it fits")
    }

    /// Refused log-ons so far.
    pub(super) fn refusals(&self) -> Refusals {
        Refusals::of(&self.stack.local.aws().world.account.log_ons)
    }

    /// Commands with that action, and their targets.
    pub(super) fn sent(&self, action: &str) -> (i64, i64) {
        let aws = self.stack.local.aws();
        let commands = aws.commands().filter(|command| command.parameter("Action") == Some(action));
        commands.fold((0, 0), |(commands, targets), command| {
            (commands + 1, targets + i64::try_from(command.invocations().len()).expect("it fits"))
        })
    }

    /// The end of the scenario.
    pub(super) fn end(self, delays: impl IntoIterator<Item = Delay>) -> Played {
        let (refusals, lines) = (self.refusals(), super::lines::of(&self.stack.local.aws()));
        Played { refusals, delays: delays.into_iter().collect(), lines }
    }
}

/// A reconcile run a minute, for ever. A run that takes longer swallows the ticks that wait.
async fn reconcile(stack: Rc<Stack>, offset: Duration) {
    sleep(offset).await;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        stack.tick().await;
    }
}

/// Hands the events that the template's rules match to map-share, a batch at a time, for ever.
async fn deliver_events(stack: Rc<Stack>) {
    let (config, began) = (stack.config().clone(), Instant::now());
    let written: Arc<Mutex<Vec<u8>>> = Arc::default();
    let metrics = Metrics::to_writer(&config.metrics_namespace, &config.stack, written);
    let app = map_share::App::new(config, Process::new(&stack.local, "map-share").clients(), metrics);
    let mut queue = Queue::new("instance-events", QueueKind::Standard, VISIBILITY, MOST_RECEIVES);
    loop {
        sleep(WINDOW).await;
        let events = stack.local.aws().drain_events();
        for event in events.iter().filter(|event| event_rules::matches(event, CLUSTER)) {
            queue.send(began.elapsed(), "", &event.to_string());
        }
        let batch = queue.receive(began.elapsed(), BATCH);
        if batch.is_empty() {
            continue;
        }
        let handled = map_share::handle(&app, queue.event(&batch), stack.now() + TIMEOUT);
        let answer = timeout(TIMEOUT, Box::pin(handled)).await.ok().and_then(Result::ok);
        settle(&batch, answer.as_ref()).into_iter().for_each(|id| queue.delete(id));
    }
}
