//! The steady state: every gate is open, and the fleet is checked for hours.

use std::time::Duration;

use jiff::Timestamp;
use shared::state::State;

use crate::demo::fleet_setup::CLUSTER;
use crate::fleet::{Letter, Mapping, PASSWORD, Pace, REMOTE, USER, World};
use crate::local_aws::in_process::in_virtual_time;
use crate::scenarios::base;
use crate::stack::Stack;

/// `VERIFY_EVERY_MINUTES`.
const PERIOD: Duration = Duration::from_secs(30 * 60);
/// How much older than the period the oldest proof may get.
const MARGIN: Duration = Duration::from_secs(10 * 60);
/// A check that takes longer is a long one.
const LONG: Duration = Duration::from_secs(15);
/// `page-ssm-unwell` is three minutes of three.
const PAGES_AFTER: usize = 3;

/// A fleet that is checked.
#[derive(Debug, Clone, Copy)]
pub struct SteadyState {
    /// How many instances.
    pub instances: usize,
    /// `REFUSAL_BUDGET`.
    pub budget: u32,
    /// What a check takes on average.
    pub check: Duration,
    /// How long it is watched.
    pub hours: u32,
}

/// What was seen.
#[derive(Debug)]
pub struct Steadiness {
    /// The fleet.
    pub state: SteadyState,
    /// The greatest age of any proof.
    pub oldest: Duration,
    /// What `CheckPeriodMinutes` said last.
    pub said: Duration,
    /// Minutes in which `page-ssm-unwell` was on.
    pub paged: usize,
    /// Gates that were shut at any time.
    pub shut: usize,
    /// The most checks that ran at one time: each may be a log-on.
    pub at_a_time: usize,
}

impl SteadyState {
    /// What the budget allows: every place makes one check after the other.
    pub fn formula(&self) -> Duration {
        self.check.mul_f64(self.instances as f64 / f64::from(self.budget - 1))
    }

    /// The promised age of the oldest proof. The last check of a command leaves places idle, longer where checks are long.
    pub fn promised(&self) -> Duration {
        let factor = if self.check > LONG { 1.25 } else { 1.2 };
        if self.formula() <= PERIOD + MARGIN { PERIOD + MARGIN } else { self.formula().mul_f64(factor) }
    }

    /// Runs in a runtime of its own, with paused time.
    pub fn study(self) -> Steadiness {
        in_virtual_time(run(self))
    }
}

impl Steadiness {
    /// The promises that were not kept.
    pub fn broken_promises(&self) -> Vec<String> {
        let promised = self.state.promised();
        let mut broken = Vec::new();
        if self.oldest > promised {
            broken.push(format!("the oldest proof was {:?} old, not {promised:?}", self.oldest));
        }
        if self.paged > 0 {
            broken.push(format!("SSM was called unwell for {} minutes", self.paged));
        }
        if self.shut > 0 {
            broken.push(format!("{} gates were shut", self.shut));
        }
        if self.at_a_time >= self.state.budget as usize {
            broken.push(format!("{} checks at a time", self.at_a_time));
        }
        broken
    }
}

async fn run(state: SteadyState) -> Steadiness {
    fastrand::seed(11);
    let stack = Stack::with(world(state), &[("REFUSAL_BUDGET", &state.budget.to_string())]);
    let (mut oldest, mut shut) = (Duration::ZERO, 0);
    for _ in 0..state.hours * 60 {
        stack.minutes(1).await;
        let now = stack.now();
        let mut closed = 0;
        for id in stack.instances(CLUSTER) {
            match stack.attributes(&id).state.state() {
                Some(State::Mapped { judged, .. }) => {
                    oldest = oldest.max(now.duration_since(*judged).unsigned_abs());
                }
                _ => closed += 1,
            }
        }
        shut = shut.max(closed);
    }
    let unwell: Vec<bool> =
        stack.metric_history("SsmUnwell").iter().map(|(_, value)| *value == 1.0).collect();
    let said = stack.metric_history("CheckPeriodMinutes").last().map_or(0.0, |(_, minutes)| *minutes);
    Steadiness {
        state,
        oldest,
        said: Duration::from_secs_f64(said * 60.0),
        paged: unwell.windows(PAGES_AFTER).filter(|minutes| minutes.iter().all(|one| *one)).count(),
        shut,
        at_a_time: at_a_time(&stack),
    }
}

/// Every gate is open, and the proofs are as old as they are in the middle of a long life.
pub(super) fn world(state: SteadyState) -> World {
    let age = state.formula().max(PERIOD);
    let began = base() - Duration::from_secs(48 * 3600);
    let mut world =
        World::new(11, base()).cluster(CLUSTER).with(|world| world.pace = Pace::of_checks(state.check));
    world.parameters.user.modified = began;
    world.parameters.password.modified = began;
    (0..state.instances).fold(world, |world, n| {
        let judged: Timestamp = base() - age.mul_f64(n as f64 / state.instances as f64);
        let logon = base() - Duration::from_secs(40 * 3600);
        world.windows_instance(CLUSTER, |host| {
            let value = format!("mapped {logon:.3} {judged:.3} {logon:.3}");
            host.attribute("smb.G", "mapped").attribute("smb.G.state", &value).with(|host| {
                host.booted = began;
                host.letter = Letter::Smb(Mapping::new(REMOTE, USER, PASSWORD));
            })
        })
    })
}

/// The most invocations that ran at one time.
fn at_a_time(stack: &Stack) -> usize {
    let aws = stack.local.aws();
    let mut changes: Vec<(Timestamp, i32)> = Vec::new();
    for invocation in aws.commands().flat_map(|command| command.invocations()) {
        let (Some(started), Some(finished)) = (invocation.started, invocation.finished()) else { continue };
        changes.extend([(started, 1), (finished, -1)]);
    }
    changes.sort_unstable();
    let mut running = 0;
    let most = changes.into_iter().map(|(_, change)| {
        running += change;
        running
    });
    usize::try_from(most.max().unwrap_or_default()).unwrap_or_default()
}
