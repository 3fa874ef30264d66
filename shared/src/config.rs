//! The environment, read once at start, and the only module that reads it.
//!
//! A bad value stops the function at init with every such variable's name, its value and what is allowed; nothing is
//! corrected silently. No variable holds a secret.

mod policy;
mod variables;

pub use policy::{Mode, Policy, ROW_GAP};
pub use variables::{BadVariable, ConfigError, Variable, variables};

use crate::ids::ClusterRef;
use crate::share::{DriveLetter, RemotePath, ShareMapping};
use variables::Reader;

/// What `map-share` and `drain-unmapped` are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The watched clusters, none twice.
    pub clusters: Vec<ClusterRef>,
    /// Named in the commands' comment and the metrics.
    pub stack: String,
    /// The share and its letter.
    pub share: ShareMapping,
    /// The SSM document; its newest version is sent.
    pub document: String,
    /// The names, never the values, of the user name's and the password's parameters.
    pub parameters: [String; 2],
    /// Where metrics go.
    pub metrics_namespace: String,
    /// Waits and budgets.
    pub policy: Policy,
    /// The queue whose messages start a reconcile run; `None` for `map-share`.
    pub queue: Option<String>,
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
    /// Reads the process's environment, for `map-share`.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// The same for `drain-unmapped`.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_controller_from_env() -> Result<Self, ConfigError> {
        Self::read_of_controller(|name| std::env::var(name).ok())
    }

    /// Reads from any source of variables, for `map-share`. An empty value counts as not set, as templates write it.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Reader::new(&lookup);
        let config = Self::read_mapping(&mut env);
        env.finish(config)
    }

    /// The same for `drain-unmapped`.
    pub fn read_of_controller(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Reader::new(&lookup);
        let config = Self::read_mapping(&mut env);
        let queue = env.read(&variables::QUEUE_ARN, queue_arn);
        env.finish(config.zip(queue).map(|(config, queue)| Config { queue: Some(queue), ..config }))
    }

    fn read_mapping(env: &mut Reader<'_>) -> Option<Self> {
        let common = Common::read(env);
        let document = env.read(&variables::DOCUMENT_NAME, document_name);
        let user = env.read(&variables::USERNAME_PARAMETER, parameter_name);
        let password = env.read(&variables::PASSWORD_PARAMETER, parameter_name);
        let policy = Policy::read(env);
        let common = common?;
        Some(Config {
            clusters: common.clusters,
            stack: common.stack,
            share: common.share,
            document: document?,
            parameters: [user?, password?],
            metrics_namespace: common.metrics_namespace,
            policy: policy?,
            queue: None,
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
        let mut env = Reader::new(&lookup);
        let common = Common::read(&mut env);
        let require_readiness_constraint =
            env.read(&variables::REQUIRE_READINESS_CONSTRAINT, |text| text.parse().ok());
        let drive = common.as_ref().map(|c| c.share.drive);
        let allowed_source_prefix = env.read(&variables::ALLOWED_SOURCE_PREFIX, |text| {
            if text.is_empty() { Some(None) } else { source_prefix(text, drive).map(Some) }
        });
        let config = || {
            let common = common?;
            Some(ValidatorConfig {
                clusters: common.clusters,
                stack: common.stack,
                share: common.share,
                metrics_namespace: common.metrics_namespace,
                require_readiness_constraint: require_readiness_constraint?,
                allowed_source_prefix: allowed_source_prefix?,
            })
        };
        env.finish(config())
    }
}

struct Common {
    clusters: Vec<ClusterRef>,
    stack: String,
    share: ShareMapping,
    metrics_namespace: String,
}

impl Common {
    fn read(env: &mut Reader) -> Option<Self> {
        let clusters = env.read(&variables::CLUSTERS, clusters);
        let stack = env.read(&variables::STACK, stack);
        let drive = env.read(&variables::DRIVE_LETTER, DriveLetter::parse);
        let remote = env.read(&variables::REMOTE_PATH, RemotePath::parse);
        let metrics_namespace = env.read(&variables::METRICS_NAMESPACE, metrics_namespace);
        Some(Common {
            clusters: clusters?,
            stack: stack?,
            share: ShareMapping { drive: drive?, remote: remote? },
            metrics_namespace: metrics_namespace?,
        })
    }
}

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

fn stack(text: &str) -> Option<String> {
    let valid = text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    valid.then(|| text.to_owned())
}

fn metrics_namespace(text: &str) -> Option<String> {
    let valid = text.len() <= 255
        && !text.starts_with("AWS/")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/#:".contains(&b));
    valid.then(|| text.to_owned())
}

fn document_name(text: &str) -> Option<String> {
    let valid = (3..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    valid.then(|| text.to_owned())
}

fn queue_arn(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(':').collect();
    let valid = matches!(parts.as_slice(), ["arn", partition, "sqs", region, account, name]
        if ![partition, region, account, name].iter().any(|part| part.is_empty()));
    valid.then(|| text.to_owned())
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
    use jiff::SignedDuration;

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
            refusal_budget: 3,
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
        assert_eq!(config.policy, Policy::default());
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
    fn a_controller_must_know_its_queue() {
        let queue = "arn:aws-cn:sqs:cn-north-1:111122223333:smb-g-reconcile.fifo";
        let config = Config::read_of_controller(with(&[("QUEUE_ARN", queue)])).unwrap();
        assert_eq!(config.queue.as_deref(), Some(queue));
        for bad in
            ["", "reconcile.fifo", "arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:sqs:eu-west-1::q"]
        {
            let error = Config::read_of_controller(with(&[("QUEUE_ARN", bad)])).unwrap_err();
            assert_eq!(error.0.iter().map(|bad| bad.name).collect::<Vec<_>>(), ["QUEUE_ARN"], "{bad}");
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
