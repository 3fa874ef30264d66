//! The environment, parsed once at start.
//!
//! The one room that reads it. A bad value stops the function at init with every offending variable's name, its value
//! and what is allowed; nothing is corrected silently. No variable holds a secret.

use std::fmt;

use jiff::SignedDuration;
use serde::Serialize;

use crate::ids::ClusterRef;
use crate::share::{DriveLetter, RemotePath, ShareMapping};
use crate::time;

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

/// What the product may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads and says what it would do; writes nothing.
    Report,
    /// Everything but drain.
    Map,
    /// Drains, too.
    Enforce,
}

/// Every wait, budget and brake. Durations are parsed; percentages are whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What may be done at all.
    pub mode: Mode,
    /// Quick retries after the first failure.
    pub max_attempts: u32,
    /// The unit of every wait of ours.
    pub base: SignedDuration,
    /// How often an unmapped instance is tried again when quick retries are spent.
    pub reprobe: SignedDuration,
    /// How old a proof may get; `None`: proofs are never renewed.
    pub verify_every: Option<SignedDuration>,
    /// How long an agent may be silent before it is reported.
    pub unreachable_after: SignedDuration,
    /// How long an instance must have failed, by its own words, before it is drained.
    pub drain_after: SignedDuration,
    /// How much of a cluster may be draining, by any actor.
    pub max_drain_percent: u32,
    /// How much of a cluster may be in trouble before nothing is drained.
    pub breaker_percent: u32,
    /// How many ECS writes a second a function allows itself, of the account's 40 that `RunTask` shares.
    pub ecs_writes_per_second: u32,
}

/// What `map-share` and `drain-unmapped` are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The watched clusters, none twice.
    pub clusters: Vec<ClusterRef>,
    /// Named in the commands' comment and the metrics.
    pub stack: String,
    /// The share and its letter.
    pub share: ShareMapping,
    /// The SSM document; its `$DEFAULT` version is sent.
    pub document: String,
    /// The names, never the values, of the user name's and the password's parameters.
    pub parameters: [String; 2],
    /// Where metrics go.
    pub metrics_namespace: String,
    /// Waits, budgets and brakes.
    pub policy: Policy,
}

/// What `validate-task-definition` is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatorConfig {
    /// The clusters that the scheduled audit looks at, none twice.
    pub clusters: Vec<ClusterRef>,
    /// Named in the metrics.
    pub stack: String,
    /// The share and its letter.
    pub share: ShareMapping,
    /// Where metrics go.
    pub metrics_namespace: String,
    /// A missing gate constraint is an error in a cluster audit.
    pub require_readiness_constraint: bool,
    /// Where below the drive bind mounts must start, e.g. `G:\Directory`.
    pub allowed_source_prefix: Option<String>,
}

impl Config {
    /// Reads the process's environment.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads from any source of variables. An empty value counts as not set, as templates write it.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Variables::new(&lookup);
        let common = Common::read(&mut env);
        let document = env
            .required("DOCUMENT_NAME", DOCUMENT_NAME, |text| is_document_name(text).then(|| text.to_owned()));
        let user = env.optional("USERNAME_PARAMETER", "domainUserName", PARAMETER_NAME, parameter_name);
        let password =
            env.optional("PASSWORD_PARAMETER", "domainUserPassword", PARAMETER_NAME, parameter_name);
        let policy = Policy::read(&mut env);
        let (Some(common), Some(document), Some(user), Some(password), Some(policy)) =
            (common, document, user, password, policy)
        else {
            return Err(ConfigError(env.bad));
        };
        env.finish(Config {
            clusters: common.clusters,
            stack: common.stack,
            share: common.share,
            document,
            parameters: [user, password],
            metrics_namespace: common.metrics_namespace,
            policy,
        })
    }
}

impl ValidatorConfig {
    /// Reads the process's environment.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads from any source of variables. An empty value counts as not set, as templates write it.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Variables::new(&lookup);
        let common = Common::read(&mut env);
        let require_readiness_constraint =
            env.optional("REQUIRE_READINESS_CONSTRAINT", "false", "true or false", |text| text.parse().ok());
        let drive = common.as_ref().map(|c| c.share.drive);
        let allowed_source_prefix = env.optional(
            "ALLOWED_SOURCE_PREFIX",
            "",
            "a directory on the mapped drive, such as G:\\Directory",
            |text| if text.is_empty() { Some(None) } else { source_prefix(text, drive).map(Some) },
        );
        let (Some(common), Some(require_readiness_constraint), Some(allowed_source_prefix)) =
            (common, require_readiness_constraint, allowed_source_prefix)
        else {
            return Err(ConfigError(env.bad));
        };
        env.finish(ValidatorConfig {
            clusters: common.clusters,
            stack: common.stack,
            share: common.share,
            metrics_namespace: common.metrics_namespace,
            require_readiness_constraint,
            allowed_source_prefix,
        })
    }
}

struct Common {
    clusters: Vec<ClusterRef>,
    stack: String,
    share: ShareMapping,
    metrics_namespace: String,
}

impl Common {
    fn read(env: &mut Variables) -> Option<Self> {
        let clusters = env.required("CLUSTERS", "cluster ARNs or names, separated by commas", clusters);
        let stack = env.required("STACK", "1 to 128 letters, digits and -", |text| {
            let valid = text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            valid.then(|| text.to_owned())
        });
        let drive = env.optional("DRIVE_LETTER", "G", "one letter from D to Z", DriveLetter::parse);
        let remote =
            env.required("REMOTE_PATH", r"\\server\share or \\server\share\directory", RemotePath::parse);
        let metrics_namespace = env.optional(
            "METRICS_NAMESPACE",
            "EcsSmbMapper",
            "1 to 255 of letters, digits and ._-/#: not starting with AWS/",
            |text| {
                let valid = text.len() <= 255
                    && !text.starts_with("AWS/")
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/#:".contains(&b));
                valid.then(|| text.to_owned())
            },
        );
        Some(Common {
            clusters: clusters?,
            stack: stack?,
            share: ShareMapping { drive: drive?, remote: remote? },
            metrics_namespace: metrics_namespace?,
        })
    }
}

impl Policy {
    fn read(env: &mut Variables) -> Option<Self> {
        let mode = env.optional("MODE", "enforce", "report, map or enforce", |text| match text {
            "report" => Some(Mode::Report),
            "map" => Some(Mode::Map),
            "enforce" => Some(Mode::Enforce),
            _ => None,
        });
        let max_attempts = env.whole("MAX_ATTEMPTS", "4", "a whole number from 1 to 10", 1..=10);
        let base =
            env.decimal("RETRY_BASE_SECONDS", "30", "a number of seconds from 0.01 to 300", 0.01..=300.0);
        // Twice this must stay below the window that the history is read for.
        let reprobe =
            env.decimal("REPROBE_MINUTES", "15", "a number of minutes above 0, at most 20", 0.001..=20.0);
        let verify = env.decimal(
            "VERIFY_EVERY_MINUTES",
            "30",
            "0 (never) or a number of minutes up to 1440",
            0.0..=1440.0,
        );
        let unreachable = env.decimal(
            "UNREACHABLE_AFTER_MINUTES",
            "45",
            "a number of minutes above 0, at most 1440",
            0.001..=1440.0,
        );
        let drain_after =
            env.decimal("DRAIN_AFTER_MINUTES", "15", "a number of minutes up to 1440", 0.0..=1440.0);
        let max_drain_percent = env.whole("MAX_DRAIN_PERCENT", "10", "a whole number from 1 to 100", 1..=100);
        let breaker_percent = env.whole("BREAKER_PERCENT", "20", "a whole number from 1 to 100", 1..=100);
        let writes = env.whole("ECS_WRITES_PER_SECOND", "10", "a whole number from 1 to 40", 1..=40);
        Some(Policy {
            mode: mode?,
            max_attempts: max_attempts?,
            base: time::seconds(base?),
            reprobe: time::minutes(reprobe?),
            verify_every: verify.map(|m| (m > 0.0).then(|| time::minutes(m)))?,
            unreachable_after: time::minutes(unreachable?),
            drain_after: time::minutes(drain_after?),
            max_drain_percent: max_drain_percent?,
            breaker_percent: breaker_percent?,
            ecs_writes_per_second: writes?,
        })
    }
}

/// Collects what is wrong, so that one start names everything.
struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    bad: Vec<BadVariable>,
}

impl<'a> Variables<'a> {
    fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Variables { lookup, bad: Vec::new() }
    }

    fn set(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        allowed: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.set(name);
        let parsed = value.as_deref().and_then(parse);
        if parsed.is_none() {
            self.bad.push(BadVariable { name, value, allowed });
        }
        parsed
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        default: &str,
        allowed: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.set(name);
        let parsed = parse(value.as_deref().unwrap_or(default));
        if parsed.is_none() {
            self.bad.push(BadVariable { name, value, allowed });
        }
        parsed
    }

    fn whole(
        &mut self,
        name: &'static str,
        default: &str,
        allowed: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        self.optional(name, default, allowed, |text| text.parse().ok().filter(|n| range.contains(n)))
    }

    fn decimal(
        &mut self,
        name: &'static str,
        default: &str,
        allowed: &'static str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Option<f64> {
        self.optional(name, default, allowed, |text| text.parse().ok().filter(|n: &f64| range.contains(n)))
    }

    fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.bad.is_empty() { Ok(config) } else { Err(ConfigError(self.bad)) }
    }
}

const DOCUMENT_NAME: &str = "an SSM document's name of 3 to 128 letters, digits and _.-";
const PARAMETER_NAME: &str = "a Parameter Store name of letters, digits and _.-/";

fn clusters(text: &str) -> Option<Vec<ClusterRef>> {
    let mut clusters: Vec<ClusterRef> = Vec::new();
    for part in text.split(',') {
        let cluster = ClusterRef::parse(part.trim()).ok()?;
        if !clusters.contains(&cluster) {
            clusters.push(cluster);
        }
    }
    Some(clusters)
}

fn is_document_name(text: &str) -> bool {
    (3..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn parameter_name(text: &str) -> Option<String> {
    let valid = text.len() <= 1011 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-/".contains(&b));
    valid.then(|| text.to_owned())
}

fn source_prefix(text: &str, drive: Option<DriveLetter>) -> Option<String> {
    let path = text.replace('/', "\\");
    let letter = DriveLetter::parse(path.get(..2)?)?;
    let below = path.get(2..)?.strip_prefix('\\')?;
    let valid = !below.split('\\').any(|part| part == "..")
        && !below.contains(|c: char| c.is_control() || "<>:\"|?*".contains(c));
    (valid && drive.is_none_or(|drive| drive == letter)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: [(&str, &str); 4] = [
        ("CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/windows, legacy"),
        ("STACK", "smb-g"),
        ("REMOTE_PATH", r"\\fs.corp.example.com\share"),
        ("DOCUMENT_NAME", "smb-g-map-share"),
    ];

    fn with<'a>(changes: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| {
            let found = changes.iter().chain(&MINIMAL).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let config = Config::read(with(&[])).unwrap();
        assert_eq!(config.clusters.len(), 2);
        assert_eq!(config.share.drive.to_string(), "G:");
        assert_eq!(config.parameters, ["domainUserName", "domainUserPassword"]);
        assert_eq!(config.metrics_namespace, "EcsSmbMapper");
        let expected = Policy {
            mode: Mode::Enforce,
            max_attempts: 4,
            base: SignedDuration::from_secs(30),
            reprobe: SignedDuration::from_mins(15),
            verify_every: Some(SignedDuration::from_mins(30)),
            unreachable_after: SignedDuration::from_mins(45),
            drain_after: SignedDuration::from_mins(15),
            max_drain_percent: 10,
            breaker_percent: 20,
            ecs_writes_per_second: 10,
        };
        assert_eq!(config.policy, expected);
    }

    #[test]
    fn minutes_take_decimals_and_zero_turns_checks_off() {
        let config =
            Config::read(with(&[("DRAIN_AFTER_MINUTES", "0.25"), ("VERIFY_EVERY_MINUTES", "0")])).unwrap();
        assert_eq!(config.policy.drain_after, SignedDuration::from_secs(15));
        assert_eq!(config.policy.verify_every, None);
    }

    #[test]
    fn a_bad_variable_is_named_with_its_value_and_what_is_allowed() {
        let table = [
            ("CLUSTERS", "windows,,legacy"),
            ("CLUSTERS", "arn:aws:ecs:eu-west-1:1:cluster/windows"),
            ("CLUSTERS", ""),
            ("STACK", "a stack"),
            ("DRIVE_LETTER", "C"),
            ("REMOTE_PATH", "G:\\share"),
            ("DOCUMENT_NAME", "a b"),
            ("PASSWORD_PARAMETER", "with space"),
            ("MODE", "Enforce"),
            ("MAX_ATTEMPTS", "0"),
            ("MAX_ATTEMPTS", "4.5"),
            ("RETRY_BASE_SECONDS", "-1"),
            ("REPROBE_MINUTES", "20.5"),
            ("REPROBE_MINUTES", "NaN"),
            ("VERIFY_EVERY_MINUTES", "often"),
            ("DRAIN_AFTER_MINUTES", "inf"),
            ("MAX_DRAIN_PERCENT", "101"),
            ("BREAKER_PERCENT", "20%"),
            ("ECS_WRITES_PER_SECOND", "41"),
            ("METRICS_NAMESPACE", "AWS/ECS"),
        ];
        for (name, value) in table {
            let error = Config::read(with(&[(name, value)])).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(name) && (value.is_empty() || text.contains(&format!("{value:?}"))),
                "{text}"
            );
            assert_eq!(error.0.len(), 1, "{text}");
        }
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let error = Config::read(|_| None).unwrap_err();
        let names: Vec<&str> = error.0.iter().map(|bad| bad.name).collect();
        assert_eq!(names, ["CLUSTERS", "STACK", "REMOTE_PATH", "DOCUMENT_NAME"]);
    }

    #[test]
    fn a_validator_reads_only_what_it_uses() {
        let env = |name: &str| match name {
            "DOCUMENT_NAME" | "MODE" => Some("not even looked at !".to_owned()),
            "ALLOWED_SOURCE_PREFIX" => Some(r"G:\Directory".to_owned()),
            other => with(&[])(other),
        };
        let config = ValidatorConfig::read(env).unwrap();
        assert_eq!(config.allowed_source_prefix.as_deref(), Some(r"G:\Directory"));
        for bad in ["Directory", r"H:\Directory", r"G:\..\x", "G:", r"\\fs\share"] {
            let error = ValidatorConfig::read(with(&[("ALLOWED_SOURCE_PREFIX", bad)])).unwrap_err();
            assert!(error.to_string().contains("ALLOWED_SOURCE_PREFIX"), "{bad}");
        }
    }
}
