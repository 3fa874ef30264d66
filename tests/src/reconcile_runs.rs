//! AWS calls that reconcile runs make, beside the fewest that pages allow: a fleet in steady state with one broken host.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use shared::state::State;

use crate::fleet::{Host, Letter, Mapping, PASSWORD, REMOTE, USER, World};
use crate::local_aws::ecs::instances::Status;
use crate::scenarios::base;
use crate::stack::Stack;

/// The figures of some reconcile runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconcileRuns {
    /// Instances, one of them broken.
    pub instances: usize,
    /// Reconcile runs, one a minute.
    pub runs: usize,
    /// AWS calls made, by operation.
    pub made: BTreeMap<String, usize>,
    /// AWS calls needed, by operation.
    pub bound: BTreeMap<&'static str, usize>,
}

impl ReconcileRuns {
    /// All calls made.
    pub fn calls(&self) -> usize {
        self.made.values().sum()
    }

    /// All calls needed.
    pub fn fewest(&self) -> usize {
        self.bound.values().sum()
    }

    /// Calls made for each one needed.
    pub fn ratio(&self) -> f64 {
        self.calls() as f64 / self.fewest().max(1) as f64
    }
}

impl fmt::Display for ReconcileRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} instances, {} reconcile runs, one broken host\n", self.instances, self.runs)?;
        writeln!(f, "| call | made | bound |\n|---|---:|---:|")?;
        for (operation, calls) in &self.made {
            let bound = self.bound.get(operation.as_str()).copied().unwrap_or_default();
            writeln!(f, "| {operation} | {calls} | {bound} |")?;
        }
        writeln!(f, "| **all** | **{}** | **{}** |\n\nratio {:.3}", self.calls(), self.fewest(), self.ratio())
    }
}

/// Plays that many reconcile runs with that many instances. All have been mapped for hours, but for one with a disk on the
/// letter. Needs a runtime with paused time.
///
/// # Panics
/// If the broken one is not drained, or another one is.
pub async fn steady(instances: usize, runs: usize) -> ReconcileRuns {
    let world = (1..instances).fold(World::new(9, base()).cluster("apps"), |world, n| {
        world.windows_instance("apps", |host| mapped(host, n))
    });
    let world = world.windows_instance("apps", |host| host.named("i-0000000000disk000").disk_on_letter());
    let stack = Stack::new(world);
    stack.local.aws().keep_events = false;
    let mut figures = ReconcileRuns { instances, runs, ..ReconcileRuns::default() };
    for run in 1..=runs {
        stack.local.aws().forget_calls();
        stack.until(base() + SignedDuration::from_mins(i64::try_from(run).expect("it fits"))).await;
        count(&stack, &mut figures);
    }
    assert_eq!(stack.status("i-0000000000disk000"), Status::Draining, "the broken one is drained");
    assert_eq!(figures.made.get("UpdateContainerInstancesState"), Some(&1), "exactly one drain");
    figures
}

/// A host that has been mapped for hours. Hosts were proven at different times.
fn mapped(host: Host, n: usize) -> Host {
    let logon = base() - SignedDuration::from_hours(5);
    let judged = base() - SignedDuration::from_secs(i64::try_from(n % 1_500).expect("it fits"));
    let state = State::Mapped { since: logon, judged, logon: Some(logon) };
    let mapping = Mapping::new(REMOTE, USER, PASSWORD);
    host.attribute("smb.G", "mapped")
        .attribute("smb.G.state", &state.print())
        .with(|host| host.letter = Letter::Smb(mapping))
}

/// Counts the calls of one run, and the fewest that its work needs.
fn count(stack: &Stack, figures: &mut ReconcileRuns) {
    let ReconcileRuns { instances, made, bound, .. } = figures;
    let aws = stack.local.aws();
    let since: Timestamp = stack.now() - shared::config::Policy::default().history_window();
    let commands = aws.commands().filter(|command| command.requested() >= since).count();
    let mut targets = 0;
    let (mut states, mut others, mut drains) = (0_usize, 0_usize, 0_usize);
    let mut looked_at = std::collections::BTreeSet::new();
    for call in aws.calls().iter().filter(|call| &*call.caller.0 == "drain-unmapped") {
        *made.entry(call.operation.clone()).or_default() += 1;
        let request = call.request();
        let length = |member: &str| request[member].as_array().map_or(0, Vec::len);
        match call.operation.as_str() {
            "SendCommand" => targets += length("InstanceIds"),
            "ListCommandInvocations" => {
                looked_at.insert(request["CommandId"].to_string());
            }
            "PutAttributes" => {
                let attributes = request["attributes"].as_array().expect("a list");
                let is_drain = |a: &&serde_json::Value| a["name"] == "smb.G.drain";
                others += attributes.iter().filter(is_drain).count();
                states += attributes.iter().filter(|a| !is_drain(a)).count();
            }
            "UpdateContainerInstancesState" => drains += 1,
            _ => {}
        }
    }
    let pages = instances.div_ceil(100);
    let mut add = |operation, calls| *bound.entry(operation).or_default() += calls;
    add("ListContainerInstances", pages);
    // The fleet, and once more each instance just before a write to it.
    add("DescribeContainerInstances", pages + states.div_ceil(100));
    add("ListCommands", commands.div_ceil(50).max(1));
    // Each command has at most 50 targets, which are one page.
    add("ListCommandInvocations", looked_at.len());
    add("DescribeParameters", 1);
    add("DescribeInstanceInformation", targets.div_ceil(50));
    add("SendCommand", targets.div_ceil(50));
    add("PutAttributes", states.div_ceil(10) + others);
    add("UpdateContainerInstancesState", drains);
}
