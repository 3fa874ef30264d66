//! `template.yaml` and the functions' configuration have the same variables, defaults and bounds.
//!
//! The template is read as text, by indentation. cfn-lint checks its form, and the tests in `tests/template` check its
//! policies, patterns and metrics.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use shared::config::{Config, ConfigError, Mode, ValidatorConfig};
use shared::share::DriveLetter;
use tests::repository::read;
use tests::stack::QUEUE_ARN;
use validate_task_definition::model::TaskDefinition;
use validate_task_definition::requirements::Requirements;
use validate_task_definition::rules::check;

type Variables = BTreeMap<String, String>;

/// The lines below a key, without their common indentation.
fn below(lines: &[String], key: &str) -> Vec<String> {
    let start = lines.iter().position(|line| line.as_str() == format!("{key}:"));
    let start = start.unwrap_or_else(|| panic!("the template has no {key} here"));
    let block = lines[start + 1..].iter().take_while(|line| line.is_empty() || line.starts_with(' '));
    let indent = |line: &&String| line.len() - line.trim_start().len();
    let block: Vec<&String> =
        block.filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')).collect();
    let least = block.iter().map(indent).min().unwrap_or(0);
    block.iter().map(|line| line[least..].to_owned()).collect()
}

fn at(path: &[&str]) -> Vec<String> {
    static TEMPLATE: LazyLock<Vec<String>> =
        LazyLock::new(|| read("template.yaml").lines().map(str::to_owned).collect());
    let (first, rest) = path.split_first().expect("a path");
    rest.iter().fold(below(&TEMPLATE, first), |lines, key| below(&lines, key))
}

/// The scalars of a block; `!Ref X` stays unresolved.
fn scalars(lines: &[String]) -> Variables {
    let pairs = lines.iter().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once(": "));
    pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

fn variables(function: &str) -> Variables {
    let mut all = scalars(&at(&["Globals", "Function", "Environment", "Variables"]));
    all.extend(scalars(&at(&["Resources", function, "Properties", "Environment", "Variables"])));
    all
}

fn parameter(name: &str) -> Variables {
    scalars(&at(&["Parameters", name]))
}

/// The value of a variable in a stack with the defaults.
fn deployed(expression: &str) -> String {
    match expression {
        "!Ref AWS::StackName" => "smb-g".to_owned(),
        "!GetAtt ReconcileQueue.Arn" => QUEUE_ARN.to_owned(),
        "!Ref MappingDocument" => "smb-map-smb-g".to_owned(),
        "!Join [\",\", !Ref Clusters]" => "arn:aws:ecs:eu-west-1:111122223333:cluster/windows".to_owned(),
        "!Ref RemotePath" => r"\\fs.corp.example.com\share".to_owned(),
        reference => {
            let name =
                reference.strip_prefix("!Ref ").unwrap_or_else(|| panic!("{reference} is not a parameter"));
            let spec = parameter(name);
            spec.get("Default").unwrap_or_else(|| panic!("parameter {name} has no default")).clone()
        }
    }
}

fn stack_of(function: &str) -> Variables {
    variables(function).into_iter().map(|(name, expression)| (name, deployed(&expression))).collect()
}

const EVENT_FUNCTIONS: [&str; 2] = ["MapShareFunction", "DrainUnmappedFunction"];

fn config(function: &str, env: &Variables) -> Result<Config, ConfigError> {
    let lookup = |name: &str| env.get(name).cloned();
    if function == "DrainUnmappedFunction" {
        Config::read_of_controller(lookup)
    } else {
        Config::read(lookup)
    }
}

fn validator_config(env: &Variables) -> Result<ValidatorConfig, ConfigError> {
    ValidatorConfig::read(|name| env.get(name).cloned())
}

#[test]
fn each_function_gets_exactly_the_variables_that_its_configuration_reads() {
    let asked = RefCell::new(BTreeSet::new());
    let record = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    let given = |function: &str| variables(function).into_keys().collect::<BTreeSet<_>>();
    Config::read(record).unwrap_err();
    assert_eq!(given("MapShareFunction"), asked.take());
    Config::read_of_controller(record).unwrap_err();
    assert_eq!(given("DrainUnmappedFunction"), asked.take());
    ValidatorConfig::read(record).unwrap_err();
    assert_eq!(given("ValidateTaskDefinitionFunction"), asked.take());
}

#[test]
fn a_stack_with_the_defaults_is_configured_as_without_variables_but_in_report_mode() {
    for function in EVENT_FUNCTIONS {
        let env = stack_of(function);
        let in_stack = config(function, &env).unwrap();
        let required = ["CLUSTERS", "STACK", "REMOTE_PATH", "DOCUMENT_NAME", "QUEUE_ARN"];
        let bare: Variables = env.into_iter().filter(|(name, _)| required.contains(&name.as_str())).collect();
        let mut bare = config(function, &bare).unwrap();
        assert_eq!((in_stack.policy.mode, bare.policy.mode), (Mode::Report, Mode::Enforce));
        bare.policy.mode = Mode::Report;
        assert_eq!(in_stack, bare, "{function}");
    }
    let env = stack_of("ValidateTaskDefinitionFunction");
    let in_stack = validator_config(&env).unwrap();
    let required = ["CLUSTERS", "STACK", "REMOTE_PATH"];
    let bare = env.into_iter().filter(|(name, _)| required.contains(&name.as_str())).collect();
    assert_eq!(in_stack, validator_config(&bare).unwrap());
}

#[test]
fn no_value_that_the_template_allows_stops_a_function() {
    let accepted: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&read("tests/template/accepted.json")).unwrap();
    let mut tried = 0;
    for function in EVENT_FUNCTIONS.into_iter().chain(["ValidateTaskDefinitionFunction"]) {
        for (variable, expression) in variables(function) {
            let name = expression
                .trim_start_matches("!Join [\",\", ")
                .trim_end_matches(']')
                .trim_start_matches("!Ref ");
            if name.starts_with("AWS::") || name == "MappingDocument" || name.starts_with("!GetAtt ") {
                continue;
            }
            let spec = parameter(name);
            let mut values: Vec<String> = accepted.get(name).cloned().unwrap_or_default();
            values.extend(["MinValue", "MaxValue"].iter().filter_map(|bound| spec.get(*bound).cloned()));
            if let Some(list) = spec.get("AllowedValues") {
                let items = list.trim_matches(['[', ']']).split(", ");
                values.extend(items.map(|item| item.trim_matches('"').to_owned()));
            }
            assert!(!values.is_empty(), "{name} has neither bounds nor accepted values");
            for value in values {
                let mut env = stack_of(function);
                env.insert(variable.clone(), value.clone());
                if variable == "ALLOWED_SOURCE_PREFIX" && !value.is_empty() {
                    env.insert("DRIVE_LETTER".to_owned(), value[..1].to_owned());
                }
                let problem = match function {
                    "ValidateTaskDefinitionFunction" => validator_config(&env).err(),
                    _ => config(function, &env).err(),
                };
                assert_eq!(problem, None, "{function}: {variable}={value:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn the_sample_task_definition_and_the_one_in_the_readme_are_valid_and_have_the_gate() {
    let readme = read("README.md");
    let excerpt = readme.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for text in [read("docs/task-definition.json"), excerpt.to_owned()] {
        let definition = TaskDefinition::read(&serde_json::from_str(&text).unwrap());
        let report = check(&definition, &Requirements::of_drive(DriveLetter::parse("G").unwrap()), None);
        assert!(report.applies && report.valid, "{report:?}");
        assert!(report.findings.is_empty(), "{report:?}");
    }
}
