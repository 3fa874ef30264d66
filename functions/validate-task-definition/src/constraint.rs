//! The part of ECS's cluster query language that shows what a placement constraint means for the gate.
//!
//! An expression is evaluated for an instance with some known attributes. The result is true, false, or unknown, also
//! where the expression cannot be parsed: then the gate is neither required nor contradicted. ECS itself refuses
//! malformed expressions.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>

/// The result of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds on every such instance.
    True,
    /// It holds on no such instance.
    False,
    /// It depends on unknown attributes.
    Unknown,
}

/// A known attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// It has this value.
    Value(&'a str),
    /// The instance does not have it.
    Absent,
}

/// The known attributes of an instance.
pub type KnownAttributes<'a> = [(&'a str, Known<'a>)];

/// Evaluates several expressions, which must all hold.
pub fn all_hold<'e>(expressions: impl IntoIterator<Item = &'e str>, instance: &KnownAttributes<'_>) -> Truth {
    expressions.into_iter().map(|expression| holds(expression, instance)).fold(Truth::True, Truth::and)
}

/// Evaluates one expression.
pub fn holds(expression: &str, instance: &KnownAttributes<'_>) -> Truth {
    let Some(tokens) = tokens(expression) else { return Truth::Unknown };
    let mut parser = Parser { tokens: &tokens, instance, depth: 0 };
    match parser.either() {
        Some(truth) if parser.tokens.is_empty() => truth,
        _ => Truth::Unknown,
    }
}

/// The names of the attributes in an expression.
pub fn attributes(expression: &str) -> Vec<String> {
    let tokens = tokens(expression).unwrap_or_default();
    let words = tokens.iter().filter_map(|token| match token {
        Token::Word(word) => word.strip_prefix("attribute:").map(str::to_owned),
        _ => None,
    });
    words.collect()
}

impl Truth {
    fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::False, _) | (_, Truth::False) => Truth::False,
            (Truth::True, Truth::True) => Truth::True,
            _ => Truth::Unknown,
        }
    }

    fn or(self, other: Truth) -> Truth {
        self.not().and(other.not()).not()
    }

    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Symbol(&'static str),
}

/// Longer symbols come before their prefixes: `!in` before `!`.
const SYMBOLS: [&str; 17] =
    ["&&", "||", "==", "!=", ">=", "<=", "=~", "!~", "!in", "!exists", "!", ">", "<", "(", ")", "[", "]"];

fn tokens(mut rest: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Some(tokens) };
        if first == ',' {
            tokens.push(Token::Symbol(","));
            rest = &rest[1..];
        } else if first == '\'' || first == '"' {
            let end = rest[1..].find(first)? + 1;
            tokens.push(Token::Quoted(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| starts_with_symbol(rest, symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let ends = |c: char| c.is_whitespace() || "=!<>()[],'\"&|".contains(c);
            let end = rest.find(ends).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
}

/// Whether the text begins with that symbol. `!instance` begins with `!`, not with `!in`.
fn starts_with_symbol(rest: &str, symbol: &str) -> bool {
    let Some(after) = rest.strip_prefix(symbol) else { return false };
    let is_word = symbol.ends_with(char::is_alphabetic);
    !is_word || !after.starts_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_' || c == '.')
}

struct Parser<'t, 'i> {
    tokens: &'t [Token],
    instance: &'i KnownAttributes<'i>,
    depth: usize,
}

/// An expression with deeper nesting is `Unknown`, so that the stack does not overflow.
const DEEPEST: usize = 64;

impl Parser<'_, '_> {
    fn either(&mut self) -> Option<Truth> {
        let mut truth = self.both()?;
        while self.take(&["||"], &["or"]) {
            truth = truth.or(self.both()?);
        }
        Some(truth)
    }

    fn both(&mut self) -> Option<Truth> {
        let mut truth = self.unary()?;
        while self.take(&["&&"], &["and"]) {
            truth = truth.and(self.unary()?);
        }
        Some(truth)
    }

    fn unary(&mut self) -> Option<Truth> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let truth = if self.take(&["!"], &["not"]) {
            self.unary()?.not()
        } else if self.take(&["("], &[]) {
            let truth = self.either()?;
            self.take(&[")"], &[]).then_some(truth)?
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Some(truth)
    }

    fn comparison(&mut self) -> Option<Truth> {
        let subject = self.word()?;
        let known = subject
            .strip_prefix("attribute:")
            .and_then(|name| self.instance.iter().find(|(own, _)| *own == name))
            .map(|(_, known)| *known);
        if self.take(&["!exists"], &["not_exists"]) {
            return Some(exists(known).not());
        }
        if self.take(&[], &["exists"]) {
            return Some(exists(known));
        }
        if self.take(&["=="], &["equals"]) {
            return Some(equals(known, &[self.word()?]));
        }
        if self.take(&["!="], &["not_equals"]) {
            return Some(differs(known, &[self.word()?]));
        }
        if self.take(&["!in"], &["not_in"]) {
            return Some(differs(known, &self.words()?));
        }
        if self.take(&[], &["in"]) {
            return Some(equals(known, &self.words()?));
        }
        if self.take(&["=~"], &["matches"]) {
            return Some(matches(known, &self.word()?));
        }
        if self.take(&["!~"], &["not_matches"]) {
            return Some(matches(known, &self.word()?).not());
        }
        let orders = ["greater_than", "greater_than_equal", "less_than", "less_than_equal"];
        if self.take(&[">=", "<=", ">", "<"], &orders) {
            self.word()?;
            return Some(Truth::Unknown);
        }
        None
    }

    fn take(&mut self, symbols: &[&str], words: &[&str]) -> bool {
        let found = match self.tokens.first() {
            Some(Token::Symbol(symbol)) => symbols.contains(symbol),
            Some(Token::Word(word)) => words.iter().any(|other| word.eq_ignore_ascii_case(other)),
            _ => false,
        };
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn word(&mut self) -> Option<String> {
        let (first, rest) = self.tokens.split_first()?;
        let (Token::Word(word) | Token::Quoted(word)) = first else { return None };
        self.tokens = rest;
        Some(word.clone())
    }

    fn words(&mut self) -> Option<Vec<String>> {
        if !self.take(&["["], &[]) {
            return None;
        }
        let mut words = vec![self.word()?];
        while self.take(&[","], &[]) {
            words.push(self.word()?);
        }
        self.take(&["]"], &[]).then_some(words)
    }
}

fn exists(known: Option<Known<'_>>) -> Truth {
    match known {
        Some(Known::Value(_)) => Truth::True,
        Some(Known::Absent) => Truth::False,
        None => Truth::Unknown,
    }
}

fn equals(known: Option<Known<'_>>, words: &[String]) -> Truth {
    match known {
        Some(Known::Value(value)) if words.iter().any(|word| word == value) => Truth::True,
        // AWS does not document whether the comparison ignores case.
        Some(Known::Value(value)) if words.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
            Truth::Unknown
        }
        Some(_) => Truth::False,
        None => Truth::Unknown,
    }
}

/// AWS does not document whether an absent attribute differs from a value.
fn differs(known: Option<Known<'_>>, words: &[String]) -> Truth {
    if known == Some(Known::Absent) { Truth::Unknown } else { equals(known, words).not() }
}

/// Only a pattern without special characters is evaluated. AWS does not document whether it must match the whole value.
fn matches(known: Option<Known<'_>>, pattern: &str) -> Truth {
    let is_literal = pattern.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match known {
        Some(Known::Absent) => Truth::False,
        Some(Known::Value(value)) if value == pattern => Truth::True,
        Some(Known::Value(value)) if is_literal && !value.contains(pattern) => Truth::False,
        _ => Truth::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_are_evaluated_with_the_known_attributes() {
        let instance = [
            ("smb.G", Known::Value("mapped")),
            ("smb.hold", Known::Absent),
            ("ecs.os-type", Known::Value("windows")),
        ];
        for (expression, expected) in [
            ("attribute:smb.G == mapped", Truth::True),
            ("attribute:smb.G==mapped", Truth::True),
            ("attribute:smb.G equals 'mapped'", Truth::True),
            ("attribute:smb.G == shut", Truth::False),
            ("attribute:smb.G != mapped", Truth::False),
            ("attribute:smb.G not_equals shut", Truth::True),
            ("attribute:smb.G == Mapped", Truth::Unknown),
            ("attribute:smb.G in [shut, mapped]", Truth::True),
            ("attribute:smb.G !in ['mapped']", Truth::False),
            ("attribute:smb.G not_in [shut]", Truth::True),
            ("attribute:smb.G =~ mapped", Truth::True),
            ("attribute:smb.G =~ map.*", Truth::Unknown),
            ("attribute:smb.G =~ shut", Truth::False),
            ("attribute:smb.G !~ shut", Truth::True),
            ("attribute:smb.G exists", Truth::True),
            ("attribute:smb.G !exists", Truth::False),
            ("attribute:smb.hold exists", Truth::False),
            ("attribute:smb.hold not_exists", Truth::True),
            ("attribute:smb.hold == x", Truth::False),
            ("attribute:smb.hold != x", Truth::Unknown),
            ("attribute:smb.g == mapped", Truth::Unknown),
            ("not(attribute:smb.G == mapped)", Truth::False),
            ("!(attribute:smb.G == mapped)", Truth::False),
            ("attribute:smb.G == mapped and attribute:ecs.instance-type =~ m5.*", Truth::Unknown),
            ("attribute:smb.G == shut && attribute:ecs.instance-type =~ m5.*", Truth::False),
            ("attribute:smb.G == shut or attribute:ecs.os-type == windows", Truth::True),
            (
                "(attribute:smb.G == shut || agentConnected == true) and attribute:smb.G exists",
                Truth::Unknown,
            ),
            ("attribute:ecs.os-type == linux", Truth::False),
            ("agentVersion >= 1.90.0", Truth::Unknown),
            ("task:group == service:web", Truth::Unknown),
            ("attribute:smb.G ==", Truth::Unknown),
            ("attribute:smb.G == mapped)", Truth::Unknown),
            ("'unterminated", Truth::Unknown),
            ("& |", Truth::Unknown),
            ("", Truth::Unknown),
        ] {
            assert_eq!(holds(expression, &instance), expected, "{expression}");
        }
    }

    #[test]
    fn all_constraints_must_hold() {
        let instance = [("smb.G", Known::Absent)];
        assert_eq!(all_hold([], &instance), Truth::True);
        let both = ["attribute:x == y", "attribute:smb.G == mapped"];
        assert_eq!(all_hold(both, &instance), Truth::False);
    }

    #[test]
    fn deep_nesting_is_unknown() {
        let expression = format!("{}attribute:x exists{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(holds(&expression, &[("x", Known::Absent)]), Truth::Unknown);
    }

    #[test]
    fn attributes_are_listed() {
        assert_eq!(attributes("attribute:smb.g == mapped and task:group == x"), ["smb.g"]);
    }

    proptest! {
        #[test]
        fn an_expression_and_its_negation_never_agree(
            text in r#"(attribute:|smb\.G|==|!in|!|[\[\](),'" ]|and|or|not|mapped|exists|=~|é|in){0,20}"#,
            is_known in any::<bool>(),
        ) {
            let known = if is_known { Known::Value("mapped") } else { Known::Absent };
            let truth = |expression: &str| holds(expression, &[("smb.G", known)]);
            let (plain, negated) = (truth(&text), truth(&format!("not({text})")));
            prop_assert!(plain != negated || plain == Truth::Unknown, "both are {plain:?}");
            attributes(&text);
        }
    }
}
