//! The function's errors.

use shared::aws::AwsError;
use shared::send::SendError;

use crate::origin::MOST_BY_HAND;

/// Why the invocation fails. Any other error is part of the answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS rejects a call that the function needs; a retry does not help.
    #[error("AWS refuses a call, so look at the role and the document of the deployment: {0}")]
    Refused(CallError),
    /// A person named more instances than one call takes.
    #[error("{0} instance ids, at most {MOST_BY_HAND} are taken at a time: nothing was done")]
    TooManyIds(usize),
}

impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match &error {
            Error::Refused(_) => "Refused",
            Error::TooManyIds(_) => "TooManyIds",
        };
        lambda_runtime::Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// An AWS call failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum CallError {
    /// Any call but `SendCommand`.
    Aws(#[from] AwsError),
    /// `SendCommand`, which has rules of its own.
    Send(#[from] SendError),
}

impl CallError {
    /// The account's call rate is exceeded.
    pub(crate) fn is_throttle(&self) -> bool {
        match self {
            CallError::Aws(error) | CallError::Send(SendError::LookUp(error)) => error.is_throttle(),
            CallError::Send(error) => matches!(error, SendError::Throttled(_)),
        }
    }

    /// The call is not permitted: neither time nor another record changes that.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            CallError::Aws(error) | CallError::Send(SendError::LookUp(error)) => error.is_denied(),
            CallError::Send(error) => matches!(error, SendError::Refused { .. } | SendError::Denied(_)),
        }
    }
}
