//! The Lambda Runtime API 2018-06-01 as values: which call a request is, and the headers of `next`.
//!
//! Knows no socket and no process. Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

const ROOT: &str = "/2018-06-01/runtime/";

/// A request of the runtime client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `GET invocation/next`: waits for work. The first one says that init is over.
    Next,
    /// `POST invocation/{id}/response`: the handler's answer.
    Response(String),
    /// `POST invocation/{id}/error`: the handler's error.
    Error(String),
    /// `POST init/error`: the function cannot start.
    InitError,
    /// None of the calls above.
    Unknown,
}

impl Call {
    /// Reads a call from a request's method and path.
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

/// One invocation as `next` hands it over.
#[derive(Debug, Clone)]
pub struct Work {
    /// Unique in this process, of a UUID's shape.
    pub request_id: String,
    /// ARN of the function, as the caller named it.
    pub function_arn: String,
    /// When the sandbox will be killed, in milliseconds since 1970.
    pub deadline_ms: u128,
    /// The event, JSON.
    pub payload: Bytes,
}

impl Work {
    /// The answer to `next`.
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

/// What a function says when it fails: in the body of both error calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// E.g. `alloc::boxed::Box<dyn core::error::Error>`.
    #[serde(default)]
    pub error_type: String,
    /// For people.
    #[serde(default)]
    pub error_message: String,
}

/// `202` with the body that Lambda sends.
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
    fn every_call_of_the_runtime_api_is_read_and_nothing_else() {
        let table = [
            ("GET", "/2018-06-01/runtime/invocation/next", Call::Next),
            ("POST", "/2018-06-01/runtime/invocation/a-1/response", Call::Response("a-1".into())),
            ("POST", "/2018-06-01/runtime/invocation/a-1/error", Call::Error("a-1".into())),
            ("POST", "/2018-06-01/runtime/init/error", Call::InitError),
            ("POST", "/2018-06-01/runtime/invocation/next", Call::Unknown),
            ("GET", "/2018-06-01/runtime/invocation/a-1/response", Call::Unknown),
            ("POST", "/2018-06-01/runtime/invocation/a-1/response/b", Call::Unknown),
            ("GET", "/2020-01-01/extension/event/next", Call::Unknown),
        ];
        for (method, path, expected) in table {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(Call::parse(&method, path), expected, "{method} {path}");
        }
    }
}
