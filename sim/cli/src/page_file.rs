//! `--report FILE.html`: the page, written where it was asked for.

use std::fs::OpenOptions;
use std::path::Path;

use crate::page::HtmlPage;

use super::exit::{CliError, Exit};
use super::failure_saver::warn;

/// Makes sure that a page can be written there, before the work that it is to be about.
///
/// # Errors
/// It cannot.
pub(super) fn claim(path: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = path else {
        return Ok(());
    };
    let was_there = path.exists();
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let claimed = opened.and_then(|_| match was_there {
        true => Ok(()),
        false => std::fs::remove_file(path),
    });
    claimed.map_err(|error| CliError::at(path.display(), error))
}

/// Writes a page in place of whatever lay there, when everything else has been said, and hands `exit` on.
///
/// # Errors
/// It cannot be written, and `exit` says nothing worse.
pub(super) fn write(path: &Path, page: &HtmlPage, exit: Exit) -> Result<Exit, CliError> {
    write_text(path, &page.to_string(), exit)
}

/// As [`write`], of a page that is text already.
///
/// # Errors
/// As [`write`].
pub(super) fn write_text(path: &Path, page: &str, exit: Exit) -> Result<Exit, CliError> {
    match std::fs::write(path, page) {
        Ok(()) => Ok(exit),
        Err(error) if exit == Exit::HELD => Err(CliError::at(path.display(), error)),
        Err(error) => {
            warn(&error);
            Ok(exit)
        }
    }
}
