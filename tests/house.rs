//! The house: in every package files import each other one way, and a name stands for one type.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The packages of the workspace, by their sources.
const PACKAGES: &[&str] = &[
    "src",
    "storage/src",
    "fs/src",
    "raft/src",
    "raft/beaverd/src",
    "sim/src",
    "sim/disk/src",
    "sim/cli/src",
    "sim/cluster/src",
    "sim/trace/src",
    "sim/zoo/src",
];

/// How many files the longest chain of imports in a package may have.
const LONGEST_CHAIN: usize = 12;

/// How many names may stand for several types over the whole workspace.
const SHARED_NAMES: usize = 10;

/// A module by its path, `["wal", "append"]`; empty for the root of a package.
type Module = Vec<String>;

/// The imports of each module of a package, tests left out.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file below `folder` with its text up to its tests, without comments.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs")
            && !["tests.rs", "properties.rs", "main.rs"].contains(&&*name)
        {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines = code.lines().map(|line| line.split("//").next().unwrap());
            found.push((path, lines.collect::<Vec<_>>().join("\n")));
        }
    }
}

fn module_of(file: &Path, base: &Path) -> Module {
    let path = file.strip_prefix(base).unwrap().with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let mut module: Module = parts.collect();
    if ["mod", "lib"].contains(&module.last().unwrap().as_str()) {
        module.pop();
    }
    module
}

/// The paths that a text imports or names: those of `use` declarations written out, and every other
/// `crate::` and `super::`.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for declaration in text.split("use ").skip(1) {
        let end = declaration.find(';').unwrap_or(0);
        let tree: String = declaration[..end].split_whitespace().collect();
        if ["crate", "super", "self"]
            .iter()
            .any(|start| tree.starts_with(start))
        {
            write_out("", &tree, &mut paths);
        }
    }
    for start in ["crate::", "super::"] {
        for rest in text.split(start).skip(1) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            paths.push(format!("{start}{}", &rest[..end.unwrap_or(rest.len())]));
        }
    }
    paths
}

/// Writes `a::{b, c::d}` out as `a::b` and `a::c::d`.
fn write_out(before: &str, tree: &str, paths: &mut Vec<String>) {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for letter in tree.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(letter),
        }
    }
    for part in parts.iter().filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((more, inside)) => {
                let inside = inside.strip_suffix('}').unwrap_or(inside);
                write_out(&format!("{before}{more}"), inside, paths);
            }
            None => paths.push(format!("{before}{part}")),
        }
    }
}

/// The module that `path` leads into, as `from` writes it: the deepest that there is.
fn target(from: &Module, path: &str, all: &BTreeSet<Module>) -> Option<Module> {
    let mut parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
    let mut at = from.clone();
    if parts.first() == Some(&"crate") {
        at.clear();
    }
    while parts.first() == Some(&"super") {
        at.pop();
        parts.remove(0);
    }
    let parts = parts
        .iter()
        .filter(|part| !["crate", "self"].contains(*part));
    for part in parts {
        at.push((*part).to_owned());
        if !all.contains(&at) {
            at.pop();
            break;
        }
    }
    (all.contains(&at) && at != *from).then_some(at)
}

fn imports(package: &str) -> Imports {
    let base = root().join(package);
    let mut found = Vec::new();
    sources(&base, &mut found);
    let all: BTreeSet<Module> = found
        .iter()
        .map(|(file, _)| module_of(file, &base))
        .collect();
    let imports = found.iter().map(|(file, text)| {
        let module = module_of(file, &base);
        let paths = paths(text);
        let targets = paths.iter().filter_map(|path| target(&module, path, &all));
        let targets = targets.collect();
        (module, targets)
    });
    imports.collect()
}

/// A walk along the imports that comes back to where it began, if there is one.
fn find_loop(imports: &Imports) -> Option<Vec<Module>> {
    fn walk(
        at: &Module,
        imports: &Imports,
        way: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        if let Some(first) = way.iter().position(|earlier| earlier == at) {
            return Some(way[first..].to_vec());
        }
        if done.contains(at) {
            return None;
        }
        way.push(at.clone());
        for next in &imports[at] {
            if let Some(found) = walk(next, imports, way, done) {
                return Some(found);
            }
        }
        way.pop();
        done.insert(at.clone());
        None
    }
    let mut done = BTreeSet::new();
    let mut starts = imports.keys();
    starts.find_map(|start| walk(start, imports, &mut Vec::new(), &mut done))
}

/// The longest walk along the imports, which have no loop.
fn longest_chain(imports: &Imports) -> Vec<Module> {
    type Known = BTreeMap<Module, Vec<Module>>;
    fn chain(at: &Module, imports: &Imports, known: &mut Known) -> Vec<Module> {
        if let Some(chain) = known.get(at) {
            return chain.clone();
        }
        let next = imports[at].iter().map(|next| chain(next, imports, known));
        let mut way = vec![at.clone()];
        way.extend(next.max_by_key(Vec::len).unwrap_or_default());
        known.insert(at.clone(), way.clone());
        way
    }
    let mut known = BTreeMap::new();
    let chains = imports.keys().map(|at| chain(at, imports, &mut known));
    chains.max_by_key(Vec::len).unwrap_or_default()
}

#[test]
fn files_import_each_other_one_way() {
    for package in PACKAGES {
        let imports = imports(package);
        assert!(imports.len() > 2, "{package} has no files");
        let found = find_loop(&imports);
        assert_eq!(found, None, "{package}");
        let chain = longest_chain(&imports);
        assert!(
            chain.len() <= LONGEST_CHAIN,
            "{package}: a chain of {}: {chain:?}",
            chain.len()
        );
    }
}

/// The log and the snapshots know nothing of each other: the store brings them together.
const APART: [&str; 2] = ["wal", "snapshot"];

#[test]
fn the_log_and_the_snapshots_do_not_know_each_other() {
    let imports = imports("src");
    for (one, other) in [(APART[0], APART[1]), (APART[1], APART[0])] {
        let is_in = |module: &Module, part: &str| module.first().is_some_and(|first| first == part);
        let part = imports.iter().filter(|(module, _)| is_in(module, one));
        let part: Vec<_> = part.collect();
        assert!(!part.is_empty(), "there is no {one}");
        for (module, targets) in part {
            let known = targets.iter().find(|target| is_in(target, other));
            assert_eq!(known, None, "{module:?} knows {other}");
        }
    }
}

#[test]
fn a_loop_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let mut imports: Imports = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]
        .map(|(from, to)| (module(from), [module(to)].into()))
        .into();
    assert_eq!(find_loop(&imports).map(|found| found.len()), Some(3));
    imports.insert(module("c"), BTreeSet::new());
    assert_eq!(find_loop(&imports), None);
    assert_eq!(longest_chain(&imports).len(), 4);
}

#[test]
fn a_use_of_several_paths_is_written_out() {
    let text = "use crate::a::{b, c::{d, e}};\nuse std::fmt;\nlet x = super::f::g();";
    let paths = paths(text);
    for path in [
        "crate::a::b",
        "crate::a::c::d",
        "crate::a::c::e",
        "super::f::g",
    ] {
        assert!(paths.contains(&path.to_owned()), "{paths:?}");
    }
}

#[test]
fn a_name_stands_for_one_type() {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in PACKAGES {
        let mut found = Vec::new();
        sources(&root().join(package), &mut found);
        for (file, text) in found {
            for line in text.lines() {
                let words = line.split_whitespace();
                let mut words = words.skip_while(|word| word.starts_with("pub"));
                let kind = words.next().unwrap_or_default();
                if ["struct", "enum", "trait", "type", "union"].contains(&kind)
                    && !line.starts_with("    type ")
                {
                    let name = words.next().unwrap_or_default();
                    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
                    let name = name[..end.unwrap_or(name.len())].to_owned();
                    types
                        .entry(name)
                        .or_default()
                        .insert(file.display().to_string());
                }
            }
        }
    }
    let shared: Vec<_> = types.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(shared.len() <= SHARED_NAMES, "{shared:#?}");
}
