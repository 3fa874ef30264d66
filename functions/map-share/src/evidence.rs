//! Reads the evidence that the credential brake weighs: the parameters' dates, one page of instances with an open gate,
//! the failed invocations in SSM's history, and the states of the instances that failed for their credentials.
//!
//! A part of the fleet is enough: with fewer log-ons the brake only withholds more. Nothing is decided here; see
//! [`shared::brake`].

use std::collections::BTreeSet;

use shared::brake::{CredentialFailure, Evidence, Parameters};
use shared::credentials::{is_credential_failure, presented_parameters_password};
use shared::ecs::{self, ContainerInstance};
use shared::history::{Command, Deadline, Invocation, WINDOW};
use shared::ids::InstanceId;
use shared::invocation::{Failure, InvocationResult, interpret};
use shared::share::ShareMapping;
use shared::ssm;
use shared::state::State;

use crate::app::App;
use crate::error::CallError;
use crate::lookup::find_in_cluster;
use crate::plan::History;

/// Reads the evidence. `described` is what this run has described already.
pub(crate) async fn read(
    app: &App,
    described: &[ContainerInstance],
    history: History<'_>,
) -> Result<Evidence, CallError> {
    let (config, since) = (&app.config, history.now - WINDOW);
    let of_ssm = async {
        let parameters = ssm::describe_parameters(app.clients.ssm(), &config.parameters).await?;
        let failed = ssm::list_failed_invocations(app.clients.ssm(), &config.document, since).await?;
        Ok::<_, CallError>((parameters, failed))
    };
    // One call at a time to each service, since init opens one connection to each.
    let (of_ssm, open) = tokio::join!(of_ssm, some_open_gates(app));
    let (parameters, failed) = of_ssm?;
    let mut known = described.to_vec();
    known.extend(open?);
    let failed = credential_failures(&failed, &config.share);
    let is_known = |id: &InstanceId| known.iter().any(|instance| instance.instance_id.as_ref() == Some(id));
    let unknown: BTreeSet<InstanceId> =
        failed.iter().map(|(i, _)| &i.instance_id).filter(|id| !is_known(id)).cloned().collect();
    if !unknown.is_empty() {
        // Their states tell a failure that began before others logged on from one that began after.
        for cluster in &config.clusters {
            known.extend(find_in_cluster(app, cluster, &unknown).await?);
        }
    }
    Ok(weigh(parameters, &known, history.commands, &failed))
}

/// A page of the instances whose gate is open, of every cluster.
async fn some_open_gates(app: &App) -> Result<Vec<ContainerInstance>, CallError> {
    let (client, names) = (app.clients.ecs(), app.names());
    let open = format!("attribute:{} == mapped", names.gate);
    let mut instances = Vec::new();
    for cluster in &app.config.clusters {
        let arns = match ecs::list_some_container_instances(client, cluster, &open).await {
            Err(error) if error.is_cluster_gone() => continue,
            listed => listed?,
        };
        if !arns.is_empty() {
            instances.extend(ecs::describe_container_instances(client, cluster, &names, &arns).await?);
        }
    }
    Ok(instances)
}

/// The invocations that failed for their credentials, by the script's result line.
fn credential_failures<'a>(failed: &'a [Invocation], share: &ShareMapping) -> Vec<(&'a Invocation, Failure)> {
    let result = |i: &Invocation| interpret(share, Some(&i.status_details), &i.output, Deadline::Past);
    let failure = |invocation| match result(invocation) {
        InvocationResult::Failed(failure) if is_credential_failure(&failure.cause) => {
            Some((invocation, failure))
        }
        _ => None,
    };
    failed.iter().filter_map(failure).collect()
}

/// Builds the evidence from what was read.
fn weigh(
    parameters: Parameters,
    known: &[ContainerInstance],
    commands: &[Command],
    failed: &[(&Invocation, Failure)],
) -> Evidence {
    let states = || known.iter().filter_map(|i| Some((i.instance_id.as_ref()?, i.attributes.state.state()?)));
    let mut failures: Vec<CredentialFailure> = Vec::new();
    for (invocation, failure) in failed {
        let requested = invocation.requested_at;
        let state = states().find(|(id, _)| **id == invocation.instance_id).map(|(_, state)| state);
        let began = match state {
            // It was proven later.
            Some(State::Mapped { judged, .. } | State::Doubtful { judged, .. }) if *judged > requested => {
                continue;
            }
            Some(State::Unmapped { cause, failing_since, .. }) if is_credential_failure(cause) => {
                requested.min(*failing_since)
            }
            _ => requested,
        };
        let action = commands.iter().find(|c| c.id == invocation.command_id).map(|command| command.action);
        let logon = state.and_then(State::logon);
        failures.push(CredentialFailure {
            began,
            requested,
            action,
            with_parameters_password: presented_parameters_password(action, &failure.step, logon, parameters),
        });
    }
    // Recorded failures whose invocation is no longer listed.
    for (id, state) in states() {
        let State::Unmapped { judged, cause, failing_since, .. } = state else { continue };
        let is_listed = failed.iter().any(|(i, _)| i.instance_id == *id && i.requested_at == *judged);
        if is_credential_failure(cause) && !is_listed {
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::brake::{Password, assess};
    use shared::history::Action;
    use shared::ids::{ClusterRef, CommandId, ContainerInstanceArn};
    use shared::share::DriveLetter;
    use shared::state::{AttributeNames, InstanceAttributes};

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + minute * 60).unwrap()
    }

    fn id(n: u32) -> InstanceId {
        InstanceId::parse(&format!("i-{n:08x}")).unwrap()
    }

    fn instance(n: u32, state: &State) -> ContainerInstance {
        let names = AttributeNames::new(DriveLetter::parse("G").unwrap());
        let state = state.print();
        let attributes = [(names.state.as_str(), Some(state.as_str()))];
        let arn = format!("arn:aws:ecs:eu-west-1:111122223333:container-instance/windows/{n}");
        ContainerInstance {
            arn: ContainerInstanceArn::parse(&arn).unwrap(),
            cluster: ClusterRef::parse("windows").unwrap(),
            instance_id: Some(id(n)),
            status: ecs::Status::Active,
            is_connected: true,
            is_windows: true,
            registered_at: at(0),
            version: 1,
            attributes: InstanceAttributes::read(&names, attributes.into_iter()),
            custom_attributes: 1,
        }
    }

    fn mapped(logon: Option<i64>, judged: i64) -> State {
        State::Mapped { since: at(1), judged: at(judged), logon: logon.map(at) }
    }

    fn unmapped(cause: &str, failing_since: i64, judged: i64, logon: Option<i64>) -> State {
        State::Unmapped {
            attempts: 1,
            judged: at(judged),
            logon: logon.map(at),
            cause: shared::cause::Cause::new(cause),
            failing_since: at(failing_since),
        }
    }

    /// What the brake says: parameters changed at minute 10, instance 2 failed with 1326 at minute 30.
    fn password(action: Action, step: &str, known: &[ContainerInstance]) -> Password {
        let line = format!(r#"{{"smbMapping":"failed","v":1,"cause":"1326","step":"{step}","message":""}}"#);
        let invocation = Invocation {
            command_id: CommandId::parse("c").unwrap(),
            instance_id: id(2),
            requested_at: at(30),
            status_details: "Failed".to_owned(),
            output: line,
        };
        let command = Command {
            id: CommandId::parse("c").unwrap(),
            requested_at: at(30),
            action,
            instances: vec![id(2)],
            completed: 1,
            is_final: true,
        };
        let share = ShareMapping {
            drive: DriveLetter::parse("G").unwrap(),
            remote: shared::share::RemotePath::parse(r"\\fs\share").unwrap(),
        };
        let failed = [invocation];
        let failed = credential_failures(&failed, &share);
        assess(&weigh(Parameters::Changed(at(10)), known, &[command], &failed)).password
    }

    #[test]
    fn the_state_of_the_failing_instance_decides_what_its_failure_proves() {
        let others = |logon: i64| instance(1, &mapped(Some(logon), 35));
        let failing = |since| instance(2, &unmapped("1326", since, 30, None));
        let table = [
            ("no log-on since", Action::Map, "create", vec![others(20)], Password::Refused),
            ("a log-on since", Action::Map, "create", vec![others(31)], Password::Proven),
            (
                "failing since before a log-on",
                Action::Map,
                "create",
                vec![others(20), failing(15)],
                Password::Proven,
            ),
            (
                "failing since after a log-on",
                Action::Map,
                "create",
                vec![others(20), failing(25)],
                Password::Refused,
            ),
            (
                "proven since",
                Action::Map,
                "create",
                vec![others(20), instance(2, &mapped(None, 33))],
                Password::Proven,
            ),
            ("at a step that does not present it", Action::Map, "root", vec![others(20)], Password::Proven),
            ("a kept credential of unknown age", Action::Check, "root", vec![others(20)], Password::Unproven),
            (
                "a kept credential that is the parameters' password",
                Action::Check,
                "root",
                vec![others(20), instance(2, &unmapped("1326", 30, 30, Some(15)))],
                Password::Refused,
            ),
            (
                "a kept credential from before they changed",
                Action::Check,
                "root",
                vec![others(20), instance(2, &unmapped("1326", 30, 30, Some(5)))],
                Password::Unproven,
            ),
        ];
        for (case, action, step, known, expected) in table {
            assert_eq!(password(action, step, &known), expected, "{case}");
        }
    }

    #[test]
    fn a_recorded_failure_counts_when_its_invocation_is_no_longer_listed() {
        let known = [instance(1, &mapped(Some(20), 35)), instance(3, &unmapped("1326", 22, 22, None))];
        let evidence = weigh(Parameters::Changed(at(10)), &known, &[], &[]);
        assert_eq!(assess(&evidence).password, Password::Unproven);
        let network = [instance(1, &mapped(Some(20), 35)), instance(3, &unmapped("53", 22, 22, None))];
        let evidence = weigh(Parameters::Changed(at(10)), &network, &[], &[]);
        assert_eq!(assess(&evidence).password, Password::Proven);
    }
}
