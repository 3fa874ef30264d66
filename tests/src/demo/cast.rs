//! Who plays in the demo: how many instances of which kind, and what has to become of each.

use super::options::Options;
use crate::fleet::{Host, InstanceId, Pace, Platform, World};
use crate::local_aws::LocalAws;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// The cluster that the functions watch.
pub const CLUSTER: &str = "windows-apps";
/// The task definition that asks for the gate, and the same without.
pub const GATED: &str = "orders";
/// See [`GATED`].
pub const UNGATED: &str = "orders-without-constraint";
/// How much later than others the late SSM agent comes online.
pub const LATE_BY: Duration = Duration::from_secs(4);
/// What stands in the parameter when it is wrong.
const WRONG_PASSWORD: &str = "battery staple";

/// What is special about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Was there before the first deployment.
    Before,
    /// Was there before, drained by an operator.
    DrainedByOperator,
    /// Comes with the scale-out; nothing is wrong with it.
    ScaleOut,
    /// Comes with the scale-out; its SSM agent is late.
    AgentLate,
    /// Comes with the scale-out; a local disk stands on the drive letter.
    DiskOnLetter,
    /// Comes with the scale-out, with a fault of its own.
    Faulty(Fault),
    /// A Linux container instance.
    Linux,
    /// A Windows EC2 instance in no cluster.
    Foreign,
}

/// A fault of a single host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A security group in the way.
    Port445,
    /// Not joined to the domain.
    Domain,
    /// Its resolver does not know the file server.
    Dns,
}

const FAULTS: [Fault; 3] = [Fault::Port445, Fault::Domain, Fault::Dns];

impl Part {
    /// For the table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Before => "there before",
            Self::DrainedByOperator => "operator's drain",
            Self::ScaleOut => "scale-out",
            Self::AgentLate => "scale-out, late agent",
            Self::DiskOnLetter => "scale-out, disk on G:",
            Self::Faulty(Fault::Port445) => "scale-out, no port 445",
            Self::Faulty(Fault::Domain) => "scale-out, no domain",
            Self::Faulty(Fault::Dns) => "scale-out, no DNS",
            Self::Linux => "Linux",
            Self::Foreign => "in no cluster",
        }
    }

    /// The cause that has to be found, where it cannot be mapped.
    pub fn true_cause(self) -> Option<&'static str> {
        match self {
            Self::DiskOnLetter => Some("drive-in-use"),
            Self::Faulty(Fault::Port445) => Some("port-445"),
            Self::Faulty(Fault::Domain) => Some("not-domain-joined"),
            Self::Faulty(Fault::Dns) => Some("dns"),
            _ => None,
        }
    }

    /// Whether it is a container instance that the functions look after.
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::Linux | Self::Foreign)
    }

    /// Whether it has to end mapped.
    pub fn can_be_mapped(self) -> bool {
        self.is_ours() && self.true_cause().is_none()
    }
}

/// How many play which part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// There before, an operator's not counted.
    pub before: usize,
    /// Scale-out with nothing wrong.
    pub plain: usize,
    /// Scale-out with a fault, one an entry.
    pub faulty: Vec<Fault>,
    /// Linux, in the cluster.
    pub linux: usize,
}

impl Numbers {
    /// Divides `instances`: one in thirteen is Linux, one in nine was there before; one each was drained by an operator,
    /// has a disk on the letter, and a late agent; `fail` percent of the rest have a fault.
    pub fn new(instances: usize, fail: usize) -> Self {
        let linux = (instances / 13).max(1);
        let windows = instances - linux;
        let before = (windows / 9).clamp(1, 12);
        let rest = windows.saturating_sub(before + 3);
        let faulty = (rest * fail).div_ceil(100);
        let faulty: Vec<Fault> = FAULTS.into_iter().cycle().take(faulty).collect();
        Self { before, plain: rest - faulty.len(), faulty, linux }
    }

    /// Windows container instances, all of them.
    pub fn windows(&self) -> usize {
        self.before + 3 + self.plain + self.faulty.len()
    }
}

/// One instance of the cast.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its EC2 id.
    pub id: InstanceId,
    /// What is special about it.
    pub part: Part,
}

/// The world before the first deployment, and the instances in it.
pub fn world(options: &Options, base: Timestamp) -> (World, Vec<Member>) {
    let numbers = Numbers::new(options.instances, options.fail);
    let mut cast = Vec::new();
    let mut world = World::new(options.seed, base)
        .cluster(CLUSTER)
        .pace(pace())
        .task_definition(task_definition(GATED, true))
        .task_definition(task_definition(UNGATED, false));
    let mut enter = |world: World, part: Part| {
        let known: Vec<InstanceId> = world.hosts.keys().cloned().collect();
        let world = match part {
            Part::Linux => world.linux_instance(CLUSTER, |host| host),
            Part::DrainedByOperator => world.windows_instance(CLUSTER, Host::drained_by_operator),
            _ => world.windows_instance(CLUSTER, |host| host),
        };
        let new = world.hosts.keys().find(|id| !known.contains(id)).cloned();
        cast.push(Member { id: new.expect("one more"), part });
        world
    };
    for _ in 0..numbers.before {
        world = enter(world, Part::Before);
    }
    world = enter(world, Part::DrainedByOperator);
    world = enter(world, Part::Linux);
    if options.wrong_password {
        world.write_password_parameter(WRONG_PASSWORD, base - Duration::from_secs(60));
    }
    (world, cast)
}

/// Quick, and yet slow enough to be seen. SSM agents are online before ECS agents register their hosts, but for the late
/// one.
fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace { ssm_agent: ms(200), pick_up: ms(250), map: ms(1200), ..Pace::quick() }
}

/// The scale-out: launches everything that was not there before.
pub fn launch(aws: &mut LocalAws, options: &Options) -> Vec<Member> {
    let numbers = Numbers::new(options.instances, options.fail);
    let parts = std::iter::repeat_n(Part::ScaleOut, numbers.plain)
        .chain([Part::AgentLate, Part::DiskOnLetter])
        .chain(numbers.faulty.iter().map(|fault| Part::Faulty(*fault)))
        .chain(std::iter::repeat_n(Part::Linux, numbers.linux - 1))
        .chain([Part::Foreign]);
    parts
        .map(|part| {
            let platform = if part == Part::Linux { Platform::Linux } else { Platform::Windows };
            let cluster = (part != Part::Foreign).then_some(CLUSTER);
            let id = aws.launch(platform, cluster, |host| match part {
                Part::AgentLate => host.with(|host| host.agent_late_by = LATE_BY),
                Part::DiskOnLetter => host.disk_on_letter(),
                Part::Faulty(Fault::Port445) => host.port_445_blocked(),
                Part::Faulty(Fault::Domain) => host.outside_domain(),
                Part::Faulty(Fault::Dns) => host.with(|host| host.dns_broken = true),
                _ => host,
            });
            Member { id, part }
        })
        .collect()
}

/// A Windows task that keeps its state on the share.
fn task_definition(family: &str, gated: bool) -> Value {
    let member_of = |expression: &str| json!({"type": "memberOf", "expression": expression});
    let mut constraints = vec![member_of("attribute:ecs.os-type == windows")];
    if gated {
        constraints.push(member_of("attribute:smb.G == mapped"));
    }
    json!({
        "family": family,
        "requiresCompatibilities": ["EC2"],
        "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "X86_64"},
        "containerDefinitions": [{
            "name": "web",
            "image": "mcr.microsoft.com/dotnet/framework/aspnet:4.8",
            "essential": true,
            "cpu": 256,
            "memory": 512,
            "mountPoints": [{"sourceVolume": "state", "containerPath": r"C:\dotnetapp\app-state"}],
        }],
        "volumes": [{"name": "state", "host": {"sourcePath": r"G:\Directory\app-state"}}],
        "placementConstraints": constraints,
    })
}

/// The three samples that the validator is shown: one that works, one with a network path, one without the gate.
pub fn samples() -> Vec<Value> {
    let mut unc = task_definition("reports", true);
    unc["volumes"][0]["host"]["sourcePath"] = json!(r"\\fs1.corp.example.com\share\Directory\reports");
    let mut broken = task_definition("billing", false);
    broken["containerDefinitions"][0]["mountPoints"][0]["sourceVolume"] = json!("stat");
    vec![task_definition(GATED, true), unc, broken]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_every_special_instance_and_adds_up() {
        for instances in 5..=500 {
            for fail in [0, 1, 50, 100] {
                let numbers = Numbers::new(instances, fail);
                assert_eq!(numbers.windows() + numbers.linux, instances, "{numbers:?}");
                assert!(numbers.before >= 1 && numbers.linux >= 1);
            }
        }
        let forty = Numbers::new(40, 10);
        assert_eq!((forty.before, forty.plain, forty.faulty.len(), forty.linux), (4, 27, 3, 3));
    }
}
