//! For build scripts: the sources of an engine that opens files through `std::fs`, on `beaver-fs` instead.
//!
//! The engine is an ordinary dependency, so that Cargo has its sources and `Cargo.lock` its version. They are copied to
//! `OUT_DIR` with a few texts replaced, and become a module of the adapter: nothing of them is kept in this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One text of one file, below the sources, that is replaced wherever it stands; it stands there.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The file, `lib.rs` say.
    pub file: &'static str,
    /// The text.
    pub from: &'static str,
    /// What it becomes.
    pub to: &'static str,
}

/// Writes `engine.rs` into `OUT_DIR`, which declares the module `engine`: the sources of `name` with these edits.
///
/// # Panics
/// If the sources are not found, or an edit does not apply: then the engine is another than the edits are for.
pub fn engine(name: &str, edits: &[Edit]) {
    let from = sources_of(name);
    let out = PathBuf::from(variable("OUT_DIR"));
    let to = out.join(name);
    let mut applied = 0;
    for file in names(&from) {
        let mut text = fs::read_to_string(from.join(&file)).expect("the sources are text");
        for edit in edits.iter().filter(|edit| edit.file == file) {
            let is_there = text.contains(edit.from);
            assert!(is_there, "{name}: `{}` is not in {file}", edit.from);
            text = text.replace(edit.from, edit.to);
            applied += 1;
        }
        // The crate becomes a module: its paths get longer, and what it says of itself as a crate goes.
        text = text.replace("crate::", "crate::engine::");
        // Its tests are its own.
        text = text
            .replace("cfg(test)", "cfg(any())")
            .replace("cfg(all(test,", "cfg(all(any(),");
        if file == "lib.rs" {
            text = without_inner_attributes(&text);
        }
        fs::create_dir_all(&to).expect("OUT_DIR can be written");
        fs::write(to.join(&file), text).expect("OUT_DIR can be written");
    }
    assert_eq!(applied, edits.len(), "{name}: an edit is of no file");
    let module = format!(
        "#[allow(warnings, clippy::all, clippy::pedantic, reason = \"not ours\")]\n#[path = {:?}]\nmod engine;\n",
        to.join("lib.rs")
    );
    fs::write(out.join("engine.rs"), module).expect("OUT_DIR can be written");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", from.display());
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("Cargo sets {name} for build scripts"))
}

/// Where Cargo has unpacked the sources of a dependency.
fn sources_of(name: &str) -> PathBuf {
    let target = variable("TARGET");
    let metadata = Command::new(variable("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--frozen",
            "--filter-platform",
            &target,
        ])
        .output()
        .expect("Cargo runs");
    let said = String::from_utf8_lossy(&metadata.stderr).into_owned();
    assert!(metadata.status.success(), "cargo metadata: {said}");
    let metadata: serde_json::Value =
        serde_json::from_slice(&metadata.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == name)
        .find_map(|package| package["manifest_path"].as_str())
        .unwrap_or_else(|| panic!("`{name}` is no dependency"));
    Path::new(manifest).with_file_name("src")
}

/// The files of a flat folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the sources are there");
    let names = entries.map(|entry| entry.expect("the folder can be read").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Leaves out `#![…]`, over several lines too.
fn without_inner_attributes(text: &str) -> String {
    let mut out = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        is_inside |= line.starts_with("#![");
        if !is_inside {
            out += line;
            out.push('\n');
        }
        is_inside &= !line.ends_with(']');
    }
    out
}
