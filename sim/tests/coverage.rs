//! The table of storage calls is that of the source, and what runs see is in it.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use beaver_sim::coverage::{Coverage, SITES, Site, Summary, UNREACHED};
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::Scenario;

/// What a line of the source holds where it makes a storage call, itself or through a carrier, and
/// the calls that it makes.
const CALLS: &[(&str, &[&str])] = &[
    ("LockedDirectory::lock(", &["lock", "list"]),
    ("directory::list(", &["list"]),
    ("directory::remove(", &["remove"]),
    ("directory::sync(", &["sync_dir"]),
    (
        "temporary::prepare(",
        &["create", "remove", "write_at", "sync_data"],
    ),
    ("document)?.rename(", &["rename", "remove"]),
    ("prepared.rename(", &["rename", "remove"]),
    ("write_all(", &["write_at"]),
    ("set_len(", &["set_len"]),
    ("read_exact(", &["read_at"]),
    ("window.extend()", &["read_at"]),
    ("window.peek()", &["read_at"]),
    (".allocate(", &["allocate"]),
    (".create(", &["create"]),
    (".lock().map_err(", &["lock"]),
    (".open(name, Access", &["open"]),
    (".open(&name, ", &["open"]),
    (".read_at(", &["read_at"]),
    (".rename(&self.temporary", &["rename"]),
    (".sync_data()", &["sync_data"]),
    (".sync_dir()", &["sync_dir"]),
    (".write_at(", &["write_at"]),
    ("file.len()", &["len"]),
    ("file\n.len()", &["len"]),
];

/// Files whose functions carry a call out for others, or make none of the library's calls.
const CARRIERS: [&str; 5] = [
    "directory.rs",
    "failpoint.rs",
    "storage",
    "temporary.rs",
    "window.rs",
];

/// Module, function and storage call.
type Call = (String, String, String);

/// The source files of the library, without carriers and tests.
fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_test = name == "tests.rs" || name == "properties.rs";
        if is_test || CARRIERS.contains(&name) {
            continue;
        }
        match path.is_dir() {
            true => sources(&path, files),
            false => files.push(path),
        }
    }
}

/// The storage calls that stand in a file.
fn calls_in(path: &Path, root: &Path, calls: &mut BTreeSet<Call>) {
    let module = path.strip_prefix(root).unwrap().with_extension("");
    let module = module.to_str().unwrap().replace('/', "::");
    let module = module.trim_end_matches("::mod").to_owned();
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = code.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
    let mut function = "";
    for pair in lines.windows(2) {
        let (before, line) = (pair[0], pair[1]);
        let start = line.find("fn ").filter(|at| {
            let before = &line[..*at];
            before.is_empty() || before.ends_with(' ')
        });
        if let Some(start) = start {
            let name = &line[start + 3..];
            function = name.split(['(', '<']).next().unwrap();
            continue;
        }
        // A method on a line of its own belongs to the name in the line before.
        let both = format!("{before}\n{line}");
        for (text, ops) in CALLS {
            if line.contains(text) || (text.contains('\n') && both.contains(text)) {
                for op in *ops {
                    calls.insert((module.clone(), function.to_owned(), (*op).to_owned()));
                }
            }
        }
    }
}

/// A site as the source shows it: types begin with a capital letter and are no modules.
fn as_in_source(site: &Site) -> Call {
    let mut parts: Vec<&str> = site.place.split("::").collect();
    let function = parts.pop().unwrap().to_owned();
    parts.retain(|part| !part.starts_with(char::is_uppercase));
    (parts.join("::"), function, site.op.name().to_owned())
}

#[test]
fn the_table_lists_the_storage_calls_of_the_source_and_no_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut source = BTreeSet::new();
    for file in files {
        calls_in(&file, &root, &mut source);
    }
    let table: BTreeSet<Call> = SITES.iter().map(as_in_source).collect();
    let missing: Vec<_> = source.difference(&table).collect();
    let gone: Vec<_> = table.difference(&source).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in the table: {missing:#?}\nnot in the source: {gone:#?}"
    );
}

#[test]
fn every_entry_of_what_is_not_reached_is_about_something() {
    let summary = Summary::of(&Coverage::default());
    for entry in UNREACHED {
        let about = summary.rows.iter().flat_map(|row| {
            let cells = row.cells.iter();
            cells.filter(|(cell, _)| entry.explains(row.site, *cell))
        });
        assert!(about.count() > 0, "{entry:?}");
    }
}

#[test]
fn what_runs_see_is_in_the_table_and_not_said_to_be_out_of_reach() {
    let mut coverage = Coverage::default();
    for entry in std::fs::read_dir("../scenarios").unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario: Scenario = serde_json::from_str(&text).unwrap();
            for seed in 0..40 {
                coverage.add(&run_seed(&scenario, seed, Keep::default()).coverage);
            }
        }
    }
    let summary = Summary::of(&coverage);
    assert_eq!(summary.strangers, []);
    assert_eq!(summary.stale().collect::<Vec<_>>(), []);
    let (died, _) = summary.crashes();
    let (hit, _) = summary.faults();
    assert!(died > 60 && hit > 60, "{summary}");
}

#[test]
fn the_same_run_sees_the_same() {
    let text = std::fs::read_to_string("../scenarios/swarm.json").unwrap();
    let scenario: Scenario = serde_json::from_str(&text).unwrap();
    let run = || run_seed(&scenario, 3, Keep::default()).coverage;
    let first = run();
    assert_ne!(first, Coverage::default());
    assert_eq!(first, run());
}
