//! Why an invocation fails.

use shared::aws::AwsError;
use shared::config::Mode;

/// A run that could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a batch of the stack's own queue nor something that a person may ask.
    #[error(
        "not a request: only the schedule's queue starts a run; a person may ask {{\"report\": true}}, or, in MODE=report, \
         {{\"release\": true}}"
    )]
    NotARequest,
    /// `release` undoes what the product did, so nothing must be doing it at the same time.
    #[error("release is refused while MODE is {0:?}: deploy with MODE=report first")]
    ReleaseNeedsReportMode(Mode),
    /// A cluster that is not watched, cut and made fit for a log line.
    #[error("cluster {0:?} is not watched by this stack")]
    NotWatched(String),
    /// SSM's history could not be read, so nothing may be sent or judged.
    #[error("the run was given up")]
    Ssm(#[from] AwsError),
    /// No watched cluster could be read.
    #[error("no watched cluster could be read")]
    NoCluster,
    /// Calls and their retries took all the time there was. Whatever was done stays done; the next run goes on.
    #[error("the run was cut off when its time was up")]
    TimeUp,
}

impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match &error {
            Error::NotARequest => "NotARequest",
            Error::ReleaseNeedsReportMode(_) => "ReleaseNeedsReportMode",
            Error::NotWatched(_) => "NotWatched",
            Error::Ssm(_) => "Ssm",
            Error::NoCluster => "NoCluster",
            Error::TimeUp => "TimeUp",
        };
        lambda_runtime::Diagnostic {
            error_type: error_type.to_owned(),
            error_message: shared::logs::with_causes(&error),
        }
    }
}
