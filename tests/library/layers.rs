//! Arrows point up only: each module knows what lies below it and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library, each with those that it may know.
const LAYERS: &[(&str, &[&str])] = &[
    ("position", &[]),
    ("log_event", &[]),
    ("json", &[]),
    ("format", &[]),
    ("clock", &[]),
    ("sync", &["clock"]),
    ("failpoint", &[]),
    ("error", &["log_event", "position"]),
    ("event", &["json", "log_event"]),
    ("checksum", &["position"]),
    ("names", &["position"]),
    ("window", &["error"]),
    ("directory", &["error", "names"]),
    ("temporary", &["directory", "error", "names"]),
    (
        "snapshot",
        &[
            "checksum",
            "directory",
            "error",
            "failpoint",
            "format",
            "json",
            "names",
            "position",
            "temporary",
            "window",
        ],
    ),
    (
        "wal",
        &[
            "checksum",
            "clock",
            "directory",
            "error",
            "event",
            "failpoint",
            "format",
            "json",
            "log_event",
            "names",
            "position",
            "sync",
            "temporary",
            "window",
        ],
    ),
    ("state_machine", &["log_event"]),
    (
        "job_queue",
        &["event", "json", "log_event", "state_machine"],
    ),
    (
        "store",
        &[
            "clock",
            "directory",
            "error",
            "failpoint",
            "json",
            "log_event",
            "names",
            "position",
            "snapshot",
            "state_machine",
            "sync",
            "wal",
        ],
    ),
    (
        "inspect",
        &[
            "directory",
            "error",
            "log_event",
            "names",
            "position",
            "snapshot",
            "state_machine",
            "store",
            "temporary",
            "wal",
        ],
    ),
    (
        "controller",
        &[
            "clock",
            "error",
            "event",
            "job_queue",
            "position",
            "store",
            "wal",
        ],
    ),
];

/// Every source file of the library that is not a test, with its text up to its tests, without
/// comments.
fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                collect(&path, found);
            } else if !["tests.rs", "properties.rs"].contains(&name.as_str()) {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let lines = code.lines().map(|line| line.split("//").next().unwrap());
                found.push((path, lines.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    let mut found = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found
}

/// The top module that a file belongs to.
fn module(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = path
        .strip_prefix(root)
        .unwrap()
        .components()
        .next()
        .unwrap();
    let first = first.as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that a text names behind `crate::`.
fn named(text: &str) -> Vec<&str> {
    let behind = text.split("crate::").skip(1);
    let words = behind.map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    });
    words
        .filter(|word| word.starts_with(|c: char| c.is_lowercase()))
        .collect()
}

#[test]
fn each_module_knows_only_what_lies_below_it() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    for (path, text) in sources() {
        let module = module(&path);
        let Some(allowed) = layers.get(module.as_str()) else {
            assert_eq!(module, "lib", "{} has no layer", path.display());
            continue;
        };
        for name in named(&text) {
            let fits = name == module || name == "storage" || allowed.contains(&name);
            assert!(fits, "{} knows {name}", path.display());
        }
    }
}

#[test]
fn the_layers_themselves_point_up_only() {
    for (index, (module, allowed)) in LAYERS.iter().enumerate() {
        for below in *allowed {
            let place = LAYERS.iter().position(|(other, _)| other == below);
            assert!(
                place.is_some_and(|place| place < index),
                "{module} knows {below}"
            );
        }
    }
}

#[test]
fn log_and_snapshots_do_not_know_each_other() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    assert!(!layers["wal"].contains(&"snapshot") && !layers["snapshot"].contains(&"wal"));
}
