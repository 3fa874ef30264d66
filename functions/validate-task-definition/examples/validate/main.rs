//! Checks task definitions before they are registered, with the rules of the deployed function.
//!
//! ```text
//! cargo run --example validate -- taskdef.json 'infra/**/*.json'
//! aws ecs describe-task-definition --task-definition app | cargo run --example validate -- -
//! ```
//!
//! It makes no call to AWS. It is an example, so that its dependencies are not those of the function.

mod document;
mod human;
mod json;
mod options;
mod rules_page;
mod sarif;

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use annotate_snippets::Renderer;
use document::{CheckResult, Document};
use options::{Command, Format, Options};
use validate_task_definition::finding::Level;

/// The exit code for an error among the findings.
const INVALID: u8 = 1;
/// The exit code for something that could not be checked: a wrong option, a missing file, no task definition.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let is_terminal = std::io::stdout().is_terminal();
    let renderer = if is_terminal { Renderer::styled() } else { Renderer::plain() };
    let (text, code) = run(std::env::args_os().skip(1).collect(), renderer, &mut std::io::stdin().lock());
    // A pipe that was closed early, as with `| head`, is not a failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

/// The output and the exit code.
fn run(arguments: Vec<std::ffi::OsString>, renderer: Renderer, stdin: &mut dyn Read) -> (String, u8) {
    match options::parse(arguments) {
        Ok(Command::Help) => (options::HELP.to_owned(), 0),
        Ok(Command::RulesPage) => (rules_page::page(), 0),
        Ok(Command::Explain(name)) => match rules_page::explain(&name) {
            Some(text) => (text, 0),
            None => (format!("error: no rule is called {name:?}; --rules lists them\n"), UNUSABLE),
        },
        Ok(Command::Check(options)) => check(&options, renderer, stdin),
        Err(error) => (format!("error: {error}\n\n{}", options::HELP), UNUSABLE),
    }
}

fn check(options: &Options, renderer: Renderer, stdin: &mut dyn Read) -> (String, u8) {
    let mut documents = Vec::new();
    for argument in &options.files {
        documents.extend(document::read(argument, stdin));
    }
    let results: Vec<CheckResult> =
        documents.iter().map(|document| document.check(&options.requirements)).collect();
    let checked: Vec<(&Document, &CheckResult)> = documents.iter().zip(&results).collect();
    let text = match options.format {
        Format::Human => human::print(&checked, renderer),
        Format::Json => json::print(&checked),
        Format::Sarif => sarif::print(&checked),
    };
    (text, exit_code(&results))
}

fn exit_code(results: &[CheckResult]) -> u8 {
    let has_error = |result: &CheckResult| match result {
        CheckResult::Report(report) => report.count(Level::Error) > 0,
        CheckResult::Skipped(_) | CheckResult::Unusable(_) => false,
    };
    if results.iter().any(|result| matches!(result, CheckResult::Unusable(_))) {
        UNUSABLE
    } else if results.iter().any(has_error) {
        INVALID
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
