//! ECS's cluster query language for container instances.
//!
//! Patterns may hold text and `.*`; other regular expressions are refused, and so are subjects of tasks (`task:group`).

use super::ContainerInstance;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Query(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Test(Subject, Operator),
}

#[derive(Debug, Clone, PartialEq)]
enum Subject {
    Attribute(String),
    Ec2InstanceId,
    AgentConnected,
    AgentVersion,
    RunningTasksCount,
}

#[derive(Debug, Clone, PartialEq)]
enum Operator {
    Equals(String),
    NotEquals(String),
    Compare(std::cmp::Ordering, bool, f64),
    Exists,
    NotExists,
    In(std::collections::BTreeSet<String>),
    NotIn(std::collections::BTreeSet<String>),
    Matches(Vec<String>),
    NotMatches(Vec<String>),
}

impl Query {
    /// Whether a container instance matches.
    pub fn matches(&self, instance: &ContainerInstance) -> bool {
        self.0.matches(instance)
    }
}

impl Node {
    fn matches(&self, instance: &ContainerInstance) -> bool {
        match self {
            Self::And(a, b) => a.matches(instance) && b.matches(instance),
            Self::Or(a, b) => a.matches(instance) || b.matches(instance),
            Self::Not(a) => !a.matches(instance),
            Self::Test(Subject::Attribute(name), Operator::Exists) => {
                instance.attributes.contains_key(name.as_str())
            }
            Self::Test(Subject::Attribute(name), Operator::NotExists) => {
                !instance.attributes.contains_key(name.as_str())
            }
            Self::Test(subject, operator) => operator.holds(subject.value(instance).as_deref()),
        }
    }
}

impl Subject {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "ec2InstanceId" => Ok(Self::Ec2InstanceId),
            "agentConnected" => Ok(Self::AgentConnected),
            "agentVersion" => Ok(Self::AgentVersion),
            "runningTasksCount" => Ok(Self::RunningTasksCount),
            _ => match word.strip_prefix("attribute:") {
                Some(name) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
                _ => Err(format!("unknown subject {word:?}")),
            },
        }
    }

    fn value<'a>(&self, instance: &'a ContainerInstance) -> Option<std::borrow::Cow<'a, str>> {
        match self {
            Self::Attribute(name) => instance.attribute(name).map(Into::into),
            Self::Ec2InstanceId => Some((&*instance.ec2_instance_id).into()),
            Self::AgentConnected => Some(instance.agent_connected.to_string().into()),
            Self::AgentVersion => Some("1.103.0".into()),
            Self::RunningTasksCount => Some(instance.running.to_string().into()),
        }
    }
}

impl Operator {
    fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::Exists => value.is_some(),
            Self::NotExists => value.is_none(),
            Self::Equals(wanted) => value == Some(wanted),
            Self::NotEquals(wanted) => value != Some(wanted),
            Self::In(set) => value.is_some_and(|value| set.contains(value)),
            Self::NotIn(set) => !value.is_some_and(|value| set.contains(value)),
            Self::Matches(parts) => value.is_some_and(|value| matches_parts(parts, value)),
            Self::NotMatches(parts) => !value.is_some_and(|value| matches_parts(parts, value)),
            Self::Compare(ordering, or_equal, bound) => {
                let number = value.and_then(|value| value.parse::<f64>().ok());
                let found = number.and_then(|number| number.partial_cmp(bound));
                found.is_some_and(|found| found == *ordering || (*or_equal && found.is_eq()))
            }
        }
    }
}

/// Whether the literal parts between `.*` occur in order, the first at the start and the last at the end.
fn matches_parts(parts: &[String], value: &str) -> bool {
    let [first, rest @ ..] = parts else { return false };
    let Some(mut left) = value.strip_prefix(first.as_str()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
    for part in middle {
        match left.find(part.as_str()) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last.as_str())
}

/// Parses an expression. The error names the unknown part.
pub fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let node = parser.or()?;
    match parser.next() {
        None => Ok(Query(node)),
        Some(token) => Err(format!("unexpected {token:?}")),
    }
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn skip(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|token| words.contains(&token));
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Node, String> {
        let mut node = self.and()?;
        while self.skip(&["or", "||"]) {
            node = Node::Or(Box::new(node), Box::new(self.and()?));
        }
        Ok(node)
    }

    fn and(&mut self) -> Result<Node, String> {
        let mut node = self.unary()?;
        while self.skip(&["and", "&&"]) {
            node = Node::And(Box::new(node), Box::new(self.unary()?));
        }
        Ok(node)
    }

    fn unary(&mut self) -> Result<Node, String> {
        if self.skip(&["not", "!"]) {
            return Ok(Node::Not(Box::new(self.unary()?)));
        }
        if self.skip(&["("]) {
            let node = self.or()?;
            return if self.skip(&[")"]) { Ok(node) } else { Err("missing )".to_owned()) };
        }
        let subject = Subject::parse(&self.word("a subject")?)?;
        Ok(Node::Test(subject, self.operator()?))
    }

    fn operator(&mut self) -> Result<Operator, String> {
        use std::cmp::Ordering::{Greater, Less};
        let operator = self.word("an operator")?;
        Ok(match operator.as_str() {
            "==" | "equals" => Operator::Equals(self.argument()?),
            "!=" | "not_equals" => Operator::NotEquals(self.argument()?),
            ">" | "greater_than" => Operator::Compare(Greater, false, self.number()?),
            ">=" | "greater_than_equal" => Operator::Compare(Greater, true, self.number()?),
            "<" | "less_than" => Operator::Compare(Less, false, self.number()?),
            "<=" | "less_than_equal" => Operator::Compare(Less, true, self.number()?),
            "exists" => Operator::Exists,
            "!exists" | "not_exists" => Operator::NotExists,
            "in" => Operator::In(self.list()?),
            "!in" | "not_in" => Operator::NotIn(self.list()?),
            "=~" | "matches" => Operator::Matches(pattern(&self.argument()?)?),
            "!~" | "not_matches" => Operator::NotMatches(pattern(&self.argument()?)?),
            other => return Err(format!("unknown operator {other:?}")),
        })
    }

    fn list(&mut self) -> Result<std::collections::BTreeSet<String>, String> {
        let mut items = std::collections::BTreeSet::new();
        if !self.skip(&["["]) {
            return Err("in needs a list in brackets".to_owned());
        }
        loop {
            items.insert(self.argument()?);
            if self.skip(&["]"]) {
                return Ok(items);
            }
            if !self.skip(&[","]) {
                return Err("missing ]".to_owned());
            }
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let text = self.argument()?;
        text.parse().map_err(|_| format!("{text:?} is not a number"))
    }

    fn argument(&mut self) -> Result<String, String> {
        let word = self.word("a value")?;
        if ["(", ")", "[", "]", ",", "==", "&&", "||"].contains(&word.as_str()) {
            return Err(format!("expected a value, found {word:?}"));
        }
        Ok(word.trim_matches(['\'', '"']).to_owned())
    }

    fn word(&mut self, expected: &str) -> Result<String, String> {
        self.next().ok_or_else(|| format!("expected {expected} at the end"))
    }
}

fn pattern(text: &str) -> Result<Vec<String>, String> {
    let parts: Vec<String> = text.split(".*").map(str::to_owned).collect();
    match parts.iter().find(|part| part.contains(['*', '+', '?', '[', '(', '|', '\\', '^', '$'])) {
        None => Ok(parts),
        Some(part) => Err(format!("only .* is allowed in a pattern, not {part:?}")),
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    const SYMBOLS: [&str; 17] =
        ["!exists", "!in", "==", "!=", ">=", "<=", "=~", "!~", "&&", "||", ">", "<", "(", ")", "[", "]", ","];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(quote @ ('\'' | '"')) = Some(first) {
            let end = rest[1..].find(quote).ok_or("a quote that is not closed")?;
            tokens.push(rest[..end + 2].to_owned());
            rest = &rest[end + 2..];
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push((*symbol).to_owned());
            rest = &rest[symbol.len()..];
        } else if first == '!' {
            tokens.push("!".to_owned());
            rest = &rest[1..];
        } else {
            let end =
                rest.find(|c: char| c.is_whitespace() || "()[],=!<>&|~'\"".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("unexpected {first:?}"));
            }
            tokens.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
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
            .windows_instance("c", |host| host.attribute("smb.G", "mapped").attribute("stack", "blue-green"));
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
            ("not(attribute:smb.H exists)", true),
            ("!(attribute:smb.H exists)", true),
            ("attribute:ecs.os-type == windows and attribute:smb.G == shut", false),
            ("attribute:ecs.os-type == linux or attribute:smb.G == mapped", true),
            ("attribute:smb.G in [shut, mapped]", true),
            ("attribute:smb.G not_in [shut, mapped]", false),
            ("attribute:smb.G !in [shut]", true),
            ("ec2InstanceId in ['i-0f1ee700000000001','i-0f1ee700000000002']", true),
            ("ec2InstanceId in [\"i-0f1ee700000000009\"]", false),
            ("ec2InstanceId == i-0f1ee700000000001", true),
            ("attribute:stack =~ blue.*", true),
            ("attribute:stack =~ .*reen", true),
            ("attribute:stack !~ red.*", true),
            ("agentConnected == true", true),
            ("runningTasksCount < 1", true),
            ("runningTasksCount >= 1 || agentConnected == true && attribute:smb.G exists", true),
        ] {
            assert_eq!(parse(text).map(|query| query.matches(&instance)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_expressions_are_refused() {
        for text in [
            "",
            "attribute:",
            "attribute:x",
            "attribute:x ==",
            "attribute:x == y z",
            "attribute:x in y",
            "attribute:x in [y",
            "(attribute:x exists",
            "attribute:x == 'y",
            "color == red",
            "task:group == service:x",
            "attribute:x =~ a+",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
