//! Output for code scanning: SARIF 2.1.0. A file that could not be checked is a notification of the run, not a result.

use std::ops::Range;

use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, LogicalLocation, Message, MultiformatMessageString, Notification,
    PhysicalLocation, Region, ReportingConfiguration, ReportingDescriptor, Result as SarifResult,
    ResultLevel, Run, SCHEMA_URL, Sarif, Tool, ToolComponent,
};
use validate_task_definition::finding::{Finding, Level, Report};
use validate_task_definition::rule::{Doc, Rule};
use validate_task_definition::rules::DOCS;

use crate::document::{CheckResult, Document, Unusable, position};

/// One run over all files.
pub(crate) fn print(checked: &[(&Document, &CheckResult)]) -> String {
    let mut results = Vec::new();
    let mut notifications = Vec::new();
    for (document, result) in checked {
        match result {
            CheckResult::Report(report) => {
                results.extend(report.findings.iter().map(|finding| sarif_result(document, report, finding)));
            }
            CheckResult::Unusable(unusable) => notifications.push(notification(document, unusable)),
            CheckResult::Skipped(_) => {}
        }
    }
    let invocation = Invocation::builder()
        .execution_successful(notifications.is_empty())
        .tool_execution_notifications(notifications)
        .build();
    let driver = ToolComponent::builder()
        .name("validate-task-definition")
        .version(env!("CARGO_PKG_VERSION"))
        .rules(DOCS.iter().map(|(rule, doc)| descriptor(rule, doc)).collect::<Vec<_>>())
        .build();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .column_kind(json!("unicodeCodePoints"))
        .invocations(vec![invocation])
        .results(results)
        .build();
    let sarif = Sarif::builder().schema(SCHEMA_URL).version(json!("2.1.0")).runs(vec![run]).build();
    format!("{:#}\n", json!(sarif))
}

fn descriptor(rule: &Rule, doc: &Doc) -> ReportingDescriptor {
    let level = match rule.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "note",
    };
    ReportingDescriptor::builder()
        .id(rule.code)
        .name(rule.name)
        .short_description(MultiformatMessageString::builder().text(doc.what).build())
        .full_description(
            MultiformatMessageString::builder().text(format!("{} {}", doc.what, doc.why)).build(),
        )
        .help_uri(doc.source)
        .default_configuration(ReportingConfiguration::builder().level(json!(level)).build())
        .build()
}

fn sarif_result(document: &Document, report: &Report, finding: &Finding) -> SarifResult {
    let level = match finding.level {
        Level::Error => ResultLevel::Error,
        Level::Warning => ResultLevel::Warning,
        Level::Info => ResultLevel::Note,
    };
    let pointer = format!("{}{}", report.found_at, finding.path);
    let logical = LogicalLocation::builder().fully_qualified_name(pointer.as_str()).kind("value").build();
    let location = Location::builder()
        .physical_location(physical(document, document.locate(&pointer)))
        .logical_locations(vec![logical])
        .build();
    SarifResult::builder()
        .rule_id(finding.code)
        .level(level)
        .message(message(format!("{}; {}", finding.message, finding.help)))
        .locations(vec![location])
        .build()
}

fn notification(document: &Document, unusable: &Unusable) -> Notification {
    let help = unusable.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    let at = unusable.at.clone().unwrap_or(0..0);
    let location = Location::builder().physical_location(physical(document, at)).build();
    Notification::builder()
        .level(json!("error"))
        .message(message(format!("{}{help}", unusable.error)))
        .locations(vec![location])
        .build()
}

fn physical(document: &Document, at: Range<usize>) -> PhysicalLocation {
    let (line, column) = position(document.source(), at.start);
    let (end_line, end_column) = position(document.source(), at.end);
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let region = Region::builder()
        .start_line(number(line))
        .start_column(number(column))
        .end_line(number(end_line))
        .end_column(number(end_column))
        .build();
    let uri = document.name.replace('\\', "/").replace('%', "%25").replace(' ', "%20");
    PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri).build())
        .region(region)
        .build()
}

fn message(text: String) -> Message {
    Message::builder().text(text).build()
}
