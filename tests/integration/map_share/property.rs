//! Any events in any order, doubled, batched and redelivered, under faults: nothing astray, nothing lost.

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use shared::state::State;
use tests::fleet::Presented;
use tests::local_aws::faults::{Fault, FaultRule};

use super::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    New,
    AgentLate,
    Mapped,
    Failing,
    DrainedByUs,
    DrainedByOperator,
    Linux,
    Elsewhere,
    Foreign,
}

const ROLES: [Role; 9] = [
    Role::New,
    Role::AgentLate,
    Role::Mapped,
    Role::Failing,
    Role::DrainedByUs,
    Role::DrainedByOperator,
    Role::Linux,
    Role::Elsewhere,
    Role::Foreign,
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Password {
    Proven,
    Unproven,
    Refused,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Registered,
    DisconnectedBefore,
    Stopping,
    Running,
    Spot,
    Termination,
    Poison,
}

/// An event about one host of the list, so many minutes before the story begins.
#[derive(Debug, Clone)]
struct Happening {
    host: usize,
    what: What,
    minutes_before: i64,
}

impl Happening {
    fn is_restart(&self) -> bool {
        matches!(self.what, What::Stopping | What::Running)
    }

    fn is_ending(&self) -> bool {
        matches!(self.what, What::Spot | What::Termination)
    }

    fn is_like(&self, other: &Happening) -> bool {
        self.is_restart() == other.is_restart() && self.is_ending() == other.is_ending()
    }
}

#[derive(Debug, Clone)]
struct Case {
    roles: Vec<Role>,
    password: Password,
    happenings: Vec<Happening>,
    batch: usize,
    /// In which batch, which operation, how, how often.
    faults: Vec<(usize, &'static str, Fault, u32)>,
}

const OPERATIONS: [&str; 8] = [
    "ListCommands",
    "ListContainerInstances",
    "DescribeContainerInstances",
    "DescribeInstanceInformation",
    "DescribeParameters",
    "ListCommandInvocations",
    "PutAttributes",
    "SendCommand",
];

fn cases() -> impl Strategy<Value = Case> {
    use What::*;
    let what = select(vec![Registered, DisconnectedBefore, Stopping, Running, Spot, Termination, Poison]);
    let happening = (0..8_usize, what, select(vec![0_i64, 1, 5, 15, 90]))
        .prop_map(|(host, what, minutes_before)| Happening { host, what, minutes_before });
    let fault = select(vec![
        Fault::Throttle,
        Fault::ErrorBefore(500),
        Fault::ErrorAfter(503),
        Fault::AnswerLost,
        Fault::NotReached,
    ]);
    let fault = (0..6_usize, select(OPERATIONS.to_vec()), fault, select(vec![1_u32, 3, 50]));
    (
        proptest::collection::vec(select(ROLES.to_vec()), 8),
        select(vec![Password::Proven, Password::Proven, Password::Unproven, Password::Refused]),
        proptest::collection::vec(happening, 1..40),
        1..20_usize,
        proptest::collection::vec(fault, 0..4),
    )
        .prop_map(|(roles, password, happenings, batch, faults)| Case {
            roles,
            password,
            happenings,
            batch,
            faults,
        })
}

/// Host 1 is for the password, the case's hosts follow.
fn number(host: usize) -> u64 {
    host as u64 + 2
}

fn story(case: &Case) -> Setup {
    let at = "2026-03-01T11:50:00.000Z";
    let logon = if case.password == Password::Proven { at } else { "-" };
    let mapped = format!("mapped {at} {at} {logon}");
    let mapped = |host: Host| host.attribute("smb.G", "mapped").attribute("smb.G.state", &mapped);
    let failing = format!("unmapped 2 {at} - 53 2026-03-01T11:45:00.000Z");
    let first = |host: Host| if case.password == Password::Proven { mapped(host) } else { host };
    let mut world = world().cluster("others").windows_instance("apps", first);
    for role in &case.roles {
        world = match role {
            Role::New => world.windows_instances("apps", 1),
            Role::AgentLate => world.windows_instance("apps", |host| host.without_agent()),
            Role::Mapped => world.windows_instance("apps", mapped),
            Role::Failing => world.windows_instance("apps", |host| {
                host.attribute("smb.G", "shut").attribute("smb.G.state", &failing)
            }),
            Role::DrainedByUs => world.windows_instance("apps", |host| {
                host.attribute("smb.G.drain", "done 53 2026-03-01T11:55:00.000Z").drained_by_operator()
            }),
            Role::DrainedByOperator => world.windows_instance("apps", Host::drained_by_operator),
            Role::Linux => world.linux_instance("apps", |host| host),
            Role::Elsewhere => world.windows_instances("others", 1),
            Role::Foreign => world.foreign_instance(|host| host),
        };
    }
    Setup::new(world)
}

fn body(story: &Setup, case: &Case, happening: &Happening) -> String {
    let id = id(number(happening.host));
    let time = time_of(happening);
    let has_registration = case.roles[happening.host] != Role::Foreign;
    let event = match happening.what {
        What::Registered if has_registration => story.event(&id),
        What::DisconnectedBefore if has_registration => {
            let mut event = story.event(&id);
            event["detail"]["version"] = json!(0);
            event["detail"]["agentConnected"] = json!(false);
            event
        }
        What::Stopping => state_change(&id, "stopping", time),
        What::Running | What::Registered | What::DisconnectedBefore => state_change(&id, "running", time),
        What::Spot => {
            let detail = json!({"instance-id": id, "instance-action": "stop"});
            envelope("aws.ec2", "EC2 Spot Instance Interruption Warning", time, detail)
        }
        What::Termination => {
            let detail =
                json!({"EC2InstanceId": id, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"});
            envelope("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", time, detail)
        }
        What::Poison => return "{".repeat(happening.host),
    };
    event.to_string()
}

fn time_of(happening: &Happening) -> Timestamp {
    base() - SignedDuration::from_mins(happening.minutes_before)
}

/// What must hold of a record that was acknowledged, by live state alone.
fn check_acknowledged(story: &Setup, case: &Case, happening: &Happening) -> Result<(), TestCaseError> {
    let id = id(number(happening.host));
    let role = case.roles[happening.host];
    let aws = story.local.aws();
    let Some(instance) = aws.container_instance(&id) else { return Ok(()) };
    let is_ours = !matches!(role, Role::Linux | Role::Elsewhere);
    if happening.is_restart() && is_ours && time_of(happening) > instance.registered_at {
        let state = instance.attribute("smb.G.state").and_then(State::parse);
        prop_assert!(
            state.is_some_and(|state| state.judged() >= time_of(happening)),
            "{happening:?}: not on record"
        );
        if time_of(happening) > "2026-03-01T11:50:00Z".parse().unwrap() {
            prop_assert_eq!(instance.attribute("smb.G"), Some("shut"), "{:?}", happening);
        }
    }
    if happening.is_ending() && role == Role::DrainedByUs {
        prop_assert!(instance.attribute("smb.G.drain").unwrap().starts_with("released"), "{happening:?}");
    }
    Ok(())
}

/// What must hold at any time.
fn check_always(story: &Setup, case: &Case) -> Result<(), TestCaseError> {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    let canaries = usize::from(case.password == Password::Refused);
    for target in story.commands().into_iter().skip(canaries).flatten() {
        *sent.entry(target).or_default() += 1;
    }
    prop_assert!(case.password == Password::Proven || sent.is_empty(), "past the brake: {sent:?}");
    for (host, role) in case.roles.iter().enumerate() {
        let count = sent.get(&id(number(host))).copied().unwrap_or_default();
        prop_assert!(count <= usize::from(*role == Role::New), "{role:?} was sent {count} commands");
        let aws = story.local.aws();
        let instance = aws.container_instance(&id(number(host)));
        if matches!(role, Role::Linux | Role::Elsewhere) {
            prop_assert!(instance.unwrap().attribute("smb.G.state").is_none(), "{role:?} was written to");
        }
        if *role == Role::DrainedByOperator {
            prop_assert!(instance.unwrap().attribute("smb.G.drain").is_none());
        }
    }
    Ok(())
}

/// Replaces the faults by these.
fn break_calls<'a>(story: &Setup, faults: impl Iterator<Item = &'a (usize, &'static str, Fault, u32)>) {
    let mut aws = story.local.aws();
    aws.faults.clear();
    for (_, operation, fault, times) in faults {
        aws.faults.add(FaultRule::once(operation, fault.clone()).times(*times));
    }
}

async fn run(case: Case) -> Result<(), TestCaseError> {
    let story = story(&case);
    if case.password == Password::Refused {
        story.local.aws().world.change_password_in_directory("another");
        let process = Process::new(&story.local, "canary");
        let send = process.ssm().send_command().document_name("ecs-smb-mapper-G").instance_ids(id(1));
        send.parameters("Action", vec!["map".to_owned()]).send().await.unwrap();
        story.local.wait(Duration::from_secs(60)).await;
        assert_eq!(story.local.aws().world.account.count(Presented::Parameters, false), 1);
    }
    let events: Vec<(String, &Happening)> =
        case.happenings.iter().map(|happening| (body(&story, &case, happening), happening)).collect();
    let mut queue: Vec<usize> = (0..events.len()).collect();
    for round in 0.. {
        if queue.is_empty() {
            break;
        }
        prop_assert!(round < 200, "a record comes back for ever");
        break_calls(&story, case.faults.iter().filter(|(at, ..)| *at == round));
        let batch: Vec<usize> = queue.drain(..case.batch.min(queue.len())).collect();
        let payload = sqs_of(batch.iter().map(|n| events[*n].0.clone()));
        let answer = story.invoke(payload).await.map_err(TestCaseError::fail)?;
        let failed: Vec<usize> = failures(&answer).iter().map(|id| id[1..].parse().unwrap()).collect();
        let (failed, acknowledged): (Vec<usize>, Vec<usize>) =
            (0..batch.len()).partition(|place| failed.contains(place));
        let failed: Vec<usize> = failed.into_iter().map(|place| batch[place]).collect();
        for place in acknowledged {
            let happening = events[batch[place]].1;
            // Of several events of one kind the one that counts comes again for all.
            let comes_again =
                |n: &usize| events[*n].1.host == happening.host && events[*n].1.is_like(happening);
            if !failed.iter().any(comes_again) {
                check_acknowledged(&story, &case, happening)?;
            }
        }
        queue.extend(failed);
        check_always(&story, &case)?;
        let counted = story.metrics();
        let classes = [
            "EventsHandled",
            "EventsSkipped",
            "EventsForeign",
            "EventsUnreadable",
            "EventsFailed",
            "LeftToReconcile",
        ];
        let total: f64 = classes.iter().filter_map(|class| counted.get(*class)).sum();
        prop_assert_eq!(total, batch.len() as f64, "every record has one outcome");
    }
    check_complete(&story, &case)
}

/// Once no fault was in the way of its last event, a newcomer that did not restart has its command.
fn check_complete(story: &Setup, case: &Case) -> Result<(), TestCaseError> {
    if case.password != Password::Proven || !case.faults.is_empty() {
        return Ok(());
    }
    let sent: Vec<String> = story.commands().into_iter().flatten().collect();
    for (host, role) in case.roles.iter().enumerate() {
        let of_host = || case.happenings.iter().filter(|happening| happening.host == host);
        let registered = of_host().any(|happening| matches!(happening.what, What::Registered));
        let restarted = of_host().any(|happening| happening.is_restart() && happening.minutes_before < 60);
        if *role == Role::New && registered && !restarted {
            prop_assert!(sent.contains(&id(number(host))), "host {host} was forgotten");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_command_goes_astray_and_no_record_is_lost(case in cases()) {
        fastrand::seed(7);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(case))?;
    }
}
