//! What a seed draws, all of it before the story begins: settings, fleet, rates of faults, disturbances.
//!
//! Seeds differ in kind: about half of the kinds of disturbances and faults are in each, so that rare combinations are
//! met alone as well as in a crowd.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::chance::{FaultKind, Rates, draw_rates};
use super::deed::{Disturbance, Kind};
use super::draw::Draw;

/// How long disturbances and faults go on.
pub const STORY: Duration = Duration::from_secs(3 * 3600);

/// No fleet is larger.
pub const MOST_HOSTS: usize = 20;

/// Everything that a seed decides.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The functions' environment, beside what every stack has.
    pub variables: BTreeMap<&'static str, String>,
    /// The fleet that is there when the story begins.
    pub fleet: Fleet,
    /// How often which fault strikes.
    pub rates: Rates,
    /// Faults that are muted in a replay.
    pub muted: BTreeSet<u64>,
    /// What happens, by when it begins.
    pub story: Vec<Disturbance>,
    /// How the messages and the world behave.
    pub habits: Habits,
}

/// The fleet at the beginning, all in `apps` or, every third, in `batch`.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    /// So many hosts.
    pub hosts: u64,
    /// They were mapped by hand before.
    pub mapped_by_hand: bool,
    /// `batch` is watched, too.
    pub two_clusters: bool,
}

/// What stays the same throughout a story.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// How long a message that was not deleted stays invisible.
    pub visibility: Duration,
    /// Messages in one invocation of `map-share`.
    pub batch: usize,
    /// How much later listings show what happened, where they are late.
    pub ssm_lag: Duration,
    /// The same of ECS.
    pub ecs_lag: Duration,
    /// Bad log-ons that lock the account for half an hour; `None`: it never locks.
    pub lock_out: Option<usize>,
    /// From call to answer.
    pub answer: Duration,
    /// `StatusDetails` as documents print them.
    pub spaced_details: bool,
    /// A refused `PutAttributes` puts what stood before the target that is gone.
    pub partial_puts: bool,
    /// When the story ends, the parameters hold the directory's password.
    pub password_right_in_the_end: bool,
}

/// What is switched off of a plan, to find the least that still fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    /// Kinds of disturbances.
    pub kinds: BTreeSet<Kind>,
    /// Single disturbances, by their place in the plan.
    pub disturbances: BTreeSet<usize>,
    /// Kinds of faults.
    pub faults: BTreeSet<FaultKind>,
    /// Single faults, by their draw.
    pub muted: BTreeSet<u64>,
}

impl Plan {
    /// Draws a seed's plan.
    pub fn draw(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let variables = draw_variables(&mut rng);
        // Small ones more often: they are quick, and their thresholds are met more often.
        let hosts = if rng.u8(..) < 16 { 0 } else { 1 + (rng.f64().powi(2) * 14.0) as u64 };
        let fleet =
            Fleet { hosts, mapped_by_hand: rng.u8(..) < 80, two_clusters: hosts > 5 && rng.u8(..) < 80 };
        let rates = draw_rates(&mut rng);
        let habits = draw_habits(&mut rng);
        let story = draw_story(&mut rng, fleet.hosts);
        Plan { seed, variables, fleet, rates, muted: BTreeSet::new(), story, habits }
    }

    /// The same with something switched off.
    pub fn without(mut self, switches: &Switches) -> Self {
        self.rates.retain(|kind, _| !switches.faults.contains(kind));
        self.muted.clone_from(&switches.muted);
        let story = self.story.into_iter().enumerate();
        self.story = story
            .filter(|(place, one)| {
                !switches.disturbances.contains(place) && !switches.kinds.contains(&one.kind)
            })
            .map(|(_, one)| one)
            .collect();
        self
    }
}

fn draw_variables(rng: &mut fastrand::Rng) -> BTreeMap<&'static str, String> {
    let mut variables = BTreeMap::new();
    let mut one_of = |name, values: &[&str]| {
        variables.insert(name, values[rng.usize(0..values.len())].to_owned());
    };
    one_of("MODE", &["enforce", "enforce", "enforce", "enforce", "enforce", "enforce", "map", "report"]);
    one_of("RETRY_BASE_SECONDS", &["30", "30", "20", "45"]);
    one_of("MAX_ATTEMPTS", &["4", "4", "2", "6"]);
    one_of("REPROBE_MINUTES", &["15", "15", "6", "20"]);
    one_of("VERIFY_EVERY_MINUTES", &["30", "30", "20", "40", "30", "20", "25", "0"]);
    one_of("UNREACHABLE_AFTER_MINUTES", &["45"]);
    one_of("DRAIN_AFTER_MINUTES", &["15", "15", "6", "25"]);
    one_of("MAX_DRAIN_PERCENT", &["10", "10", "25", "40"]);
    one_of("BREAKER_PERCENT", &["20", "20", "35", "60"]);
    one_of("ECS_WRITES_PER_SECOND", &["10", "10", "2", "40"]);
    variables
}

fn draw_habits(rng: &mut fastrand::Rng) -> Habits {
    let millis = |rng: &mut fastrand::Rng, most| Duration::from_millis(rng.u64(0..=most));
    Habits {
        visibility: Duration::from_secs(if rng.bool() { 365 } else { 75 }),
        batch: if rng.bool() { 500 } else { rng.usize(1..=10) },
        ssm_lag: millis(rng, 4_000),
        ecs_lag: millis(rng, 3_000),
        lock_out: if rng.u8(..) < 200 { Some(rng.usize(4..=8)) } else { None },
        answer: Duration::from_millis(rng.u64(20..=150)),
        spaced_details: rng.bool(),
        partial_puts: rng.u8(..) < 64,
        password_right_in_the_end: rng.u8(..) < 220,
    }
}

/// How often a kind disturbs a story that has it, at most.
fn most_often(kind: Kind) -> usize {
    match kind {
        Kind::Tasks => 50,
        Kind::Operator => 14,
        Kind::Ssm | Kind::Ecs | Kind::Letter | Kind::Restart => 8,
        Kind::ScaleOut | Kind::ScaleIn | Kind::Host => 6,
        Kind::FileServer | Kind::Directory | Kind::Password => 3,
        Kind::Parameter | Kind::Cloud => 4,
    }
}

fn draw_story(rng: &mut fastrand::Rng, hosts: u64) -> Vec<Disturbance> {
    let mut moments: Vec<(Duration, Kind)> = Vec::new();
    for kind in Kind::ALL {
        if !rng.bool() && kind != Kind::Tasks {
            continue;
        }
        for _ in 0..rng.usize(1..=most_often(kind)) {
            moments.push((Duration::from_millis(rng.u64(0..STORY.as_millis() as u64)), kind));
        }
    }
    moments.sort();
    let mut draw = Draw { rng, there: (1..=hosts).collect(), next: hosts + 1, passwords: 1 };
    moments.into_iter().filter_map(|(at, kind)| draw.disturbance(at, kind)).collect()
}
