//! What lies in the place of a file of a log and is none: the library neither lists nor follows it.

use std::fs::{self, FileType};
use std::path::Path;

use beaver::inspect::StoreProblem;
use beaver_sim::explain::printable;

use super::belongs;
use crate::exit::CliError;
use crate::output;

/// Everything in `directory` that has the name of a segment or a snapshot and cannot be one.
///
/// # Errors
/// The directory cannot be read, or a link is among it: the library ends at one with an error that does not say so.
pub(super) fn find(directory: &Path) -> Result<Vec<StoreProblem>, CliError> {
    let at = |error| CliError::at(directory.display(), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(at)? {
        let entry = entry.map_err(at)?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if !belongs(&shown) {
            continue;
        }
        let kind = entry.file_type().map_err(at)?;
        if kind.is_symlink() {
            return Err(CliError::at(
                entry.path().display(),
                "is a symbolic link, and a log is not read through links: name the directory that holds the files",
            ));
        }
        let reason = match (kind.is_file(), name.to_str()) {
            (true, Some(_)) => continue,
            (true, None) => "a name that is not UTF-8 is no name of a log: it was passed over",
            (false, _) => what(kind),
        };
        found.push(StoreProblem {
            file: shown.into_owned(),
            offset: 0,
            reason: reason.to_owned(),
        });
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// Says on standard error what [`find`] finds.
///
/// # Errors
/// As [`find`].
pub(super) fn note(directory: &Path) -> Result<(), CliError> {
    for StoreProblem { file, reason, .. } in find(directory)? {
        let path = directory.join(file);
        let place = printable(&path.display().to_string());
        output::note(format_args!("{place}: {reason}"));
    }
    Ok(())
}

fn what(kind: FileType) -> &'static str {
    match kind.is_dir() {
        true => "a directory, not a file: it was passed over",
        false => "a pipe, a socket or a device, not a file: it was passed over",
    }
}
