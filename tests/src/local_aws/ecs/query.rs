//! The part of ECS's cluster query language that this project uses: tests of an attribute or of the EC2 instance id, and
//! `registeredAt >=`, joined by `and`.
//!
//! The rest of the language is refused: `or`, `not`, parentheses, other comparisons, patterns and other subjects.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::ContainerInstance;

/// A parsed expression: tests that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Query(Vec<Test>);

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Value {
        /// The attribute; `None` for the EC2 instance id.
        attribute: Option<String>,
        /// The value must be one of these; `None` where the attribute only has to exist.
        values: Option<BTreeSet<String>>,
        is_negated: bool,
    },
    RegisteredSince(Timestamp),
}

impl Query {
    /// Whether a container instance matches.
    pub fn matches(&self, instance: &ContainerInstance) -> bool {
        self.0.iter().all(|test| test.holds(instance))
    }
}

impl Test {
    fn holds(&self, instance: &ContainerInstance) -> bool {
        let (attribute, values, is_negated) = match self {
            Test::RegisteredSince(since) => return instance.registered_at >= *since,
            Test::Value { attribute, values, is_negated } => (attribute, values, *is_negated),
        };
        let found = match attribute {
            Some(name) => instance.attributes.get(name.as_str()).map(Option::as_deref),
            None => Some(Some(&*instance.ec2_instance_id)),
        };
        let holds = match values {
            Some(values) => found.flatten().is_some_and(|value| values.contains(value)),
            None => found.is_some(),
        };
        holds != is_negated
    }
}

type Tokens = std::vec::IntoIter<String>;

/// Parses an expression. The error names the unknown part.
pub fn parse(text: &str) -> Result<Query, String> {
    let mut tokens = tokens(text)?.into_iter();
    let mut tests = Vec::new();
    loop {
        tests.push(test(&mut tokens)?);
        match tokens.next().as_deref() {
            None => return Ok(Query(tests)),
            Some("and" | "&&") => {}
            Some(token) => return Err(format!("unexpected {token:?}")),
        }
    }
}

fn test(tokens: &mut Tokens) -> Result<Test, String> {
    let subject = tokens.next().ok_or("expected a subject at the end")?;
    if subject == "registeredAt" {
        let operator = tokens.next().unwrap_or_default();
        let is_known = [">=", "greater_than_equal"].contains(&operator.as_str());
        let since = value(tokens)?.parse().ok().filter(|_| is_known);
        return since.map(Test::RegisteredSince).ok_or(format!("registeredAt {operator:?} and no time"));
    }
    let attribute = match subject.strip_prefix("attribute:") {
        Some(name) if !name.is_empty() => Some(name.to_owned()),
        None if subject == "ec2InstanceId" => None,
        _ => return Err(format!("unknown subject {subject:?}")),
    };
    let operator = tokens.next().ok_or("expected an operator at the end")?;
    let values = match operator.as_str() {
        "==" | "equals" | "!=" | "not_equals" => Some(BTreeSet::from([value(tokens)?])),
        "in" | "!in" | "not_in" => Some(list(tokens)?),
        "exists" | "!exists" | "not_exists" => None,
        other => return Err(format!("unknown operator {other:?}")),
    };
    let is_negated = operator.starts_with('!') || operator.starts_with("not_");
    Ok(Test::Value { attribute, values, is_negated })
}

fn list(tokens: &mut Tokens) -> Result<BTreeSet<String>, String> {
    if tokens.next().as_deref() != Some("[") {
        return Err("in needs a list in brackets".to_owned());
    }
    let mut items = BTreeSet::new();
    loop {
        items.insert(value(tokens)?);
        match tokens.next().as_deref() {
            Some("]") => return Ok(items),
            Some(",") => {}
            _ => return Err("missing ]".to_owned()),
        }
    }
}

fn value(tokens: &mut Tokens) -> Result<String, String> {
    let word = tokens.next().ok_or("expected a value at the end")?;
    if SYMBOLS.contains(&word.as_str()) {
        return Err(format!("expected a value, found {word:?}"));
    }
    Ok(word.trim_matches(['\'', '"']).to_owned())
}

const SYMBOLS: [&str; 9] = ["!exists", "!in", "==", "!=", ">=", "&&", "[", "]", ","];

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if matches!(first, '\'' | '"') {
            rest[1..].find(first).ok_or("a quote that is not closed")? + 2
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            symbol.len()
        } else {
            rest.find(|c: char| c.is_whitespace() || "[],=!>&'\"".contains(c)).unwrap_or(rest.len())
        };
        if length == 0 {
            return Err(format!("unexpected {first:?}"));
        }
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> ContainerInstance {
        let base = "2026-03-01T12:00:00Z".parse().unwrap();
        let world = crate::fleet::World::new(1, base)
            .cluster("c")
            .windows_instance("c", |host| host.attribute("smb.G", "mapped"));
        let aws = crate::local_aws::LocalAws::new(world);
        aws.container_instances("c").next().unwrap().clone()
    }

    #[test]
    fn expressions_select_instances() {
        let instance = instance();
        for (text, expected) in [
            ("attribute:smb.G == mapped", true),
            ("attribute:smb.G==mapped", true),
            ("attribute:smb.G != mapped", false),
            ("attribute:smb.H == mapped", false),
            ("attribute:smb.H != mapped", true),
            ("attribute:smb.G exists", true),
            ("attribute:ecs.capability.task-eni exists", true),
            ("attribute:smb.G !exists", false),
            ("attribute:ecs.os-type == windows and attribute:smb.G == shut", false),
            ("attribute:ecs.os-type == windows && attribute:smb.G == mapped", true),
            ("attribute:smb.G in [shut, mapped]", true),
            ("attribute:smb.G not_in [shut, mapped]", false),
            ("attribute:smb.G !in [shut]", true),
            ("ec2InstanceId in ['i-0f1ee700000000001','i-0f1ee700000000002']", true),
            ("ec2InstanceId in [\"i-0f1ee700000000009\"]", false),
            ("ec2InstanceId == i-0f1ee700000000001", true),
            ("attribute:ecs.os-type == windows and registeredAt >= 2026-02-01T12:00:00+00:00", true),
            ("registeredAt>='2026-03-02T12:00:00+00:00'", false),
        ] {
            assert_eq!(parse(text).map(|query| query.matches(&instance)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_and_unused_expressions_are_refused() {
        for text in [
            "",
            "attribute:",
            "attribute:x",
            "attribute:x ==",
            "attribute:x == y z",
            "attribute:x in y",
            "attribute:x in [y",
            "(attribute:x exists)",
            "!(attribute:x exists)",
            "not(attribute:x exists)",
            "attribute:x exists or attribute:y exists",
            "attribute:x exists || attribute:y exists",
            "attribute:x == 'y",
            "color == red",
            "runningTasksCount < 1",
            "registeredAt >= yesterday",
            "registeredAt < 2026-03-02T12:00:00+00:00",
            "registeredAt",
            "task:group == service:x",
            "attribute:x =~ a.*",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
