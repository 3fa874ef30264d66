//! The rules: one file each, with documentation and an example that violates the rule.
//!
//! A rule is a pure function of the [`Context`]. It uses no AWS client and no clock, and does not guess about the share,
//! the instances or the services.
//!
//! To add a rule: write its file, add its name at the end of the table below, and run `make rules-doc`. Codes are never
//! reused.

use crate::finding::{Finding, Level, Report};
use crate::input;
use crate::model::TaskDefinition;
use crate::requirements::Requirements;
use crate::rule::{Context, Doc, Rule, Service};

/// The table of rules. Each name is that of a file.
macro_rules! rules {
    ($($module:ident)*) => {
        $(mod $module;)*

        /// Every rule, in the order in which they run.
        pub static RULES: &[&Rule] = &[$(&$module::RULE),*];

        /// Every rule with its documentation.
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

/// Further findings of one rule are counted but not listed, so that a report always fits into a response.
const MOST_FINDINGS_A_RULE: usize = 100;

/// Checks a text with the settings of a rule's example.
///
/// # Panics
///
/// The text is not JSON.
pub fn check_example(doc: &Doc, text: &str) -> Report {
    let value = input::parse(text).expect("examples are JSON");
    let services = doc.setting.services();
    check(&TaskDefinition::read(&value), &doc.setting.requirements(), services.as_deref())
}

/// Checks one task definition against every rule. `services` are the services that use it, if they are known.
pub fn check(
    definition: &TaskDefinition,
    requirements: &Requirements,
    services: Option<&[Service]>,
) -> Report {
    let context = Context::new(definition, requirements, services);
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
