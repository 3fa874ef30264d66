//! One reconcile run: observe, decide, act, and observe again while an instance is about to become ready.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use shared::aws::AwsError;
use shared::budget::Parameters;
use shared::config::{Mode, Policy};
use shared::history::{Action, Command};
use shared::ids::ClusterRef;
use shared::text;

use crate::act::carry_out;
use crate::app::App;
use crate::decide::{GateWrite, Plan, assess, later};
use crate::error::Error;
use crate::fleet::{Fleet, Instance};
use crate::memory::Memory;
use crate::observe::{read_agents, read_fleet, read_parameters, read_registrations};
use crate::report::{self, Look, publish};
use crate::run::{self, Run};
use crate::statistics::RunStatistics;

/// Runs until nothing is about to change, or until its time is nearly up.
///
/// # Errors
/// When no cluster, or SSM's history, can be read.
pub async fn run(app: &App, memory: &mut Memory, deadline: Timestamp) -> Result<(), Error> {
    let mut run = Run::new(app, memory, deadline);
    // ECS and SSM at once. The history comes after both, so that no command sent meanwhile is missed.
    let (mut found, parameters) = tokio::join!(read_registrations(app), read_parameters(app));
    if found.failed.len() == app.config.clusters.len() {
        return Err(Error::NoCluster);
    }
    for (_, error) in &found.failed {
        run.statistics.failed(error);
    }
    let mut parameters = known(&mut run, parameters);
    loop {
        let looked = app.clients.now();
        let mut fleet = read_fleet(app, run.memory, &found, parameters).await?;
        let plan = look(app, &mut fleet, &mut run.statistics).await?;
        if app.config.policy.mode == Mode::Report {
            log_what_would_be_done(&plan);
            publish(app, &plan.fleet, &plan, &run.statistics);
            return Ok(());
        }
        carry_out(&mut run, &mut fleet, &plan).await;
        let now = app.clients.now();
        let soon = later(looked, app.config.policy.look_interval());
        let next =
            next_look(run.memory, &fleet, &plan, &app.config.policy, now).map(|at| at.max(soon).max(now));
        let Some(next) = next.filter(|next| *next < run.end && !run.denials.are_enough()) else {
            log_withheld(&plan);
            publish(app, &fleet, &plan, &run.statistics);
            return Ok(());
        };
        tokio::time::sleep(Duration::try_from(next.duration_since(now)).unwrap_or_default()).await;
        found.keep(&fleet);
        // A parameter that changed within the run may be presented, so its date is needed.
        let (errors, again) = tokio::join!(found.read_new(app), read_parameters(app));
        for error in errors {
            run.statistics.failed(&error);
        }
        parameters = known(&mut run, again);
    }
}

/// What was read; what could not be read is counted.
fn known(run: &mut Run<'_>, parameters: Result<Parameters, AwsError>) -> Parameters {
    parameters.unwrap_or_else(|error| {
        run.statistics.failed(&error);
        Parameters::Unread
    })
}

/// Answers `{"report": true}`: what a run would see and do. Changes nothing.
///
/// # Errors
/// When the cluster is not watched, or SSM's history cannot be read.
pub async fn report(app: &App, memory: &mut Memory, cluster: Option<&str>) -> Result<Value, Error> {
    let only = cluster.map(|text| watched(app, text)).transpose()?;
    // The whole fleet is read even where one cluster is shown, because all share one password.
    let (found, parameters) = tokio::join!(read_registrations(app), read_parameters(app));
    let parameters = parameters.unwrap_or(Parameters::Unread);
    let mut fleet = read_fleet(app, memory, &found, parameters).await?;
    let mut statistics = RunStatistics::default();
    let plan = look(app, &mut fleet, &mut statistics).await?;
    let look = Look { registrations: &found, fleet: &fleet, plan: &plan, statistics: &statistics };
    Ok(report::report(app, &look, only))
}

fn watched<'a>(app: &'a App, name: &str) -> Result<&'a ClusterRef, Error> {
    let watched =
        app.config.clusters.iter().find(|cluster| cluster.as_str() == name || cluster.name() == name);
    watched.ok_or_else(|| Error::NotWatched(text::clean(name, text::MOST_CHARACTERS)))
}

/// Decides, and asks the agents that the decision needs in between.
async fn look(app: &App, fleet: &mut Fleet, statistics: &mut RunStatistics) -> Result<Plan, AwsError> {
    let (policy, now) = (&app.config.policy, app.clients.now());
    statistics.note_privacy(fleet);
    let mut assessment = assess(fleet, policy, now);
    let agents = read_agents(app, &assessment.agents_to_ask(policy, now)).await?;
    fleet.set_agents(&agents);
    assessment.fleet.set_agents(&agents);
    Ok(assessment.plan(policy, now))
}

/// When to look again within the run, though not before the next look is due; `None` where nothing is about to change. A
/// look that takes longer than the interval is followed by the next at once, because it had much to do.
fn next_look(
    memory: &Memory,
    fleet: &Fleet,
    plan: &Plan,
    policy: &Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    // While the password is fresh, an instance that registers now takes tasks without waiting for the next run.
    if plan.budget.is_fresh || is_about_to_change(memory, fleet, plan, policy, now) {
        return Some(now);
    }
    // The next check is sent as soon as this one ends. That is not known exactly, so it looks when half of the time is over.
    let unlisted = unlisted(memory, fleet).filter(|command| command.is_in_flight(now));
    let at_work =
        unlisted.chain(fleet.in_flight(Action::Check, now)).filter(|one| one.action == Action::Check);
    let rest = at_work.map(|command| plan.pace.rest_of(command)).max()?;
    plan.has_more_checks.then(|| later(now, rest / 2))
}

/// A `map` is in flight; or a new instance waits for its agent or its turn, and the budget allows a `map`.
fn is_about_to_change(memory: &Memory, fleet: &Fleet, plan: &Plan, policy: &Policy, now: Timestamp) -> bool {
    let map_in_flight = fleet.in_flight(Action::Map, now).next().is_some()
        || unlisted(memory, fleet).any(|one| one.action == Action::Map && one.is_in_flight(now));
    let is_waiting = |instance: &Instance| {
        let is_new = instance.is_unknown() && now < later(instance.floor(), policy.agent_wait());
        is_new && !instance.is_in_flight()
    };
    let may_be_sent =
        |instance: &Instance| plan.budget.is_fresh || plan.budget.allows_canary(&instance.id, policy, now);
    map_in_flight || fleet.counted().any(|instance| is_waiting(instance) && may_be_sent(instance))
}

/// Commands that SSM took from us and does not list yet.
fn unlisted<'m>(memory: &'m Memory, fleet: &'m Fleet) -> impl Iterator<Item = &'m Command> {
    memory.sent.iter().filter(|command| !fleet.commands.iter().any(|listed| listed.id == command.id))
}

fn log_what_would_be_done(plan: &Plan) {
    let log_writes = |writes: &[GateWrite]| {
        for GateWrite { arn, verdict, .. } in writes {
            tracing::info!(
                container_instance = arn.as_str(),
                gate = verdict.gate.as_str(),
                state = verdict.state.print(),
                "would write"
            );
        }
    };
    log_writes(&plan.shut_or_kept);
    for command in &plan.commands {
        tracing::info!(
            action = command.action.as_str(),
            instance_ids = ?command.targets.iter().map(|id| id.as_str()).collect::<BTreeSet<_>>(),
            reason = command.reason,
            "would send"
        );
    }
    log_writes(&plan.opened);
    for drain in &plan.drains {
        tracing::info!(container_instance = drain.arn.as_str(), action = ?drain.action, "would change the drain");
    }
    log_withheld(plan);
}

fn log_withheld(plan: &Plan) {
    for (arn, rule) in &plan.withheld {
        let instance_id = plan.fleet.instances.get(arn).map(|instance| instance.id.as_str());
        run::log_withheld(arn, instance_id, *rule);
    }
}
