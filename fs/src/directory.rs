//! Directories: what is in them, and how they are made and removed.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use beaver_storage::{FileKind, Tree};

use crate::calls::symlink_metadata;
use crate::errors::plain;
use crate::metadata::{FileType, Metadata};
use crate::mounted_path::{MountedPath, PathEnd};

/// [`std::fs::read_dir`]. On a simulated disk it is one call, `list`, and the entries come in bytewise
/// order of their names.
///
/// # Errors
///
/// Those of opendir(3).
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref();
    let Some(place) = MountedPath::of(path)? else {
        return std::fs::read_dir(path).map(|entries| ReadDir(Entries::Real(entries)));
    };
    let entries = place.call(|tree, path| tree.entries(path))?;
    Ok(ReadDir(Entries::Simulated {
        directory: path.to_owned(),
        entries: entries.into_iter(),
    }))
}

/// [`std::fs::ReadDir`].
#[derive(Debug)]
pub struct ReadDir(Entries);

#[derive(Debug)]
enum Entries {
    Real(std::fs::ReadDir),
    Simulated {
        directory: PathBuf,
        entries: std::vec::IntoIter<(String, FileKind)>,
    },
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        match &mut self.0 {
            Entries::Real(entries) => {
                let entry = entries.next()?;
                Some(entry.map(|entry| DirEntry(Entry::Real(entry))))
            }
            Entries::Simulated { directory, entries } => {
                let (name, kind) = entries.next()?;
                let path = directory.join(name);
                Some(Ok(DirEntry(Entry::Simulated { path, kind })))
            }
        }
    }
}

/// [`std::fs::DirEntry`].
#[derive(Debug)]
pub struct DirEntry(Entry);

#[derive(Debug)]
enum Entry {
    Real(std::fs::DirEntry),
    Simulated { path: PathBuf, kind: FileKind },
}

impl DirEntry {
    /// [`std::fs::DirEntry::path`].
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.0 {
            Entry::Real(entry) => entry.path(),
            Entry::Simulated { path, .. } => path.clone(),
        }
    }

    /// [`std::fs::DirEntry::file_name`].
    #[must_use]
    pub fn file_name(&self) -> OsString {
        match &self.0 {
            Entry::Real(entry) => entry.file_name(),
            Entry::Simulated { path, .. } => path.file_name().unwrap_or_default().to_owned(),
        }
    }

    /// [`std::fs::DirEntry::metadata`]: of a link its own.
    ///
    /// # Errors
    ///
    /// Those of lstat(2).
    pub fn metadata(&self) -> io::Result<Metadata> {
        match &self.0 {
            Entry::Real(entry) => entry.metadata().map(Metadata::from),
            Entry::Simulated { path, .. } => symlink_metadata(path),
        }
    }

    /// [`std::fs::DirEntry::file_type`]. No storage call: the directory says it.
    ///
    /// # Errors
    ///
    /// Those of lstat(2).
    pub fn file_type(&self) -> io::Result<FileType> {
        match &self.0 {
            Entry::Real(entry) => entry.file_type().map(FileType::from),
            Entry::Simulated { kind, .. } => Ok((*kind).into()),
        }
    }
}

/// [`std::fs::DirBuilder`]. A mode is not kept on a simulated disk.
#[derive(Debug)]
pub struct DirBuilder {
    real: std::fs::DirBuilder,
    recursive: bool,
}

impl DirBuilder {
    /// [`std::fs::DirBuilder::new`].
    #[expect(clippy::new_without_default, reason = "std has no default either")]
    #[must_use]
    pub fn new() -> Self {
        DirBuilder {
            real: std::fs::DirBuilder::new(),
            recursive: false,
        }
    }

    /// [`std::fs::DirBuilder::recursive`].
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.real.recursive(recursive);
        self.recursive = recursive;
        self
    }

    /// [`std::fs::DirBuilder::create`].
    ///
    /// # Errors
    ///
    /// Those of mkdir(2).
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        match MountedPath::of_name(path) {
            Ok(None) => self.real.create(path),
            // What is missing on the way may be made.
            Err(error) if !self.recursive => Err(error),
            _ if self.recursive => create_all(path),
            Ok(Some(place)) => create_one(&place),
            Err(error) => Err(error),
        }
    }
}

impl DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut Self {
        self.real.mode(mode);
        self
    }
}

/// [`std::fs::create_dir`].
///
/// # Errors
///
/// Those of mkdir(2).
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// [`std::fs::create_dir_all`]. On a simulated disk it is a call `create_dir` for each directory that is
/// missing; where none is, one that fails, and a `len`. Nothing is synced.
///
/// # Errors
///
/// Those of mkdir(2).
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

fn create_one(place: &MountedPath) -> io::Result<()> {
    match place.path.as_str() {
        "" => Err(plain(io::ErrorKind::AlreadyExists)),
        _ => place.call(|tree, path| tree.create_dir(path)),
    }
}

/// The steps of std: the directory itself, and those above only where that fails.
fn create_all(path: &Path) -> io::Result<()> {
    let create = || match MountedPath::of_name(path)? {
        Some(place) => create_one(&place),
        None => std::fs::create_dir(path),
    };
    let is_directory = || crate::calls::metadata(path).is_ok_and(|found| found.is_dir());
    match create() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) if is_directory() => return Ok(()),
        done => return done,
    }
    match path.parent() {
        Some(parent) => create_all(parent)?,
        None => return Err(plain(io::ErrorKind::NotFound)),
    }
    match create() {
        Err(_) if is_directory() => Ok(()),
        done => done,
    }
}

/// [`std::fs::remove_dir`].
///
/// # Errors
///
/// Those of rmdir(2).
pub fn remove_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    let Some(place) = MountedPath::of_name(path)? else {
        return std::fs::remove_dir(path);
    };
    match place.end {
        // What a directory is called from inside is no name that could be removed.
        PathEnd::Dot => Err(plain(io::ErrorKind::InvalidInput)),
        PathEnd::Up => Err(plain(io::ErrorKind::DirectoryNotEmpty)),
        _ if place.path.is_empty() => Err(plain(io::ErrorKind::ResourceBusy)),
        PathEnd::Name | PathEnd::Slash => place.call(|tree, path| tree.remove_dir(path)),
    }
}

/// [`std::fs::remove_dir_all`]: not atomic. On a simulated disk it lists each directory, removes what is
/// in it in order of the names, and then the directory; a link is removed and not followed.
///
/// # Errors
///
/// Those of the calls; what was removed before stays removed.
pub fn remove_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    let Some(place) = MountedPath::of_link(path)? else {
        return std::fs::remove_dir_all(path);
    };
    match place.call(|tree, path| tree.stat(path))?.kind {
        FileKind::Symlink => return place.call(|tree, path| tree.remove(path)),
        FileKind::File | FileKind::Directory => place.call(remove_entries)?,
    }
    // By the path that was given: one that leads up from inside leads nowhere now.
    match remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn remove_entries(tree: &dyn Tree, path: &str) -> io::Result<()> {
    for (name, kind) in tree.entries(path)? {
        let inside = match path {
            "" => name,
            path => format!("{path}/{name}"),
        };
        match kind {
            FileKind::Directory => {
                remove_entries(tree, &inside)?;
                tree.remove_dir(&inside)?;
            }
            FileKind::File | FileKind::Symlink => tree.remove(&inside)?,
        }
    }
    Ok(())
}
