//! What is wrong with a call, said before anything is recorded: a program takes long, and a mistake is made in a second.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{CliError, CrashArgs};
use crate::page_file;

/// Where failures are saved if nobody says.
const FAILURES: &str = "failures";

pub(super) fn examine(args: &CrashArgs) -> Result<(), CliError> {
    if args.log.is_none() && args.program.is_empty() {
        return Err(CliError::new(
            "there is no program and no recording\n\
             `beaver crash --check './verify {dir} {acks}' -- ./save {dir}` records a program and crashes it, \
             and `beaver crash LOG --check …` crashes a recording",
        ));
    }
    if let Some(check) = &args.check {
        if !args.serve && !names_folder(check) {
            return Err(CliError::new(format_args!(
                "the check never looks at the files: `{{dir}}` in it stands for their folder, as in \
                 --check '{check} {{dir}}'"
            )));
        }
        let word = check.split_whitespace().next().unwrap_or_default();
        runs(word, "the check")?;
    }
    if let Some(program) = args.program.first() {
        runs(program, "the program")?;
    }
    page_file::claim(args.report.as_deref())?;
    match &args.out {
        Some(out) => claim_folder(out),
        // What cannot be saved is only said: the verdict is worth more.
        None => Ok(()),
    }
}

/// Where failures are saved.
pub(super) fn out(args: &CrashArgs) -> &Path {
    args.out.as_deref().unwrap_or(Path::new(FAILURES))
}

/// Whether a command or a program says where the folder is, or takes it from the environment.
pub(super) fn names_folder(text: &str) -> bool {
    text.contains("{dir}") || text.contains("BEAVER_DIR")
}

/// Whether a file that is named by its path can be started. What is looked for in PATH is found out when it is.
fn runs(word: &str, what: &str) -> Result<(), CliError> {
    let is_path = |letter: char| letter.is_alphanumeric() || "/._-+".contains(letter);
    let has_folder = word.contains('/');
    if !word.chars().all(is_path) {
        return Ok(());
    }
    let file = match fs::metadata(word) {
        Ok(file) => file,
        Err(error) if has_folder => {
            return Err(CliError::at(format_args!("{what}, {word}"), error));
        }
        Err(_) => return Ok(()),
    };
    if !has_folder {
        return Ok(());
    }
    if file.is_dir() {
        return Err(CliError::at(format_args!("{what}, {word}"), "is a folder"));
    }
    if file.permissions().mode() & 0o111 == 0 {
        return Err(CliError::new(format_args!(
            "{what}, {word}, is not executable: `chmod +x {word}`, or name what runs it"
        )));
    }
    Ok(())
}

/// Whether a folder can be made there.
fn claim_folder(folder: &Path) -> Result<(), CliError> {
    let there = folder.ancestors().find(|folder| folder.exists());
    // A relative path has the empty one above it.
    let there = there.unwrap_or(Path::new("."));
    let tried = tempfile::Builder::new().tempdir_in(there);
    tried
        .map(drop)
        .map_err(|error| CliError::at(folder.display(), error.kind()))
}
