//! The dependencies of the deployed functions, their behaviour with wrong variables, and the limits of the sources.

mod modules;

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::sync::LazyLock;

use tests::repository::{read, root};
use tests::stack::QUEUE_ARN;

const FUNCTIONS: [&str; 3] = ["map-share", "drain-unmapped", "validate-task-definition"];

/// The output of `cargo tree` for the deployed functions: lines `name v1.2.3` and `name feature "x"`. The three are built
/// together, so they share the features that any of them enables.
fn tree() -> &'static BTreeSet<String> {
    static TREE: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--prefix", "none", "-e", "normal,features"])
            .args(FUNCTIONS.iter().flat_map(|function| ["-p", function]))
            .args(["--target", "x86_64-unknown-linux-gnu"])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(|line| line.replace(" (*)", "")).collect()
    });
    &TREE
}

fn names() -> BTreeSet<&'static str> {
    tree().iter().filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn no_function_depends_on_a_test_crate() {
    for name in ["tests", "proptest", "criterion", "tempfile", "aws-smithy-protocol-test"] {
        assert!(!names().contains(name), "{name}");
    }
    // aws-config enables this feature of these three crates, which adds constructors only.
    let own = ["aws-credential-types", "aws-smithy-runtime-api", "aws-smithy-types"];
    let leaked: Vec<&String> = tree()
        .iter()
        .filter(|line| line.contains("feature \"test-util\""))
        .filter(|line| !own.iter().any(|name| line.starts_with(&format!("{name} "))))
        .collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    assert!(FUNCTIONS.iter().all(|function| names().contains(function)), "the tree was read");
}

#[test]
fn no_function_depends_on_a_second_tls_library() {
    for name in ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "s2n-tls"] {
        assert!(!names().contains(name), "{name}");
    }
    for name in ["rustls", "hyper", "hyper-rustls", "tokio-rustls", "ring"] {
        let versions: BTreeSet<&str> = tree()
            .iter()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(" v"))
            .filter_map(|rest| rest.split(' ').next())
            .collect();
        assert_eq!(versions.len(), 1, "{name} in {versions:?}");
    }
}

#[test]
fn no_function_depends_on_a_credentials_provider_that_lambda_does_not_use() {
    for name in ["aws-sdk-sso", "aws-sdk-ssooidc", "aws-sdk-signin"] {
        assert!(!names().contains(name), "{name}");
    }
    for feature in ["credentials-process", "credentials-login", "sso"] {
        assert!(!tree().contains(&format!("aws-config feature \"{feature}\"")), "{feature}");
    }
}

/// Runs a function's binary with this environment and nothing else.
fn start(function: &str, environment: &[(&str, &str)]) -> Output {
    let deps = std::env::current_exe().expect("a test has a path");
    let binary = deps.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps").join(function);
    assert!(binary.is_file(), "{} is missing: cargo build --workspace --bins --examples", binary.display());
    Command::new(binary)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .env("AWS_REGION", "eu-west-1")
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs")
}

const GOOD: [(&str, &str); 5] = [
    ("CLUSTERS", "windows"),
    ("STACK", "smb-g"),
    ("REMOTE_PATH", r"\\fs.corp.example.com\share"),
    ("DOCUMENT_NAME", "smb-g-map-share"),
    ("QUEUE_ARN", QUEUE_ARN),
];

#[test]
fn a_wrong_variable_stops_a_binary_with_its_name_its_value_and_what_is_allowed() {
    for (function, name, value, allowed) in [
        ("map-share", "MODE", "careful", "report, map or enforce"),
        ("drain-unmapped", "REPROBE_MINUTES", "21", "at most 20"),
        ("drain-unmapped", "QUEUE_ARN", "reconcile.fifo", "the ARN of an SQS queue"),
        ("validate-task-definition", "DRIVE_LETTER", "C", "one letter from D to Z"),
    ] {
        let environment: Vec<_> = GOOD.into_iter().chain([(name, value)]).collect();
        let output = start(function, &environment);
        let printed =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{function} started");
        for part in [name, value, allowed] {
            assert!(printed.contains(part), "{function} did not print {part}: {printed}");
        }
    }
}

#[test]
fn a_missing_variable_stops_a_binary_with_its_name() {
    for function in FUNCTIONS {
        let output = start(function, &[]);
        let printed =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && printed.contains("CLUSTERS is not set"), "{function}: {printed}");
    }
}

const PRODUCT: [&str; 4] =
    ["shared", "functions/map-share", "functions/drain-unmapped", "functions/validate-task-definition"];

#[test]
fn imports_run_downwards() {
    let circles = PRODUCT.map(|package| (package, modules::circles(&root().join(package).join("src"))));
    let circles: Vec<_> = circles.iter().filter(|(_, circles)| !circles.is_empty()).collect();
    assert!(circles.is_empty(), "modules that import one another: {circles:#?}");
}

#[test]
fn no_product_file_is_longer_than_300_lines_without_its_tests() {
    let files = PRODUCT.iter().flat_map(|package| modules::sources(&root().join(package)));
    let lines = files.map(|file| {
        let text = read(&file);
        let product = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        (product.lines().count(), file)
    });
    let long: Vec<_> = lines.filter(|(lines, _)| *lines > 300).collect();
    assert!(long.is_empty(), "{long:#?}");
}
