//! A history in lines: every command with its results, and every log-on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::local_aws::LocalAws;
use crate::local_aws::ssm::Command;

/// The lines, in the order of their times.
pub(super) fn of(aws: &LocalAws) -> Vec<String> {
    let mut lines: Vec<(Timestamp, String)> =
        aws.commands().map(|command| (command.requested(), of_command(command))).collect();
    lines.extend(aws.world.account.log_ons.iter().map(|one| {
        let answer = one.result.map_or_else(|code| format!("refused {code}"), |()| "let in".to_owned());
        (one.at, format!("log-on {} {:?} {answer}", one.instance, one.presented))
    }));
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(at, line)| format!("{at:.0} {line}")).collect()
}

fn of_command(command: &Command) -> String {
    let action = command.parameter("Action").unwrap_or_default();
    let mut results: BTreeMap<String, usize> = BTreeMap::new();
    for one in command.invocations() {
        let line: serde_json::Value = serde_json::from_str(&one.stdout).unwrap_or_default();
        let word = line["cause"].as_str().or(line["smbMapping"].as_str()).unwrap_or(&one.details);
        let changed = if line["changed"] == true { " changed" } else { "" };
        *results.entry(format!("{word}{changed}")).or_default() += 1;
    }
    let first = command.invocations().first().map(|one| one.instance.to_string()).unwrap_or_default();
    format!("{action} to {} ({first}…): {results:?}", command.invocations().len())
}
