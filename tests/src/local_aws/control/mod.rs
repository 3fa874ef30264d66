//! The control interface: HTTP requests under `/_control/` that read and change the local AWS. The README of the local
//! AWS lists them. None of them shows a password.

mod fleet;
mod hosts;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::LocalAws;
use super::faults::{Fault, FaultRule};
use super::throttles::Bucket;
use crate::fleet::Scripted;

/// An HTTP status and a JSON body.
pub type ControlResponse = (u16, Value);

/// One request under `/_control/`; `path` is the rest of its path.
pub fn control(aws: &mut LocalAws, method: &str, path: &str, query: &str, body: &[u8]) -> ControlResponse {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let outcome = match (method, parts.as_slice()) {
        ("GET", []) => Ok(json!({"paths": PATHS})),
        ("GET", ["operations"]) => Ok(json!({"operations": LocalAws::operations().collect::<Vec<_>>()})),
        ("GET", ["fleet"]) => Ok(fleet::show(aws)),
        ("GET", ["calls"]) => calls(aws, query),
        ("GET", ["events"]) => Ok(json!({"events": aws.drain_events()})),
        ("POST", ["faults"]) => faults(aws, body),
        ("DELETE", ["faults"]) => {
            aws.faults.clear();
            Ok(json!({}))
        }
        ("POST", ["lag"]) => lag(aws, body),
        ("POST", ["customer"]) => customer(aws, body),
        ("POST", ["share"]) => fleet::change_share(aws, body),
        ("POST", ["account"]) => fleet::change_account(aws, body),
        ("POST", ["parameters"]) => fleet::change_parameters(aws, body),
        ("POST", ["hosts"]) => hosts::launch(aws, body),
        ("POST", ["hosts", id]) => hosts::change(aws, id, body),
        ("POST", ["hosts", id, "outcomes"]) => outcomes(aws, id, body),
        ("POST", ["hosts", id, action]) => hosts::act(aws, id, action),
        _ => return (404, json!({"error": format!("no {method} /_control/{path}"), "paths": PATHS})),
    };
    match outcome {
        Ok(answer) => (200, answer),
        Err(error) => (400, json!({ "error": error })),
    }
}

/// All requests. The server handles `advance` itself, because it owns the clock.
pub(crate) const PATHS: [&str; 16] = [
    "GET operations",
    "GET fleet",
    "GET calls?since=N",
    "GET events",
    "POST faults",
    "DELETE faults",
    "POST lag",
    "POST customer",
    "POST share",
    "POST account",
    "POST parameters",
    "POST hosts",
    "POST hosts/ID",
    "POST hosts/ID/outcomes",
    "POST hosts/ID/ACTION",
    "POST advance",
];

pub(crate) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

pub(crate) fn duration(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} s: {error}"))
}

fn calls(aws: &LocalAws, query: &str) -> Result<Value, String> {
    let since = match query.strip_prefix("since=") {
        Some(number) => number.parse().map_err(|_| format!("since={number} is not a number"))?,
        None => 0,
    };
    let calls = aws.calls();
    let show = |call: &super::Call| {
        json!({
            "at": format!("{:.3}", call.at),
            "caller": &*call.caller.0,
            "operation": call.operation,
            "request": call.request(),
            "status": call.status,
            "error": call.error,
            "effect": call.effect,
            "fault": call.fault.as_ref().map(|fault| format!("{fault:?}")),
        })
    };
    let shown: Vec<_> = calls.iter().skip(since).map(show).collect();
    Ok(json!({"calls": shown, "next": calls.len()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedFault {
    fault: FaultName,
    operation: Option<String>,
    caller: Option<String>,
    #[serde(default)]
    skip: u32,
    times: Option<u32>,
    status: Option<u16>,
    seconds: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultName {
    Throttle,
    ErrorBefore,
    ErrorAfter,
    NotReached,
    AnswerLost,
    Denied,
    InvalidInstance,
    Late,
}

fn faults(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: AskedFault = parse(body)?;
    let status = asked.status.unwrap_or(500);
    if !(500..=599).contains(&status) {
        return Err(format!("status is {status}, it must be from 500 to 599"));
    }
    let fault = match asked.fault {
        FaultName::Throttle => Fault::Throttle,
        FaultName::ErrorBefore => Fault::ErrorBefore(status),
        FaultName::ErrorAfter => Fault::ErrorAfter(status),
        FaultName::NotReached => Fault::NotReached,
        FaultName::AnswerLost => Fault::AnswerLost,
        FaultName::Denied => Fault::Denied,
        FaultName::InvalidInstance => Fault::InvalidInstance,
        FaultName::Late => Fault::Late(duration(asked.seconds.ok_or("a late answer needs seconds")?)?),
    };
    let times = asked.times.unwrap_or(1);
    if times == 0 {
        return Err("times is 0, it must be at least 1".to_owned());
    }
    let AskedFault { operation, caller, skip, .. } = asked;
    aws.faults.add(FaultRule { operation, caller, skip, times, fault });
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedLag {
    answer_seconds: Option<f64>,
    ssm_seconds: Option<f64>,
    ecs_seconds: Option<f64>,
    spaced_details: Option<bool>,
    partial_puts: Option<bool>,
}

fn lag(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: AskedLag = parse(body)?;
    let mut lag = aws.lag.clone();
    for (asked, lag) in [
        (asked.answer_seconds, &mut lag.answer),
        (asked.ssm_seconds, &mut lag.ssm),
        (asked.ecs_seconds, &mut lag.ecs),
    ] {
        if let Some(seconds) = asked {
            *lag = duration(seconds)?;
        }
    }
    aws.lag = lag;
    aws.spaced_details = asked.spaced_details.unwrap_or(aws.spaced_details);
    aws.partial_puts = asked.partial_puts.unwrap_or(aws.partial_puts);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedCustomer {
    bucket: Bucket,
    calls: Option<u32>,
    per_second: Option<u32>,
}

fn customer(aws: &mut LocalAws, body: &[u8]) -> Result<Value, String> {
    let asked: AskedCustomer = parse(body)?;
    let now = aws.now();
    if let Some(per_second) = asked.per_second {
        aws.throttles.customer_takes(asked.bucket, per_second, now);
    }
    let got = aws.throttles.take_many(asked.bucket, asked.calls.unwrap_or(0), now);
    Ok(json!({ "answered": got }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedOutcome {
    details: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    output: String,
    seconds: Option<f64>,
    #[serde(default)]
    always: bool,
}

fn outcomes(aws: &mut LocalAws, id: &str, body: &[u8]) -> Result<Value, String> {
    let asked: AskedOutcome = parse(body)?;
    let after = duration(asked.seconds.unwrap_or(2.0))?;
    let scripted = Scripted::new(&asked.details, asked.exit_code, &asked.output).after(after);
    let host = hosts::find(aws, id)?;
    if asked.always {
        host.always = Some(scripted);
    } else {
        host.scripted.push_back(scripted);
    }
    Ok(json!({}))
}
