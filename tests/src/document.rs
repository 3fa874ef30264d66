//! The SSM document: the mapping script as `template.yaml` holds it, and as the SSM agent gets it.
//!
//! The resource `MappingDocument` is read as lines of text, and an error names a line that is not as expected. No YAML
//! is parsed, and no other intrinsic function is resolved.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shared::fingerprint::Fingerprint;

/// The line before the generated block, without its indentation.
const BEGIN: &str = "# generated from shared/document/map-share.ps1 by `make embed-document`; do not edit";
/// The line after it.
const END: &str = "# end of generated";
/// The line before the settings, which CloudFormation encodes as base64.
const SETTINGS: &str = "- Fn::Base64: !Sub |";
/// The SSM agent replaces this by the value of the document's parameter.
pub const ACTION_PLACEHOLDER: &str = "{{ Action }}";

/// The template or the script is not as expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError {
    /// A line that must occur exactly once.
    #[error("template.yaml has the line `{0}` {1} times, not once")]
    Line(&'static str, usize),
    /// The settings name a parameter without a value.
    #[error("no value for the template parameter {0}")]
    Parameter(String),
    /// YAML would change this text.
    #[error("map-share.ps1, line {0}: not plain ASCII text without tabs")]
    Text(usize),
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
        .chain([format!("{indent}- {}", version_line(script)), format!("{indent}- |")])
        .chain(block)
        .chain(lines[end..].iter().map(|line| (*line).to_owned()))
        .collect();
    Ok(text.join("\n") + "\n")
}

/// The script that the SSM agent gets: `runCommand` with the values of the template's parameters, but still with the
/// placeholder of the action.
pub fn run_command(template: &str, parameters: &BTreeMap<&str, &str>) -> Result<String, DocumentError> {
    let lines: Vec<&str> = template.lines().collect();
    let settings = block_below(&lines, only(&lines, SETTINGS)?);
    let begin = only(&lines, BEGIN)?;
    let version = lines.get(begin + 1).map_or("", |line| line.trim().trim_start_matches("- "));
    let script = block_below(&lines, begin + 2);
    let encoded = STANDARD.encode(substitute(&settings, parameters)?);
    Ok(format!("$EncodedSettings = '{encoded}'\n{version}\n{script}"))
}

/// The line that tells the script its own version.
fn version_line(script: &str) -> String {
    format!("$ScriptVersion = '{}'", Fingerprint::of(script.as_bytes()))
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

/// The literal block scalar with its header on line `header`: the following lines with at least its indentation.
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
      - $ScriptVersion = '00000000'
      - |
        exit 78
      # end of generated
  Other: {}
";

    #[test]
    fn a_script_is_embedded_and_read_back_unchanged() {
        let script = "# head\n\nif ($true) {\n    'x'\n}\n\n\n# foot\n";
        let template = embed(TEMPLATE, script).unwrap();
        assert!(template.ends_with("\n      # end of generated\n  Other: {}\n"), "{template}");
        let text = run_command(&template, &BTreeMap::from([("Drive", "G"), ("Remote", r"\\fs\s")])).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, format!("{}\n{script}", version_line(script)));
        assert_eq!(first, format!("$EncodedSettings = '{}'", STANDARD.encode("drive=G\nremote=\\\\fs\\s\n")));
        assert_eq!(embed(&template, script).unwrap(), template);
    }

    #[test]
    fn text_that_yaml_would_change_is_refused() {
        for script in ["\tx\n", "a\ncaf\u{e9}\n", "x \n"] {
            assert!(matches!(embed(TEMPLATE, script), Err(DocumentError::Text(_))), "{script:?}");
        }
    }

    #[test]
    fn a_missing_line_or_value_is_named() {
        let gone = TEMPLATE.replace(END, "# the end");
        assert_eq!(embed(&gone, "x\n"), Err(DocumentError::Line(END, 0)));
        assert_eq!(
            run_command(TEMPLATE, &BTreeMap::from([("Drive", "G")])),
            Err(DocumentError::Parameter("Remote".to_owned()))
        );
    }
}
