//! What the core answers, and the errors that an operation ends with.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// What a shell has to deliver: after `delay`, either the answer or, with a `fault`, a broken connection.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// How long the caller waits for it. The effect has happened already.
    pub delay: Duration,
    /// The answer does not arrive.
    pub fault: Option<Broken>,
}

/// Why no answer arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The request never arrived: no effect.
    NotReached,
    /// The request took effect, its answer got lost.
    AnswerLost,
}

/// An error answer of an operation.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The code, as in `__type`.
    pub code: &'static str,
    /// What it says.
    pub message: String,
    /// 400, or 500 for the service's own.
    pub status: u16,
}

/// What an operation ends with: the JSON body, or an error.
pub(crate) type Outcome = Result<Vec<u8>, ApiError>;

impl ApiError {
    /// An error of the caller's: 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: 400 }
    }

    /// The service's own: 500.
    pub(crate) fn internal(code: &'static str) -> Self {
        Self { code, message: "An internal error occurred".to_owned(), status: 500 }
    }

    /// ECS and SSM both answer it, neither models it.
    pub(crate) fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    /// What SSM says where a member breaks a constraint of its model.
    pub(crate) fn validation(value: &str, member: &str, constraint: &str) -> Self {
        Self::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
            ),
        )
    }

    /// What ECS says to most of what it does not like.
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = json!({"__type": self.code});
        if let Some(member) = message_member(self.code) {
            body[member] = self.message.as_str().into();
        }
        body.to_string().into_bytes()
    }
}

/// How the service's model spells the message's member; some of SSM's errors have none.
fn message_member(code: &str) -> Option<&'static str> {
    match code {
        "DuplicateInstanceId"
        | "InvalidCommandId"
        | "InvalidFilterKey"
        | "InvalidOutputFolder"
        | "InvalidPluginName"
        | "InvocationDoesNotExist" => None,
        "InvalidInstanceId"
        | "InvalidDocument"
        | "InvalidDocumentVersion"
        | "InvalidParameters"
        | "InvalidNextToken"
        | "InvalidRole"
        | "InvalidNotificationConfig"
        | "InvalidFilterValue"
        | "UnsupportedPlatformType"
        | "MaxDocumentSizeExceeded"
        | "InternalServerError" => Some("Message"),
        _ => Some("message"),
    }
}

impl Reply {
    pub(crate) fn from_outcome(outcome: Outcome, request_id: String, delay: Duration) -> Self {
        let (status, body) = match outcome {
            Ok(body) => (200, body),
            Err(error) => (error.status, error.body()),
        };
        let headers =
            vec![("content-type", "application/x-amz-json-1.1".to_owned()), ("x-amzn-requestid", request_id)];
        Self { status, headers, body, delay, fault: None }
    }
}

/// The request as a struct; a member of a wrong type is a `SerializationException`, as on AWS.
pub(crate) fn request<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

/// The answer as JSON.
pub(crate) fn answer(value: &impl Serialize) -> Outcome {
    Ok(serde_json::to_vec(value).expect("answers are plain data"))
}

/// A timestamp as both services write it: seconds since 1970 with milliseconds.
pub(crate) fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
