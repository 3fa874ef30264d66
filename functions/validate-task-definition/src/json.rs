//! Reads a task definition's JSON leniently and records problems, which rules turn into findings.
//!
//! `null` counts as absent, a number as a text, and unknown keys are ignored. Keys are read in the API's spelling
//! (`sourcePath`) and in CloudFormation's (`SourcePath`).

use serde_json::{Map, Value};

/// The spelling of keys in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `containerDefinitions`: the API, the CLI and CloudTrail.
    Api,
    /// `ContainerDefinitions`: CloudFormation and some SDKs.
    CloudFormation,
}

impl Dialect {
    /// A key of the API in this dialect.
    pub fn spell(self, key: &str) -> String {
        match (self, key) {
            (Dialect::Api, _) => key.to_owned(),
            (_, "fsxWindowsFileServerVolumeConfiguration") => {
                "FSxWindowsFileServerVolumeConfiguration".to_owned()
            }
            (_, "efsVolumeConfiguration") => "EFSVolumeConfiguration".to_owned(),
            (Dialect::CloudFormation, _) => capitalised(key),
        }
    }

    fn accepts(self, key: &str, found: &str) -> bool {
        // Some SDKs write `EfsVolumeConfiguration` where CloudFormation writes `EFSVolumeConfiguration`.
        found == self.spell(key) || self == Dialect::CloudFormation && found == capitalised(key)
    }
}

/// Something that could not be read as expected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The JSON pointer.
    pub at: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong with a value or a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// A JSON type that ECS does not accept here.
    WrongType {
        /// `an object`.
        expected: &'static str,
        /// `the text "G:\"`.
        found: String,
    },
    /// A CloudFormation function as a path or an expression: its value is known only at deployment.
    Unresolved {
        /// `Fn::Sub`.
        function: String,
    },
    /// A key that differs from a known one only in upper and lower case.
    Miscased {
        /// The key in the document.
        found: String,
        /// The key as ECS spells it.
        expected: String,
    },
    /// A key of a volume that ECS does not know.
    UnknownVolumeKey {
        /// The key in the document.
        found: String,
    },
}

/// A text with its pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The JSON pointer.
    pub at: String,
    /// The text; for a CloudFormation function its JSON, so that equal calls are equal.
    pub value: String,
    /// The name of the CloudFormation function.
    pub function: Option<String>,
}

/// A value with its pointer.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) at: String,
    pub(crate) value: &'a Value,
}

/// Reads values in one dialect and records problems.
pub(crate) struct Reader {
    dialect: Dialect,
    pub(crate) problems: Vec<Problem>,
}

impl Reader {
    pub(crate) fn new(dialect: Dialect) -> Reader {
        Reader { dialect, problems: Vec::new() }
    }

    /// The value of a key; `null` counts as absent. A key in the wrong case is recorded as a problem, and read if the
    /// correct key is absent.
    pub(crate) fn get<'a>(&mut self, object: &Node<'a>, key: &'static str) -> Option<Node<'a>> {
        let map = object.value.as_object()?;
        let mut chosen = None;
        let mut fallback = None;
        for (found, value) in
            map.iter().filter(|(found, value)| found.eq_ignore_ascii_case(key) && !value.is_null())
        {
            let node = Node { at: child(&object.at, found), value };
            if self.dialect.accepts(key, found) {
                chosen = Some(node);
                continue;
            }
            let kind = ProblemKind::Miscased { found: found.clone(), expected: self.dialect.spell(key) };
            self.problem(&node.at, kind);
            fallback = Some(node);
        }
        chosen.or(fallback)
    }

    /// The value of a key as a text. A number counts as a text.
    pub(crate) fn text(&mut self, object: &Node<'_>, key: &'static str) -> Option<Text> {
        let node = self.get(object, key)?;
        self.as_text(&node)
    }

    /// The same where rules depend on the value: a CloudFormation function is a problem.
    pub(crate) fn resolved_text(&mut self, object: &Node<'_>, key: &'static str) -> Option<Text> {
        let text = self.text(object, key)?;
        if let Some(function) = text.function.clone() {
            self.problem(&text.at, ProblemKind::Unresolved { function });
        }
        Some(text)
    }

    /// A value as a text. A number counts as a text.
    pub(crate) fn as_text(&mut self, node: &Node<'_>) -> Option<Text> {
        let text = as_text(node);
        if text.is_none() {
            self.wrong_type(node, "a text");
        }
        text
    }

    /// The text of a key, or the first of its list, without recording problems.
    pub(crate) fn hint(&self, object: &Node<'_>, key: &'static str) -> Option<Text> {
        let found = self.dialect.spell(key);
        let value = object.value.get(&found)?;
        let value = value.as_array().map_or(Some(value), |elements| elements.first())?;
        as_text(&Node { at: child(&object.at, &found), value }).filter(|text| text.function.is_none())
    }

    /// Whether a key has a value other than `null`, `false` or an empty one.
    pub(crate) fn is_set(&self, object: &Node<'_>, key: &'static str) -> bool {
        object.value.get(self.dialect.spell(key)).is_some_and(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::String(text) => !text.is_empty() && text != "false",
            Value::Bool(true) | Value::Number(_) => true,
        })
    }

    /// The value of a key as an object.
    pub(crate) fn object<'a>(&mut self, object: &Node<'a>, key: &'static str) -> Option<Node<'a>> {
        let node = self.get(object, key)?;
        self.is_object(&node).then_some(node)
    }

    /// Whether a value is an object and not a CloudFormation function; otherwise it is recorded as a problem.
    pub(crate) fn is_object(&mut self, node: &Node<'_>) -> bool {
        let is_object = node.value.is_object() && intrinsic(node.value).is_none();
        if !is_object {
            self.wrong_type(node, "an object");
        }
        is_object
    }

    /// The elements of a list; none where it is absent.
    pub(crate) fn list<'a>(&mut self, object: &Node<'a>, key: &'static str) -> Vec<Node<'a>> {
        let Some(node) = self.get(object, key) else { return Vec::new() };
        let Some(elements) = node.value.as_array() else {
            self.wrong_type(&node, "a list");
            return Vec::new();
        };
        elements
            .iter()
            .enumerate()
            .map(|(index, value)| Node { at: format!("{}/{index}", node.at), value })
            .collect()
    }

    /// The elements of a list that are objects. Others are recorded as problems.
    pub(crate) fn objects<'a>(&mut self, object: &Node<'a>, key: &'static str) -> Vec<Node<'a>> {
        self.list(object, key).into_iter().filter(|node| self.is_object(node)).collect()
    }

    pub(crate) fn problem(&mut self, at: &str, kind: ProblemKind) {
        self.problems.push(Problem { at: at.to_owned(), kind });
    }

    fn wrong_type(&mut self, node: &Node<'_>, expected: &'static str) {
        self.problem(&node.at, ProblemKind::WrongType { expected, found: describe(node.value) });
    }
}

fn as_text(node: &Node<'_>) -> Option<Text> {
    let (value, function) = match node.value {
        Value::String(value) => (value.clone(), None),
        Value::Number(value) => (value.to_string(), None),
        other => (other.to_string(), Some(intrinsic(other)?)),
    };
    Some(Text { at: node.at.clone(), value, function })
}

/// The pointer of a key's value below another pointer.
pub(crate) fn child(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A value in words: `the number 5`, `a list of 3`.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the text `{}`", shortened(value)),
        Value::Array(elements) if elements.is_empty() => "an empty list".to_owned(),
        Value::Array(elements) => format!("a list of {}", elements.len()),
        Value::Object(map) => match intrinsic(value) {
            Some(function) => format!("the CloudFormation function `{function}`"),
            None if map.is_empty() => "an empty object".to_owned(),
            None => format!("an object with {}", keys(map)),
        },
    }
}

/// The first keys of an object, quoted.
pub(crate) fn keys(map: &Map<String, Value>) -> String {
    let mut names: Vec<String> = map.keys().take(5).map(|key| format!("`{}`", shortened(key))).collect();
    if map.len() > names.len() {
        names.push(format!("{} more", map.len() - names.len()));
    }
    names.join(", ")
}

/// A text, cut to the length that fits into a message.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The name of the CloudFormation function in a value.
fn intrinsic(value: &Value) -> Option<String> {
    let map = value.as_object()?;
    let (name, _) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then(|| name.clone())
}

fn capitalised(key: &str) -> String {
    let mut chars = key.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn root(value: &Value) -> Node<'_> {
        Node { at: String::new(), value }
    }

    #[test]
    fn null_counts_as_absent_and_a_number_as_a_text() {
        let value = json!({"family": null, "networkMode": 5});
        let mut reader = Reader::new(Dialect::Api);
        assert_eq!(reader.text(&root(&value), "family"), None);
        assert_eq!(reader.text(&root(&value), "networkMode").unwrap().value, "5");
        assert_eq!(reader.problems, []);
    }

    #[test]
    fn each_dialect_has_its_own_spelling() {
        for (dialect, key) in [
            (Dialect::Api, "efsVolumeConfiguration"),
            (Dialect::CloudFormation, "EFSVolumeConfiguration"),
            (Dialect::CloudFormation, "EfsVolumeConfiguration"),
        ] {
            let value = json!({key: {"fileSystemId": "fs-1"}});
            let mut reader = Reader::new(dialect);
            assert!(reader.object(&root(&value), "efsVolumeConfiguration").is_some(), "{key}");
            assert_eq!(reader.problems, [], "{key}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_case_is_read_and_recorded() {
        let value = json!({"sourcepath": r"G:\"});
        let mut reader = Reader::new(Dialect::Api);
        assert_eq!(reader.text(&root(&value), "sourcePath").unwrap().at, "/sourcepath");
        assert!(matches!(&reader.problems[..], [Problem { kind: ProblemKind::Miscased { .. }, .. }]));
    }

    #[test]
    fn problems_name_the_value() {
        let value =
            json!({"volumes": {"a/b~": 1}, "family": true, "host": {"Fn::If": []}, "image": {"Ref": "X"}});
        // The text of `image` is recorded as unresolved only by `resolved_text`.
        let mut reader = Reader::new(Dialect::Api);
        reader.list(&root(&value), "volumes");
        reader.text(&root(&value), "family");
        reader.object(&root(&value), "host");
        reader.text(&root(&value), "image");
        reader.resolved_text(&root(&value), "image");
        let found: Vec<_> = reader.problems.iter().map(|problem| format!("{:?}", problem.kind)).collect();
        assert!(found[0].contains("an object with `a/b~`"), "{found:?}");
        assert!(found[1].contains("`true`"), "{found:?}");
        assert!(found[2].contains("Fn::If"), "{found:?}");
        assert!(found[3].starts_with("Unresolved"), "{found:?}");
        assert_eq!(child("/x", "a/b~"), "/x/a~1b~0");
    }
}
