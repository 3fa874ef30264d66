//! The options of the command line.

use std::ffi::OsString;

use lexopt::prelude::{Long, Short, Value, ValueExt};
use shared::share::{DriveLetter, RemotePath};
use validate_task_definition::requirements::{Requirements, SourcePrefix};

/// What `--help` prints.
pub(crate) const HELP: &str = r"Checks that the bind mounts of ECS task definitions work with the mapped drive.

usage: validate [OPTIONS] FILE...

FILE is a file, a glob such as 'infra/**/*.json', or - for standard input. It holds what `aws ecs
register-task-definition --cli-input-json` takes or `aws ecs describe-task-definition` returns, a CloudFormation resource
AWS::ECS::TaskDefinition or its properties, or CloudTrail's event of a registration.

options:
  --format human|json|sarif    how to print it (human)
  --drive LETTER               the drive that the share is mapped to (G)
  --remote-path PATH           the share behind it, \\server\share or \\server\share\directory
  --allowed-prefix PATH        where sources on the drive have to be, such as G:\Directory
  --explain RULE               what a rule means, by its code or name
  --rules                      all rules, as Markdown
  --help

exit code: 0 no error, 1 an error among the findings, 2 something could not be checked
";

/// What to do.
pub(crate) enum Command {
    /// Check files.
    Check(Options),
    /// Explain one rule.
    Explain(String),
    /// Print the page of all rules.
    RulesPage,
    /// Print the help.
    Help,
}

/// How to check.
pub(crate) struct Options {
    pub(crate) files: Vec<String>,
    pub(crate) format: Format,
    pub(crate) requirements: Requirements,
}

/// How to print.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Human,
    Json,
    Sarif,
}

/// Reads the arguments.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut files, mut format) = (Vec::new(), Format::Human);
    let (mut drive, mut remote, mut prefix) = ("G".to_owned(), None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("format") => format = read_format(&parser.value()?.string()?)?,
            Long("drive") => drive = parser.value()?.string()?,
            Long("remote-path") => remote = Some(parser.value()?.string()?),
            Long("allowed-prefix") => prefix = Some(parser.value()?.string()?),
            Long("explain") => return Ok(Command::Explain(parser.value()?.string()?)),
            Long("rules") => return Ok(Command::RulesPage),
            Long("help") | Short('h') => return Ok(Command::Help),
            Value(file) => files.push(file.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if files.is_empty() {
        return Err("no file is given".into());
    }
    let requirements = read_requirements(&drive, remote.as_deref(), prefix.as_deref())?;
    Ok(Command::Check(Options { files, format, requirements }))
}

fn read_format(text: &str) -> Result<Format, lexopt::Error> {
    match text {
        "human" => Ok(Format::Human),
        "json" => Ok(Format::Json),
        "sarif" => Ok(Format::Sarif),
        _ => Err(format!("--format is {text:?}, allowed are human, json and sarif").into()),
    }
}

fn read_requirements(
    drive: &str,
    remote: Option<&str>,
    prefix: Option<&str>,
) -> Result<Requirements, lexopt::Error> {
    let letter = DriveLetter::parse(drive)
        .ok_or_else(|| format!("--drive is {drive:?}, allowed is one letter from D to Z"))?;
    let mut requirements = Requirements::of_drive(letter);
    if let Some(text) = remote {
        let path = RemotePath::parse(text).ok_or_else(|| {
            format!(r"--remote-path is {text:?}, allowed are \\server\share and \\server\share\directory")
        })?;
        requirements.remote = Some(path);
    }
    if let Some(text) = prefix {
        let path = SourcePrefix::parse(text, letter)
            .ok_or_else(|| format!(r"--allowed-prefix is {text:?}, allowed is a directory on {letter}, such as {letter}\Directory"))?;
        requirements.allowed_prefix = Some(path);
    }
    Ok(requirements)
}
