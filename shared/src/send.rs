//! Sends the document to instances.
//!
//! `SendCommand` has no client token: a retry after a lost answer could send twice, and that means two log-ons. So the SDK
//! retries this call on throttling only. A lost answer is reported as [`SendError::Lost`]; SSM's history tells later whether
//! the command exists. See docs/architecture.md, Unconfirmed sends.

use std::collections::BTreeSet;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use crate::aws::AwsError;
use crate::aws::error::{is_throttle, kind_of};
use crate::history::Action;
use crate::ids::{CommandId, InstanceId};
use crate::ssm;

/// Targets a `SendCommand` takes by id.
pub const TARGETS_A_COMMAND: usize = 50;

/// How long SSM tries to deliver before it gives up, in seconds.
const DELIVERY_SECONDS: i32 = 120;

/// SSM's rate control of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateControl {
    /// How many targets run the command at the same time.
    pub max_concurrency: u32,
    /// After how many errors SSM stops: the other targets are `Terminated`.
    pub max_errors: MaxErrors,
}

/// How many errors end a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxErrors {
    /// All targets may fail. With SSM's default of 0 one bad host would stop the command for the others.
    All,
    /// This many errors are allowed.
    Count(u32),
}

impl RateControl {
    /// All targets at the same time, and no failure stops the others.
    pub const ALL_AT_ONCE: RateControl = RateControl { max_concurrency: 50, max_errors: MaxErrors::All };

    /// Some targets wait until others have ended.
    fn is_staggered(self) -> bool {
        self != RateControl::ALL_AT_ONCE
    }
}

/// A command without its targets.
#[derive(Debug, Clone)]
pub struct CommandRequest<'a> {
    /// The document's name; its `$DEFAULT` version is sent.
    pub document: &'a str,
    /// The stack, for the comment.
    pub stack: &'a str,
    /// The document's one parameter.
    pub action: Action,
    /// SSM's rate control.
    pub rate_control: RateControl,
}

/// A command was not sent, or it is not known whether it was.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// SSM rejects the whole call because of one or more targets, without saying which.
    #[error("ssm:SendCommand refused the targets (InvalidInstanceId): {0}")]
    InvalidInstance(String),
    /// All retries were throttled: nothing was sent.
    #[error("ssm:SendCommand was throttled: {0}")]
    Throttled(String),
    /// No answer, or a server error: SSM may have accepted the command, so it must not be sent again at once.
    #[error("ssm:SendCommand got no answer ({code}), it may have been taken: {detail}")]
    Lost {
        /// What kind of failure it was.
        code: String,
        /// The SDK's full description of the error.
        detail: String,
    },
    /// AWS rejects the call: nothing was sent, and a retry does not help.
    #[error("ssm:SendCommand was refused ({code}): {detail}")]
    Refused {
        /// AWS's error code.
        code: String,
        /// The SDK's full description of the error.
        detail: String,
    },
    /// The agents could not be read after SSM rejected the targets.
    #[error("the agents could not be looked up after a refused ssm:SendCommand")]
    LookUp(#[from] AwsError),
}

/// Lets the SDK repeat a call on throttling only.
#[derive(Debug)]
struct OnlyThrottling;

impl ClassifyRetry for OnlyThrottling {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = match context.output_or_error() {
            Some(Err(error)) => error,
            _ => return RetryAction::NoActionIndicated,
        };
        if context.response().is_some_and(|answer| may_be_taken(answer.status().as_u16())) {
            return RetryAction::RetryForbidden;
        }
        let modeled = error
            .as_operation_error()
            .and_then(|error| error.downcast_ref::<aws_sdk_ssm::operation::send_command::SendCommandError>());
        if modeled.and_then(|error| error.code()).is_some_and(is_throttle) {
            RetryAction::throttling_error()
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "only throttling"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Sends one command to at most [`TARGETS_A_COMMAND`] instances.
pub async fn send_command(
    client: &Client,
    request: &CommandRequest<'_>,
    targets: &[InstanceId],
) -> Result<CommandId, SendError> {
    let max_errors = match request.rate_control.max_errors {
        MaxErrors::All => "100%".to_owned(),
        MaxErrors::Count(count) => count.to_string(),
    };
    let request = client
        .send_command()
        .document_name(request.document)
        .document_version("$DEFAULT")
        .set_instance_ids(Some(targets.iter().map(|id| id.to_string()).collect()))
        .parameters("Action", vec![request.action.as_str().to_owned()])
        .timeout_seconds(DELIVERY_SECONDS)
        .comment(comment(request.stack))
        .max_concurrency(request.rate_control.max_concurrency.to_string())
        .max_errors(max_errors)
        .customize()
        .config_override(aws_sdk_ssm::config::Builder::new().retry_classifier(OnlyThrottling));
    match request.send().await {
        Ok(answer) => answer
            .command()
            .and_then(|command| command.command_id())
            .and_then(|id| CommandId::parse(id).ok())
            .ok_or_else(|| SendError::Lost { code: "no command id".to_owned(), detail: String::new() }),
        Err(error) => Err(send_error(&error)),
    }
}

/// Whether SSM may have accepted a command that it answered with this HTTP status: a time-out, or an error of the server.
fn may_be_taken(status: u16) -> bool {
    status == 408 || status >= 500
}

fn send_error(
    error: &SdkError<aws_sdk_ssm::operation::send_command::SendCommandError, HttpResponse>,
) -> SendError {
    let detail = DisplayErrorContext(error).to_string();
    let SdkError::ServiceError(service) = error else {
        // A request that was not built did not arrive. Any other may have.
        let code = kind_of(error).to_owned();
        let built = !matches!(error, SdkError::ConstructionFailure(_));
        return if built { SendError::Lost { code, detail } } else { SendError::Refused { code, detail } };
    };
    let code = service.err().code();
    if may_be_taken(service.raw().status().as_u16()) {
        return SendError::Lost { code: code.unwrap_or("no code").to_owned(), detail };
    }
    match code {
        Some("InvalidInstanceId") => SendError::InvalidInstance(detail),
        Some(code) if is_throttle(code) => SendError::Throttled(detail),
        Some(code) => SendError::Refused { code: code.to_owned(), detail },
        None => SendError::Lost { code: "no code".to_owned(), detail },
    }
}

/// The comment of a command: the stack and a random number, at most 100 characters.
fn comment(stack: &str) -> String {
    let stack: String = stack.chars().take(80).collect();
    format!("{stack} {:016x}", fastrand::u64(..))
}

/// What became of the targets.
#[derive(Debug, Default)]
pub struct Sent {
    /// Commands that SSM accepted, with their targets.
    pub commands: Vec<(CommandId, Vec<InstanceId>)>,
    /// Not online any more, or rejected as the only target: left to the reconcile run.
    pub not_online: Vec<InstanceId>,
    /// Calls that failed, with their targets.
    pub failed: Vec<(SendError, Vec<InstanceId>)>,
    /// Not sent to, because they have to wait until the command is over.
    pub left: Vec<InstanceId>,
}

/// Sends to any number of instances, in groups. When SSM rejects a group, its agents are read once and the ones that are not
/// online are dropped. If all are online, the group is split until the rejected instance is alone.
///
/// SSM's rate control covers the targets of one command only. So where targets have to wait for each other, nothing more is
/// sent after the first command that SSM accepted, or may have accepted.
pub async fn send_in_groups(
    client: &Client,
    request: &CommandRequest<'_>,
    targets: &[InstanceId],
    group: usize,
) -> Sent {
    let mut sent = Sent::default();
    // A stack: both halves of a group come before the next group.
    let mut waiting: Vec<Group> = targets
        .chunks(group.clamp(1, TARGETS_A_COMMAND))
        .rev()
        .map(|chunk| Group { targets: chunk.to_vec(), is_looked_up: false })
        .collect();
    while let Some(Group { targets: group, is_looked_up }) = waiting.pop() {
        match send_command(client, request, &group).await {
            Ok(command) => sent.commands.push((command, group)),
            Err(SendError::InvalidInstance(_)) if group.len() == 1 => sent.not_online.extend(group),
            Err(SendError::InvalidInstance(_)) if is_looked_up => split(&mut waiting, group),
            Err(SendError::InvalidInstance(_)) => {
                let ids: BTreeSet<InstanceId> = group.iter().cloned().collect();
                let agents = match ssm::describe_agents(client, &ids).await {
                    Ok(agents) => agents,
                    Err(error) => {
                        sent.failed.push((error.into(), group));
                        continue;
                    }
                };
                let is_online = |id: &InstanceId| agents.get(id).is_some_and(|agent| agent.is_online);
                let (online, offline): (Vec<_>, Vec<_>) = group.into_iter().partition(|id| is_online(id));
                if online.is_empty() {
                    sent.not_online.extend(offline);
                } else if offline.is_empty() {
                    split(&mut waiting, online);
                } else {
                    sent.not_online.extend(offline);
                    waiting.push(Group { targets: online, is_looked_up: true });
                }
            }
            Err(error) => sent.failed.push((error, group)),
        }
        let is_maybe_at_work = !sent.commands.is_empty() || !sent.failed.is_empty();
        if request.rate_control.is_staggered() && is_maybe_at_work {
            sent.left.extend(waiting.drain(..).rev().flat_map(|group| group.targets));
        }
    }
    sent
}

/// The targets of one command.
struct Group {
    targets: Vec<InstanceId>,
    /// Its agents were read already, so that it is split when SSM rejects it again.
    is_looked_up: bool,
}

/// Splits a group at random. With fixed halves an instance that SSM always rejects would be with the same others each time,
/// and where only one command may be sent, these would never get one.
fn split(waiting: &mut Vec<Group>, mut group: Vec<InstanceId>) {
    fastrand::shuffle(&mut group);
    let second = group.split_off(group.len() / 2);
    waiting.push(Group { targets: second, is_looked_up: true });
    waiting.push(Group { targets: group, is_looked_up: true });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_fits_and_differs_each_time() {
        let long = "s".repeat(128);
        assert!(comment(&long).len() <= 100);
        assert_ne!(comment("smb-g"), comment("smb-g"));
        assert!(comment("smb-g").starts_with("smb-g "));
    }

    #[test]
    fn a_rejected_group_is_halved() {
        let id = |n: u32| InstanceId::parse(&format!("i-{n:08x}")).unwrap();
        let mut waiting = Vec::new();
        split(&mut waiting, vec![id(1), id(2), id(3)]);
        let sizes: Vec<usize> = waiting.iter().map(|group| group.targets.len()).collect();
        assert_eq!(sizes, [2, 1]);
    }
}
