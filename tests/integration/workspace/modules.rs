//! The modules of a crate and what each of them imports, read from the sources' tokens.
//!
//! A module is a file. It imports what it names with `use` or with a path through `crate`, `self`, `super` or one of its own
//! child modules; a re-export counts as the module that it names. A module depends on its children, so a child that
//! imports from its parent makes a circle. Items under `#[cfg(test)]` do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use tests::repository::{files_below, read};

/// The path of a module or of an item, from the crate's root.
type ItemPath = Vec<String>;

/// What one module names.
#[derive(Default)]
struct Module {
    /// By the name that the module gives it.
    uses: BTreeMap<String, ItemPath>,
    /// Everything it names, imported or not.
    named: BTreeSet<ItemPath>,
}

/// The Rust files below a directory, without those of tests.
pub(super) fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = files_below(directory, &["rs"]);
    files.retain(|file| {
        let mut parts = file.strip_prefix(directory).expect("below it").iter();
        parts.all(|part| part != "tests" && part != "tests.rs")
    });
    files
}

/// The modules that take part in an import circle, each with those of them that it depends on. `src` is a library's.
pub(super) fn circles(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let files = sources(src).into_iter().filter(|file| !file.ends_with("main.rs"));
    let texts = files.map(|file| (module_of(file.strip_prefix(src).expect("below src")), read(&file)));
    circles_of(texts.collect())
}

fn module_of(file: &Path) -> ItemPath {
    let parts = file.with_extension("");
    let mut parts: ItemPath = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts == ["lib"] || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn circles_of(texts: BTreeMap<ItemPath, String>) -> BTreeMap<String, BTreeSet<String>> {
    let paths: BTreeSet<ItemPath> = texts.keys().cloned().collect();
    let modules: BTreeMap<ItemPath, Module> = texts
        .into_iter()
        .map(|(path, text)| {
            let tokens = text.parse().expect("it compiles");
            let mut reader = Reader { path: &path, paths: &paths, module: Module::default() };
            reader.read(tokens);
            let module = reader.module;
            (path, module)
        })
        .collect();
    let depends_on = |path: &ItemPath| -> BTreeSet<&ItemPath> {
        let named = modules[path].named.iter().map(|item| defining_module(&modules, item));
        let children =
            paths.iter().filter(|child| child.split_last().is_some_and(|(_, parent)| parent == path));
        named.chain(children).filter(|other| *other != path).collect()
    };
    let graph: BTreeMap<&ItemPath, BTreeSet<&ItemPath>> =
        paths.iter().map(|path| (path, depends_on(path))).collect();
    let name = |path: &ItemPath| if path.is_empty() { "lib".to_owned() } else { path.join("::") };
    let mut circles = BTreeMap::new();
    for (path, others) in &graph {
        let in_circle: BTreeSet<String> = others
            .iter()
            .filter(|other| reachable(&graph, other).contains(*path))
            .map(|other| name(other))
            .collect();
        if !in_circle.is_empty() {
            circles.insert(name(path), in_circle);
        }
    }
    circles
}

/// Every module that this one depends on, directly or through others.
fn reachable<'m>(
    graph: &BTreeMap<&'m ItemPath, BTreeSet<&'m ItemPath>>,
    from: &'m ItemPath,
) -> BTreeSet<&'m ItemPath> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(next) = left.pop() {
        left.extend(graph[next].iter().copied().filter(|other| seen.insert(*other)));
    }
    seen
}

/// Follows a path to the module in which its item is defined.
fn defining_module<'m>(modules: &'m BTreeMap<ItemPath, Module>, item: &ItemPath) -> &'m ItemPath {
    let mut item = item.clone();
    // Long enough for every chain of re-exports, and an end for one that names itself.
    for _ in 0..10 {
        let depth = (0..=item.len()).rev().find(|depth| modules.contains_key(&item[..*depth]));
        let (module, rest) = item.split_at(depth.expect("the root is a module"));
        let exported = rest.first().and_then(|name| modules[module].uses.get(name));
        match exported.filter(|exported| **exported != item[..=module.len()]) {
            Some(exported) => item = exported.iter().chain(&rest[1..]).cloned().collect(),
            None => return modules.get_key_value(module).expect("found above").0,
        }
    }
    panic!("{item:?} is exported in a circle")
}

struct Reader<'a> {
    path: &'a ItemPath,
    paths: &'a BTreeSet<ItemPath>,
    module: Module,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' && is_cfg_test(tokens.get(at + 1)) => {
                    at = end_of_item(&tokens, at + 2);
                    continue;
                }
                TokenTree::Ident(ident) if *ident == "use" => {
                    let end = end_of_item(&tokens, at + 1);
                    self.read_use(&[], &tokens[at + 1..end]);
                    at = end;
                    continue;
                }
                TokenTree::Ident(_) => {
                    let (segments, end) = path_at(&tokens, at);
                    if segments.len() > 1
                        && let Some(item) = self.resolve(&segments)
                    {
                        self.module.named.insert(item);
                    }
                    at = end;
                    continue;
                }
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// One branch after another of a `use`; the tokens may end in `;`.
    fn read_use(&mut self, prefix: &[String], tokens: &[TokenTree]) {
        let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        for branch in tokens.split(is_comma).filter(|branch| !branch.is_empty()) {
            let (segments, end) = path_at(branch, 0);
            let path = [prefix, &segments].concat();
            if let Some(group) = branch.iter().find_map(|token| match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
                _ => None,
            }) {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                self.read_use(&path, &inside);
                continue;
            }
            let path: ItemPath = path
                .iter()
                .enumerate()
                .filter(|(at, part)| *at == 0 || *part != "self")
                .map(|(_, p)| p.clone())
                .collect();
            let alias = match branch.get(end..end + 2) {
                Some([TokenTree::Ident(word), TokenTree::Ident(alias)]) if *word == "as" => {
                    Some(alias.to_string())
                }
                _ => path.last().cloned(),
            };
            if let (Some(item), Some(alias)) = (self.resolve(&path), alias) {
                self.module.named.insert(item.clone());
                self.module.uses.insert(alias, item);
            }
        }
    }

    /// The path from the root, where it stays in this crate.
    fn resolve(&self, segments: &[String]) -> Option<ItemPath> {
        let first = segments.first()?.as_str();
        let supers = segments.iter().take_while(|segment| *segment == "super").count();
        let (base, rest) = match first {
            "crate" => (&[][..], &segments[1..]),
            "self" => (&self.path[..], &segments[1..]),
            "super" => (&self.path[..self.path.len().checked_sub(supers)?], &segments[supers..]),
            child if self.paths.contains(&[&self.path[..], &[child.to_owned()]].concat()) => {
                (&self.path[..], segments)
            }
            _ => return None,
        };
        Some([base, rest].concat())
    }
}

/// The segments of the path that begins here, and where it ends.
fn path_at(tokens: &[TokenTree], start: usize) -> (Vec<String>, usize) {
    let (mut segments, mut at) = (Vec::new(), start);
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        segments.push(ident.to_string());
        at += 1;
        let is_colon =
            |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':');
        if !(is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))) {
            break;
        }
        at += 2;
    }
    (segments, at.max(start + 1))
}

fn is_cfg_test(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.stream().to_string().replace(' ', "") == "cfg(test)")
}

/// Behind the `;` or the braces that end an item.
fn end_of_item(tokens: &[TokenTree], start: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    tokens[start..].iter().position(ends).map_or(tokens.len(), |length| start + length + 1)
}

#[test]
fn a_circle_is_found_and_a_re_export_is_followed() {
    let circles = |files: &[(&str, &str)]| {
        let texts = files.iter().map(|(file, text)| (module_of(Path::new(file)), (*text).to_owned()));
        circles_of(texts.collect()).into_keys().collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        circles(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::{self, C};"), ("b.rs", "")]),
        none
    );
    assert_eq!(
        circles(&[("lib.rs", ""), ("a.rs", "use super::b::B;"), ("b.rs", "fn f() { log!(crate::a::A) }")]),
        ["a", "b"]
    );
    assert_eq!(circles(&[("lib.rs", "pub struct L;"), ("a.rs", "use crate::L;")]), ["a", "lib"]);
    assert_eq!(circles(&[("lib.rs", "pub use b::L;"), ("a.rs", "use crate::{L as M};"), ("b.rs", "")]), none);
    assert_eq!(
        circles(&[
            ("lib.rs", ""),
            ("a/mod.rs", "#[cfg(test)] mod t { use super::c::C; }"),
            ("a/c.rs", "use super::C;")
        ]),
        ["a", "a::c"]
    );
    assert_eq!(
        circles(&[("lib.rs", "fn f() {}"), ("a.rs", "#[cfg(test)] mod tests { use crate::f; } fn g() {}")]),
        none
    );
}
