//! Recognises the input of the function by its structure.
//!
//! It never guesses: any other input is an error that describes it.

use serde_json::{Map, Value};

use crate::json::{child, describe, keys, shortened};

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'v> {
    /// Check this definition.
    Definition {
        /// The definition.
        value: &'v Value,
        /// JSON pointer to it within the input.
        at: String,
        /// Why it is checked.
        reason: CheckReason,
    },
    /// Describe this definition and check it: an ARN, or `family:revision`.
    Named(&'v str),
    /// Check the definitions that the services of this cluster use.
    Cluster(&'v str),
    /// The same for every watched cluster.
    Schedule,
    /// Nothing, for this reason.
    Nothing(String),
}

/// Why a definition is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckReason {
    /// CloudTrail reports that it was registered.
    Registered,
    /// Someone asked for it.
    Requested,
}

/// An unknown input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a task definition: it looks like {looks_like}")]
pub struct Unrecognised {
    /// A phrase: `a bare container definition (…)`.
    pub looks_like: String,
    /// What to give instead.
    pub help: String,
}

/// Text that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("not JSON: {reason} at line {line}, column {column}")]
pub struct NotJson {
    /// What is wrong there.
    pub reason: String,
    /// Counted from 1; 0 where the text is empty.
    pub line: usize,
    /// Counted from 1, in bytes.
    pub column: usize,
}

const ACCEPTED: &str = "give the JSON that `aws ecs register-task-definition --cli-input-json` takes, what `aws ecs \
     describe-task-definition` returns, or a CloudFormation resource AWS::ECS::TaskDefinition";

/// Parses a text.
pub fn parse(text: &str) -> Result<Value, NotJson> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let full = error.to_string();
        let reason =
            full.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&full).to_owned();
        NotJson { reason, line, column }
    })
}

/// Recognises an input.
pub fn recognise(value: &Value) -> Result<Input<'_>, Unrecognised> {
    let Some(map) = value.as_object() else { return Err(not_an_object(value)) };
    if let Some(detail) = value.get("detail-type").and(value.get("detail")) {
        return event(value, detail);
    }
    if has(map, "eventName") && has(map, "eventSource") {
        return cloudtrail(value, "");
    }
    if value["Type"] == "AWS::ECS::TaskDefinition" {
        return resource(value);
    }
    if let Some(input) = named(map)? {
        return Ok(input);
    }
    for key in ["taskDefinition", "TaskDefinition"] {
        if let Some(inner) = map.get(key) {
            return wrapped(inner, key);
        }
    }
    if is_definition(map) {
        return Ok(Input::Definition { value, at: String::new(), reason: CheckReason::Requested });
    }
    Err(unrecognised(map))
}

/// `{"taskDefinition": "…"}` and `{"cluster": "…"}`.
fn named(map: &Map<String, Value>) -> Result<Option<Input<'_>>, Unrecognised> {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let error = |looks_like: &str, help: &str| {
        Err(Unrecognised { looks_like: looks_like.to_owned(), help: help.to_owned() })
    };
    match (text("taskDefinition").or(text("TaskDefinition")), text("cluster")) {
        (Some(_), Some(_)) => error(
            "a request for a task definition and for a cluster at once",
            "give `taskDefinition` to check one, or `cluster` to check all that its services use",
        ),
        (Some(name), None) if name.trim().is_empty() => error(
            "a request for a task definition without a name",
            "give `{\"taskDefinition\": \"family:revision\"}`",
        ),
        (None, Some(name)) if name.trim().is_empty() => {
            error("a request for a cluster without a name", "give `{\"cluster\": \"name\"}`")
        }
        (Some(name), None) => Ok(Some(Input::Named(name.trim()))),
        (None, Some(name)) if !is_definition(map) => Ok(Some(Input::Cluster(name.trim()))),
        _ => Ok(None),
    }
}

fn wrapped<'v>(inner: &'v Value, key: &str) -> Result<Input<'v>, Unrecognised> {
    match inner.as_object() {
        Some(map) if is_definition(map) => {
            Ok(Input::Definition { value: inner, at: child("", key), reason: CheckReason::Requested })
        }
        Some(map) => {
            let Unrecognised { looks_like, help } = unrecognised(map);
            Err(Unrecognised { looks_like: format!("`{key}` around {looks_like}"), help })
        }
        None => Err(Unrecognised {
            looks_like: format!("`{key}` with {}", describe(inner)),
            help: ACCEPTED.to_owned(),
        }),
    }
}

fn resource(value: &Value) -> Result<Input<'_>, Unrecognised> {
    match value.get("Properties").filter(|properties| properties.is_object()) {
        Some(properties) => Ok(Input::Definition {
            value: properties,
            at: "/Properties".to_owned(),
            reason: CheckReason::Requested,
        }),
        None => Err(Unrecognised {
            looks_like: "a CloudFormation resource AWS::ECS::TaskDefinition without `Properties`".to_owned(),
            help: "give the resource with its properties".to_owned(),
        }),
    }
}

fn event<'v>(value: &'v Value, detail: &'v Value) -> Result<Input<'v>, Unrecognised> {
    let kind = value["detail-type"].as_str().unwrap_or_default();
    match kind {
        "Scheduled Event" => Ok(Input::Schedule),
        "AWS API Call via CloudTrail" => cloudtrail(detail, "/detail"),
        _ => Err(Unrecognised {
            looks_like: format!(
                "the event `{}` of `{}`",
                shortened(kind),
                shortened(value["source"].as_str().unwrap_or_default())
            ),
            help: "this function takes CloudTrail's events of RegisterTaskDefinition, and scheduled events"
                .to_owned(),
        }),
    }
}

/// A CloudTrail record. A refused call registered nothing, and its record has no bodies.
fn cloudtrail<'v>(record: &'v Value, at: &str) -> Result<Input<'v>, Unrecognised> {
    let text = |key: &str| record[key].as_str().map(shortened).unwrap_or_default();
    let (source, name) = (text("eventSource"), text("eventName"));
    if source != "ecs.amazonaws.com" || name != "RegisterTaskDefinition" {
        return Ok(Input::Nothing(format!("`{name}` of `{source}` registers no task definition")));
    }
    if !record["errorCode"].is_null() {
        return Ok(Input::Nothing(format!(
            "the call was refused ({}): nothing was registered",
            text("errorCode")
        )));
    }
    // The response is preferred, because it has the ARN.
    for path in ["/responseElements/taskDefinition", "/requestParameters"] {
        if let Some(value) = record.pointer(path).filter(|value| value.as_object().is_some_and(is_definition))
        {
            return Ok(Input::Definition {
                value,
                at: format!("{at}{path}"),
                reason: CheckReason::Registered,
            });
        }
    }
    Err(Unrecognised {
        looks_like: "a CloudTrail record of RegisterTaskDefinition without the definition (CloudTrail leaves out what is \
                     too large)"
            .to_owned(),
        help: "check it by name: `{\"taskDefinition\": \"family:revision\"}`".to_owned(),
    })
}

/// Whether an object is a task definition. One with an `image` is a container definition.
fn is_definition(map: &Map<String, Value>) -> bool {
    let has = |key: &str| map.keys().any(|own| own.eq_ignore_ascii_case(key));
    let is_other = has("image") || has("services") || has("Resources") || has("apiVersion");
    has("containerDefinitions")
        || !is_other && ["family", "volumes", "taskDefinitionArn"].into_iter().any(has)
}

fn not_an_object(value: &Value) -> Unrecognised {
    let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let all = |test: fn(&Map<String, Value>) -> bool| {
        !elements.is_empty() && elements.iter().all(|element| element.as_object().is_some_and(test))
    };
    if all(|map| map.contains_key("image")) {
        return Unrecognised {
            looks_like: format!("a list of {} container definitions", elements.len()),
            help: "give the whole task definition: the list belongs into its `containerDefinitions`"
                .to_owned(),
        };
    }
    if all(is_definition) {
        return Unrecognised {
            looks_like: format!("a list of {} task definitions", elements.len()),
            help: "give one at a time".to_owned(),
        };
    }
    Unrecognised { looks_like: describe(value), help: ACCEPTED.to_owned() }
}

fn unrecognised(map: &Map<String, Value>) -> Unrecognised {
    let (looks_like, help) = if let Some(resources) = map.get("Resources").and_then(Value::as_object) {
        template(resources)
    } else if has(map, "apiVersion") && has(map, "kind") {
        ("a Kubernetes manifest".to_owned(), ACCEPTED)
    } else if map.get("services").is_some_and(Value::is_object) {
        ("a Docker Compose file".to_owned(), ACCEPTED)
    } else if map.get("services").is_some_and(Value::is_array) {
        (
            "what `aws ecs describe-services` returns".to_owned(),
            "give `{\"cluster\": \"name\"}` to check what they use",
        )
    } else if has(map, "container_definitions") || has(map, "resource") {
        ("Terraform's JSON".to_owned(), "give the registered definition: `aws ecs describe-task-definition`")
    } else if has(map, "Records") {
        ("a batch of records, as SQS or S3 sends them".to_owned(), ACCEPTED)
    } else if has(map, "image") || has(map, "Image") {
        (
            format!("a bare container definition ({})", keys(map)),
            "give the whole task definition: this belongs into its `containerDefinitions`, and the volumes beside it",
        )
    } else if map.is_empty() {
        ("an empty object".to_owned(), ACCEPTED)
    } else {
        (format!("an object with {}", keys(map)), ACCEPTED)
    };
    Unrecognised { looks_like, help: help.to_owned() }
}

fn template(resources: &Map<String, Value>) -> (String, &'static str) {
    let definitions = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::ECS::TaskDefinition");
    let names: Vec<String> = definitions.map(|(name, _)| format!("`{}`", shortened(name))).take(10).collect();
    match names.len() {
        0 => ("a CloudFormation template without a task definition".to_owned(), ACCEPTED),
        _ => (
            format!("a CloudFormation template with {}", names.join(", ")),
            "give one of its resources of type AWS::ECS::TaskDefinition",
        ),
    }
}

fn has(map: &Map<String, Value>, key: &str) -> bool {
    map.contains_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn definition() -> Value {
        json!({"family": "app", "containerDefinitions": [{"name": "app", "image": "app"}]})
    }

    fn found_at(value: &Value) -> (String, CheckReason) {
        match recognise(value) {
            Ok(Input::Definition { at, reason, .. }) => (at, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definitions_are_found_in_all_their_wrappers() {
        let record = |extra: Value| {
            let mut record =
                json!({"eventSource": "ecs.amazonaws.com", "eventName": "RegisterTaskDefinition"});
            record.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            record
        };
        let request = record(json!({"requestParameters": definition(), "responseElements": null}));
        let both =
            json!({"requestParameters": definition(), "responseElements": {"taskDefinition": definition()}});
        let envelope = |detail: Value| json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.ecs", "detail": detail});
        use CheckReason::{Registered, Requested};
        for (value, at, reason) in [
            (definition(), "", Requested),
            (json!({"taskDefinition": definition(), "tags": []}), "/taskDefinition", Requested),
            (json!({"TaskDefinition": definition()}), "/TaskDefinition", Requested),
            (json!({"Type": "AWS::ECS::TaskDefinition", "Properties": {}}), "/Properties", Requested),
            (json!({"ContainerDefinitions": []}), "", Requested),
            (json!({"family": "app", "mountPoints": []}), "", Requested),
            (json!({"volumes": [], "mountPoints": []}), "", Requested),
            (json!({"family": "app", "cluster": "unknown key"}), "", Requested),
            (request.clone(), "/requestParameters", Registered),
            (envelope(request), "/detail/requestParameters", Registered),
            (envelope(record(both)), "/detail/responseElements/taskDefinition", Registered),
        ] {
            assert_eq!(found_at(&value), (at.to_owned(), reason), "{value}");
        }
    }

    #[test]
    fn requests_and_events_are_recognised() {
        assert_eq!(recognise(&json!({"taskDefinition": " app:3 "})), Ok(Input::Named("app:3")));
        assert_eq!(recognise(&json!({"cluster": "windows"})), Ok(Input::Cluster("windows")));
        let schedule = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
        assert_eq!(recognise(&schedule), Ok(Input::Schedule));
        let denied = json!({"detail-type": "AWS API Call via CloudTrail", "detail": {
            "eventSource": "ecs.amazonaws.com", "eventName": "RegisterTaskDefinition", "errorCode": "AccessDenied",
            "requestParameters": null, "responseElements": null}});
        let Ok(Input::Nothing(reason)) = recognise(&denied) else { panic!("{denied}") };
        assert!(reason.contains("AccessDenied"), "{reason}");
        let other = json!({"eventSource": "ecs.amazonaws.com", "eventName": "DeregisterTaskDefinition"});
        assert!(matches!(recognise(&other), Ok(Input::Nothing(_))));
    }

    #[test]
    fn any_other_input_is_described_in_the_error() {
        for (value, looks_like) in [
            (json!(null), "null"),
            (json!(5), "the number 5"),
            (json!("family:1"), "the text `family:1`"),
            (json!([]), "an empty list"),
            (json!([{"image": "a"}, {"image": "b"}]), "a list of 2 container definitions"),
            (json!([definition()]), "a list of 1 task definitions"),
            (json!({}), "an empty object"),
            (json!({"name": "app", "image": "nginx"}), "a bare container definition (`image`, `name`)"),
            (json!({"image": "nginx", "mountPoints": [], "family": "x"}), "a bare container definition"),
            (json!({"mountPoints": []}), "an object with `mountPoints`"),
            (json!({"a": 1}), "an object with `a`"),
            (json!({"taskDefinition": null}), "`taskDefinition` with null"),
            (json!({"taskDefinition": {"a": 1}}), "`taskDefinition` around an object with `a`"),
            (
                json!({"taskDefinition": "a", "cluster": "b"}),
                "a request for a task definition and for a cluster",
            ),
            (json!({"taskDefinition": ""}), "a request for a task definition without a name"),
            (json!({"cluster": " "}), "a request for a cluster without a name"),
            (json!({"Type": "AWS::ECS::TaskDefinition"}), "without `Properties`"),
            (
                json!({"Resources": {"Web": {"Type": "AWS::ECS::TaskDefinition"}}}),
                "a CloudFormation template with `Web`",
            ),
            (json!({"services": {"web": {"image": "x"}}, "volumes": {}}), "a Docker Compose file"),
            (json!({"services": [], "failures": []}), "describe-services"),
            (json!({"apiVersion": "v1", "kind": "Pod"}), "a Kubernetes manifest"),
            (json!({"family": "x", "container_definitions": "[]"}), ""),
            (json!({"container_definitions": "[]"}), "Terraform's JSON"),
            (
                json!({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "detail": {}}),
                "EC2 Inst",
            ),
            (
                json!({"eventSource": "ecs.amazonaws.com", "eventName": "RegisterTaskDefinition"}),
                "without the definition",
            ),
        ] {
            match recognise(&value) {
                Err(error) => assert!(error.to_string().contains(looks_like), "{value}: {error}"),
                // A definition without containers, which is never valid.
                Ok(input) => assert!(looks_like.is_empty(), "{value}: {input:?}"),
            }
        }
    }

    #[test]
    fn the_error_of_broken_json_has_its_position() {
        let error = parse("{\n  \"command\": [\n    {{command}}\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 6));
        assert_eq!(error.to_string(), "not JSON: key must be a string at line 3, column 6");
        assert!(parse("").is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in r#"(\{|\}|\[|\]|"family"|"image"|"taskDefinition"|:|,|"x"|1|null){0,30}"#) {
            if let Ok(value) = parse(&text) {
                let _ = recognise(&value);
            }
        }
    }
}
