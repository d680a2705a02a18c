//! The directory that a copy is made in: nobody may read there who may not read the log.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use beaver::Storage;
use beaver::storage::DiskStorage;

use crate::exit::CliError;
use crate::report::numbers::counted;

/// An empty directory, and the log whose copy it is for.
pub(super) struct CopyPlace<'p> {
    log: &'p Path,
    copy: &'p Path,
    was_there: bool,
    pub(super) storage: Arc<dyn Storage>,
}

impl<'p> CopyPlace<'p> {
    /// The directory `copy`, made if it is not there.
    ///
    /// # Errors
    /// It holds something. Nothing is overwritten.
    pub(super) fn empty(log: &'p Path, copy: &'p Path) -> Result<Self, CliError> {
        let at = |error| CliError::at(copy.display(), error);
        let was_there = match fs::read_dir(copy) {
            Ok(mut entries) => {
                if let Some(entry) = entries.next() {
                    entry.map_err(at)?;
                    let why = "is not empty, and nothing is overwritten";
                    return Err(CliError::at(copy.display(), why));
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(at(error)),
        };
        let storage = Arc::new(DiskStorage::open(copy).map_err(CliError::new)?);
        let place = CopyPlace {
            log,
            copy,
            was_there,
            storage,
        };
        if !was_there {
            permissions::close(copy).map_err(at)?;
        }
        Ok(place)
    }

    /// What became of the copy. A whole one has the permissions of the log. After an error nothing is left of it, as far as
    /// that can be; a directory that was made for it goes too.
    ///
    /// # Errors
    /// It was not made.
    pub(super) fn finished<R>(self, made: beaver::Result<R>) -> Result<R, CliError> {
        let error = match made {
            Ok(report) => {
                let kept = permissions::keep(self.log, self.copy, !self.was_there);
                return kept
                    .map(|()| report)
                    .map_err(|error| CliError::at(self.copy.display(), error));
            }
            Err(error) => error,
        };
        let (log, copy) = (self.log.display(), self.copy.display());
        // Only a write needs room, and nothing is written to the log.
        let place = match error.is_full() {
            true => copy.to_string(),
            false => format!("{log} to {copy}"),
        };
        match self.removed() {
            0 => Err(CliError::at(place, error)),
            left => {
                let left = counted(left as u64, "file");
                let why = format!(
                    "{error}; {left} of an unfinished copy are left in {copy}: remove them"
                );
                Err(CliError::at(place, why))
            }
        }
    }

    /// Takes the lock file away, and the directory if it was made here. Answers with how many files are left.
    fn removed(&self) -> usize {
        let _ = fs::remove_file(self.copy.join("LOCK"));
        let left = fs::read_dir(self.copy).map_or(0, Iterator::count);
        if left == 0 && !self.was_there {
            // It was empty a moment ago; what came since stays.
            let _ = fs::remove_dir(self.copy);
        }
        left
    }
}

#[cfg(unix)]
mod permissions {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    fn mode(path: &Path) -> io::Result<u32> {
        Ok(fs::metadata(path)?.permissions().mode() & 0o777)
    }

    fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(directory)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths
            .filter(|path| path.as_ref().map_or(true, |path| path.is_file()))
            .collect()
    }

    /// Nobody else may look in while a copy is made.
    pub(super) fn close(copy: &Path) -> io::Result<()> {
        fs::set_permissions(copy, Permissions::from_mode(0o700))
    }

    /// Each file of the copy may do what the file of its name may in the log; one that has none there, what all of them may.
    pub(super) fn keep(log: &Path, copy: &Path, whole_directory: bool) -> io::Result<()> {
        let mut least = 0o666;
        for file in files(log)? {
            least &= mode(&file)?;
        }
        for file in files(copy)? {
            let same = file.file_name().map(|name| log.join(name));
            let same = same.filter(|same| same.is_file());
            let mode = same.map_or(Ok(least), |same| mode(&same))?;
            fs::set_permissions(&file, Permissions::from_mode(mode))?;
        }
        if whole_directory {
            fs::set_permissions(copy, Permissions::from_mode(mode(log)?))?;
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod permissions {
    use std::io;
    use std::path::Path;

    pub(super) fn close(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn keep(_: &Path, _: &Path, _: bool) -> io::Result<()> {
        Ok(())
    }
}
