//! One error for a failed AWS call, whichever service it was made to.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// An AWS call failed.
#[derive(Debug, thiserror::Error)]
#[error("{service}:{operation} failed ({code}): {detail}")]
pub struct AwsError {
    /// The service's prefix in IAM: `ecs` or `ssm`.
    pub service: &'static str,
    /// The API's name of the call.
    pub operation: &'static str,
    /// AWS's error code, the reason in `failures`, or what kind of failure it was.
    pub code: String,
    /// The SDK's full description of the error.
    pub detail: String,
}

impl AwsError {
    /// A call to ECS failed.
    pub(crate) fn ecs<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        Self::new("ecs", operation, &error)
    }

    /// A call to Systems Manager failed.
    pub(crate) fn ssm<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        Self::new("ssm", operation, &error)
    }

    fn new<E, R>(service: &'static str, operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        let code = error.code().map_or_else(|| kind_of(error).to_owned(), str::to_owned);
        AwsError { service, operation, code, detail: DisplayErrorContext(error).to_string() }
    }

    /// ECS answered 200 with an entry in `failures`.
    pub(crate) fn ecs_failure(operation: &'static str, failure: &aws_sdk_ecs::types::Failure) -> Self {
        let (arn, reason) = (failure.arn().unwrap_or("?"), failure.reason().unwrap_or("no reason"));
        AwsError {
            service: "ecs",
            operation,
            code: reason.to_owned(),
            detail: format!("{arn}: {reason} {}", failure.detail().unwrap_or_default()),
        }
    }

    /// The account's call rate is exceeded.
    pub fn is_throttle(&self) -> bool {
        is_throttle(&self.code)
    }

    /// The call is not permitted, or its credentials or clock are wrong: a retry changes nothing.
    pub fn is_denied(&self) -> bool {
        is_denied(&self.code)
    }

    /// The ECS cluster does not exist (any more), so no instance is in it.
    pub fn is_cluster_gone(&self) -> bool {
        self.code == "ClusterNotFoundException"
    }

    /// A target was deregistered in the meantime; `PutAttributes` then refuses the whole call.
    pub fn is_target_gone(&self) -> bool {
        self.code == "TargetNotFoundException"
    }

    /// `PutAttributes` refuses the whole call, and the reason may be one of its targets: it was deregistered, has no room,
    /// is named wrongly, or a policy excludes it, for example by a tag.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html#API_PutAttributes_Errors>
    pub fn may_be_one_targets(&self) -> bool {
        let of_a_target = [
            "AttributeLimitExceededException",
            "InvalidParameterException",
            "ClientException",
            "AccessDeniedException",
        ];
        self.is_target_gone() || of_a_target.contains(&self.code.as_str())
    }
}

/// Whether an AWS error code means that a call rate is exceeded.
pub(crate) fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
    )
}

fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "AccessDeniedException"
            | "AccessDenied"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "NotAuthorized"
            | "OptInRequired"
    )
}

/// What kind of failure an error without a code is.
pub(crate) fn kind_of<E, R>(error: &SdkError<E, R>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "request not built",
        SdkError::TimeoutError(_) => "timed out",
        SdkError::DispatchFailure(_) => "not sent or no answer",
        SdkError::ResponseError(_) => "answer not understood",
        _ => "service error",
    }
}
