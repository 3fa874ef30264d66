//! For programs: a list with one object a file.

use serde_json::{Value, json};

use crate::document::{Document, Verdict, position};

/// The function's reports, each with `file`; or `skipped`, or `error`.
pub(crate) fn print(checked: &[(&Document, &Verdict)]) -> String {
    let list: Vec<Value> = checked.iter().map(|(document, verdict)| one(document, verdict)).collect();
    format!("{:#}\n", Value::Array(list))
}

fn one(document: &Document, verdict: &Verdict) -> Value {
    let mut value = match verdict {
        Verdict::Report(report) => json!(report),
        Verdict::Skipped(reason) => json!({"skipped": reason}),
        Verdict::Unusable(unusable) => {
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
