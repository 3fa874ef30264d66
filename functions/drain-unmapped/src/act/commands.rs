//! Sends the plan's commands.

use shared::history::Command;
use shared::ids::InstanceId;
use shared::send::{self, SendError, Sent, TARGETS_A_COMMAND};

use crate::decide::{Plan, PlannedCommand};
use crate::fleet::{DeniedSend, Fleet, UnconfirmedSend};
use crate::run::Run;

/// Sends them in their order.
pub(super) async fn send(run: &mut Run<'_>, fleet: &Fleet, plan: &Plan) {
    for command in plan.commands_for(fleet) {
        if run.is_over() || run.denials.are_enough() {
            return;
        }
        send_command(run, fleet, &command).await;
    }
}

async fn send_command(run: &mut Run<'_>, fleet: &Fleet, command: &PlannedCommand) {
    let app = run.app;
    let request = send::CommandRequest {
        document: &app.config.document,
        stack: &app.config.stack,
        action: command.action,
        rate_control: command.rate_control,
    };
    let (now, action) = (app.clients.now(), command.action.as_str());
    let (ssm, targets) = (app.clients.ssm(), &command.targets);
    let Sent { commands, not_online, denied, failed, left } =
        send::send_in_groups(ssm, &request, targets, TARGETS_A_COMMAND, &mut run.denials).await;
    for (command_id, targets) in commands {
        tracing::info!(
            command_id = command_id.as_str(),
            action,
            targets = targets.len(),
            instance_ids = ?texts(&targets),
            reason = command.reason,
            "command sent"
        );
        run.statistics.sent(command, fleet, &targets);
        run.memory.sent.push(Command::sent(
            command_id,
            command.action,
            command.rate_control.max_concurrency,
            targets,
            now,
        ));
    }
    for id in not_online {
        tracing::info!(instance_id = id.as_str(), "refused by SSM, agent not online; tried again when it is");
    }
    for (id, why) in denied {
        tracing::error!(instance_id = id.as_str(), why, "IAM does not allow the command for this instance");
        run.memory.denied.push(DeniedSend { at: now, action: command.action, instance: id });
    }
    if !left.is_empty() {
        tracing::info!(targets = left.len(), action, "left until this command is over");
    }
    for (error, targets) in failed {
        tracing::error!(instance_ids = ?texts(&targets), action, error = %error, "command not sent");
        run.statistics.failed(&error);
        if matches!(error, SendError::Lost { .. }) {
            let send = UnconfirmedSend {
                at: now,
                action: command.action,
                targets,
                max_concurrency: command.rate_control.max_concurrency,
                earlier: Vec::new(),
            };
            run.memory.unconfirmed.push(send.after(&fleet.commands));
        }
    }
}

fn texts(ids: &[InstanceId]) -> Vec<&str> {
    ids.iter().map(|id| id.as_str()).collect()
}
