//! Checks task definitions before they are registered, with the rules of the deployed function.
//!
//! ```text
//! cargo run --example validate -- taskdef.json 'infra/**/*.json'
//! aws ecs describe-task-definition --task-definition app | cargo run --example validate -- -
//! ```
//!
//! It makes no call to AWS. An example, so that what it needs is no dependency of the function.

mod document;
mod human;
mod json;
mod options;
mod rules_page;
mod sarif;

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use document::{Document, Verdict};
use options::{Command, Format, Options};
use validate_task_definition::finding::Level;

/// An error among the findings.
const INVALID: u8 = 1;
/// Something could not be checked: a wrong option, a file that is not there, no task definition.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let is_terminal = std::io::stdout().is_terminal();
    let (text, code) = run(std::env::args_os().skip(1).collect(), is_terminal, &mut std::io::stdin().lock());
    // A pipe that closed early, as with `| head`, is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

/// What is printed, and the exit code.
fn run(arguments: Vec<std::ffi::OsString>, is_terminal: bool, stdin: &mut dyn Read) -> (String, u8) {
    match options::parse(arguments) {
        Ok(Command::Help) => (options::HELP.to_owned(), 0),
        Ok(Command::RulesPage) => (rules_page::page(), 0),
        Ok(Command::Explain(name)) => match rules_page::explain(&name) {
            Some(text) => (text, 0),
            None => (format!("error: no rule is called {name:?}; --rules lists them\n"), UNUSABLE),
        },
        Ok(Command::Check(options)) => check(&options, is_terminal, stdin),
        Err(error) => (format!("error: {error}\n\n{}", options::HELP), UNUSABLE),
    }
}

fn check(options: &Options, is_terminal: bool, stdin: &mut dyn Read) -> (String, u8) {
    let mut documents = Vec::new();
    for argument in &options.files {
        documents.extend(document::read(argument, stdin));
    }
    let verdicts: Vec<Verdict> = documents.iter().map(|document| document.check(&options.policy)).collect();
    let checked: Vec<(&Document, &Verdict)> = documents.iter().zip(&verdicts).collect();
    let text = match options.format {
        Format::Human => human::print(&checked, is_terminal),
        Format::Json => json::print(&checked),
        Format::Sarif => sarif::print(&checked),
    };
    (text, exit_code(&verdicts))
}

fn exit_code(verdicts: &[Verdict]) -> u8 {
    let has_error = |verdict: &Verdict| match verdict {
        Verdict::Report(report) => report.count(Level::Error) > 0,
        Verdict::Skipped(_) | Verdict::Unusable(_) => false,
    };
    if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Unusable(_))) {
        UNUSABLE
    } else if verdicts.iter().any(has_error) {
        INVALID
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
