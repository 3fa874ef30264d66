//! What a wave took, read from the local AWS's own log of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Assumptions;
use super::source::{Source, Told};
use crate::fleet::Pace;
use crate::local_aws::{Call, LocalAws};
use crate::stack::{RUN_TIMEOUT, TICK};

/// What is left when a wave has come in.
pub(super) struct Raw<'w> {
    pub(super) instances: usize,
    pub(super) assumptions: &'w Assumptions,
    pub(super) aws: &'w LocalAws,
    pub(super) online: &'w BTreeMap<String, Timestamp>,
    pub(super) sweeps: &'w [Duration],
    pub(super) source: &'w Source,
    pub(super) logged: usize,
}

/// How many calls of an operation were made, and how many of them throttled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// All, with those that the SDK repeated.
    pub made: usize,
    /// `ThrottlingException`.
    pub throttled: usize,
}

/// Everything that is told of a wave.
#[derive(Debug)]
pub struct Figures {
    /// How many instances.
    pub instances: usize,
    /// Those whose gate was not open at the end.
    pub left_behind: usize,
    /// From the later of (both agents online, the canary's proof) to the open gate, shortest first.
    pub waits: Vec<Duration>,
    /// From both agents online to the open gate, shortest first.
    pub since_online: Vec<Duration>,
    /// When each gate opened, from the launch on, earliest first.
    pub opened: Vec<Duration>,
    /// By caller and operation.
    pub calls: BTreeMap<(String, String), Calls>,
    /// Most writes to ECS that one function made within a second.
    pub most_writes: usize,
    /// Results by their cause, `mapped` among them.
    pub results: BTreeMap<String, usize>,
    /// Longest that an event waited in its queue.
    pub oldest_event: Duration,
    /// Messages in that queue.
    pub messages: usize,
    /// Messages that came again, and that became dead letters.
    pub again: (usize, usize),
    /// How long the invocations of `map-share` and `drain-unmapped` took.
    pub invocations: [Vec<Duration>; 2],
    /// Bytes that the functions logged, their metrics among them.
    pub logged: usize,
    /// What is promised of the 99th percentile of `waits`.
    pub bound: Bound,
}

/// The bound: 1.3 × (the slowest of three rates, one look, and the script's time).
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Five instances a `PutAttributes`, at `ECS_WRITES_PER_SECOND`.
    pub writes: Duration,
    /// One `GetParameters` an instance.
    pub parameters: Duration,
    /// Fifty instances a `SendCommand`.
    pub sends: Duration,
    /// Longest until the controller looks again, and the calls that it looks with.
    pub look: Duration,
    /// Longest that a host takes to pick a command up and to carry it out.
    pub script: Duration,
}

/// Kept back at the end of a run, as `drain-unmapped` has it.
const MARGIN: Duration = Duration::from_secs(4);

impl Bound {
    fn of(n: usize, assumptions: &Assumptions) -> Self {
        let at = |count: usize, rate: u32| Duration::from_secs_f64(count as f64 / f64::from(rate.max(1)));
        let pace = Pace::default();
        // Pages of commands, of their invocations, of agents; descriptions before the writes and of a new run.
        let calls = n.div_ceil(2500) + 2 * n.div_ceil(50) + 3 * n.div_ceil(100);
        let call = assumptions.answer.max(at(1, assumptions.ssm_reads));
        let calls = call * u32::try_from(calls).expect("it fits");
        Bound {
            writes: at(n.div_ceil(5), assumptions.ecs_writes),
            parameters: at(n, assumptions.parameter_reads),
            sends: at(n.div_ceil(50), assumptions.send_commands),
            look: TICK - (RUN_TIMEOUT - MARGIN) + calls,
            script: (pace.pick_up + pace.map).mul_f64(1.25) + assumptions.listing_lag,
        }
    }

    /// The largest of the three rates' times: the first bottleneck.
    pub fn slowest(&self) -> Duration {
        self.writes.max(self.parameters).max(self.sends)
    }

    /// The promise.
    pub fn promise(&self) -> Duration {
        (self.slowest() + self.look + self.script).mul_f64(1.3)
    }
}

impl Figures {
    pub(super) fn of(raw: Raw<'_>) -> Self {
        let Raw { instances, assumptions, aws, online, sweeps, source, logged } = raw;
        let proof = first_proof(aws);
        let opened = opened(aws);
        let since = |from: &dyn Fn(&Timestamp) -> Timestamp| -> Vec<Duration> {
            let waits = opened.iter().filter_map(|(id, at)| {
                let from = from(online.get(id)?);
                Some(Duration::try_from(at.duration_since(from)).unwrap_or_default())
            });
            sorted(waits)
        };
        let Told { messages, oldest, invocations, again } = &*source.told.borrow();
        Figures {
            instances,
            left_behind: instances - still_open(aws),
            waits: since(&|online| proof.map_or(*online, |proof| proof.max(*online))),
            since_online: since(&|online| *online),
            opened: sorted(opened.values().map(|at| at.duration_since(aws.world.base).unsigned_abs())),
            calls: calls(aws),
            most_writes: ["map-share", "drain-unmapped"]
                .map(|name| most_writes(aws, name))
                .into_iter()
                .max()
                .unwrap_or(0),
            results: results(aws),
            oldest_event: *oldest,
            messages: *messages,
            again: (*again, source.dead_letters()),
            invocations: [invocations.clone(), sweeps.to_vec()],
            logged,
            bound: Bound::of(instances, assumptions),
        }
    }

    /// Calls made and throttled, of these callers and operations.
    pub fn count(&self, of: impl Fn(&str, &str) -> bool) -> Calls {
        let all = self.calls.iter().filter(|((caller, operation), _)| of(caller, operation));
        all.fold(Calls::default(), |sum, (_, calls)| Calls {
            made: sum.made + calls.made,
            throttled: sum.throttled + calls.throttled,
        })
    }

    /// What does not hold of what is promised.
    pub fn broken_promises(&self, assumptions: &Assumptions) -> Vec<String> {
        let (p99, promised) = (percentile(&self.waits, 99), self.bound.promise());
        let most = usize::try_from(assumptions.ecs_writes).expect("it fits");
        let promises = [
            (self.left_behind == 0, format!("{} instances are left behind", self.left_behind)),
            (self.waits.len() == self.instances, format!("only {} gates opened", self.waits.len())),
            (
                p99 <= promised,
                format!("p99 is {:.1} s, promised are {:.1} s", p99.as_secs_f64(), promised.as_secs_f64()),
            ),
            (self.most_writes <= most, format!("{} writes within a second", self.most_writes)),
        ];
        promises.into_iter().filter(|(holds, _)| !holds).map(|(_, otherwise)| otherwise).collect()
    }
}

/// The value that so many percent do not exceed, of sorted ones.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times
}

/// When the first script had mapped the share, and so had proven the password.
fn first_proof(aws: &LocalAws) -> Option<Timestamp> {
    let invocations = aws.commands().flat_map(|command| command.invocations());
    invocations.filter(|one| word(one.stdout()) == "mapped").filter_map(|one| one.finished()).min()
}

/// `mapped`, or the cause that a result line names.
fn word(stdout: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(stdout).unwrap_or_default();
    let word = line["cause"].as_str().or(line["smbMapping"].as_str());
    word.unwrap_or("none").to_owned()
}

fn results(aws: &LocalAws) -> BTreeMap<String, usize> {
    let mut results = BTreeMap::new();
    for one in aws.commands().flat_map(|command| command.invocations()) {
        *results.entry(word(one.stdout())).or_default() += 1;
    }
    results
}

/// When each instance's gate first opened, by EC2 id.
fn opened(aws: &LocalAws) -> BTreeMap<String, Timestamp> {
    let cluster = crate::demo::cast::CLUSTER;
    let by_arn: BTreeMap<&str, &str> =
        aws.container_instances(cluster).map(|one| (&*one.id, &*one.ec2_instance_id)).collect();
    let mut opened = BTreeMap::new();
    for call in aws.calls().iter().filter(|call| call.operation == "PutAttributes" && call.effect) {
        let request = call.request();
        let attributes = request["attributes"].as_array().into_iter().flatten();
        for one in attributes.filter(|one| one["name"] == "smb.G" && one["value"] == "mapped") {
            let target = one["targetId"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
            if let Some(id) = by_arn.get(target) {
                opened.entry((*id).to_owned()).or_insert(call.at);
            }
        }
    }
    opened
}

fn still_open(aws: &LocalAws) -> usize {
    let all = aws.container_instances(crate::demo::cast::CLUSTER);
    all.filter(|one| one.attribute("smb.G") == Some("mapped")).count()
}

fn calls(aws: &LocalAws) -> BTreeMap<(String, String), Calls> {
    let mut calls: BTreeMap<_, Calls> = BTreeMap::new();
    for call in aws.calls() {
        let count = calls.entry((call.caller.0.to_string(), call.operation.clone())).or_default();
        count.made += 1;
        count.throttled += usize::from(call.error == Some("ThrottlingException"));
    }
    calls
}

/// Most writes to ECS of one function's within any second, repeated ones included.
fn most_writes(aws: &LocalAws, function: &str) -> usize {
    let is_write = |call: &&Call| {
        let writes = ["PutAttributes", "DeleteAttributes", "UpdateContainerInstancesState"];
        &*call.caller.0 == function && writes.contains(&call.operation.as_str())
    };
    let times: Vec<Timestamp> = aws.calls().iter().filter(is_write).map(|call| call.at).collect();
    let within = |(n, at): (usize, &Timestamp)| {
        times[n..].partition_point(|later| *later < *at + Duration::from_secs(1))
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}
