//! What one decision costs, without a call: 5,000 instances in the best and in the worst minutes. A run decides twice a
//! look.
//!
//! `make bench-items`; the throughput printed is in instances.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drain_unmapped::decide::decide;
use drain_unmapped::fleet::{AgentState, CommandResult, Fleet, Instance};
use jiff::{SignedDuration, Timestamp};
use shared::budget::{Attempt, Parameters};
use shared::cause::Cause;
use shared::config::Policy;
use shared::ecs::{ContainerInstance, Status};
use shared::history::{Action, Command};
use shared::ids::{ClusterRef, CommandId, ContainerInstanceArn, InstanceId};
use shared::invocation::{Failure, InvocationResult, Step};
use shared::state::{Drain, Gate, InstanceAttributes, State, StateAttribute};

const INSTANCES: i64 = 5_000;

fn now() -> Timestamp {
    Timestamp::constant(1_795_000_000, 0)
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn instance(n: i64, state: Option<State>) -> Instance {
    let gate = match &state {
        Some(State::Mapped { .. } | State::Doubtful { .. }) => Gate::Mapped,
        _ => Gate::Shut,
    };
    let arn = format!("arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/{n:032x}");
    let id = InstanceId::parse(&format!("i-{n:017x}")).expect("an id");
    let state = state.map_or(StateAttribute::Absent, StateAttribute::Known);
    Instance {
        record: ContainerInstance {
            arn: ContainerInstanceArn::parse(&arn).expect("an ARN"),
            cluster: ClusterRef::parse("windows").expect("a name"),
            instance_id: Some(id.clone()),
            status: Status::Active,
            is_connected: true,
            is_windows: true,
            registered_at: ago(90_000),
            version: 1,
            attributes: InstanceAttributes {
                gate,
                state,
                drain: Drain::Absent,
                hold: false,
                has_gate: true,
                has_state: true,
                is_of_other_stack: false,
            },
            custom_attributes: 2,
        },
        id,
        results: Arc::default(),
        agent: AgentState::Online,
    }
}

fn mapped(n: i64) -> Option<State> {
    Some(State::Mapped { since: ago(80_000), judged: ago(n * 7 % 1_800), logon: Some(ago(80_000)) })
}

fn unmapped(n: i64, cause: &str) -> Option<State> {
    Some(State::Unmapped {
        attempts: 9,
        judged: ago(n % 300),
        logon: Some(ago(80_000)),
        cause: Cause::new(cause),
        failing_since: ago(1_800 + n % 300),
    })
}

/// Every instance has one more word to be judged: the network is gone.
fn heard(mut instance: Instance, command: &Command) -> Instance {
    Arc::make_mut(&mut instance.results).push(CommandResult {
        command: Some(command.id.clone()),
        requested_at: command.requested_at,
        action: command.action,
        result: Some(InvocationResult::Failed(Arc::new(Failure {
            cause: Cause::new("53"),
            said: "53".to_owned(),
            step: Step::parse("read"),
            refused: None,
            message: "the network path was not found".to_owned(),
            script: None,
        }))),
        is_stopped: false,
    });
    instance
}

fn fleet(instances: impl Iterator<Item = Instance>, commands: Vec<Command>) -> Fleet {
    let instances: BTreeMap<_, _> =
        instances.map(|instance| (instance.record.arn.clone(), instance)).collect();
    let attempts = instances.values().flat_map(|instance: &Instance| {
        instance.results.iter().filter_map(|result| {
            Some(Attempt {
                instance: instance.id.clone(),
                action: result.action,
                requested_at: result.requested_at,
                ended_at: result.requested_at,
                ended_at_least: result.requested_at,
                result: result.result.clone()?,
            })
        })
    });
    Fleet {
        attempts: Arc::new(attempts.collect()),
        instances,
        stale_registrations: Vec::new(),
        commands: Arc::new(commands),
        unconfirmed_sends: Vec::new(),
        parameters: Parameters::Changed(ago(85_000)),
        is_partial: false,
    }
}

fn bench(criterion: &mut Criterion) {
    let policy = Policy::default();
    let id = CommandId::parse("a-command").expect("an id");
    let sent = Command::sent(id, Action::Check, 2, Vec::new(), ago(1));
    let command = Command { completed: 1, is_final: true, ..sent };
    let broken = std::iter::once(instance(0, unmapped(0, "drive-in-use")));
    let well = (1..INSTANCES).map(|n| instance(n, mapped(n)));
    let fleets = [
        ("4,999 mapped, one broken", fleet(broken.chain(well), Vec::new())),
        ("all new", fleet((0..INSTANCES).map(|n| instance(n, None)), Vec::new())),
        (
            "all unmapped, no network",
            fleet((0..INSTANCES).map(|n| instance(n, unmapped(n, "53"))), Vec::new()),
        ),
        (
            "all with a word to be judged",
            fleet((0..INSTANCES).map(|n| heard(instance(n, mapped(n)), &command)), vec![command.clone()]),
        ),
    ];
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(INSTANCES.unsigned_abs()));
    for (name, fleet) in fleets {
        group.bench_with_input(BenchmarkId::from_parameter(name), &fleet, |bencher, fleet| {
            bencher.iter(|| decide(black_box(fleet), &policy, now()));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
