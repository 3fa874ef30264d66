//! What the product says of itself, held against what it does: the page of the causes, the lists in the script, the
//! AWS calls and the metrics of each function.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shared::cause::{self, Cause, Source};
use shared::config::Mode;
use tests::document;
use tests::facts::{causes_page, metrics, operations};
use tests::fleet::{Platform, World};
use tests::local_aws::in_process::Local;
use tests::map_share::{self, Setup, state_change};
use tests::repository::read;
use tests::stack::Stack;

use crate::document::{PARAMETERS, script, template};
use crate::validate_task_definition::{definition, event, set_up, with_services};

/// The texts of the first `@(…)` in a function of the script.
fn first_list_of(function: &str) -> Vec<String> {
    lists_of(function).swap_remove(0)
}

/// The texts of every list in a function of the script.
fn lists_of(function: &str) -> Vec<Vec<String>> {
    let script = script();
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits");
    let tree = parser.parse(&script, None).expect("there is no time limit");
    let text = |node: tree_sitter::Node| script[node.byte_range()].to_owned();
    let function = descendants(tree.root_node(), "function_statement")
        .into_iter()
        .find(|node| descendants(*node, "function_name").first().is_some_and(|name| text(*name) == function))
        .unwrap_or_else(|| panic!("there is no function {function}"));
    let lists = descendants(function, "array_expression").into_iter();
    let texts = |list| descendants(list, "verbatim_string_characters").into_iter();
    let unquoted = |node| text(node).trim_matches('\'').to_owned();
    lists.map(|list| texts(list).map(unquoted).collect()).collect()
}

/// The nodes of a kind below a node, in the order of the text.
fn descendants<'t>(node: tree_sitter::Node<'t>, kind: &str) -> Vec<tree_sitter::Node<'t>> {
    let mut found = Vec::new();
    for child in node.children(&mut node.walk()) {
        if child.kind() == kind {
            found.push(child);
        }
        found.extend(descendants(child, kind));
    }
    found
}

#[test]
fn the_page_of_the_causes_is_the_one_that_is_committed() {
    assert!(
        read("docs/causes.md") == causes_page(),
        "docs/causes.md is not what the table says: run `make causes-doc`"
    );
}

#[test]
fn the_script_ends_with_78_for_exactly_the_causes_of_which_the_table_says_so() {
    let refused = first_list_of("Test-LogonRefused");
    let of_table = cause::known().map(|row| row.cause).filter(Cause::is_refused_logon);
    assert_eq!(BTreeSet::from_iter(refused.clone()), of_table.map(|cause| cause.to_string()).collect());
    let listed = [first_list_of("Get-ExitCode"), refused].concat();
    let listed_once: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(listed.len(), listed_once.len(), "a cause is listed twice");
    let expected: BTreeSet<&str> =
        cause::known().filter(|row| row.exit_code() == Some(78)).map(|row| row.cause.as_str()).collect();
    // In constrained language mode no function of the script runs.
    assert_eq!(&listed_once | &BTreeSet::from(["constrained-language"]), expected);
}

#[test]
fn a_check_succeeds_for_exactly_the_causes_of_a_read_that_rule_out_a_refused_log_on() {
    let listed: BTreeSet<String> = lists_of("Test-NoLogonRefused").concat().into_iter().collect();
    let rules_out = cause::known().filter(|row| {
        row.source == Source::Script && !row.cause.may_be_refused_logon() && row.cause.is_code()
    });
    let codes: BTreeSet<String> = rules_out.map(|row| row.cause.to_string()).collect();
    // At these steps something else may have been a log-on; and the one word with which a read fails.
    let others = ["read", "script", "unreadable"].map(str::to_owned);
    assert_eq!(listed, codes.into_iter().chain(others).collect());
}

#[test]
fn the_script_reads_the_settings_that_the_template_writes() {
    let text = document::run_command(&template(), &BTreeMap::from(PARAMETERS)).expect("it has a document");
    let encoded = text.split('\'').nth(1).expect("the settings are the first text");
    let settings = String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("text");
    let written: Vec<&str> = settings.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let required = first_list_of("Read-Settings");
    assert_eq!([required, vec!["probe".to_owned()]].concat(), written);
}

/// The operations that a caller called, without the name of the service.
fn called(local: &Local, caller: &str) -> BTreeSet<String> {
    let aws = local.aws();
    let calls = aws.calls().iter().filter(|call| &*call.caller.0 == caller);
    calls.map(|call| call.operation.clone()).collect()
}

fn listed(function: &str) -> BTreeSet<String> {
    let operations = operations(function).iter();
    operations.map(|operation| operation.split_once(':').expect("service:Operation").1.to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn drain_unmapped_makes_every_call_and_emits_every_metric_that_it_lists_and_no_other() {
    let world = World::new(61, map_share::base())
        .cluster("apps")
        .windows_instances("apps", 19)
        .windows_instance("apps", |host| host.disk_on_letter());
    let mut stack = Stack::new(world);
    stack.minutes(40).await;
    // Only a new instance is mapped without having been checked before.
    stack.local.aws().launch(Platform::Windows, Some("apps"), |host| host);
    stack.minutes(20).await;
    for metric in metrics("drain-unmapped") {
        assert!(!stack.metric_history(metric.name).is_empty(), "{} is never emitted", metric.name);
    }
    stack.deploy(|config| config.policy.mode = Mode::Report);
    stack.ask(json!({ "release": true })).await.unwrap();
    assert_eq!(called(&stack.local, "drain-unmapped"), listed("drain-unmapped"));
}

#[tokio::test(start_paused = true)]
async fn map_share_makes_every_call_that_it_lists_and_no_other() {
    let world = map_share::world()
        .windows_instance("apps", map_share::mapped)
        .windows_instance("apps", map_share::mapped)
        .windows_instance("apps", |host| host);
    let setup = Setup::fresh(world).await;
    let restart = state_change(&map_share::id(2), "stopping", map_share::base());
    setup.batch(&[setup.event(&map_share::id(3)), restart]).await;
    assert_eq!(called(&setup.local, map_share::CALLER), listed("map-share"));
}

#[tokio::test(start_paused = true)]
async fn validate_task_definition_makes_every_call_and_emits_every_metric_that_it_lists_and_no_other() {
    let setup = set_up(with_services([definition("orders", r"G:\orders", true)]), &[]);
    for event in [event("registered-valid.json"), json!({"taskDefinition": "orders"}), event("schedule.json")]
    {
        setup.answer(event).await;
    }
    assert_eq!(called(&setup.local, "validate-task-definition"), listed("validate-task-definition"));
    for metric in metrics("validate-task-definition") {
        assert!(!setup.metric(metric.name).is_empty(), "{} is never emitted", metric.name);
    }
}
