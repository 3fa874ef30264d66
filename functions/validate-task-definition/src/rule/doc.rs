//! The documentation of rules, with examples. The deployed function does not use it.

use shared::share::{DriveLetter, RemotePath};

use super::Service;
use crate::requirements::{Requirements, SourcePrefix};

/// The documentation of a rule.
#[derive(Debug)]
pub struct Doc {
    /// What the rule reports.
    pub what: &'static str,
    /// What happens to such a task.
    pub why: &'static str,
    /// The reason for the level.
    pub level: &'static str,
    /// A task definition that violates the rule. The reported values stand between `«` and `»`.
    pub fails: &'static str,
    /// A text in the example, and its replacement that complies with the rule.
    pub instead: (&'static str, &'static str),
    /// The settings for the example, beside the drive.
    pub setting: Setting,
    /// The source of the facts.
    pub source: &'static str,
}

/// The settings for an example, beside the drive `G:`.
#[derive(Debug, Clone, Copy)]
pub enum Setting {
    /// None.
    Plain,
    /// `REMOTE_PATH`.
    RemotePath(&'static str),
    /// `ALLOWED_SOURCE_PREFIX`.
    AllowedPrefix(&'static str),
    /// The audit of a cluster in which a service uses the definition.
    Service {
        /// Whether its scheduling strategy is `DAEMON`, not `REPLICA`.
        is_daemon: bool,
    },
}

impl Doc {
    /// The example without its marks.
    pub fn failing(&self) -> String {
        self.fails.replace(['«', '»'], "")
    }

    /// The example with the replacement.
    pub fn passing(&self) -> String {
        self.failing().replace(self.instead.0, self.instead.1)
    }
}

impl Setting {
    /// The requirements with this setting.
    ///
    /// # Panics
    ///
    /// The setting's path is not valid.
    pub fn requirements(self) -> Requirements {
        let mut requirements = Requirements::of_drive(DriveLetter::parse("G").expect("a letter from D to Z"));
        match self {
            Setting::Plain | Setting::Service { .. } => {}
            Setting::RemotePath(path) => {
                requirements.remote = Some(RemotePath::parse(path).expect("a UNC path"));
            }
            Setting::AllowedPrefix(path) => {
                requirements.allowed_prefix =
                    Some(SourcePrefix::parse(path, requirements.drive).expect("a path on the drive"));
            }
        }
        requirements
    }

    /// The services with this setting.
    pub fn services(self) -> Option<Vec<Service>> {
        match self {
            Setting::Service { is_daemon } => {
                Some(vec![Service { name: "app".to_owned(), is_daemon, constraints: Vec::new() }])
            }
            _ => None,
        }
    }
}
