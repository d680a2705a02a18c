//! A real directory: opened, or made so that a power cut cannot take it away.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{self as sys, CWD, Mode};
use rustix::io::Errno;

use super::descriptor;

/// An error of opening a directory, with the call and the path that it failed for.
#[derive(Debug)]
struct PathError {
    call: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.call, self.path, self.source)
    }
}

impl std::error::Error for PathError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Names the call and the path in an error, whose kind stays.
fn named(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |source| {
        let path = path.to_owned();
        io::Error::new(source.kind(), PathError { call, path, source })
    }
}

/// Opens the directory `path`.
pub(super) fn open(path: &Path) -> io::Result<File> {
    descriptor::open_directory(CWD, path).map_err(named("open", path))
}

/// Opens `path`, or makes it and what is missing above it; see
/// [`DiskStorage::open`](super::DiskStorage::open) for what is synced.
pub(super) fn open_or_make(path: &Path) -> io::Result<File> {
    let missing = match open(path) {
        Ok(directory) => {
            sync_in_parent(&directory).map_err(named("sync the parent of", path))?;
            return Ok(directory);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        Err(error) => return Err(error),
    };
    // A path without a last name, like the empty one or `missing/..`, cannot be made.
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(missing);
    };
    let parent = match parent.as_os_str().is_empty() {
        true => open_or_make(Path::new("."))?,
        false => open_or_make(parent)?,
    };
    match sys::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
        // Another process was faster; it may not have synced it yet.
        Ok(()) | Err(Errno::EXIST) => {
            sync(&parent).map_err(named("sync the parent of", path))?;
        }
        Err(error) => return Err(named("mkdir", path)(error.into())),
    }
    descriptor::open_directory(&parent, name).map_err(named("open", path))
}

/// Makes the name of a directory that is there already durable.
fn sync_in_parent(directory: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let parent = match descriptor::open_directory(directory, "..") {
        Ok(parent) => parent,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error),
    };
    if parent.metadata()?.dev() != directory.metadata()?.dev() {
        return Ok(());
    }
    sync(&parent)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn sync(directory: &File) -> io::Result<()> {
    sys::fsync(directory)?;
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn sync(directory: &File) -> io::Result<()> {
    directory.sync_all()
}
