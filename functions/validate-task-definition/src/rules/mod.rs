//! The rules: one file each, with its explanation and an example that fails.
//!
//! A rule is a pure function over the [`Context`]. It names no AWS client and reads no clock; what it cannot see (the
//! share, the instances, the services, unless the context holds them) it does not guess.
//!
//! To add one: write its file beside the others, add its name to the table below (at the end: codes are never given
//! twice) and run `make rules-doc`.

mod context;
mod doc;

pub use context::{Context, Found, Service};
pub use doc::{Doc, Setting};

use crate::finding::{Finding, Level, Report};
use crate::model::TaskDefinition;
use crate::policy::Policy;

/// On which task definitions a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On every one.
    Every,
    /// On those that run on Windows.
    Windows,
    /// On those that run on Windows and use the share.
    Share,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// `TD004`; stable, and never given to another rule.
    pub code: &'static str,
    /// `unc-source-path`.
    pub name: &'static str,
    /// What its findings are, unless the documentation says that it depends.
    pub level: Level,
    /// Where it runs.
    pub scope: Scope,
    /// Looks at one definition.
    pub check: fn(&Context<'_>) -> Vec<Found>,
}

/// The table. Each name is that of a file; the rule and its page come from there.
macro_rules! rules {
    ($($module:ident)*) => {
        $(mod $module;)*

        /// Every rule, in the order in which they run.
        pub static RULES: &[&Rule] = &[$(&$module::RULE),*];

        /// Every rule with its page.
        pub static DOCS: &[(&Rule, &Doc)] = &[$((&$module::RULE, &$module::DOC)),*];
    };
}

rules! {
    no_container_definitions
    unknown_source_volume
    volume_never_mounted
    unc_source_path
    relative_source_path
    drive_relative_source_path
    rootless_source_path
    empty_container_path
    container_path_not_absolute
    container_path_is_system_drive
    container_path_on_absent_drive
    container_path_shadows_windows
    duplicate_container_path
    pipe_directory_mismatch
    forbidden_character
    read_only_in_path
    parent_traversal
    source_outside_prefix
    whole_share_exposed
    doubled_directory
    host_path_on_fargate
    share_on_linux_task
    unsupported_windows_release
    unsupported_network_mode
    docker_volume_beside_share
    efs_volume_beside_share
    native_fsx_volume_on_same_letter_pool
    native_fsx_volume_same_file_system
    missing_readiness_constraint
    contradictory_readiness_constraint
    daemon_with_readiness_constraint
    misplaced_mount_points
    unreadable_value
    unresolved_value
    miscased_key
    unknown_volume_key
    duplicate_volume_name
    several_volume_configurations
    ambiguous_operating_system
}

/// Findings of one rule beyond these are counted instead of listed, so that a report always fits into an answer.
const MOST_FINDINGS_A_RULE: usize = 100;

/// Checks one task definition against every rule. `services` are those that use it, where they are known.
pub fn check(definition: &TaskDefinition, policy: &Policy, services: Option<&[Service]>) -> Report {
    let context = Context::new(definition, policy, services);
    let mut findings = Vec::new();
    for rule in RULES.iter().filter(|rule| context.is_in(rule.scope)) {
        let mut found = (rule.check)(&context);
        let more = found.len().saturating_sub(MOST_FINDINGS_A_RULE);
        found.truncate(MOST_FINDINGS_A_RULE);
        if let Some(last) = found.last_mut().filter(|_| more > 0) {
            last.message.push_str(&format!(" (and {more} more like it)"));
        }
        findings.extend(found.into_iter().map(|found| Finding {
            code: rule.code,
            rule: rule.name,
            level: found.level.unwrap_or(rule.level),
            path: found.path,
            message: found.message,
            help: found.help,
        }));
    }
    Report {
        task_definition: definition.name.clone(),
        applies: context.applies,
        valid: findings.iter().all(|finding| finding.level != Level::Error),
        operating_system: context.os.os,
        operating_system_from: context.os.from,
        found_at: String::new(),
        findings,
    }
}

#[cfg(test)]
mod tests;
