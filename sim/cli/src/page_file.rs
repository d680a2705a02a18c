//! Where results are written, `--out` and `--report`: looked at before the work that they are to be about.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::page::HtmlPage;

use super::exit::{CliError, Exit};
use super::failure_saver::warn;

/// Makes sure that folders can be made in `directory`. It is not made itself: where nothing fails there is nothing to save.
///
/// # Errors
/// They cannot.
pub(super) fn claim_folder(directory: &Path) -> Result<(), CliError> {
    // Where it is not there yet, what counts is the directory in which it will be made.
    let there = directory.ancestors().find(|above| above.exists());
    let there = there.filter(|above| !above.as_os_str().is_empty());
    temporary_in(there.unwrap_or(Path::new(".")))
        .map(drop)
        .map_err(|error| {
            let why = format!("nothing can be saved there: {error}");
            CliError::at(directory.display(), why)
        })
}

/// Makes sure that a page can be written there. What lies there stays as it is.
///
/// # Errors
/// It cannot.
pub(super) fn claim(path: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = path else {
        return Ok(());
    };
    let claimed = match replaced(path) {
        Ok(Some(file)) => temporary_beside(&file).map(drop),
        Ok(None) => OpenOptions::new().append(true).open(path).map(drop),
        Err(error) => Err(error),
    };
    claimed.map_err(|error| CliError::at(path.display(), error))
}

/// Writes a page in place of whatever lay there, when everything else has been said, and hands `exit` on. What lay there stays
/// if that fails.
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
    match replace(path, page.as_bytes()) {
        Ok(()) => Ok(exit),
        Err(error) if exit == Exit::HELD => Err(CliError::at(path.display(), error)),
        Err(error) => {
            warn(&error);
            Ok(exit)
        }
    }
}

/// Content before name: a write that fails destroys nothing.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let Some(file) = replaced(path)? else {
        return fs::write(path, content);
    };
    let mut temporary = temporary_beside(&file)?;
    temporary.write_all(content)?;
    if let Ok(there) = fs::metadata(&file) {
        fs::set_permissions(temporary.path(), there.permissions())?;
    }
    temporary.persist(&file).map_err(|error| error.error)?;
    Ok(())
}

/// The file that a rename onto `path` is to replace, links followed; nothing where a device or a pipe is, which a rename would
/// take away.
fn replaced(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Ok(None),
        Ok(_) => {
            // A file that may not be changed is not to be replaced either.
            OpenOptions::new().append(true).open(path)?;
            path.canonicalize().map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(path.to_owned())),
        Err(error) => Err(error),
    }
}

fn temporary_beside(file: &Path) -> io::Result<NamedTempFile> {
    let parent = file.parent();
    temporary_in(
        parent
            .filter(|it| !it.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    )
}

/// A file in `directory` that goes away again, with the permissions of every new file.
fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".beaver-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}
