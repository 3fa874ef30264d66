//! Generates a plan from its seed.
//!
//! Each kind of disturbance or fault is in about half of the plans, so that rare combinations occur both alone and among
//! many others. The order of all draws is part of every seed's history: a draw added in between changes all histories.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::fault_rates::generate_rates;
use super::lies;
use super::plan::{Conditions, FAULT_PERIOD, Fleet, MOST_HOSTS, Plan};
use super::refusal_events;
use super::world_event::{
    Disturbance, DisturbanceKind, FileServerState, HostNumber, HostProblem, LetterChange, OperatorAction,
    TimedEvent, UNUSUAL_RESULTS, WorldEvent,
};
use crate::fleet::{Hang, Readable};
use crate::local_aws::faults::{Fault, FaultRule};

impl Plan {
    /// The plan of a seed.
    pub fn generate(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut variables = variables(&mut rng);
        // Small fleets are more frequent: they are quick, and reach their thresholds more often.
        let hosts = if rng.u8(..) < 16 { 0 } else { 1 + (rng.f64().powi(2) * 14.0) as u64 };
        let fleet =
            Fleet { hosts, mapped_by_hand: rng.u8(..) < 80, two_clusters: hosts > 5 && rng.u8(..) < 80 };
        let rates = generate_rates(&mut rng);
        let mut conditions = conditions(&mut rng);
        let mut disturbances = disturbances(&mut rng, fleet.hosts);
        let mut of_refusals = fastrand::Rng::with_seed(!seed);
        conditions.ntlm = seed % 16 == 7;
        conditions.slow_checks = seed % 4 == 2;
        conditions.old_default = seed % 8 == 3;
        conditions.only_tagged = seed % 8 == 6;
        if seed % 8 == 1 {
            conditions.most_a_page = 7;
        }
        let budget = refusal_events::lock_out(&mut of_refusals, &mut conditions);
        variables.insert("REFUSAL_BUDGET", budget.to_string());
        disturbances.extend(refusal_events::disturbances(&mut of_refusals, fleet.hosts));
        if lies::is_lying(seed) {
            disturbances.extend(lies::disturbances(seed, fleet.hosts));
        }
        disturbances.sort_by_key(|one| one.events.first().map(|(at, _)| *at));
        Plan { seed, variables, fleet, rates, muted: BTreeSet::new(), disturbances, conditions }
    }
}

fn variables(rng: &mut fastrand::Rng) -> BTreeMap<&'static str, String> {
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

fn conditions(rng: &mut fastrand::Rng) -> Conditions {
    let millis = |rng: &mut fastrand::Rng, most| Duration::from_millis(rng.u64(0..=most));
    Conditions {
        visibility: Duration::from_secs(if rng.bool() { 365 } else { 75 }),
        batch: if rng.bool() { 500 } else { rng.usize(1..=10) },
        ssm_lag: millis(rng, 4_000),
        ecs_lag: millis(rng, 3_000),
        lock_out: if rng.u8(..) < 200 { Some(rng.usize(4..=8)) } else { None },
        multiplier: 1,
        ntlm: false,
        slow_checks: false,
        old_default: false,
        only_tagged: false,
        latency: Duration::from_millis(rng.u64(20..=150)),
        spaced_details: rng.bool(),
        partial_puts: rng.u8(..) < 64,
        most_a_page: usize::MAX,
        password_right_in_the_end: rng.u8(..) < 220,
    }
}

fn disturbances(rng: &mut fastrand::Rng, hosts: u64) -> Vec<Disturbance> {
    let mut moments: Vec<(Duration, DisturbanceKind)> = Vec::new();
    for (kind, most) in DisturbanceKind::OTHERS {
        if !rng.bool() && kind != DisturbanceKind::Tasks {
            continue;
        }
        for _ in 0..rng.usize(1..=most) {
            moments.push((Duration::from_millis(rng.u64(0..FAULT_PERIOD.as_millis() as u64)), kind));
        }
    }
    moments.sort();
    let mut generator = Generator { rng, existing: (1..=hosts).collect(), next: hosts + 1, passwords: 1 };
    moments.into_iter().filter_map(|(at, kind)| generator.disturbance(at, kind)).collect()
}

struct Generator<'r> {
    rng: &'r mut fastrand::Rng,
    /// Hosts launched so far and not terminated.
    existing: Vec<HostNumber>,
    next: HostNumber,
    /// How many passwords there have been.
    passwords: u32,
}

const CALLS: [&str; 9] = [
    "ListContainerInstances",
    "DescribeContainerInstances",
    "ListCommands",
    "ListCommandInvocations",
    "DescribeInstanceInformation",
    "DescribeParameters",
    "PutAttributes",
    "SendCommand",
    "UpdateContainerInstancesState",
];

impl Generator<'_> {
    /// A disturbance of that kind that begins then; `None` if there is no host for it.
    fn disturbance(&mut self, at: Duration, kind: DisturbanceKind) -> Option<Disturbance> {
        let events = match kind {
            DisturbanceKind::ScaleOut => self.scale_out(at),
            DisturbanceKind::ScaleIn => self.scale_in(at)?,
            DisturbanceKind::Restart => self.restart(at)?,
            DisturbanceKind::DriveLetter => {
                let change = self.letter_change();
                let hosts = self.some_hosts()?.into_iter();
                hosts.map(|host| (at, WorldEvent::ChangeLetter(host, change))).collect()
            }
            DisturbanceKind::Host => self.host(at)?,
            DisturbanceKind::FileServer => self.file_server(at),
            DisturbanceKind::Directory => {
                let code = self.one_of(&[1355, 1311, 1331, 1907, 1385]);
                let end = at + self.minutes(1, 40);
                vec![
                    (at, WorldEvent::DirectoryRefuses(Some(code))),
                    (end, WorldEvent::DirectoryRefuses(None)),
                ]
            }
            DisturbanceKind::Password => self.password(at),
            DisturbanceKind::Parameter => {
                use Readable::{Denied, KmsDenied, Missing, Unreachable};
                let readable = self.one_of(&[Missing, Denied, KmsDenied, Unreachable]);
                let end = at + self.minutes(1, 40);
                vec![(at, WorldEvent::Parameter(readable)), (end, WorldEvent::Parameter(Readable::Yes))]
            }
            DisturbanceKind::Ssm => self.ssm(at)?,
            DisturbanceKind::Ecs => self.ecs(at)?,
            DisturbanceKind::Operator => self.operator(at)?,
            DisturbanceKind::Tasks => match self.rng.u8(0..4) {
                0 => vec![(at, WorldEvent::StopTasks(self.rng.usize(1..=3)))],
                _ => {
                    let (count, with_share) = (self.rng.usize(1..=4), self.rng.u8(0..4) > 0);
                    vec![(at, WorldEvent::RunTasks { count, with_share })]
                }
            },
            DisturbanceKind::Cloud => self.cloud(at),
            _ => return None,
        };
        Some(Disturbance { kind, events })
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.rng.usize(0..values.len())]
    }

    /// A duration between two numbers of minutes.
    fn minutes(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_secs(self.rng.u64(least * 60..=most * 60))
    }

    fn one_host(&mut self) -> Option<HostNumber> {
        if self.existing.is_empty() {
            return None;
        }
        Some(self.existing[self.rng.usize(0..self.existing.len())])
    }

    /// One host, a few, or sometimes all.
    fn some_hosts(&mut self) -> Option<Vec<HostNumber>> {
        let first = self.one_host()?;
        let mut some = vec![first];
        match self.rng.u8(0..10) {
            0 => some.clone_from(&self.existing),
            1..=3 => some.extend((0..3).filter_map(|_| self.one_host())),
            _ => {}
        }
        some.sort_unstable();
        some.dedup();
        Some(some)
    }

    fn letter_change(&mut self) -> LetterChange {
        use LetterChange::{Disk, OldPassword, OtherShare, Unmapped, WrongStatus};
        self.one_of(&[Unmapped, Unmapped, Unmapped, OtherShare, Disk, OldPassword, WrongStatus])
    }

    fn host_problem(&mut self) -> HostProblem {
        use HostProblem::{DnsBroken, OutsideDomain, Port445Blocked, ScriptHangs, ScriptSlow};
        let slow = ScriptSlow(Duration::from_secs(self.rng.u64(10..700)));
        let hangs = ScriptHangs(self.one_of(&[Hang::Call, Hang::Process, Hang::Child]));
        self.one_of(&[Port445Blocked, Port445Blocked, DnsBroken, hangs, slow, OutsideDomain])
    }

    fn scale_out(&mut self, at: Duration) -> Vec<TimedEvent> {
        let room = MOST_HOSTS.saturating_sub(self.existing.len());
        let wave = self.rng.usize(1..=8).min(room);
        // In a large wave SSM registers all agents late, at about the same time.
        let late = if self.rng.u8(0..4) == 0 { self.minutes(1, 12) } else { Duration::ZERO };
        let mut events = Vec::new();
        for _ in 0..wave {
            let host = self.next;
            self.next += 1;
            self.existing.push(host);
            let at = at + Duration::from_millis(self.rng.u64(0..20_000));
            let agent_late_by = late + Duration::from_secs(self.rng.u64(0..90));
            let (mut problem, mut letter) = (None, None);
            match self.rng.u8(0..12) {
                0 => {
                    problem = Some(HostProblem::OutsideDomain);
                    events.push((at + self.minutes(1, 9), WorldEvent::JoinDomain(host)));
                }
                1 => {
                    let of_host = self.host_problem();
                    problem = Some(of_host);
                    if self.rng.bool() {
                        events.push((at + self.minutes(10, 80), WorldEvent::ProblemEnds(host, of_host)));
                    }
                }
                2 => letter = Some(self.letter_change()),
                _ => {}
            }
            events.push((at, WorldEvent::Launch { host, agent_late_by, problem, letter }));
        }
        events
    }

    fn scale_in(&mut self, at: Duration) -> Option<Vec<TimedEvent>> {
        let hosts = self.some_hosts()?;
        self.existing.retain(|host| !hosts.contains(host));
        let notice = self.rng.u8(0..4);
        let end = at + self.minutes(1, 5);
        let mut events = Vec::new();
        for host in hosts {
            match notice {
                0 => events.push((at, WorldEvent::SpotInterruptionWarning(host))),
                1 => events.push((at, WorldEvent::TerminateLifecycleAction(host))),
                // Managed draining: the capacity provider drains the instance before it ends.
                2 => {
                    events.push((at, WorldEvent::TerminateLifecycleAction(host)));
                    events.push((at, WorldEvent::Operator(host, OperatorAction::Drain)));
                }
                _ => {}
            }
            events.push((if notice == 3 { at } else { end }, WorldEvent::Terminate(host)));
        }
        Some(events)
    }

    fn restart(&mut self, at: Duration) -> Option<Vec<TimedEvent>> {
        let hosts = self.some_hosts()?;
        let back = at + self.minutes(1, 20);
        let is_reboot = self.rng.bool();
        let loses_mapping = self.rng.u8(0..3) == 0;
        let mut events = Vec::new();
        for host in hosts {
            if is_reboot {
                events.push((at, WorldEvent::Reboot(host)));
            } else {
                events.extend([(at, WorldEvent::Stop(host)), (back, WorldEvent::Start(host))]);
            }
            if loses_mapping {
                events.push((at, WorldEvent::ChangeLetter(host, LetterChange::Unmapped)));
            }
        }
        Some(events)
    }

    fn host(&mut self, at: Duration) -> Option<Vec<TimedEvent>> {
        let problem = self.host_problem();
        let ends = self.rng.u8(0..4) > 0;
        let end = at + self.minutes(2, 80);
        let mut events = Vec::new();
        for host in self.some_hosts()? {
            events.push((at, WorldEvent::ProblemBegins(host, problem)));
            if ends {
                events.push((end, WorldEvent::ProblemEnds(host, problem)));
            }
        }
        Some(events)
    }

    fn file_server(&mut self, at: Duration) -> Vec<TimedEvent> {
        use FileServerState::{Down, Healthy, ReadError, SessionsEnd, ShareRenamed, Unresolved};
        let read_error = ReadError(self.one_of(&[5, 2, 53, 59, 64]));
        let state = self.one_of(&[Down, Down, SessionsEnd, Unresolved, ShareRenamed, read_error]);
        // A fail-over takes up to two minutes, maintenance half an hour.
        let duration =
            if self.rng.bool() { Duration::from_secs(self.rng.u64(20..150)) } else { self.minutes(10, 40) };
        vec![(at, WorldEvent::FileServer(state)), (at + duration, WorldEvent::FileServer(Healthy))]
    }

    fn password(&mut self, at: Duration) -> Vec<TimedEvent> {
        use WorldEvent::{DirectoryPassword, ParameterPassword};
        self.passwords += 1;
        let new = self.passwords;
        let later = at + self.minutes(0, 50);
        match self.rng.u8(0..4) {
            0 => vec![(at, DirectoryPassword(new)), (at, ParameterPassword(new))],
            1 => vec![(at, DirectoryPassword(new)), (later, ParameterPassword(new))],
            2 => vec![(at, ParameterPassword(new)), (later, DirectoryPassword(new))],
            // A wrong password by mistake, then the right one again.
            _ => vec![(at, ParameterPassword(1000 + new)), (later, ParameterPassword(new - 1))],
        }
    }

    fn ssm(&mut self, at: Duration) -> Option<Vec<TimedEvent>> {
        let end = at + self.minutes(2, 100);
        let result = self.rng.usize(0..UNUSUAL_RESULTS.len());
        let times = self.rng.usize(1..=4);
        let is_silent = self.rng.bool();
        let mut events = Vec::new();
        for host in self.some_hosts()? {
            if is_silent {
                events.push((at, WorldEvent::SsmAgentSilent(host)));
                events.push((end, WorldEvent::SsmAgentReturns(host)));
            } else {
                events.extend((0..times).map(|_| (at, WorldEvent::UnusualResult(host, result))));
            }
        }
        Some(events)
    }

    fn ecs(&mut self, at: Duration) -> Option<Vec<TimedEvent>> {
        let back = at + Duration::from_secs(self.rng.u64(2..900));
        let registers_again = self.rng.u8(0..4) == 0;
        let mut events = Vec::new();
        for host in self.some_hosts()? {
            if registers_again {
                events.push((at, WorldEvent::RegisterAgain(host)));
            } else {
                events.push((at, WorldEvent::EcsAgentConnected(host, false)));
                events.push((back, WorldEvent::EcsAgentConnected(host, true)));
            }
        }
        Some(events)
    }

    fn operator(&mut self, at: Duration) -> Option<Vec<TimedEvent>> {
        use OperatorAction::*;
        let host = self.one_host()?;
        let number = self.rng.usize(0..3);
        let does = |action| WorldEvent::Operator(host, action);
        let later = at + self.minutes(1, 40);
        Some(match self.rng.u8(0..12) {
            0 | 1 => vec![(at, does(Drain))],
            2 | 3 => vec![(at, does(Activate))],
            4 => vec![(at, does(Drain)), (later, does(Activate))],
            5 => vec![(at, does(Hold))],
            6 => vec![(at, does(Hold)), (later, does(ReleaseHold))],
            7 => vec![(at, does(Deregister))],
            8 => vec![(at, does(DeleteAttribute(number)))],
            9 => vec![(at, does(OverwriteAttribute(number)))],
            10 => vec![(at, does(self.one_of(&[OpenGate, ShutGate])))],
            _ => vec![(at, WorldEvent::InvokeByHand(self.some_hosts()?))],
        })
    }

    fn cloud(&mut self, at: Duration) -> Vec<TimedEvent> {
        let operation = self.one_of(&CALLS);
        let fault = match self.rng.u8(0..6) {
            0 => Fault::Throttle,
            1 => Fault::ErrorBefore(500),
            2 => Fault::ErrorAfter(503),
            3 => Fault::AnswerLost,
            4 => Fault::NotReached,
            _ => Fault::Late(Duration::from_secs(6)),
        };
        let times = self.rng.u32(1..60);
        match self.rng.u8(0..5) {
            0 => vec![(at, WorldEvent::EndSandboxes)],
            1 => {
                let rate = self.rng.u32(10..39);
                let end = at + self.minutes(1, 30);
                vec![(at, WorldEvent::CustomerWrites(rate)), (end, WorldEvent::CustomerWrites(0))]
            }
            _ => vec![(at, WorldEvent::Outage(FaultRule::once(operation, fault).times(times)))],
        }
    }
}
