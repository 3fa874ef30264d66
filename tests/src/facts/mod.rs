//! What the product knows of itself, as data: for tests and documents that are not in Rust. `make facts` prints it.

mod causes_page;
mod sample_report;

pub use causes_page::causes_page;
pub use sample_report::sample_report;

use drain_unmapped::decide::Rule;
use serde_json::{Value, json};
use shared::cause::{self, Row};
use shared::config::{Variable, variables};
use shared::metrics::{DIMENSIONS, Description};

/// The functions, as their packages are called.
pub const FUNCTIONS: [&str; 3] = ["map-share", "drain-unmapped", "validate-task-definition"];

/// The AWS API operations that a function calls.
///
/// # Panics
/// Where there is no such function.
pub fn operations(function: &str) -> &'static [&'static str] {
    match function {
        "map-share" => map_share::OPERATIONS,
        "drain-unmapped" => drain_unmapped::OPERATIONS,
        "validate-task-definition" => validate_task_definition::OPERATIONS,
        _ => panic!("there is no function {function}"),
    }
}

/// The metrics that a function emits.
///
/// # Panics
/// Where there is no such function.
pub fn metrics(function: &str) -> &'static [Description] {
    match function {
        "map-share" => map_share::metrics::TABLE,
        "drain-unmapped" => drain_unmapped::report::metrics::TABLE,
        "validate-task-definition" => validate_task_definition::metrics::TABLE,
        _ => panic!("there is no function {function}"),
    }
}

/// Everything, as one object.
pub fn facts() -> Value {
    let of_functions = |fact: &dyn Fn(&str) -> Value| -> Value {
        FUNCTIONS.iter().map(|function| ((*function).to_owned(), fact(function))).collect()
    };
    json!({
        "causes": cause::known().map(cause_of).collect::<Vec<_>>(),
        "dimensions": DIMENSIONS,
        "drainRules": Rule::ALL.map(|rule| json!({"rule": rule, "means": rule.means()})),
        "metrics": of_functions(&|function| json!(metrics(function))),
        "operations": of_functions(&|function| json!(operations(function))),
        "report": sample_report(),
        "variables": variables().iter().map(variable).collect::<Vec<_>>(),
    })
}

fn variable(variable: &Variable) -> Value {
    let Variable { name, default, allowed, functions, .. } = variable;
    json!({"name": name, "default": default, "allowed": allowed, "functions": functions})
}

fn cause_of(row: &Row) -> Value {
    let mut cause = json!(row);
    cause["exitCode"] = json!(row.exit_code());
    cause
}
