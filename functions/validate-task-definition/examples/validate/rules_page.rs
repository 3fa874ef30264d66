//! The reference page of the rules, generated from the rules.

use annotate_snippets::Renderer;
use annotate_snippets::renderer::DecorStyle;
use validate_task_definition::rule::{Doc, Rule, Scope, Setting};
use validate_task_definition::rules::{DOCS, check_example};

use crate::document::Document;
use crate::human::render;

const HEAD: &str = "\
<!-- Made from the rules by `make rules-doc`; do not edit. -->

# Rules of validate-task-definition

An *error* cannot work, or lets the data miss the share; a *warning* works until it does not; an *info* is worth knowing.
A definition is valid when it has no error. Codes are stable and never given to another rule.

In the examples the share is mapped to `G:`. Try one: save it as a file and run `make validate FILE=…`.
";

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| code | rule | level | runs on | reports |\n|---|---|---|---|---|\n");
    for (rule, doc) in DOCS {
        let Rule { code, name, level, scope, .. } = rule;
        let what = doc.what.replace('|', r"\|");
        let level = level.as_str();
        page.push_str(&format!("| {code} | [{name}](#{name}) | {level} | {} | {what} |\n", runs_on(*scope)));
    }
    for (rule, doc) in DOCS {
        page.push('\n');
        page.push_str(&section(rule, doc));
    }
    page
}

/// The section of one rule, by its code or name.
pub(crate) fn explain(name: &str) -> Option<String> {
    let (rule, doc) =
        DOCS.iter().find(|(rule, _)| rule.code.eq_ignore_ascii_case(name) || rule.name == name)?;
    Some(section(rule, doc))
}

fn section(rule: &Rule, doc: &Doc) -> String {
    let Rule { code, name, level, scope, .. } = rule;
    let (from, to) = doc.instead;
    let (fails, passes) = (doc.failing(), doc.passing());
    let advice = if from.contains('\n') || to.contains('\n') {
        format!("It has nothing to report of:\n\n```json\n{passes}\n```")
    } else {
        format!("Write `{to}` in place of `{from}`.")
    };
    format!(
        "## {name}\n\n{code}, {}, on {}.\n\n{}\n\n{}\n\n**Level:** {}\n\n{}```json\n{fails}\n```\n\n```text\n{}\n```\n\n\
         {advice}\n\nSource: <{}>\n",
        level.as_str(),
        runs_on(*scope),
        doc.what,
        doc.why,
        doc.level,
        setting(doc.setting),
        output(rule, doc),
        doc.source,
    )
}

fn runs_on(scope: Scope) -> &'static str {
    match scope {
        Scope::Every => "every definition",
        Scope::Windows => "Windows tasks",
        Scope::Share => "Windows tasks that use the share",
    }
}

fn setting(setting: Setting) -> String {
    match setting {
        Setting::Plain => String::new(),
        Setting::RemotePath(path) => format!("With `REMOTE_PATH` = `{path}`:\n\n"),
        Setting::AllowedPrefix(path) => format!("With `ALLOWED_SOURCE_PREFIX` = `{path}`:\n\n"),
        Setting::Service { is_daemon: true } => "Where a daemon service uses it:\n\n".to_owned(),
        Setting::Service { is_daemon: false } => "Where a service uses it:\n\n".to_owned(),
    }
}

/// The command line's output of this rule for its example.
fn output(rule: &Rule, doc: &Doc) -> String {
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    let document = Document { name: "taskdef.json".to_owned(), text: Ok(doc.failing()) };
    let report = check_example(doc, document.source());
    let own = report.findings.iter().filter(|finding| finding.code == rule.code);
    let rendered: Vec<String> = own
        .map(|finding| {
            render(&renderer, &document.name, document.source(), document.locate(&finding.path), finding)
        })
        .collect();
    // Trailing spaces would be reported by version control.
    let lines: Vec<&str> = rendered.iter().flat_map(|text| text.lines()).map(str::trim_end).collect();
    lines.join("\n")
}
