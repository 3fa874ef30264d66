//! The calls and responses of the Lambda Runtime API 2018-06-01, without sockets and processes.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

const ROOT: &str = "/2018-06-01/runtime/";

/// A request of the runtime client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeCall {
    /// `GET invocation/next`: waits for an invocation. The first one ends the init phase.
    Next,
    /// `POST invocation/{id}/response`: the handler's response.
    Response(String),
    /// `POST invocation/{id}/error`: the handler's error.
    Error(String),
    /// `POST init/error`: the function cannot start.
    InitError,
    /// Any other request.
    Unknown,
}

impl RuntimeCall {
    /// The call of a request with that method and path.
    pub fn parse(method: &Method, path: &str) -> Self {
        let Some(rest) = path.strip_prefix(ROOT) else { return Self::Unknown };
        let parts: Vec<&str> = rest.split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["invocation", "next"]) => Self::Next,
            ("POST", ["invocation", id, "response"]) => Self::Response((*id).to_owned()),
            ("POST", ["invocation", id, "error"]) => Self::Error((*id).to_owned()),
            ("POST", ["init", "error"]) => Self::InitError,
            _ => Self::Unknown,
        }
    }
}

/// One invocation as `next` returns it.
#[derive(Debug, Clone)]
pub struct NextInvocation {
    /// Unique in this process, in the form of a UUID.
    pub request_id: String,
    /// The function's ARN.
    pub function_arn: String,
    /// When the sandbox is killed, in milliseconds since 1970.
    pub deadline_ms: u128,
    /// The event, as JSON.
    pub payload: Bytes,
}

impl NextInvocation {
    /// The response to `next`.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.payload));
        let trace =
            format!("Root=1-00000000-{:0>24};Sampled=0", self.request_id.replace('-', "").split_off(8));
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", self.request_id),
            ("lambda-runtime-deadline-ms", self.deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", self.function_arn),
            ("lambda-runtime-trace-id", trace),
        ] {
            let value = HeaderValue::from_str(&value).expect("ids and ARNs are printable ASCII");
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The body of both error calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// For example `alloc::boxed::Box<dyn core::error::Error>`.
    #[serde(default)]
    pub error_type: String,
    /// The message.
    #[serde(default)]
    pub error_message: String,
}

/// `202` with the body of Lambda.
pub fn accepted() -> Response<Full<Bytes>> {
    status(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}

/// An error of the Runtime API itself, such as `400` for the request id of another invocation.
pub fn refused(code: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = ErrorBody { error_type: error_type.to_owned(), error_message: message.to_owned() };
    status(code, &serde_json::to_string(&body).expect("two strings are JSON"))
}

fn status(code: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = code;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_the_runtime_api_is_recognised_and_no_other_request() {
        let table = [
            ("GET", "/2018-06-01/runtime/invocation/next", RuntimeCall::Next),
            ("POST", "/2018-06-01/runtime/invocation/a-1/response", RuntimeCall::Response("a-1".into())),
            ("POST", "/2018-06-01/runtime/invocation/a-1/error", RuntimeCall::Error("a-1".into())),
            ("POST", "/2018-06-01/runtime/init/error", RuntimeCall::InitError),
            ("POST", "/2018-06-01/runtime/invocation/next", RuntimeCall::Unknown),
            ("GET", "/2018-06-01/runtime/invocation/a-1/response", RuntimeCall::Unknown),
            ("POST", "/2018-06-01/runtime/invocation/a-1/response/b", RuntimeCall::Unknown),
            ("GET", "/2020-01-01/extension/event/next", RuntimeCall::Unknown),
        ];
        for (method, path, expected) in table {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(RuntimeCall::parse(&method, path), expected, "{method} {path}");
        }
    }
}
