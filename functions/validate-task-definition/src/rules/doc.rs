//! The pages of the rules, with their examples. Kept apart from the rules, so that the deployed function carries none.

use shared::share::{DriveLetter, RemotePath};

use crate::finding::Report;
use crate::input;
use crate::model::TaskDefinition;
use crate::policy::{Policy, SourcePrefix};
use crate::rules::{Service, check};

/// A rule's page of the documentation.
#[derive(Debug)]
pub struct Doc {
    /// What it reports.
    pub what: &'static str,
    /// What happens to such a task.
    pub why: &'static str,
    /// Why it has the level that it has.
    pub level: &'static str,
    /// A task definition that it reports. What findings point at stands between `«` and `»`.
    pub fails: &'static str,
    /// What to replace in it, and by what, so that the rule has nothing to report.
    pub instead: (&'static str, &'static str),
    /// What the example is checked with, beside the drive.
    pub setting: Setting,
    /// Where the facts are from.
    pub source: &'static str,
}

/// What an example is checked with, beside the drive `G:`.
#[derive(Debug, Clone, Copy)]
pub enum Setting {
    /// Nothing more.
    Plain,
    /// `REMOTE_PATH`.
    RemotePath(&'static str),
    /// `ALLOWED_SOURCE_PREFIX`.
    AllowedPrefix(&'static str),
    /// An audit of a cluster in which this service uses it.
    Service {
        /// `DAEMON` instead of `REPLICA`.
        is_daemon: bool,
    },
}

impl Doc {
    /// The example without its marks.
    pub fn failing(&self) -> String {
        self.fails.replace(['«', '»'], "")
    }

    /// The example with the advice taken.
    pub fn passing(&self) -> String {
        self.failing().replace(self.instead.0, self.instead.1)
    }

    /// Checks a text with the page's setting.
    ///
    /// # Panics
    ///
    /// Where the text is no JSON: examples are.
    pub fn report(&self, text: &str) -> Report {
        let value = input::parse(text).expect("examples are JSON");
        check(&TaskDefinition::read(&value), &self.setting.policy(), self.setting.services().as_deref())
    }
}

impl Setting {
    /// The policy that it stands for.
    ///
    /// # Panics
    ///
    /// Where a path of the setting cannot be read: those of the pages can.
    pub fn policy(self) -> Policy {
        let mut policy = Policy::of_drive(DriveLetter::parse("G").expect("a letter from D to Z"));
        match self {
            Setting::Plain | Setting::Service { .. } => {}
            Setting::RemotePath(path) => policy.remote = Some(RemotePath::parse(path).expect("a UNC path")),
            Setting::AllowedPrefix(path) => {
                policy.allowed_prefix =
                    Some(SourcePrefix::parse(path, policy.drive).expect("a path on the drive"));
            }
        }
        policy
    }

    fn services(self) -> Option<Vec<Service>> {
        match self {
            Setting::Service { is_daemon } => {
                Some(vec![Service { name: "app".to_owned(), is_daemon, constraints: Vec::new() }])
            }
            _ => None,
        }
    }
}
