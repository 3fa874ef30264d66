//! Faults that a whole fleet shares, each begun at random times: what must not happen meanwhile, and how soon the fleet
//! recovers. Tests run a few times of each, `make scenarios` as many as are asked for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::state::{Gate, State};

use crate::fleet::{LockOut, Presented, Scripted, World};
use crate::stack::Stack;

/// A fault shared by the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Herd {
    /// Nothing answers on port 445 for 20 minutes.
    FileServerGone,
    /// The share has another name for 20 minutes.
    ShareRenamed,
    /// The directory's password changes, the parameter's twenty minutes later.
    PasswordChangedInDirectory,
    /// The directory's and the parameter's password change at once.
    PasswordRotated,
    /// The parameter gets a wrong password, and the right one again twenty minutes later.
    ParameterWrong,
    /// No domain controller answers for 20 minutes.
    ControllersGone,
}

impl Herd {
    /// All of them.
    pub const ALL: [Herd; 6] = [
        Herd::FileServerGone,
        Herd::ShareRenamed,
        Herd::PasswordChangedInDirectory,
        Herd::PasswordRotated,
        Herd::ParameterWrong,
        Herd::ControllersGone,
    ];

    fn begin(self, world: &mut World, now: Timestamp) {
        match self {
            Herd::FileServerGone => world.file_server.goes_down(),
            Herd::ShareRenamed => world.file_server.share = "renamed".to_owned(),
            Herd::PasswordChangedInDirectory => {
                world.change_password_in_directory("new horse");
                world.file_server.ends_sessions();
            }
            Herd::PasswordRotated => {
                world.change_password_in_directory("new horse");
                world.write_password_parameter("new horse", now);
                world.file_server.ends_sessions();
            }
            Herd::ParameterWrong => world.write_password_parameter("wrong horse", now),
            Herd::ControllersGone => {
                world.account.refuses_with = Some(1355);
                world.file_server.ends_sessions();
            }
        }
    }

    fn end(self, world: &mut World, now: Timestamp) {
        match self {
            Herd::FileServerGone => world.file_server.comes_back(),
            Herd::ShareRenamed => world.file_server.share = "share".to_owned(),
            Herd::PasswordChangedInDirectory => world.write_password_parameter("new horse", now),
            Herd::PasswordRotated => {}
            Herd::ParameterWrong => world.write_password_parameter("correct horse", now),
            Herd::ControllersGone => world.account.refuses_with = None,
        }
    }

    /// The metric that an alarm stands on for it.
    fn alarm(self) -> Option<&'static str> {
        match self {
            Herd::FileServerGone | Herd::ShareRenamed | Herd::ControllersGone => Some("BreakerOpen"),
            Herd::PasswordChangedInDirectory | Herd::PasswordRotated | Herd::ParameterWrong => None,
        }
    }
}

/// The start of every world.
pub fn base() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("valid")
}

/// That many failed log-ons in half an hour lock the account for half an hour.
pub fn lock_out(threshold: usize) -> LockOut {
    let half_an_hour = Duration::from_secs(1800);
    LockOut { threshold, window: half_an_hour, duration: half_an_hour }
}

/// A mapped fleet of `n`, with a directory that locks the account after five bad log-ons in half an hour.
pub async fn mapped_fleet(seed: u64, n: usize) -> Stack {
    let world = World::new(seed, base()).cluster("apps").windows_instances("apps", n);
    let stack = Stack::new(world.with(|world| world.account.lock_out = Some(lock_out(5))));
    // Instances that are older than the deployment are checked before one is sent `map`, one at a time.
    stack.minutes(6 + n as u64 / 40).await;
    stack
}

/// The ids whose gate is open.
pub fn open(stack: &Stack) -> Vec<String> {
    let ids = stack.instances("apps").into_iter();
    ids.filter(|id| stack.attributes(id).gate == Gate::Mapped).collect()
}

/// How many calls of an operation the controller made.
pub fn calls(stack: &Stack, operation: &str) -> usize {
    let aws = stack.local.aws();
    aws.calls()
        .iter()
        .filter(|call| call.operation == operation && &*call.caller.0 == "drain-unmapped")
        .count()
}

/// A mapped fleet, the fault at a time that the seed gives, and its end. `Err` says what went wrong.
pub async fn herd(kind: Herd, seed: u64, n: usize) -> Result<(), String> {
    let stack = mapped_fleet(seed, n).await;
    expect(open(&stack).len() == n, "the fleet was not mapped to begin with")?;
    let mut rng = fastrand::Rng::with_seed(seed);
    stack.until(stack.now() + SignedDuration::from_secs(rng.i64(0..1800))).await;
    let began = stack.now();
    let log_ons_before = stack.local.aws().world.account.count(Presented::Parameters, true);
    kind.begin(&mut stack.local.aws().world, began);
    let third = watch(&stack, began + SignedDuration::from_mins(20)).await?;
    let alarmed = kind.alarm().map(|metric| first_raised(&stack, metric, began));
    if let (Some(third), Some(alarmed)) = (third, alarmed) {
        let alarmed = alarmed.ok_or("three instances are unmapped, and no alarm metric was raised")?;
        expect(alarmed.duration_since(third).as_secs() <= 150, "the alarm came later than two runs")?;
    }
    let ended = stack.now();
    kind.end(&mut stack.local.aws().world, ended);
    stack.minutes(10).await;
    let healed = open(&stack).len();
    expect(healed == n, &format!("only {healed} of {n} open ten minutes after the end"))?;
    stack.minutes(45).await;
    expect(open(&stack).len() == n, "a gate was shut after it had healed")?;
    expect(calls(&stack, "UpdateContainerInstancesState") == 0, "an instance was drained")?;
    let aws = stack.local.aws();
    let account = &aws.world.account;
    let locked = account.log_ons.iter().any(|one| one.result == Err(1909));
    expect(!locked, "the account was locked")?;
    if matches!(kind, Herd::FileServerGone | Herd::ShareRenamed | Herd::ControllersGone) {
        let made = account.count(Presented::Parameters, true) - log_ons_before;
        expect(made == 0, &format!("{made} mappings were created again that were still there"))?;
    }
    Ok(())
}

/// Runs until `end` and returns the time at which the third instance was unmapped.
async fn watch(stack: &Stack, end: Timestamp) -> Result<Option<Timestamp>, String> {
    let mut third = None;
    while stack.now() < end {
        stack.until((stack.now() + SignedDuration::from_mins(1)).min(end)).await;
        let unmapped =
            |id: &String| matches!(stack.attributes(id).state.state(), Some(State::Unmapped { .. }));
        if third.is_none() && stack.instances("apps").iter().filter(|id| unmapped(id)).count() >= 3 {
            third = Some(stack.now());
        }
    }
    Ok(third)
}

fn first_raised(stack: &Stack, metric: &str, after: Timestamp) -> Option<Timestamp> {
    let history = stack.metric_history(metric);
    history.into_iter().find(|(at, value)| *at >= after && *value > 0.0).map(|(at, _)| at)
}

/// Ways in which SSM delivers no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Every agent is silent for 90 minutes.
    AgentsSilent,
    /// Commands are taken, and none is delivered, for 90 minutes.
    NothingDelivered,
    /// A script version that prints no result line, for 60 minutes.
    NoResultLine,
}

/// A fleet without results: no gate may shut.
pub async fn silence(kind: Silence, seed: u64, n: usize) -> Result<(), String> {
    let stack = mapped_fleet(seed, n).await;
    let mut rng = fastrand::Rng::with_seed(seed);
    stack.until(stack.now() + SignedDuration::from_secs(rng.i64(0..1800))).await;
    expect(open(&stack).len() == n, "the fleet was not mapped to begin with")?;
    let ids = stack.instances("apps");
    let outcome = match kind {
        Silence::AgentsSilent => None,
        Silence::NothingDelivered => Some(Scripted::new("Undeliverable", -1, "")),
        Silence::NoResultLine => Some(Scripted::success("")),
    };
    for id in &ids {
        match &outcome {
            None => stack.local.aws().ssm_agent_falls_silent(id),
            outcome => stack.local.aws().world.host(id).always.clone_from(outcome),
        }
    }
    let minutes = if kind == Silence::NoResultLine { 60 } else { 90 };
    for _ in 0..minutes {
        stack.minutes(1).await;
        expect(open(&stack).len() == n, "a gate was shut without a result")?;
    }
    for id in &ids {
        stack.local.aws().world.host(id).always = None;
        if outcome.is_none() {
            stack.local.aws().ssm_agent_returns(id);
        }
    }
    stack.minutes(60).await;
    expect(open(&stack).len() == n, "a gate was shut after the silence")?;
    expect(calls(&stack, "UpdateContainerInstancesState") == 0, "an instance was drained")
}

fn expect(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}
