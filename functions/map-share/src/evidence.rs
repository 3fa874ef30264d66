//! Reads what the credential brake weighs: the parameters' dates, a page of instances whose gate is open, and the
//! window's failed invocations.
//!
//! A part of the fleet is enough: fewer log-ons only brake more. It decides nothing; see [`shared::brake`].

use jiff::Timestamp;
use shared::brake::{CredentialFailure, Evidence, Parameters};
use shared::cause::Class;
use shared::ecs::{self, ContainerInstance};
use shared::history::{Command, Invocation, WINDOW};
use shared::outcome::{self, Word};
use shared::share::ShareMapping;
use shared::ssm;
use shared::state::State;

use crate::App;
use crate::error::CallError;

/// The step of the script that presents the parameters' password.
const CREATE: &str = "create";

/// Reads the evidence. `described` is what this run knows already; `commands` is the window's history.
pub(crate) async fn read(
    app: &App,
    described: &[ContainerInstance],
    commands: &[Command],
    now: Timestamp,
) -> Result<Evidence, CallError> {
    let config = &app.config;
    let parameters = ssm::describe_parameters(&app.clients.ssm, &config.parameters).await?;
    let mut known = described.to_vec();
    for cluster in &config.clusters {
        let open = format!("attribute:{} == mapped", app.names().gate);
        let arns = match ecs::list_some_container_instances(&app.clients.ecs, cluster, &open).await {
            Err(error) if error.is_cluster_gone() => continue,
            listed => listed?,
        };
        if arns.is_empty() {
            continue;
        }
        known
            .extend(ecs::describe_container_instances(&app.clients.ecs, cluster, &app.names(), &arns).await?);
    }
    let failed = ssm::list_failed_invocations(&app.clients.ssm, &config.document, now - WINDOW).await?;
    Ok(weigh(parameters, &known, commands, &failed, &config.share))
}

/// Builds the evidence out of what was read.
fn weigh(
    parameters: Parameters,
    known: &[ContainerInstance],
    commands: &[Command],
    failed: &[Invocation],
    share: &ShareMapping,
) -> Evidence {
    let states =
        || known.iter().filter_map(|instance| Some((instance.instance_id.as_ref()?, state(instance)?)));
    let mut failures: Vec<CredentialFailure> = Vec::new();
    for invocation in failed {
        let Word::Failed(failure) =
            outcome::judge(share, Some(&invocation.status_details), &invocation.output, true)
        else {
            continue;
        };
        if failure.cause.class() != Class::Credentials {
            continue;
        }
        let requested = invocation.requested_at;
        let state = states().find(|(id, _)| **id == invocation.instance_id).map(|(_, state)| state);
        let began = match state {
            // It was proven since.
            Some(State::Mapped { judged, .. } | State::Doubtful { judged, .. }) if *judged > requested => {
                continue;
            }
            Some(State::Unmapped { cause, failing_since, .. }) if cause.class() == Class::Credentials => {
                requested.min(*failing_since)
            }
            _ => requested,
        };
        let command = commands.iter().find(|command| command.id == invocation.command_id);
        failures.push(CredentialFailure {
            began,
            requested,
            action: command.map(|command| command.action),
            with_parameters_password: failure.step == CREATE,
        });
    }
    // A failure on record whose invocation has left the window.
    for (id, state) in states() {
        let State::Unmapped { judged, cause, failing_since, .. } = state else { continue };
        let is_listed = failed.iter().any(|i| i.instance_id == *id && i.requested_at == *judged);
        if cause.class() == Class::Credentials && !is_listed {
            failures.push(CredentialFailure {
                began: *failing_since,
                requested: *judged,
                action: None,
                with_parameters_password: false,
            });
        }
    }
    let newest_logon = states().filter_map(|(_, state)| state.logon()).max();
    Evidence { newest_logon, failures, parameters }
}

fn state(instance: &ContainerInstance) -> Option<&State> {
    instance.standing.state.state()
}
