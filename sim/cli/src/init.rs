//! `beaver init`: a first scenario and a first test, to be changed.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::args::InitArgs;
use super::exit::{CliError, Exit};
use super::output::Output;

/// A file that is made: where, with what in it, and what to do with it.
struct FirstFile {
    path: &'static str,
    text: &'static str,
    next: &'static str,
}

const FILES: [FirstFile; 2] = [
    FirstFile {
        path: "scenarios/first.json",
        text: include_str!("../templates/init/first.json"),
        next: "a claim about Beaver's queue, and what may go wrong: `beaver run first`",
    },
    FirstFile {
        path: "tests/crash.rs",
        text: include_str!("../templates/init/crash.rs"),
        next: "a small store on a disk that fails and forgets: `cargo test --test crash`",
    },
];

/// What the test needs.
const MANIFEST: &str = "\
[dev-dependencies]
beaver-fs = { path = \"../beaver/fs\" }     # a checkout of Beaver beside this folder
beaver-sim = { path = \"../beaver/sim\" }

[profile.dev.package.\"*\"]
opt-level = 2                             # the checker runs tens of thousands of crashes a second
";

pub(crate) fn init(args: &InitArgs, out: &mut Output) -> Result<Exit, CliError> {
    // Looked at first: either all of it is made or nothing.
    for file in &FILES {
        let path = args.dir.join(file.path);
        if path.symlink_metadata().is_ok() {
            let why = "it is there already, and is not overwritten";
            return Err(CliError::at(path.display(), why));
        }
    }
    for file in &FILES {
        let path = args.dir.join(file.path);
        write_new(&path, file.text).map_err(|error| CliError::at(path.display(), error))?;
        out.line(format_args!("{:<20}  {}", file.path, file.next));
    }
    let manifest = args.dir.join("Cargo.toml");
    let have = match manifest.is_file() {
        true => "Put into Cargo.toml, for the test:",
        false => {
            "The test belongs to a package: `cargo init --lib` makes one. Put into its Cargo.toml:"
        }
    };
    out.write(format_args!("\n{have}\n\n{MANIFEST}"));
    Ok(Exit::HELD)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}
