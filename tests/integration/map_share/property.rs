//! Any events in any order, doubled, batched and redelivered, while calls fail: no command goes to a wrong instance, and
//! no record is lost.

use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use shared::state::State;
use tests::fleet::Presented;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::in_process::in_virtual_time;

use super::*;
use crate::properties::config;

impl HostKind {
    const ALL: [HostKind; 9] = {
        use HostKind::*;
        [New, AgentLate, Mapped, Failing, DrainedByUs, DrainedByOperator, Linux, OtherCluster, NotRegistered]
    };

    fn is_foreign(self) -> bool {
        matches!(self, HostKind::Linux | HostKind::OtherCluster)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Password {
    Fresh,
    NotFresh,
    Refused,
}

#[derive(Debug, Clone, Copy)]
enum EventKind {
    Registered,
    DisconnectedBefore,
    Stopping,
    Running,
    SpotWarning,
    Termination,
    Unreadable,
}

/// An event about one host of the case, this long before the story begins.
#[derive(Debug, Clone)]
struct HostEvent {
    host: usize,
    kind: EventKind,
    minutes_before: i64,
}

impl HostEvent {
    fn is_restart(&self) -> bool {
        matches!(self.kind, EventKind::Stopping | EventKind::Running)
    }

    fn is_termination(&self) -> bool {
        matches!(self.kind, EventKind::SpotWarning | EventKind::Termination)
    }

    fn time(&self) -> Timestamp {
        base() - SignedDuration::from_mins(self.minutes_before)
    }

    /// Of several such events the newest one counts for all.
    fn is_like(&self, other: &HostEvent) -> bool {
        self.host == other.host
            && self.is_restart() == other.is_restart()
            && self.is_termination() == other.is_termination()
    }
}

/// A call that fails in one round, and how often.
type FailingCall = (usize, &'static str, Fault, u32);

#[derive(Debug, Clone)]
struct Case {
    hosts: Vec<HostKind>,
    password: Password,
    events: Vec<HostEvent>,
    batch: usize,
    failing_calls: Vec<FailingCall>,
}

fn cases() -> impl Strategy<Value = Case> {
    use EventKind::*;
    let kind =
        select(vec![Registered, DisconnectedBefore, Stopping, Running, SpotWarning, Termination, Unreadable]);
    let event = (0..8_usize, kind, select(vec![0_i64, 1, 5, 15, 90]))
        .prop_map(|(host, kind, minutes_before)| HostEvent { host, kind, minutes_before });
    let operation = select(vec![
        "ListCommands",
        "ListContainerInstances",
        "DescribeContainerInstances",
        "DescribeInstanceInformation",
        "DescribeParameters",
        "ListCommandInvocations",
        "PutAttributes",
        "SendCommand",
    ]);
    let fault = select(vec![
        Fault::Throttle,
        Fault::ErrorBefore(500),
        Fault::ErrorAfter(503),
        Fault::AnswerLost,
        Fault::NotReached,
    ]);
    let failing_call = (0..6_usize, operation, fault, select(vec![1_u32, 3, 50]));
    (
        vec(select(&HostKind::ALL[..]), 8),
        select(vec![Password::Fresh, Password::Fresh, Password::NotFresh, Password::Refused]),
        vec(event, 1..40),
        1..20_usize,
        vec(failing_call, 0..4),
    )
        .prop_map(|(hosts, password, events, batch, failing_calls)| Case {
            hosts,
            password,
            events,
            batch,
            failing_calls,
        })
}

/// The EC2 id of a host of the case. The first host of the story is the one that is refused.
fn id_of(host: usize) -> String {
    id(host as u64 + 2)
}

fn story(case: &Case) -> Setup {
    let mut world = world().cluster("others").windows_instances("apps", 1);
    for kind in &case.hosts {
        world = kind.add(world, mapped);
    }
    Setup::new(world)
}

fn body(story: &Setup, case: &Case, event: &HostEvent) -> String {
    let (id, time) = (id_of(event.host), event.time());
    let is_registered = case.hosts[event.host] != HostKind::NotRegistered;
    let event = match event.kind {
        EventKind::Registered if is_registered => story.event(&id),
        EventKind::DisconnectedBefore if is_registered => {
            let mut event = story.event(&id);
            event["detail"]["version"] = json!(0);
            event["detail"]["agentConnected"] = json!(false);
            event
        }
        EventKind::Stopping => state_change(&id, "stopping", time),
        EventKind::Running | EventKind::Registered | EventKind::DisconnectedBefore => {
            state_change(&id, "running", time)
        }
        EventKind::SpotWarning => spot_warning(&id, time),
        EventKind::Termination => termination(&id, time),
        EventKind::Unreadable => return "{".repeat(event.host),
    };
    event.to_string()
}

/// Checks the effect of a record that was acknowledged.
fn check_acknowledged(story: &Setup, case: &Case, event: &HostEvent) -> Result<(), TestCaseError> {
    let kind = case.hosts[event.host];
    let aws = story.local.aws();
    let Some(instance) = aws.container_instance(&id_of(event.host)) else { return Ok(()) };
    if event.is_restart() && !kind.is_foreign() && event.time() > instance.registered_at {
        let state = instance.attribute("smb.G.state").and_then(State::parse);
        let is_recorded = state.is_some_and(|state| state.judged() >= event.time());
        prop_assert!(is_recorded, "{event:?} is not recorded");
        if event.time() > "2026-03-01T11:50:00Z".parse().unwrap() {
            prop_assert_eq!(instance.attribute("smb.G"), Some("shut"), "{:?}", event);
        }
    }
    let is_newer = event.time() > instance.registered_at;
    if event.is_termination() && kind == HostKind::DrainedByUs && is_newer {
        prop_assert!(instance.attribute("smb.G.drain").unwrap().starts_with("released"), "{event:?}");
    }
    Ok(())
}

/// Checks what must hold at any time.
fn check_always(story: &Setup, case: &Case) -> Result<(), TestCaseError> {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for target in story.commands().into_iter().flatten() {
        *sent.entry(target).or_default() += 1;
    }
    prop_assert!(case.password == Password::Fresh || sent.is_empty(), "not fresh, yet sent: {sent:?}");
    for (host, kind) in case.hosts.iter().enumerate() {
        let count = sent.get(&id_of(host)).copied().unwrap_or_default();
        prop_assert!(count <= usize::from(*kind == HostKind::New), "{kind:?} was sent {count} commands");
        let aws = story.local.aws();
        let attribute = |name| aws.container_instance(&id_of(host)).unwrap().attribute(name);
        if kind.is_foreign() {
            prop_assert_eq!(attribute("smb.G.state"), None, "{:?} was written to", kind);
        }
        if *kind == HostKind::DrainedByOperator {
            prop_assert_eq!(attribute("smb.G.drain"), None);
        }
    }
    Ok(())
}

async fn run(case: Case) -> Result<(), TestCaseError> {
    let story = story(&case);
    if case.password != Password::NotFresh {
        story.let_in().await;
    }
    if case.password == Password::Refused {
        story.local.aws().world.change_password_in_directory("another");
        story.run("map", &id(1)).await;
        story.local.wait(Duration::from_secs(20)).await;
        assert_eq!(story.local.aws().world.account.count(Presented::Parameters, false), 1);
    }
    let bodies: Vec<String> = case.events.iter().map(|event| body(&story, &case, event)).collect();
    let mut queue: Vec<usize> = (0..bodies.len()).collect();
    for round in 0.. {
        if queue.is_empty() {
            break;
        }
        prop_assert!(round < 200, "a record comes back for ever");
        {
            let mut aws = story.local.aws();
            aws.faults.clear();
            for (_, operation, fault, times) in case.failing_calls.iter().filter(|(at, ..)| *at == round) {
                aws.faults.add(FaultRule::once(operation, fault.clone()).times(*times));
            }
        }
        let batch: Vec<usize> = queue.drain(..case.batch.min(queue.len())).collect();
        let payload = sqs_of(batch.iter().map(|n| bodies[*n].clone()));
        let answer = story.invoke(payload).await.map_err(TestCaseError::fail)?;
        let returned: Vec<usize> =
            failures(&answer).iter().map(|id| batch[id[1..].parse::<usize>().unwrap()]).collect();
        for event in batch.iter().filter(|n| !returned.contains(n)).map(|n| &case.events[*n]) {
            if !returned.iter().any(|n| case.events[*n].is_like(event)) {
                check_acknowledged(&story, &case, event)?;
            }
        }
        queue.extend(returned);
        check_always(&story, &case)?;
        let total: f64 = story.outcomes().values().sum();
        prop_assert_eq!(total, batch.len() as f64, "every record has one outcome");
    }
    check_complete(&story, &case)
}

/// If no call failed, every new host that registered and did not restart has its command.
fn check_complete(story: &Setup, case: &Case) -> Result<(), TestCaseError> {
    if case.password != Password::Fresh || !case.failing_calls.is_empty() {
        return Ok(());
    }
    let sent: Vec<String> = story.commands().into_iter().flatten().collect();
    for (host, kind) in case.hosts.iter().enumerate() {
        let events = || case.events.iter().filter(|event| event.host == host);
        let has_registered = events().any(|event| matches!(event.kind, EventKind::Registered));
        let has_restarted = events().any(|event| event.is_restart() && event.minutes_before < 60);
        if *kind == HostKind::New && has_registered && !has_restarted {
            prop_assert!(sent.contains(&id_of(host)), "host {host} has no command");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(200))]
    #[test]
    fn no_command_goes_to_a_wrong_instance_and_no_record_is_lost(case in cases()) {
        fastrand::seed(7);
        in_virtual_time(run(case))?;
    }
}
