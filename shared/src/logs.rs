//! Structured logs: one JSON object a line on standard output, where Lambda collects it.
//!
//! Messages are constant, values are fields. Never logged: an event's payload, a parameter's value.

/// Starts logging for the process. A second call does nothing, as in tests.
pub fn init() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Logs an error with everything that caused it.
pub fn failure(error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error = with_causes(error), "failed");
}

/// An error and what caused it, on one line.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// Ends a function's `main`: logs the error, and fails the process, so that Lambda reports it at init.
pub fn exit_code(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            failure(error.as_ref());
            std::process::ExitCode::FAILURE
        }
    }
}
