//! One `SendCommand`: what is asked for, and what an error means.

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
    pub(super) fn is_staggered(self) -> bool {
        self != RateControl::ALL_AT_ONCE
    }
}

/// A command without its targets.
#[derive(Debug, Clone)]
pub struct CommandRequest<'a> {
    /// The document's name. Its newest version is sent: that a new one also becomes the default is not certain.
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
    /// IAM allows the call for none of the targets, or not for one of them: nothing was sent.
    #[error("ssm:SendCommand is not allowed by IAM: {0}")]
    Denied(String),
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
        .document_version("$LATEST")
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
        Some("AccessDenied" | "AccessDeniedException") => SendError::Denied(detail),
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
}
