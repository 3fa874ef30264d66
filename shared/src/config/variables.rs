//! The environment variables: one table, from which they are read and documented.

use std::fmt;

/// An environment variable of a function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What counts where it is not set, `""` for nothing; `None` where it must be set.
    pub default: Option<&'static str>,
    /// What is allowed, in words.
    pub allowed: &'static str,
    /// The least and the largest number allowed, of a variable that is a number.
    pub bounds: Option<(f64, f64)>,
    /// The functions that read it.
    pub functions: &'static [&'static str],
}

/// All of them, in the order in which they are read.
pub fn variables() -> &'static [Variable] {
    &TABLE
}

const ALL: &[&str] = &["map-share", "drain-unmapped", "validate-task-definition"];
const MAPPING: &[&str] = &["map-share", "drain-unmapped"];
const CONTROLLER: &[&str] = &["drain-unmapped"];
const VALIDATION: &[&str] = &["validate-task-definition"];

/// Makes each row a constant and all rows the table.
macro_rules! table {
    ($($name:ident, $default:expr, $allowed:expr, $bounds:expr, $functions:expr;)*) => {
        $(pub(super) const $name: Variable = Variable {
            name: stringify!($name),
            default: $default,
            allowed: $allowed,
            bounds: $bounds,
            functions: $functions,
        };)*
        const TABLE: [Variable; [$(stringify!($name)),*].len()] = [$($name),*];
    };
}

#[rustfmt::skip]
table! {
    CLUSTERS, None, "cluster ARNs or names, separated by commas", None, ALL;
    STACK, None, "1 to 128 letters, digits and -", None, ALL;
    DRIVE_LETTER, Some("G"), "one letter from D to Z", None, ALL;
    REMOTE_PATH, None, r"\\server\share or \\server\share\directory", None, ALL;
    METRICS_NAMESPACE, Some("EcsSmbMapper"), "1 to 255 of letters, digits and ._-/#: not starting with AWS/", None, ALL;
    DOCUMENT_NAME, None, "an SSM document's name of 3 to 128 letters, digits and _.-", None, MAPPING;
    USERNAME_PARAMETER, Some("domainUserName"), PARAMETER_NAME, None, MAPPING;
    PASSWORD_PARAMETER, Some("domainUserPassword"), PARAMETER_NAME, None, MAPPING;
    MODE, Some("enforce"), "report, map or enforce", None, MAPPING;
    REFUSAL_BUDGET, Some("3"), "a whole number from 3 to 10", Some((3.0, 10.0)), MAPPING;
    MAX_ATTEMPTS, Some("4"), "a whole number from 1 to 10", Some((1.0, 10.0)), MAPPING;
    RETRY_BASE_SECONDS, Some("30"), "a number of seconds from 0.01 to 300", Some((0.01, 300.0)), MAPPING;
    REPROBE_MINUTES, Some("15"), "a number of minutes above 0, at most 20", Some((0.001, 20.0)), MAPPING;
    VERIFY_EVERY_MINUTES, Some("30"), "0 (never) or a number of minutes up to 1440", Some((0.0, 1440.0)), MAPPING;
    UNREACHABLE_AFTER_MINUTES, Some("45"), "a number of minutes above 0, at most 1440", Some((0.001, 1440.0)), MAPPING;
    DRAIN_AFTER_MINUTES, Some("15"), "a number of minutes up to 1440", Some((0.0, 1440.0)), MAPPING;
    MAX_DRAIN_PERCENT, Some("10"), "a whole number from 1 to 100", Some((1.0, 100.0)), MAPPING;
    BREAKER_PERCENT, Some("20"), "a whole number from 1 to 100", Some((1.0, 100.0)), MAPPING;
    QUEUE_ARN, None, "the ARN of an SQS queue: arn:PARTITION:sqs:REGION:ACCOUNT:NAME", None, CONTROLLER;
    ECS_WRITES_PER_SECOND, Some("10"), "a whole number from 1 to 40", Some((1.0, 40.0)), MAPPING;
    REQUIRE_READINESS_CONSTRAINT, Some("false"), "true or false", None, VALIDATION;
    ALLOWED_SOURCE_PREFIX, Some(""), r"a directory on the mapped drive, such as G:\Directory", None, VALIDATION;
}

const PARAMETER_NAME: &str = "a Parameter Store name of letters, digits and _.-/";

/// One variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadVariable {
    /// Its name.
    pub name: &'static str,
    /// Its value; `None` where it is not set.
    pub value: Option<String>,
    /// What is allowed.
    pub allowed: &'static str,
}

impl fmt::Display for BadVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => {
                write!(f, "environment variable {} is {value:?}, allowed is {}", self.name, self.allowed)
            }
            None => write!(f, "environment variable {} is not set, it must be {}", self.name, self.allowed),
        }
    }
}

/// The environment cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<BadVariable>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, bad) in self.0.iter().enumerate() {
            write!(f, "{}{bad}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads variables and collects what is wrong, so that one start names everything.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    bad: Vec<BadVariable>,
}

impl<'a> Reader<'a> {
    /// Reads from any source of variables. An empty value counts as not set, as templates write it.
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Reader { lookup, bad: Vec::new() }
    }

    /// The variable's value, or its default, as `parse` understands it.
    pub(super) fn read<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = (self.lookup)(variable.name).filter(|value| !value.is_empty());
        let parsed = value.as_deref().or(variable.default).and_then(parse);
        if parsed.is_none() {
            self.bad.push(BadVariable { name: variable.name, value, allowed: variable.allowed });
        }
        parsed
    }

    /// The same for a whole number within the variable's bounds.
    pub(super) fn whole(&mut self, variable: &Variable) -> Option<u32> {
        self.read(variable, |text| text.parse().ok().filter(|n| variable.allows(f64::from(*n))))
    }

    /// The same for a number within the variable's bounds.
    pub(super) fn decimal(&mut self, variable: &Variable) -> Option<f64> {
        self.read(variable, |text| text.parse().ok().filter(|n| variable.allows(*n)))
    }

    /// The configuration, unless something was wrong.
    pub(super) fn finish<T>(self, config: Option<T>) -> Result<T, ConfigError> {
        config.filter(|_| self.bad.is_empty()).ok_or(ConfigError(self.bad))
    }
}

impl Variable {
    fn allows(&self, number: f64) -> bool {
        self.bounds.is_none_or(|(least, largest)| (least..=largest).contains(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed_and_bounds_are_said_in_words() {
        for variable in variables() {
            let Some((least, largest)) = variable.bounds else { continue };
            let default: f64 = variable.default.and_then(|text| text.parse().ok()).unwrap();
            assert!(variable.allows(default), "{}", variable.name);
            assert!(variable.allowed.contains(&largest.to_string()), "{}", variable.name);
            let is_said = variable.allowed.contains(&least.to_string());
            assert!(is_said || least == 0.0 || variable.allowed.contains("above 0"), "{}", variable.name);
        }
    }
}
