//! docs/architecture.md names only tests, simulation checks, files and links that exist, and stays short enough to be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::{Attribute, Item};
use tests::repository::{files_below, read, root};
use tests::simulation::invariants;

/// A paragraph is one line, so words are counted as well.
const MOST_LINES: usize = 300;
const MOST_WORDS: usize = 6_200;

#[test]
fn the_page_stays_short_enough_to_be_read() {
    let page = page();
    let (lines, words) = (page.lines().count(), page.split_whitespace().count());
    assert!(lines <= MOST_LINES, "{lines} lines, at most {MOST_LINES}");
    assert!(words <= MOST_WORDS, "{words} words, at most {MOST_WORDS}");
}

#[test]
fn every_invariant_names_tests_that_exist() {
    let page = page();
    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let rows = rows(section(&page, "Invariants"));
    let numbers: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    for row in rows {
        let names = code_spans(row[2]);
        assert!(!names.is_empty(), "invariant {} names no test", row[0]);
        for name in names {
            let (package, test) =
                name.split_once("::").unwrap_or_else(|| panic!("`{name}` is not package::test"));
            let tests = known.entry(package).or_insert_with(|| tests_of(&directory_of(package)));
            assert!(tests.contains(test), "invariant {}: no test `{test}` in package `{package}`", row[0]);
        }
    }
}

#[test]
fn the_invariants_name_every_check_of_the_simulation_and_no_other() {
    let page = page();
    let rows = rows(section(&page, "Invariants"));
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| code_spans(row[3])).collect();
    assert_eq!(named, invariants::names().collect());
}

#[test]
fn every_path_of_the_folder_map_exists() {
    let page = page();
    for row in rows(section(&page, "Folder map")) {
        for path in code_spans(row[0]) {
            assert!(root().join(path).exists(), "the folder map names {path}");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let page = page();
    let headings: BTreeSet<String> = page.lines().filter_map(anchor).collect();
    for link in links(&page).filter(|link| !link.contains("://")) {
        match link.strip_prefix('#') {
            Some(heading) => assert!(headings.contains(heading), "no heading for #{heading}"),
            None => {
                let path = link.split('#').next().unwrap_or_default();
                assert!(root().join("docs").join(path).exists(), "a link leads to {path}");
            }
        }
    }
}

#[test]
fn every_file_that_contributing_names_exists() {
    let page = read("CONTRIBUTING.md");
    let directories = ["docs/", "events/", "functions/", "shared/", "tests/"];
    for path in code_spans(&page) {
        if directories.iter().any(|directory| path.starts_with(directory)) {
            assert!(root().join(path).exists(), "CONTRIBUTING names {path}");
        }
    }
}

#[test]
fn every_section_that_a_comment_names_exists() {
    let page = page();
    let headings: BTreeSet<String> = page.lines().filter_map(anchor).collect();
    for directory in ["shared", "functions", "tests"] {
        for path in files_below(directory, &["rs"]) {
            for rest in read(&path).split(REFERENCE).skip(1).filter(|rest| !rest.starts_with('"')) {
                let name = rest.split(['.', ',', '\n']).next().unwrap_or_default();
                let heading = anchor(&format!("## {name}")).unwrap_or_default();
                assert!(headings.contains(&heading), "{}: no section \"{name}\"", path.display());
            }
        }
    }
}

/// What a section's name stands behind in a comment, as in "See docs/architecture.md, Gates."
const REFERENCE: &str = "docs/architecture.md, ";

fn page() -> String {
    read("docs/architecture.md")
}

/// What stands below a heading of the second level.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, below) =
        page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section \"{heading}\""));
    below.split_once("\n## ").map_or(below, |(section, _)| section)
}

/// The cells of a section's tables, without heads and rulers.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = section.lines().collect();
    let is_ruler = |line: &str| line.starts_with("|--");
    let tables = lines.iter().enumerate().filter(|(_, line)| line.starts_with('|'));
    let rows =
        tables.filter(|(n, line)| !is_ruler(line) && !lines.get(n + 1).is_some_and(|next| is_ruler(next)));
    rows.map(|(_, line)| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchor that a Markdown heading gets.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix("## ").or_else(|| line.strip_prefix("### "))?;
    let kept = heading.to_lowercase().replace(' ', "-");
    Some(kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect())
}

fn directory_of(package: &str) -> PathBuf {
    let places = [root().join(package), root().join("functions").join(package)];
    places
        .into_iter()
        .find(|place| place.join("Cargo.toml").exists())
        .unwrap_or_else(|| panic!("no package {package}"))
}

fn tests_of(directory: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for path in files_below(directory, &["rs"]) {
        let file =
            syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        collect(&file.items, &mut tests);
    }
    tests
}

fn collect(items: &[Item], tests: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::Fn(function) if function.attrs.iter().any(is_test) => {
                tests.insert(function.sig.ident.to_string());
            }
            Item::Mod(module) => collect(module.content.as_ref().map_or(&[][..], |(_, items)| items), tests),
            Item::Macro(called) if called.mac.path.is_ident("proptest") => {
                let words: Vec<String> =
                    called.mac.tokens.clone().into_iter().map(|t| t.to_string()).collect();
                let functions = words.windows(2).filter(|pair| pair[0] == "fn");
                tests.extend(functions.map(|pair| pair[1].clone()));
            }
            _ => {}
        }
    }
}

/// `#[test]` or `#[tokio::test]`.
fn is_test(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
}
