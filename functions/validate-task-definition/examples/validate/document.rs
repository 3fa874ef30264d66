//! Reads and checks the files, and locates values in them.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use jsonc_parser::ast::Value as Syntax;
use jsonc_parser::common::Ranged;
use validate_task_definition::finding::Report;
use validate_task_definition::input::{self, Input};
use validate_task_definition::model::TaskDefinition;
use validate_task_definition::requirements::Requirements;
use validate_task_definition::rules;

/// A file.
pub(crate) struct Document {
    /// The name as given or as found by a glob, or `<stdin>`.
    pub(crate) name: String,
    /// The text, or why it could not be read.
    pub(crate) text: Result<String, String>,
}

/// The result for one document.
pub(crate) enum CheckResult {
    /// It was checked.
    Report(Report),
    /// It holds nothing to check.
    Skipped(String),
    /// It could not be checked.
    Unusable(Unusable),
}

/// Why a document could not be checked.
pub(crate) struct Unusable {
    pub(crate) error: String,
    pub(crate) help: Option<String>,
    /// Where in the text.
    pub(crate) at: Option<Range<usize>>,
}

/// Reads a file, standard input, or all files of a glob. A file that cannot be read is a document with an error.
pub(crate) fn read(argument: &str, stdin: &mut dyn Read) -> Vec<Document> {
    let failed = |error: String| vec![Document { name: argument.to_owned(), text: Err(error) }];
    if argument == "-" {
        let mut bytes = Vec::new();
        let text =
            stdin.read_to_end(&mut bytes).map_err(|error| error.to_string()).and_then(|_| decode(bytes));
        return vec![Document { name: "<stdin>".to_owned(), text }];
    }
    // An existing file whose name holds a bracket is not a glob.
    if Path::new(argument).exists() {
        return vec![read_file(argument)];
    }
    if !argument.contains(['*', '?', '[']) {
        return failed("there is no such file".to_owned());
    }
    let paths = match glob::glob(argument) {
        Ok(paths) => paths,
        Err(error) => return failed(format!("the glob cannot be read: {error}")),
    };
    let mut documents = Vec::new();
    for path in paths {
        match path {
            Ok(path) if path.is_file() => documents.push(read_file(&path.to_string_lossy())),
            Ok(_) => {}
            Err(error) => documents.extend(failed(error.to_string())),
        }
    }
    if documents.is_empty() { failed("no file matches".to_owned()) } else { documents }
}

fn read_file(name: &str) -> Document {
    let text = match std::fs::read(name) {
        Ok(bytes) => decode(bytes),
        Err(_) if Path::new(name).is_dir() => Err(format!("it is a directory; write '{name}/*.json'")),
        Err(error) => Err(error.to_string()),
    };
    Document { name: name.to_owned(), text }
}

/// UTF-8, or UTF-16 as Windows PowerShell writes it, both with or without a byte order mark.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let wide = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> =
            bytes[2..].chunks(2).map(|pair| from([pair[0], *pair.get(1).unwrap_or(&0)])).collect();
        String::from_utf16(&units).map_err(|_| "it is not UTF-16, although it begins so".to_owned())
    };
    match bytes.get(..2) {
        Some([0xff, 0xfe]) => wide(u16::from_le_bytes),
        Some([0xfe, 0xff]) => wide(u16::from_be_bytes),
        _ => {
            let text = String::from_utf8(bytes)
                .map_err(|error| format!("it is not UTF-8: {}", error.utf8_error()))?;
            Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
        }
    }
}

impl Document {
    /// Checks the document.
    pub(crate) fn check(&self, requirements: &Requirements) -> CheckResult {
        let unusable =
            |error: String, help: Option<String>, at| CheckResult::Unusable(Unusable { error, help, at });
        let text = match &self.text {
            Ok(text) => text,
            Err(error) => return unusable(error.clone(), None, None),
        };
        let value = match input::parse(text) {
            Ok(value) => value,
            Err(error) => {
                let at = offset(text, error.line, error.column);
                let is_yaml = [".yaml", ".yml"].iter().any(|end| self.name.ends_with(end));
                let help = is_yaml.then(|| "convert YAML to JSON first".to_owned());
                return unusable(error.to_string(), help, Some(at));
            }
        };
        match input::recognise(&value) {
            Ok(Input::Definition { value, at, .. }) => {
                let mut report = rules::check(&TaskDefinition::read(value), requirements, None);
                report.found_at = at;
                CheckResult::Report(report)
            }
            Ok(Input::Nothing(reason)) => CheckResult::Skipped(reason),
            Ok(Input::Named(name)) => unusable(
                format!("it names the task definition `{name}`, and the command line makes no call to AWS"),
                Some(format!(
                    "pipe it: aws ecs describe-task-definition --task-definition {name} | validate -"
                )),
                None,
            ),
            Ok(Input::Cluster(_) | Input::Schedule) => unusable(
                "it asks for an audit, and the command line makes no call to AWS".to_owned(),
                Some("invoke the deployed function with it".to_owned()),
                None,
            ),
            Err(error) => unusable(error.to_string(), Some(error.help), None),
        }
    }

    /// The text; empty where it could not be read.
    pub(crate) fn source(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The range of a JSON pointer's value; where it spans several lines, that of its opening bracket.
    pub(crate) fn locate(&self, pointer: &str) -> Range<usize> {
        let text = self.source();
        let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default());
        let root = parsed.ok().and_then(|parsed| parsed.value);
        let Some(range) = root.as_ref().and_then(|root| find(root, pointer)).map(|found| found.range())
        else {
            return 0..0;
        };
        let range = range.start..range.end;
        if text[range.clone()].contains('\n') { range.start..range.start + 1 } else { range }
    }
}

fn find<'s, 'a>(root: &'s Syntax<'a>, pointer: &str) -> Option<&'s Syntax<'a>> {
    let mut value = root;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        value = match value {
            // The last of repeated keys counts, as in every parser that accepts them.
            Syntax::Object(object) => {
                &object.properties.iter().rev().find(|property| property.name.as_str() == token)?.value
            }
            Syntax::Array(array) => array.elements.get(token.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// The range of the character at a parser's line and column.
fn offset(text: &str, line: usize, column: usize) -> Range<usize> {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let width = text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    at..at + width
}

/// The line and column of a byte offset, in characters from 1.
pub(crate) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
