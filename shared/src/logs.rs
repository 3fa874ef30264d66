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
