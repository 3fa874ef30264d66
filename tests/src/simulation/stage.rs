//! Sets the world up as a plan has it, and carries its deeds out.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::deed::{ByOperator, Corruption, Deed, Flaw, HostNumber, Server, id_of};
use super::dictated::DICTATED;
use super::plan::Plan;
use crate::fleet::{Host, Letter, LockOut, Mapping, Power, Readable, Scripted, World};
use crate::local_aws::ecs::Status;
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};

/// The share that everybody wants.
pub(super) const REMOTE: &str = r"\\fs1.corp.example.com\share";

/// The directory account.
const USER: &str = r"CORP\svc-ecs-share";

/// Who runs and stops tasks.
pub(super) const CUSTOMER: &str = "customer";

/// The n-th password. Distinct, and long enough to be found wherever it should not stand.
pub(super) fn password(number: u32) -> String {
    format!("battery-staple-{number}-horse")
}

/// The cluster that a host joins.
pub(super) fn cluster_of(host: HostNumber, two_clusters: bool) -> &'static str {
    if two_clusters && host.is_multiple_of(3) { "batch" } else { "apps" }
}

/// The world when the story begins, with bystanders who must be left alone: a Linux host in a watched cluster, Windows
/// hosts in a cluster that is not watched and in none.
pub(super) fn world(plan: &Plan) -> World {
    let base = "2026-03-01T12:00:00Z".parse().expect("valid");
    let mut world = World::new(plan.seed, base).cluster("apps").cluster("batch").cluster("others");
    world.account.password = password(1);
    world.write_password_parameter(&password(1), base - Duration::from_secs(86_400));
    let half_an_hour = Duration::from_secs(1800);
    world.account.lock_out = plan.habits.lock_out.map(|threshold| LockOut {
        threshold,
        window: half_an_hour,
        duration: half_an_hour,
    });
    for host in 1..=plan.fleet.hosts {
        let cluster = cluster_of(host, plan.fleet.two_clusters);
        world = world.windows_instance(cluster, |one| {
            let one = one.named(&id_of(host));
            if plan.fleet.mapped_by_hand { one.mapped_by_hand(REMOTE, USER, &password(1)) } else { one }
        });
    }
    for (name, with_share) in [("share", true), ("noise", false)] {
        world = world.task_definition(task_definition(name, with_share));
    }
    world
        .linux_instance("apps", |one| one.named("i-0bee0000000000001"))
        .windows_instance("others", |one| one.named("i-0bee0000000000002"))
        .foreign_instance(|one| one.named("i-0bee0000000000003"))
}

fn task_definition(family: &str, with_share: bool) -> Value {
    let (volumes, mounts, constraints) = if with_share {
        (
            json!([{"name": "state", "host": {"sourcePath": "G:\\Directory\\app-state"}}]),
            json!([{"sourceVolume": "state", "containerPath": "C:\\state"}]),
            json!([{"type": "memberOf", "expression": "attribute:smb.G == mapped"}]),
        )
    } else {
        (json!([]), json!([]), json!([]))
    };
    json!({
        "family": family, "requiresCompatibilities": ["EC2"], "volumes": volumes,
        "placementConstraints": constraints,
        "containerDefinitions": [{
            "name": "app", "image": "app", "cpu": 64, "memory": 128, "essential": true, "mountPoints": mounts,
        }],
    })
}

/// Carries a deed out. Deeds about functions (by hand, recycling) are the conductor's.
pub(super) fn carry_out(aws: &mut LocalAws, deed: &Deed, plan: &Plan) {
    match deed {
        Deed::Launch(host, late, flaw, letter) => {
            let cluster = cluster_of(*host, plan.fleet.two_clusters);
            let id = aws.launch(crate::fleet::Platform::Windows, Some(cluster), |one| Host {
                agent_late_by: *late,
                ..one.named(&id_of(*host))
            });
            if let Some(flaw) = flaw {
                set_flaw(aws.world.host(&id), *flaw, true);
            }
            if let Some(letter) = letter {
                corrupt(aws, *host, *letter);
            }
        }
        Deed::WarnOfSpot(host) if is_up(aws, *host) => aws.warn_of_spot_interruption(&id_of(*host)),
        Deed::TerminateAction(host) if is_up(aws, *host) => {
            aws.start_terminate_lifecycle_action(&id_of(*host));
        }
        Deed::Terminate(host) if is_there(aws, *host) => aws.terminate(&id_of(*host)),
        Deed::Stop(host) if is_up(aws, *host) => aws.stop(&id_of(*host)),
        Deed::Start(host) if power(aws, *host) == Some(Power::Stopped) => aws.start(&id_of(*host)),
        Deed::Reboot(host) if is_up(aws, *host) => aws.reboot(&id_of(*host)),
        Deed::JoinDomain(host) if is_up(aws, *host) => {
            aws.world.host(&id_of(*host)).domain_joined = true;
            aws.reboot(&id_of(*host));
        }
        Deed::Corrupt(host, how) if is_there(aws, *host) => corrupt(aws, *host, *how),
        Deed::Break(host, flaw) if is_there(aws, *host) => {
            set_flaw(aws.world.host(&id_of(*host)), *flaw, true);
        }
        Deed::Mend(host, flaw) if is_there(aws, *host) => {
            set_flaw(aws.world.host(&id_of(*host)), *flaw, false);
        }
        Deed::FileServer(state) => set_server(aws, *state),
        Deed::Refuse(code) => aws.world.account.refuses_with = *code,
        Deed::DirectoryPassword(number) => aws.world.change_password_in_directory(&password(*number)),
        Deed::ParameterPassword(number) => aws.write_parameter("domainUserPassword", &password(*number)),
        Deed::Parameter(how) => aws.world.parameters.password.readable = *how,
        Deed::SilenceAgent(host) if is_there(aws, *host) => aws.ssm_agent_falls_silent(&id_of(*host)),
        Deed::AgentReturns(host) if is_up(aws, *host) => agent_returns(aws, *host),
        Deed::Dictate(host, number) if is_there(aws, *host) => {
            let (details, exit_code, output) = DICTATED[*number];
            let after = Duration::from_secs(if details == "In Progress" { 2 } else { 5 });
            let scripted = Scripted::new(details, exit_code, output).after(after);
            aws.world.host(&id_of(*host)).scripted.push_back(scripted);
        }
        Deed::Connect(host, connected) if is_up(aws, *host) => {
            aws.set_ecs_connected(&id_of(*host), *connected);
        }
        Deed::RegisterAgain(host) if is_up(aws, *host) => aws.register_again(&id_of(*host)),
        Deed::Operator(host, what) if is_there(aws, *host) => operate(aws, *host, *what),
        Deed::RunTasks(count, with_share) => run_tasks(aws, *count, *with_share),
        Deed::StopTasks(every) => stop_tasks(aws, *every),
        Deed::Outage(rule) => {
            for function in ["map-share", "drain-unmapped"] {
                aws.faults.add(rule.clone().of(function));
            }
        }
        Deed::CustomerTakes(rate) => {
            let now = aws.now();
            aws.throttles.customer_takes(Bucket::ClusterResourceModify, *rate, now);
        }
        _ => {}
    }
}

fn power(aws: &LocalAws, host: HostNumber) -> Option<Power> {
    aws.world.hosts.get(&id_of(host)).map(|host| host.power)
}

fn is_there(aws: &LocalAws, host: HostNumber) -> bool {
    !matches!(power(aws, host), None | Some(Power::ShuttingDown | Power::Terminated))
}

fn is_up(aws: &LocalAws, host: HostNumber) -> bool {
    power(aws, host) == Some(Power::Running)
}

fn agent_returns(aws: &mut LocalAws, host: HostNumber) {
    let id = id_of(host);
    // One that is still starting comes by itself.
    if matches!(aws.world.host(&id).agent, crate::fleet::Agent::Silent(_)) {
        aws.ssm_agent_returns(&id);
    }
}

fn set_flaw(host: &mut Host, flaw: Flaw, broken: bool) {
    match flaw {
        Flaw::Port445 => host.port_445_blocked = broken,
        Flaw::Dns => host.dns_broken = broken,
        Flaw::Hangs(how) => host.hang = broken.then_some(how),
        Flaw::Slow(by) => host.script_delay = if broken { by } else { Duration::ZERO },
        Flaw::OutsideDomain => host.domain_joined = !broken,
    }
}

fn corrupt(aws: &mut LocalAws, host: HostNumber, how: Corruption) {
    let current = aws.world.account.password.clone();
    let host = aws.world.host(&id_of(host));
    host.letter = match how {
        Corruption::Lost => Letter::Free,
        Corruption::Disk => Letter::Disk,
        Corruption::Elsewhere => Letter::Smb(Mapping::new(r"\\fs2.corp.example.com\old", USER, &current)),
        Corruption::OldPassword => Letter::Smb(Mapping::new(REMOTE, USER, &password(999))),
        Corruption::WrongStatus => match std::mem::replace(&mut host.letter, Letter::Free) {
            Letter::Smb(mapping) => Letter::Smb(Mapping { status: "Disconnected".to_owned(), ..mapping }),
            other => other,
        },
    };
}

fn set_server(aws: &mut LocalAws, state: Server) {
    let server = &mut aws.world.file_server;
    match state {
        Server::Down => server.goes_down(),
        Server::SessionsEnd => {
            server.goes_down();
            server.comes_back();
        }
        Server::Unresolved => server.resolves = false,
        Server::Renamed => server.share = "renamed".to_owned(),
        Server::ReadError(code) => server.read_error = Some(code),
        Server::Well => {
            server.comes_back();
            server.resolves = true;
            server.share = "share".to_owned();
            server.read_error = None;
        }
    }
}

fn operate(aws: &mut LocalAws, host: HostNumber, what: ByOperator) {
    const OURS: [&str; 3] = ["smb.G", "smb.G.state", "smb.G.drain"];
    let id = id_of(host);
    let Some(status) = aws.container_instance(&id).map(|instance| instance.status) else { return };
    match what {
        // ECS drains nothing but an active one.
        ByOperator::Drain if status == Status::Active => aws.operator_sets_status(&id, Status::Draining),
        ByOperator::Activate if status == Status::Draining => aws.operator_sets_status(&id, Status::Active),
        ByOperator::Drain | ByOperator::Activate => {}
        ByOperator::Hold => aws.operator_sets_attribute(&id, "smb.hold", Some("yes")),
        ByOperator::ReleaseHold => aws.operator_sets_attribute(&id, "smb.hold", None),
        ByOperator::Deregister => aws.deregister(&id),
        ByOperator::Delete(number) => aws.operator_sets_attribute(&id, OURS[number], None),
        ByOperator::Scribble(number) => aws.operator_sets_attribute(&id, OURS[number], Some("by hand")),
        ByOperator::OpenGate => aws.operator_sets_attribute(&id, "smb.G", Some("mapped")),
        ByOperator::ShutGate => aws.operator_sets_attribute(&id, "smb.G", Some("shut")),
    }
}

fn run_tasks(aws: &mut LocalAws, count: usize, with_share: bool) {
    let definition = if with_share { "share" } else { "noise" };
    for cluster in ["apps", "batch"] {
        let body = json!({"cluster": cluster, "taskDefinition": definition, "count": count});
        let now = aws.now();
        aws.handle(now, &Caller::named(CUSTOMER), "RunTask", body.to_string().as_bytes());
    }
}

fn stop_tasks(aws: &mut LocalAws, every: usize) {
    for cluster in ["apps", "batch"] {
        let running = aws.tasks(cluster).filter(|task| task.last_status() == "RUNNING");
        let ids: Vec<Arc<str>> = running.step_by(every).map(|task| Arc::from(task.id())).collect();
        for id in ids {
            let body = json!({"cluster": cluster, "task": &*id});
            let now = aws.now();
            aws.handle(now, &Caller::named(CUSTOMER), "StopTask", body.to_string().as_bytes());
        }
    }
}

/// Everything that is shared is well again, and every host that is up can be reached. What is wrong with a host itself,
/// and what operators did, stays.
pub(super) fn end_disturbances(aws: &mut LocalAws, plan: &Plan, hosts: impl Iterator<Item = HostNumber>) {
    aws.faults.clear();
    aws.lag.ssm = Duration::ZERO;
    aws.lag.ecs = Duration::ZERO;
    set_server(aws, Server::Well);
    aws.world.account.refuses_with = None;
    aws.world.account.unlock();
    aws.world.parameters.password.readable = Readable::Yes;
    if plan.habits.password_right_in_the_end {
        let right = aws.world.account.password.clone();
        aws.write_parameter("domainUserPassword", &right);
    }
    let now = aws.now();
    aws.throttles.customer_takes(Bucket::ClusterResourceModify, 0, now);
    for host in hosts {
        if is_up(aws, host) {
            agent_returns(aws, host);
            aws.set_ecs_connected(&id_of(host), true);
        }
        if is_there(aws, host) {
            aws.world.host(&id_of(host)).scripted.clear();
        }
    }
}
