//! The core's response, and the errors of an operation.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A response for the in-process client or the server to deliver: after `delay` the response, or with a `fault` a
/// broken connection.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// How long the caller waits for it. The effect has already happened.
    pub delay: Duration,
    /// The response does not arrive.
    pub fault: Option<Broken>,
}

/// Why no response arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The request never arrived: no effect.
    NotReached,
    /// The request took effect, but its response was lost.
    AnswerLost,
}

/// An error response of an operation.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The error code, as in `__type`.
    pub code: &'static str,
    /// The error message.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

/// The result of an operation: the JSON body, or an error.
pub(crate) type Outcome = Result<Vec<u8>, ApiError>;

impl ApiError {
    /// A client error: status 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: 400 }
    }

    /// A server error: status 500.
    pub(crate) fn internal(code: &'static str) -> Self {
        Self { code, message: "An internal error occurred".to_owned(), status: 500 }
    }

    /// Both services return this code, and neither has it in its model.
    pub(crate) fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    /// SSM's error for a member that violates a constraint of the model.
    pub(crate) fn validation(value: &str, member: &str, constraint: &str) -> Self {
        Self::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
            ),
        )
    }

    /// ECS's error for most invalid requests.
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

/// The member that holds the message, as the service's model spells it. Some errors of SSM have none.
fn message_member(code: &str) -> Option<&'static str> {
    match code {
        "DuplicateInstanceId" | "InvalidCommandId" | "InvalidFilterKey" => None,
        "InvalidInstanceId"
        | "InvalidDocument"
        | "InvalidDocumentVersion"
        | "InvalidParameters"
        | "InvalidNextToken"
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

/// The request as a struct. A member of a wrong type is a `SerializationException`, as on AWS.
pub(crate) fn request<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

/// A response body.
pub(crate) fn answer(value: &impl Serialize) -> Outcome {
    Ok(serde_json::to_vec(value).expect("responses are plain data"))
}

/// A response body with the token of the next page in `member`, if there is a next page.
pub(crate) fn answer_page(mut body: Value, member: &str, token: Option<String>) -> Outcome {
    if let Some(token) = token {
        body[member] = token.into();
    }
    answer(&body)
}

/// A timestamp as both services write it: seconds since 1970 with milliseconds.
pub(crate) fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
