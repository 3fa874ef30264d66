//! The simulated world: its beginning, the effect of each event on it, and the end of all disturbances.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::lies;
use super::plan::Plan;
use super::world_event::{
    FileServerState, HostNumber, HostProblem, LetterChange, OperatorAction, Trouble, UNUSUAL_RESULTS,
    WorldEvent, id_of,
};
use crate::fleet::{
    Agent, Host, Letter, Mapping, MappingSettings, Pace, Platform, Power, REMOTE, Readable, Scripted, USER,
    World, task_definition,
};
use crate::local_aws::ecs::Status;
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};
use crate::scenarios::{base, lock_out};

/// Who runs and stops tasks.
pub(super) const CUSTOMER: &str = "customer";

/// Part of every password, so that one search finds any of them where none may be.
pub(super) const PASSWORD_MARK: &str = "battery-staple";

fn password(number: u32) -> String {
    format!("{PASSWORD_MARK}-{number}-horse")
}

/// A share that is not ours.
const OTHER_SHARE: &str = r"\\fs2.corp.example.com\old";

/// The cluster that a host joins.
fn cluster_of(host: HostNumber, two_clusters: bool) -> &'static str {
    if two_clusters && host.is_multiple_of(3) { "batch" } else { "apps" }
}

/// How long NTLM accepts the previous password: Windows' `OldPasswordAllowedPeriod` by default.
const PREVIOUS_PASSWORD: Duration = Duration::from_secs(60 * 60);

/// The world when the history begins. Beside the fleet it has instances that must be left alone: a Linux instance in a
/// watched cluster, Windows instances in another cluster and in none.
pub(super) fn initial_world(plan: &Plan) -> World {
    let mut world = World::new(plan.seed, base()).cluster("apps").cluster("batch").cluster("others");
    world.account.password = password(1);
    world.write_password_parameter(&password(1), base() - Duration::from_secs(86_400));
    world.account.lock_out = plan.conditions.lock_out.map(lock_out);
    world.account.multiplier = plan.conditions.multiplier;
    if plan.conditions.slow_checks {
        world.pace = Pace::of_checks(Duration::from_secs(12));
    }
    if plan.conditions.old_default {
        for document in world.documents.values_mut() {
            let Some(settings) = document.settings(1).cloned() else { continue };
            let remote = OTHER_SHARE.to_owned();
            document.versions[0] = Some(MappingSettings { remote, ..settings.clone() });
            document.update(settings);
        }
    }
    world.only_tagged = plan.conditions.only_tagged;
    for host in 1..=plan.fleet.hosts {
        let cluster = cluster_of(host, plan.fleet.two_clusters);
        world = world.windows_instance(cluster, |one| {
            let one = Host { is_tagged: is_tagged(host), ..one.named(&id_of(host)) };
            if plan.fleet.mapped_by_hand { one.mapped_by_hand(REMOTE, USER, &password(1)) } else { one }
        });
    }
    // Both take as much room.
    let mut share = task_definition("share", true);
    (share["cpu"], share["memory"]) = (json!("64"), json!("128"));
    let container = json!({"name": "app", "image": "app", "cpu": 64, "memory": 128});
    world
        .task_definition(share)
        .task_definition(json!({"family": "noise", "containerDefinitions": [container]}))
        .linux_instance("apps", |one| one.named("i-0bee0000000000001"))
        .windows_instance("others", |one| one.named("i-0bee0000000000002"))
        .foreign_instance(|one| one.named("i-0bee0000000000003"))
}

/// Every fifth host has no tag, which matters where a command needs it.
fn is_tagged(host: HostNumber) -> bool {
    host % 5 != 3
}

/// Applies an event. Events about the functions themselves are left to the caller.
pub(super) fn apply(aws: &mut LocalAws, event: &WorldEvent, plan: &Plan) {
    match event {
        WorldEvent::Launch { host, agent_late_by, problem, letter } => {
            let cluster = cluster_of(*host, plan.fleet.two_clusters);
            let id = aws.launch(Platform::Windows, Some(cluster), |one| Host {
                agent_late_by: *agent_late_by,
                is_tagged: is_tagged(*host),
                ..one.named(&id_of(*host))
            });
            if let Some(problem) = problem {
                set_problem(aws.world.host(&id), *problem, true);
            }
            if let Some(change) = letter {
                change_letter(aws, *host, *change);
            }
        }
        WorldEvent::SpotInterruptionWarning(host) if is_running(aws, *host) => {
            aws.warn_of_spot_interruption(&id_of(*host));
        }
        WorldEvent::TerminateLifecycleAction(host) if is_running(aws, *host) => {
            aws.start_terminate_lifecycle_action(&id_of(*host));
        }
        WorldEvent::Terminate(host) if exists(aws, *host) => aws.terminate(&id_of(*host)),
        WorldEvent::Stop(host) if is_running(aws, *host) => aws.stop(&id_of(*host)),
        WorldEvent::Start(host) if power(aws, *host) == Some(Power::Stopped) => aws.start(&id_of(*host)),
        WorldEvent::Reboot(host) if is_running(aws, *host) => aws.reboot(&id_of(*host)),
        WorldEvent::JoinDomain(host) if is_running(aws, *host) => {
            aws.world.host(&id_of(*host)).domain_joined = true;
            aws.reboot(&id_of(*host));
        }
        WorldEvent::ChangeLetter(host, change) if exists(aws, *host) => change_letter(aws, *host, *change),
        WorldEvent::ProblemBegins(host, problem) if exists(aws, *host) => {
            set_problem(aws.world.host(&id_of(*host)), *problem, true);
        }
        WorldEvent::ProblemEnds(host, problem) if exists(aws, *host) => {
            set_problem(aws.world.host(&id_of(*host)), *problem, false);
        }
        WorldEvent::FileServer(state) => set_file_server(aws, *state),
        WorldEvent::DirectoryRefuses(code) => aws.world.account.refuses_with = *code,
        WorldEvent::DirectoryPassword(number) => {
            let (now, account) = (aws.now(), &mut aws.world.account);
            account.previous =
                plan.conditions.ntlm.then(|| (account.password.clone(), now + PREVIOUS_PASSWORD));
            aws.world.change_password_in_directory(&password(*number));
        }
        WorldEvent::ParameterPassword(number) => {
            aws.write_parameter("domainUserPassword", &password(*number));
        }
        WorldEvent::Parameter(readable) => aws.world.parameters.password.readable = *readable,
        WorldEvent::TroubleBegins(host, trouble) if exists(aws, *host) => begin_trouble(aws, *host, *trouble),
        WorldEvent::TroubleEnds(host) if exists(aws, *host) => {
            aws.world.account.refuses_alone.remove(&id_of(*host));
            aws.world.host(&id_of(*host)).lies = None;
        }
        WorldEvent::SsmAgentSilent(host) if exists(aws, *host) => aws.ssm_agent_falls_silent(&id_of(*host)),
        WorldEvent::SsmAgentReturns(host) if is_running(aws, *host) => ssm_agent_returns(aws, *host),
        WorldEvent::UnusualResult(host, number) if exists(aws, *host) => {
            let (details, exit_code, output) = UNUSUAL_RESULTS[*number];
            let after = Duration::from_secs(if details == "In Progress" { 2 } else { 5 });
            let scripted = Scripted::new(details, exit_code, output).after(after);
            aws.world.host(&id_of(*host)).scripted.push_back(scripted);
        }
        WorldEvent::EcsAgentConnected(host, connected) if is_running(aws, *host) => {
            aws.set_ecs_connected(&id_of(*host), *connected);
        }
        WorldEvent::RegisterAgain(host) if is_running(aws, *host) => aws.register_again(&id_of(*host)),
        WorldEvent::Operator(host, action) if exists(aws, *host) => operate(aws, *host, *action),
        WorldEvent::RunTasks { count, with_share } => run_tasks(aws, *count, *with_share),
        WorldEvent::StopTasks(every) => stop_tasks(aws, *every),
        WorldEvent::Outage(rule) => {
            for function in ["map-share", "drain-unmapped"] {
                aws.faults.add(rule.clone().of(function));
            }
        }
        WorldEvent::CustomerWrites(rate) => {
            let now = aws.now();
            aws.throttles.customer_takes(Bucket::ClusterResourceModify, *rate, now);
        }
        event => lies::apply(aws, event),
    }
}

fn power(aws: &LocalAws, host: HostNumber) -> Option<Power> {
    aws.world.hosts.get(&id_of(host)).map(|host| host.power)
}

pub(super) fn exists(aws: &LocalAws, host: HostNumber) -> bool {
    !matches!(power(aws, host), None | Some(Power::ShuttingDown | Power::Terminated))
}

fn is_running(aws: &LocalAws, host: HostNumber) -> bool {
    power(aws, host) == Some(Power::Running)
}

fn ssm_agent_returns(aws: &mut LocalAws, host: HostNumber) {
    let id = id_of(host);
    // An agent that is still starting comes by itself.
    if matches!(aws.world.host(&id).agent, Agent::Silent(_)) {
        aws.ssm_agent_returns(&id);
    }
}

fn set_problem(host: &mut Host, problem: HostProblem, exists: bool) {
    match problem {
        HostProblem::Port445Blocked => host.port_445_blocked = exists,
        HostProblem::DnsBroken => host.dns_broken = exists,
        HostProblem::ScriptHangs(where_it_hangs) => host.hang = exists.then_some(where_it_hangs),
        HostProblem::ScriptSlow(by) => host.script_delay = if exists { by } else { Duration::ZERO },
        HostProblem::OutsideDomain => host.domain_joined = !exists,
    }
}

fn begin_trouble(aws: &mut LocalAws, host: HostNumber, trouble: Trouble) {
    let id = id_of(host);
    match trouble {
        Trouble::IsRefused(code) => _ = aws.world.account.refuses_alone.insert(id, code),
        Trouble::Lies(lie) => aws.world.host(&id).lies = Some(lie),
    }
}

fn change_letter(aws: &mut LocalAws, host: HostNumber, change: LetterChange) {
    let current = aws.world.account.password.clone();
    let host = aws.world.host(&id_of(host));
    host.letter = match change {
        LetterChange::Unmapped => Letter::Free,
        LetterChange::Disk => Letter::Disk,
        LetterChange::OtherShare => Letter::Smb(Mapping::new(OTHER_SHARE, USER, &current)),
        LetterChange::OldPassword => Letter::Smb(Mapping::new(REMOTE, USER, &password(999))),
        LetterChange::WrongStatus => match std::mem::replace(&mut host.letter, Letter::Free) {
            Letter::Smb(mapping) => Letter::Smb(Mapping { status: "Disconnected".to_owned(), ..mapping }),
            other => other,
        },
    };
}

fn set_file_server(aws: &mut LocalAws, state: FileServerState) {
    let server = &mut aws.world.file_server;
    match state {
        FileServerState::Down => server.goes_down(),
        FileServerState::SessionsEnd => server.ends_sessions(),
        FileServerState::Unresolved => server.resolves = false,
        FileServerState::ShareRenamed => server.share = "renamed".to_owned(),
        FileServerState::ReadError(code) => server.read_error = Some(code),
        FileServerState::Healthy => {
            server.comes_back();
            server.resolves = true;
            server.share = "share".to_owned();
            server.read_error = None;
        }
    }
}

fn operate(aws: &mut LocalAws, host: HostNumber, action: OperatorAction) {
    const OURS: [&str; 3] = ["smb.G", "smb.G.state", "smb.G.drain"];
    let id = id_of(host);
    let Some(status) = aws.container_instance(&id).map(|instance| instance.status) else { return };
    let mut set = |name: &str, value| aws.operator_sets_attribute(&id, name, value);
    match action {
        // ECS drains only an active instance.
        OperatorAction::Drain if status == Status::Active => aws.operator_sets_status(&id, Status::Draining),
        OperatorAction::Activate if status == Status::Draining => {
            aws.operator_sets_status(&id, Status::Active);
        }
        OperatorAction::Drain | OperatorAction::Activate => {}
        OperatorAction::Deregister => aws.deregister(&id),
        OperatorAction::Hold => set("smb.hold", Some("yes")),
        OperatorAction::ReleaseHold => set("smb.hold", None),
        OperatorAction::DeleteAttribute(number) => set(OURS[number], None),
        OperatorAction::OverwriteAttribute(number) => set(OURS[number], Some("by hand")),
        OperatorAction::OpenGate => set("smb.G", Some("mapped")),
        OperatorAction::ShutGate => set("smb.G", Some("shut")),
    }
}

fn call_as_customer(aws: &mut LocalAws, operation: &str, body: &Value) {
    let now = aws.now();
    aws.handle(now, &Caller::named(CUSTOMER), operation, body.to_string().as_bytes());
}

fn run_tasks(aws: &mut LocalAws, count: usize, with_share: bool) {
    let definition = if with_share { "share" } else { "noise" };
    for cluster in ["apps", "batch"] {
        let body = json!({"cluster": cluster, "taskDefinition": definition, "count": count});
        call_as_customer(aws, "RunTask", &body);
    }
}

fn stop_tasks(aws: &mut LocalAws, every: usize) {
    for cluster in ["apps", "batch"] {
        let running = aws.tasks(cluster).filter(|task| task.last_status == "RUNNING");
        let ids: Vec<Arc<str>> = running.step_by(every).map(|task| task.id.clone()).collect();
        for id in ids {
            call_as_customer(aws, "StopTask", &json!({"cluster": cluster, "task": &*id}));
        }
    }
}

/// Everything that is shared is healthy again, and every running host can be reached. What is wrong with a host itself,
/// and what operators did, stays.
pub(super) fn end_disturbances(aws: &mut LocalAws, plan: &Plan, hosts: impl Iterator<Item = HostNumber>) {
    aws.faults.clear();
    aws.lag.ssm = Duration::ZERO;
    aws.lag.ecs = Duration::ZERO;
    set_file_server(aws, FileServerState::Healthy);
    aws.world.account.refuses_with = None;
    aws.world.account.unlock();
    aws.world.parameters.password.readable = Readable::Yes;
    if plan.conditions.password_right_in_the_end {
        let right = aws.world.account.password.clone();
        aws.write_parameter("domainUserPassword", &right);
    }
    let now = aws.now();
    aws.throttles.customer_takes(Bucket::ClusterResourceModify, 0, now);
    for host in hosts {
        if is_running(aws, host) {
            ssm_agent_returns(aws, host);
            aws.set_ecs_connected(&id_of(host), true);
        }
        if exists(aws, host) {
            aws.world.host(&id_of(host)).scripted.clear();
            aws.world.host(&id_of(host)).false_answers.clear();
        }
    }
}
