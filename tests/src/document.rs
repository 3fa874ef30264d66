//! The SSM document: the mapping script as `template.yaml` carries it, and as the SSM agent gets it.
//!
//! It reads the one resource `MappingDocument` as text, by the shape that the template gives it, and says so when the
//! shape changed. It is no YAML reader and resolves no other intrinsic function.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The line before the generated block, without its indentation.
const BEGIN: &str = "# generated from shared/document/map-share.ps1 by `make embed-document`; do not edit";
/// The line after it.
const END: &str = "# end of generated";
/// Where the settings begin: CloudFormation turns the block into base64.
const SETTINGS: &str = "- Fn::Base64: !Sub |";
/// What the SSM agent replaces by the value of the document's one parameter.
pub const ACTION_PLACEHOLDER: &str = "{{ Action }}";

/// What `template.yaml` does not have as expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError {
    /// A line that must stand in the template once.
    #[error("template.yaml has the line `{0}` {1} times, not once")]
    Line(&'static str, usize),
    /// The settings name a parameter for which no value was given.
    #[error("no value for the template parameter {0}")]
    Parameter(String),
    /// YAML would read the script otherwise than it is written.
    #[error("map-share.ps1, line {0}: not plain ASCII text without tabs")]
    Text(usize),
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The template with the script in its generated block.
pub fn embed(template: &str, script: &str) -> Result<String, DocumentError> {
    if let Some((index, _)) = script.lines().enumerate().find(|(_, line)| !is_plain(line)) {
        return Err(DocumentError::Text(index + 1));
    }
    let lines: Vec<&str> = template.lines().collect();
    let (begin, end) = (only(&lines, BEGIN)?, only(&lines, END)?);
    let indent = " ".repeat(lines[begin].len() - BEGIN.len());
    let block = script.lines().map(|line| match line {
        "" => String::new(),
        line => format!("{indent}  {line}"),
    });
    let text: Vec<String> = lines[..=begin]
        .iter()
        .map(|line| (*line).to_owned())
        .chain([format!("{indent}- |")])
        .chain(block)
        .chain(lines[end..].iter().map(|line| (*line).to_owned()))
        .collect();
    Ok(text.join("\n") + "\n")
}

/// The script that the SSM agent writes to its file: `runCommand`, joined by line breaks, after CloudFormation put in
/// the values of the template's parameters. The action's placeholder is still there.
pub fn run_command(template: &str, parameters: &BTreeMap<&str, &str>) -> Result<String, DocumentError> {
    let lines: Vec<&str> = template.lines().collect();
    let settings = block_below(&lines, only(&lines, SETTINGS)?);
    let script = block_below(&lines, only(&lines, BEGIN)? + 1);
    let encoded = STANDARD.encode(substitute(&settings, parameters)?);
    Ok(format!("$EncodedSettings = '{encoded}'\n{script}"))
}

fn is_plain(line: &str) -> bool {
    line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !line.ends_with(' ')
}

fn only(lines: &[&str], wanted: &'static str) -> Result<usize, DocumentError> {
    let found: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.trim() == wanted).map(|(index, _)| index).collect();
    match found.as_slice() {
        [index] => Ok(*index),
        _ => Err(DocumentError::Line(wanted, found.len())),
    }
}

/// The literal block scalar whose header stands on line `header`: the lines below that are indented like its first one.
fn block_below(lines: &[&str], header: usize) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let indent = lines.get(header + 1).map_or(0, |line| depth(line));
    let mut text = String::new();
    let mut blank = 0;
    for line in &lines[header + 1..] {
        if line.trim().is_empty() {
            blank += 1;
            continue;
        }
        if depth(line) < indent {
            break;
        }
        text.push_str(&"\n".repeat(std::mem::take(&mut blank)));
        text.push_str(&line[indent..]);
        text.push('\n');
    }
    text
}

fn substitute(text: &str, parameters: &BTreeMap<&str, &str>) -> Result<String, DocumentError> {
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let value = parameters.get(name).ok_or_else(|| DocumentError::Parameter(name.to_owned()))?;
        result.push_str(value);
        result.push_str(rest);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Resources:
  D:
    runCommand:
      - Fn::Join:
          - - x
            - Fn::Base64: !Sub |
                drive=${Drive}
                remote=${Remote}
            - y
      # generated from shared/document/map-share.ps1 by `make embed-document`; do not edit
      - |
        exit 78
      # end of generated
  Other: {}
";

    #[test]
    fn a_script_is_embedded_and_read_back_as_it_is() {
        let script = "# head\n\nif ($true) {\n    'x'\n}\n\n\n# foot\n";
        let template = embed(TEMPLATE, script).unwrap();
        assert!(template.ends_with("\n      # end of generated\n  Other: {}\n"), "{template}");
        let text = run_command(&template, &BTreeMap::from([("Drive", "G"), ("Remote", r"\\fs\s")])).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, script);
        assert_eq!(first, format!("$EncodedSettings = '{}'", STANDARD.encode("drive=G\nremote=\\\\fs\\s\n")));
        assert_eq!(embed(&template, script).unwrap(), template);
    }

    #[test]
    fn what_yaml_would_read_otherwise_is_refused() {
        for script in ["\tx\n", "a\ncaf\u{e9}\n", "x \n"] {
            assert!(matches!(embed(TEMPLATE, script), Err(DocumentError::Text(_))), "{script:?}");
        }
    }

    #[test]
    fn a_template_of_another_shape_is_named() {
        let gone = TEMPLATE.replace(END, "# the end");
        assert_eq!(embed(&gone, "x\n"), Err(DocumentError::Line(END, 0)));
        assert_eq!(
            run_command(TEMPLATE, &BTreeMap::from([("Drive", "G")])),
            Err(DocumentError::Parameter("Remote".to_owned()))
        );
    }
}
