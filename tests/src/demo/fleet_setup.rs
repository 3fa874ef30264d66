//! The instances of the demo, their faults, and the task definitions.

use super::options::Options;
use crate::fleet::{self, Host, InstanceId, Pace, Platform, World};
use crate::local_aws::LocalAws;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::iter::repeat_n;
use std::time::Duration;

/// The cluster that the functions watch.
pub const CLUSTER: &str = "windows-apps";
/// The task definition that requires `smb.G == mapped`.
pub(super) const WITH_CONSTRAINT: &str = "orders";
/// The same task definition without that constraint.
pub(super) const WITHOUT_CONSTRAINT: &str = "orders-without-constraint";
/// How much later than others the late SSM agent comes online.
const LATE_BY: Duration = Duration::from_secs(4);
const WRONG_PASSWORD: &str = "battery staple";

/// What is special about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the cluster before the first deployment, as is the next one.
    Existing,
    DrainedByOperator,
    /// Scales out healthy. All below scale out, too.
    ScaleOut,
    LateAgent,
    /// A local disk has the drive letter.
    DiskOnLetter,
    Port445Blocked,
    OutsideDomain,
    DnsBroken,
    Linux,
    /// A Windows EC2 instance that is in no cluster.
    Foreign,
}

/// The faults that `--fail` gives to instances, in turn.
const FAULTS: [Kind; 3] = [Kind::Port445Blocked, Kind::OutsideDomain, Kind::DnsBroken];

impl Kind {
    /// What it is called in tables and charts, and the cause that the functions must find if it cannot be mapped.
    fn label_and_cause(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Existing => ("existing", None),
            Self::DrainedByOperator => ("operator's drain", None),
            Self::ScaleOut => ("scale-out", None),
            Self::LateAgent => ("late agent", None),
            Self::DiskOnLetter => ("disk on G:", Some("drive-in-use")),
            Self::Port445Blocked => ("port 445 blocked", Some("port-445")),
            Self::OutsideDomain => ("outside the domain", Some("not-domain-joined")),
            Self::DnsBroken => ("DNS broken", Some("dns")),
            Self::Linux => ("Linux", None),
            Self::Foreign => ("in no cluster", None),
        }
    }

    pub(super) fn label(self) -> &'static str {
        self.label_and_cause().0
    }

    pub(super) fn true_cause(self) -> Option<&'static str> {
        self.label_and_cause().1
    }

    /// Whether it has one of the faults of `--fail`.
    pub(super) fn is_faulty(self) -> bool {
        FAULTS.contains(&self)
    }

    /// Whether it is a Windows container instance of the watched cluster.
    pub(super) fn is_watched(self) -> bool {
        !matches!(self, Self::Linux | Self::Foreign)
    }

    fn change(self, host: Host) -> Host {
        match self {
            Self::DrainedByOperator => host.drained_by_operator(),
            Self::LateAgent => host.with(|host| host.agent_late_by = LATE_BY),
            Self::DiskOnLetter => host.disk_on_letter(),
            Self::Port445Blocked => host.port_445_blocked(),
            Self::OutsideDomain => host.outside_domain(),
            Self::DnsBroken => host.with(|host| host.dns_broken = true),
            Self::Existing | Self::ScaleOut | Self::Linux | Self::Foreign => host,
        }
    }
}

/// An instance of the demo.
#[derive(Debug, Clone)]
pub(super) struct DemoInstance {
    pub(super) id: InstanceId,
    pub(super) kind: Kind,
}

/// The instances that exist before the first deployment, and those that scale out later.
///
/// One in thirteen is Linux, one in nine existed before. One each was drained by an operator, has a disk on the letter and
/// has a late agent. Of the rest, `fail` percent have a fault.
fn kinds(options: &Options) -> (Vec<Kind>, Vec<Kind>) {
    let linux = (options.instances / 13).max(1);
    let windows = options.instances - linux;
    let existing = (windows / 9).clamp(1, 12);
    let rest = windows - (existing + 3);
    let faulty = (rest * options.fail).div_ceil(100);
    let before = repeat_n(Kind::Existing, existing).chain([Kind::DrainedByOperator, Kind::Linux]);
    let after = repeat_n(Kind::ScaleOut, rest - faulty)
        .chain([Kind::LateAgent, Kind::DiskOnLetter])
        .chain(FAULTS.into_iter().cycle().take(faulty))
        .chain(repeat_n(Kind::Linux, linux - 1))
        .chain([Kind::Foreign]);
    (before.collect(), after.collect())
}

/// The world before the first deployment, and the instances in it.
pub(super) fn world(options: &Options, base: Timestamp) -> (World, Vec<DemoInstance>) {
    let ms = Duration::from_millis;
    // SSM agents are online before ECS agents register their hosts, apart from the late one.
    let pace = Pace { ssm_agent: ms(200), pick_up: ms(250), map: ms(1200), ..Pace::quick() };
    let mut world = World::new(options.seed, base)
        .cluster(CLUSTER)
        .pace(pace)
        .task_definition(task_definition(WITH_CONSTRAINT, true))
        .task_definition(task_definition(WITHOUT_CONSTRAINT, false));
    let (before, _) = kinds(options);
    for kind in &before {
        world = match kind {
            Kind::Linux => world.linux_instance(CLUSTER, |host| host),
            kind => world.windows_instance(CLUSTER, |host| kind.change(host)),
        };
    }
    // Ids rise in the order in which hosts are added.
    let instances = world.hosts.keys().cloned().zip(before).map(|(id, kind)| DemoInstance { id, kind });
    let instances = instances.collect();
    if options.wrong_password {
        world.write_password_parameter(WRONG_PASSWORD, base - Duration::from_secs(60));
    }
    (world, instances)
}

/// Launches the instances of the scale-out.
pub(super) fn launch(aws: &mut LocalAws, options: &Options) -> Vec<DemoInstance> {
    let launch = |kind: Kind| {
        let platform = if kind == Kind::Linux { Platform::Linux } else { Platform::Windows };
        let cluster = (kind != Kind::Foreign).then_some(CLUSTER);
        DemoInstance { id: aws.launch(platform, cluster, |host| kind.change(host)), kind }
    };
    kinds(options).1.into_iter().map(launch).collect()
}

/// A task definition for Windows instances alone.
fn task_definition(family: &str, has_gate: bool) -> Value {
    let mut definition = fleet::task_definition(family, has_gate);
    let windows = json!({"type": "memberOf", "expression": "attribute:ecs.os-type == windows"});
    definition["placementConstraints"].as_array_mut().expect("a list").insert(0, windows);
    definition
}

/// Three task definitions for the validator: one that works, one with a network path, one with an undeclared volume.
pub fn samples() -> Vec<Value> {
    let mut unc = task_definition("reports", true);
    unc["volumes"][0]["host"]["sourcePath"] = json!(r"\\fs1.corp.example.com\share\Directory\reports");
    let mut undeclared = task_definition("billing", false);
    undeclared["containerDefinitions"][0]["mountPoints"][0]["sourceVolume"] = json!("stat");
    vec![task_definition(WITH_CONSTRAINT, true), unc, undeclared]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_every_special_instance_and_adds_up() {
        for (instances, fail) in (5..=500).flat_map(|instances| [(instances, 0), (instances, 50)]) {
            let (before, after) = kinds(&Options { instances, fail, ..Options::default() });
            let special = [Kind::LateAgent, Kind::DiskOnLetter, Kind::Foreign];
            assert!(before.ends_with(&[Kind::DrainedByOperator, Kind::Linux]) && before[0] == Kind::Existing);
            assert!(special.iter().all(|kind| after.contains(kind)), "{instances}: {after:?}");
            assert_eq!(
                before.len() + after.len(),
                instances + 1,
                "all but the foreign one are in the cluster"
            );
        }
        let (before, after) = kinds(&Options { fail: 10, ..Options::default() });
        let count = |kind| after.iter().filter(|one| **one == kind).count();
        let faulty: usize = FAULTS.map(count).iter().sum();
        assert_eq!((before.len(), count(Kind::ScaleOut), count(Kind::Linux), faulty), (6, 27, 2, 3));
    }
}
