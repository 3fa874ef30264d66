//! Output for programs: a list with one object per file.

use serde_json::{Value, json};

use crate::document::{CheckResult, Document, position};

/// The function's report, or `skipped`, or `error`, each with `file`.
pub(crate) fn print(checked: &[(&Document, &CheckResult)]) -> String {
    let list: Vec<Value> = checked.iter().map(|(document, result)| one(document, result)).collect();
    format!("{:#}\n", Value::Array(list))
}

fn one(document: &Document, result: &CheckResult) -> Value {
    let mut value = match result {
        CheckResult::Report(report) => json!(report),
        CheckResult::Skipped(reason) => json!({"skipped": reason}),
        CheckResult::Unusable(unusable) => {
            let at = unusable.at.as_ref().map(|at| position(document.source(), at.start));
            json!({
                "error": unusable.error,
                "help": unusable.help,
                "line": at.map(|(line, _)| line),
                "column": at.map(|(_, column)| column),
            })
        }
    };
    value["file"] = json!(document.name);
    value
}
