//! One run: look, decide, act, and look again while a host is about to become ready.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::brake::Parameters;
use shared::config::{Mode, Policy};
use shared::history::Action;
use shared::invocation::InvocationResult;
use shared::ssm::SsmError;

use crate::act::{Pace, carry_out};
use crate::decide::{self, Plan, decide};
use crate::fleet::{AgentState, Fleet};
use crate::read::{Memory, Registrations, read_agents, read_fleet, read_parameters, read_registrations};
use crate::schedule::later;
use crate::sends::agents_to_ask;
use crate::statistics::{RunStatistics, publish};
use crate::{App, Error};

/// Kept back at the end of a run for its last answers, its metrics and its line.
const MARGIN: SignedDuration = SignedDuration::from_secs(4);

/// Runs until nothing is about to change, or until its time is nearly up.
pub async fn run(app: &App, memory: &mut Memory, deadline: Timestamp) -> Result<(), Error> {
    let end = deadline.checked_sub(MARGIN).unwrap_or(deadline);
    let mut pace = Pace::new(app.config.policy.ecs_writes_per_second);
    let mut statistics = RunStatistics::default();
    // ECS and SSM at once. The history comes after both, so that no command sent meanwhile is missed.
    let (mut found, parameters) = tokio::join!(read_registrations(app, None), read_parameters(app));
    if found.failed.len() == app.config.clusters.len() {
        return Err(Error::NoCluster);
    }
    for (_, error) in &found.failed {
        statistics.failed(error.is_throttle());
    }
    let parameters = parameters.unwrap_or_else(|error| {
        statistics.failed(error.is_throttle());
        Parameters::Unread
    });
    loop {
        let looked = app.clients.now();
        let mut fleet = read_fleet(app, memory, &found, parameters).await?;
        let plan = look(app, &mut fleet, &mut statistics).await?;
        if app.config.policy.mode == Mode::Report {
            say_what_would_be_done(&plan);
            publish(app, &plan.fleet, &plan, &statistics, app.clients.now());
            return Ok(());
        }
        carry_out(app, memory, &mut pace, &mut fleet, &plan, &mut statistics, end).await;
        let now = app.clients.now();
        let pause = (pause(&app.config.policy) - now.duration_since(looked)).max(SignedDuration::ZERO);
        if !is_about_to_change(memory, &fleet, &app.config.policy, now) || later(now, pause) >= end {
            log_withheld(&plan);
            publish(app, &fleet, &plan, &statistics, now);
            return Ok(());
        }
        tokio::time::sleep(Duration::try_from(pause).unwrap_or_default()).await;
        keep(&mut found, &fleet);
    }
}

/// Decides twice: once to know whose agents to ask, once with their answers.
pub async fn look(app: &App, fleet: &mut Fleet, statistics: &mut RunStatistics) -> Result<Plan, SsmError> {
    let policy = &app.config.policy;
    let now = app.clients.now();
    for instance in fleet.instances.values() {
        let mut proofs = instance.answers.iter().rev().filter_map(|answer| match &answer.result {
            Some(InvocationResult::Mapped(proof)) => proof.privacy,
            _ => None,
        });
        if let Some(is_private) = proofs.next() {
            statistics.privacy.insert(instance.id.clone(), is_private);
        }
    }
    let judged = decide(fleet, policy, now).fleet;
    read_agents(app, fleet, &agents_to_ask(&judged, policy, now)).await?;
    Ok(decide(fleet, policy, now))
}

/// From one look to the next: a few seconds, of our usual wait. A look that takes longer is followed by the next at once,
/// for it had much to do, and more has come up meanwhile.
fn pause(policy: &Policy) -> SignedDuration {
    policy.base / 10
}

/// A `map` is at work, or an instance that just came in waits for its agent.
fn is_about_to_change(memory: &Memory, fleet: &Fleet, policy: &Policy, now: Timestamp) -> bool {
    let map_in_flight = fleet.in_flight(Action::Map, now).next().is_some()
        || memory.sent.iter().any(|command| {
            let unlisted = !fleet.commands.iter().any(|listed| listed.id == command.id);
            command.action == Action::Map && unlisted && command.is_in_flight(now)
        });
    let awaited = |instance: &&crate::fleet::Instance| {
        let came_in = instance.is_unknown() && now < later(instance.floor(), policy.base * 20);
        came_in && instance.agent != AgentState::Online && !instance.is_in_flight()
    };
    map_in_flight || fleet.counted().any(|instance| awaited(&instance))
}

/// The next look starts from what we wrote; whoever else writes is seen by the reading before each write.
fn keep(found: &mut Registrations, fleet: &Fleet) {
    for record in &mut found.records {
        if let Some(instance) = fleet.instances.get(&record.arn) {
            *record = instance.record.clone();
        }
    }
}

fn say_what_would_be_done(plan: &Plan) {
    for action in &plan.actions {
        match action {
            decide::Action::Write { arn, verdict, .. } => tracing::info!(
                container_instance = arn.as_str(),
                gate = verdict.gate.as_str(),
                state = verdict.state.print(),
                "would write"
            ),
            decide::Action::Send(order) => tracing::info!(
                action = order.action.as_str(),
                instance_ids = ?order.targets.iter().map(|id| id.as_str()).collect::<BTreeSet<_>>(),
                reason = order.reason,
                "would send"
            ),
            decide::Action::Drain { arn, action } => {
                tracing::info!(container_instance = arn.as_str(), action = ?action, "would change the drain");
            }
        }
    }
    log_withheld(plan);
}

fn log_withheld(plan: &Plan) {
    for (arn, rule) in &plan.withheld {
        let instance_id = plan.fleet.instances.get(arn).map(|instance| instance.id.as_str());
        tracing::warn!(
            container_instance = arn.as_str(),
            instance_id,
            rule = rule.as_str(),
            "drain withheld"
        );
    }
}
