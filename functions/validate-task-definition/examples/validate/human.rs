//! Output for people: each finding with its marked source line, and what to write instead.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level as Severity, Renderer, Snippet};
use validate_task_definition::finding::{Finding, Level, Report};

use crate::document::{CheckResult, Document, Unusable};

/// All results, and a line with counts.
pub(crate) fn print(checked: &[(&Document, &CheckResult)], renderer: Renderer) -> String {
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for (document, result) in checked {
        match result {
            CheckResult::Report(report) => print_report(&mut text, &renderer, document, report),
            CheckResult::Skipped(reason) => {
                text.push_str(&format!("{}: nothing to check: {reason}\n\n", document.name));
            }
            CheckResult::Unusable(unusable) => print_unusable(&mut text, &renderer, document, unusable),
        }
    }
    text.push_str(&summary(checked));
    text
}

fn print_report(text: &mut String, renderer: &Renderer, document: &Document, report: &Report) {
    let located = |finding: &Finding| document.locate(&format!("{}{}", report.found_at, finding.path));
    let mut findings: Vec<(Range<usize>, &Finding)> =
        report.findings.iter().map(|finding| (located(finding), finding)).collect();
    findings.sort_by_key(|(at, finding)| (at.start, finding.code));
    for (at, finding) in findings {
        text.push_str(&render(renderer, &document.name, document.source(), at, finding));
        text.push_str("\n\n");
    }
    let result = if report.valid { "valid" } else { "invalid" };
    let applies = if report.applies { "uses the share" } else { "does not use the share" };
    let (name, definition) = (&document.name, &report.task_definition);
    text.push_str(&format!(
        "{name}: {definition}: {result}, {applies} ({})\n\n",
        report.operating_system_from
    ));
}

/// One finding with its source line.
pub(crate) fn render(
    renderer: &Renderer,
    name: &str,
    source: &str,
    at: Range<usize>,
    finding: &Finding,
) -> String {
    let level = match finding.level {
        Level::Error => Severity::ERROR,
        Level::Warning => Severity::WARNING,
        Level::Info => Severity::INFO,
    };
    let snippet =
        Snippet::source(source).path(name).annotation(AnnotationKind::Primary.span(at).label(finding.rule));
    let title = level.primary_title(finding.message.as_str()).id(finding.code);
    renderer.render(&[title.element(snippet).element(Severity::HELP.message(finding.help.as_str()))])
}

fn print_unusable(text: &mut String, renderer: &Renderer, document: &Document, unusable: &Unusable) {
    let title = Severity::ERROR.primary_title(format!("{}: {}", document.name, unusable.error));
    let mut group = match &unusable.at {
        Some(at) => title.element(
            Snippet::source(document.source())
                .path(document.name.as_str())
                .annotation(AnnotationKind::Primary.span(at.clone())),
        ),
        None => Group::with_title(title),
    };
    if let Some(help) = &unusable.help {
        group = group.element(Severity::HELP.message(help.as_str()));
    }
    text.push_str(&renderer.render(&[group]));
    text.push_str("\n\n");
}

fn summary(checked: &[(&Document, &CheckResult)]) -> String {
    let reports = || {
        checked.iter().filter_map(|(_, result)| match result {
            CheckResult::Report(report) => Some(report),
            _ => None,
        })
    };
    let count = |level| reports().map(|report| report.count(level)).sum();
    let unusable = checked.iter().filter(|(_, result)| matches!(result, CheckResult::Unusable(_))).count();
    let mut parts = vec![
        format!("{} checked", several(reports().count(), "task definition")),
        format!("{} invalid", reports().filter(|report| !report.valid).count()),
        several(count(Level::Error), "error"),
        several(count(Level::Warning), "warning"),
        several(count(Level::Info), "info"),
    ];
    if unusable > 0 {
        parts.push(format!("{} not checked", several(unusable, "file")));
    }
    format!("{}\n", parts.join(", "))
}

fn several(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
