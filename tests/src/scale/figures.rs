//! What a wave took, read from the local AWS's own log of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{ANSWER, ECS_WRITES, LISTING_LAG, PARAMETER_READS, SEND_COMMANDS, SSM_READS};
use crate::demo::fleet_setup::CLUSTER;
use crate::fleet::Pace;
use crate::local_aws::ssm::commands::Invocation;
use crate::local_aws::{Call, LocalAws};
use crate::stack::{RUN_TIMEOUT, TICK, config_of};

/// What a wave took. Lists of times begin with the shortest.
#[derive(Debug)]
pub struct Figures {
    pub(super) instances: usize,
    /// How long the file server is away at first.
    pub(super) outage: Duration,
    /// Instances whose gate was not open at the end.
    pub(super) left_behind: usize,
    /// From the time at which a run would send, see the page, to the open gate.
    pub(super) waits: Vec<Duration>,
    /// From both agents online, and the file server back, to the open gate.
    pub(super) since_online: Vec<Duration>,
    /// From the launch to the open gate.
    pub(super) opened: Vec<Duration>,
    /// Scripts that started a `map` while the file server was away.
    pub(super) failed_maps: usize,
    /// How many calls were made, and how many of them were throttled, by caller and operation.
    pub(super) calls: BTreeMap<(String, String), [usize; 2]>,
    /// Most writes to ECS that one function made within a second.
    pub(super) most_writes: usize,
    /// The longest time that an event waited in its queue.
    pub(super) oldest_event: Duration,
    /// Messages in that queue.
    pub(super) messages: usize,
    /// How long each invocation of `map-share` and of `drain-unmapped` took.
    pub(super) invocations: [Vec<Duration>; 2],
    /// Bytes that the functions logged, including metrics.
    pub(super) logged: usize,
    /// What is promised of the 99th percentile of `waits`.
    pub(super) bound: Bound,
}

/// The promise is 1.3 × (the slowest of three rates, one look, and the script's time).
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// Five instances a `PutAttributes`, at `ECS_WRITES_PER_SECOND`.
    pub(super) writes: Duration,
    /// One `GetParameters` an instance.
    pub(super) parameters: Duration,
    /// Fifty instances a `SendCommand`.
    pub(super) sends: Duration,
    /// The part of a minute in which no run looks.
    pub(super) idle: Duration,
    /// The longest time until the controller looks again, and the calls of that look.
    pub(super) look: Duration,
    /// The longest time in which a host receives a command and runs it.
    pub(super) script: Duration,
}

/// What `drain-unmapped` keeps free at the end of a run.
const MARGIN: Duration = Duration::from_secs(4);

impl Bound {
    pub(super) fn of(n: usize) -> Self {
        let at = |count: usize, rate: u32| Duration::from_secs_f64(count as f64 / f64::from(rate));
        let pace = Pace::default();
        // Pages of commands, of invocations, of agents; descriptions before writes and at the start of a run.
        let calls = n.div_ceil(2500) + 2 * n.div_ceil(50) + 3 * n.div_ceil(100);
        let call = ANSWER.max(at(1, SSM_READS));
        let calls = call * u32::try_from(calls).expect("it fits");
        let idle = TICK - (RUN_TIMEOUT - MARGIN);
        Bound {
            idle,
            writes: at(n.div_ceil(5), ECS_WRITES),
            parameters: at(n, PARAMETER_READS),
            sends: at(n.div_ceil(50), SEND_COMMANDS),
            look: idle + calls,
            script: (pace.pick_up + pace.map).mul_f64(1.25) + LISTING_LAG,
        }
    }

    pub(super) fn promise(&self) -> Duration {
        let slowest = self.writes.max(self.parameters).max(self.sends);
        (slowest + self.look + self.script).mul_f64(1.3)
    }
}

impl Figures {
    /// How often the hosts asked for the parameters, and how often they were throttled.
    pub(super) fn parameter_reads(&self) -> [usize; 2] {
        self.calls.get(&("host".to_owned(), "GetParameters".to_owned())).copied().unwrap_or_default()
    }

    /// The 99th percentile of what is promised, and the promise. After an outage that is the time since the file server is back,
    /// and an instance may just have begun an attempt that still fails.
    pub(super) fn p99_and_promise(&self) -> (Duration, Duration) {
        if self.outage.is_zero() {
            return (percentile(&self.waits, 99), self.bound.promise());
        }
        let retry = config_of(&[CLUSTER], |_| None).policy.shared_cause_wait().unsigned_abs();
        let attempt = Pace::default().unreachable.mul_f64(1.25) + self.bound.look;
        (percentile(&self.since_online, 99), attempt + retry.mul_f64(1.1) + self.bound.promise())
    }

    /// Instances that were drained.
    pub(super) fn drained(&self) -> usize {
        let call = ("drain-unmapped".to_owned(), "UpdateContainerInstancesState".to_owned());
        self.calls.get(&call).map_or(0, |[made, _]| *made)
    }

    /// The promises that do not hold.
    pub fn broken_promises(&self) -> Vec<String> {
        let (p99, promised) = self.p99_and_promise();
        let most = usize::try_from(ECS_WRITES).expect("it fits");
        let promises = [
            (self.left_behind == 0, format!("{} instances are left behind", self.left_behind)),
            (self.waits.len() == self.instances, format!("only {} gates opened", self.waits.len())),
            (
                p99 <= promised,
                format!("p99 is {:.1} s, promised are {:.1} s", p99.as_secs_f64(), promised.as_secs_f64()),
            ),
            (self.drained() == 0, format!("{} were drained", self.drained())),
            (self.most_writes <= most, format!("{} writes within a second", self.most_writes)),
        ];
        promises.into_iter().filter(|(holds, _)| !holds).map(|(_, otherwise)| otherwise).collect()
    }
}

/// The value that `percent` of sorted values do not exceed.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

pub(super) fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times
}

/// The invocations of the commands with this `Action`.
pub(super) fn sent<'a>(aws: &'a LocalAws, action: &'a str) -> impl Iterator<Item = &'a Invocation> {
    let commands = aws.commands().filter(move |command| command.parameter("Action") == Some(action));
    commands.flat_map(|command| command.invocations())
}

/// When each `map` had mapped the share.
pub(super) fn let_in(aws: &LocalAws) -> impl Iterator<Item = Timestamp> {
    let mapped = sent(aws, "map").filter(|one| one.stdout.contains(r#""smbMapping":"mapped""#));
    mapped.filter_map(|one| one.finished())
}

/// When each instance's gate first opened, by EC2 id.
pub(super) fn opened(aws: &LocalAws) -> BTreeMap<String, Timestamp> {
    let instances = aws.container_instances(CLUSTER);
    let ec2_ids: BTreeMap<&str, &str> = instances.map(|one| (&*one.id, &*one.ec2_instance_id)).collect();
    let mut opened = BTreeMap::new();
    for call in aws.calls().iter().filter(|call| call.operation == "PutAttributes" && call.effect) {
        let request = call.request();
        let attributes = request["attributes"].as_array().into_iter().flatten();
        for one in attributes.filter(|one| one["name"] == "smb.G" && one["value"] == "mapped") {
            let id = one["targetId"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
            if let Some(id) = ec2_ids.get(id) {
                opened.entry((*id).to_owned()).or_insert(call.at);
            }
        }
    }
    opened
}

pub(super) fn calls(aws: &LocalAws) -> BTreeMap<(String, String), [usize; 2]> {
    let mut calls: BTreeMap<_, [usize; 2]> = BTreeMap::new();
    for call in aws.calls() {
        let key = (call.caller.0.to_string(), call.operation.clone());
        let [made, throttled] = calls.entry(key).or_default();
        *made += 1;
        *throttled += usize::from(call.error == Some("ThrottlingException"));
    }
    calls
}

/// Most writes to ECS that one function made within any second, including repeated ones.
pub(super) fn most_writes(aws: &LocalAws) -> usize {
    let writes = ["PutAttributes", "DeleteAttributes", "UpdateContainerInstancesState"];
    let most = |function: &str| {
        let is_write =
            |call: &&Call| &*call.caller.0 == function && writes.contains(&call.operation.as_str());
        let times: Vec<Timestamp> = aws.calls().iter().filter(is_write).map(|call| call.at).collect();
        let within = |(n, at): (usize, &Timestamp)| {
            times[n..].partition_point(|later| *later < *at + Duration::from_secs(1))
        };
        times.iter().enumerate().map(within).max().unwrap_or(0)
    };
    most("map-share").max(most("drain-unmapped"))
}
